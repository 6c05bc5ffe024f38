//! Tracks over time, and the events that they give.

mod assignment;
mod association;
pub mod best;
pub mod crossing;
pub mod event;
mod look;
pub mod motion;
pub mod parked;
mod picture;
mod rest;
mod telling;
#[allow(clippy::module_inception, reason = "a track is the noun")]
pub mod track;
pub mod tracker;

pub use crossing::{Crossing, Direction};
pub use event::{Event, EventKind, Evidence};
pub use parked::Parked;
pub use track::Track;
pub use tracker::Tracker;
