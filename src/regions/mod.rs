//! Regions: which squares of the frame are looked at, and which of them now.

pub mod grid;
pub mod motion;
pub mod schedule;

pub use grid::Tile;
pub use motion::MotionGate;
pub use schedule::schedule;
