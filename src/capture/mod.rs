//! Capture: a source URI becomes frames, supervised, through a queue that never holds up the camera.

pub mod error;
mod gif;
pub mod offline;
mod pace;
mod pipeline;
pub mod queue;
pub mod recorder;
pub mod source;
pub mod status;
mod supervisor;

pub use error::CaptureError;
pub use offline::{Recording, open_offline};
pub use queue::{LatestReceiver, LatestSender, Received, latest_wins};
pub use recorder::Recorder;
pub use status::CameraStatus;
pub use supervisor::spawn;
