//! Tracks over time, and the events that they give.

pub mod event;

pub use event::{Event, EventKind, Evidence};
