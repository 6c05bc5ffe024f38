//! Regions: which squares of the frame are looked at, and which of them now.

pub mod components;
pub mod cutout;
pub mod foreground;
pub mod grid;
mod light;
pub mod mixture;
pub mod motion;
pub mod patches;
pub mod schedule;
mod thumbnail;

pub use cutout::Cutout;
pub use foreground::Foreground;
pub use grid::Tile;
pub use mixture::BackgroundModel;
pub use motion::MotionGate;
pub use schedule::schedule;
