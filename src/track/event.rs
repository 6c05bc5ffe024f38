//! An event: something described has appeared, is still there, or has gone.

use jiff::Timestamp;

use super::crossing::Crossing;
use crate::config::rules::Severity;
use crate::config::settings::Name;
use crate::detect::{HeatMap, Related};
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
    /// How much it matters, so far. It rises at most once.
    pub severity: Severity,
    /// It has not moved for a while.
    pub stationary: bool,
    /// Lines that it has crossed since the last message.
    pub crossed: Vec<Crossing>,
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
    /// What this camera's background has to do with it; `None` until something is known of it.
    pub background: Option<Background>,
    /// How it stands to what the prompt names beside it, where it names anything.
    pub related: Option<Related>,
    /// Where on the frame the prompt was seen; `None` at the end.
    pub heat_map: Option<HeatMap>,
}

/// What the camera's empty scene scores for the prompt at its best.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    /// The probability that half of its best tries stay under, 0..1.
    pub median: f32,
    /// By how many spreads of those tries, in log-odds, the newest detection is above the median.
    pub above: f32,
    /// False alarms a day that are to be expected at the threshold.
    pub alarms_per_day: f32,
    /// Whether too little was seen yet to go by.
    pub learning: bool,
}
