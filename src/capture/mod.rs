//! Capture: a source URI becomes frames, supervised.

pub mod status;

pub use status::CameraStatus;
