//! Tracks over time, and the events that they give.

pub mod event;
pub mod tracker;

pub use event::{Event, EventKind, Evidence};
pub use tracker::Tracker;
