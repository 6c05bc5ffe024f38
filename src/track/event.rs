//! An event: something described has appeared, is still there, or has gone.

use jiff::Timestamp;

use crate::config::settings::Name;
use crate::detect::HeatMap;
use crate::frame::UnitBox;

/// Where in its life an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It has appeared.
    New,
    /// It is still there.
    Update,
    /// It has gone.
    End,
}

/// One message of an event's life. All messages of one life share `id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Appeared, still there, gone.
    pub kind: EventKind,
    /// Stable over the life of the event and unique across restarts.
    pub id: String,
    /// Counts the messages of this event from 0.
    pub sequence: u32,
    /// Which camera.
    pub camera: Name,
    /// Which prompt.
    pub prompt: Name,
    /// The prompt's first phrase, for people.
    pub phrase: String,
    /// Probability of the newest detection, 0..1.
    pub score: f32,
    /// Highest probability so far, 0..1.
    pub top_score: f32,
    /// Where it is, or was last seen.
    pub area: UnitBox,
    /// Size of the analysed frame in pixels, `(width, height)`.
    pub frame_size: (u32, u32),
    /// Zones that hold its centre.
    pub zones: Vec<Name>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Why it was taken for that.
    pub evidence: Evidence,
}

/// What a detection rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The threshold that was passed, 0..1.
    pub threshold: f32,
    /// The competing phrase that came nearest.
    pub runner_up: String,
    /// Cosine to the prompt less cosine to the runner-up.
    pub margin: f32,
    /// Tiles that spoke for it.
    pub tiles: u32,
    /// Detections so far.
    pub hits: u32,
    /// Where on the frame the prompt was seen; `None` at the end.
    pub heat_map: Option<HeatMap>,
}
