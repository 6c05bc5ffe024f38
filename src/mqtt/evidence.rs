//! The evidence as it goes over the wire: why something was taken for what it is told as.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::payload::{BoxMessage, round};
use crate::config::settings::Name;
use crate::detect::Related;
use crate::prompts::relation;
use crate::track::{Event, EventKind};

/// What a detection rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceMessage {
    /// The threshold that was passed, 0..1.
    pub threshold: f64,
    /// The competing phrase that came nearest.
    pub runner_up: String,
    /// Cosine to the prompt less cosine to the runner-up.
    pub margin: f64,
    /// Tiles that spoke for it.
    pub tiles: u32,
    /// Detections so far.
    pub hits: u32,
    /// What this camera's background has to do with it; `null` until something is known of it.
    pub background: Option<BackgroundMessage>,
    /// How it stands to what the prompt names beside it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relation: Option<RelationMessage>,
    /// Where on the frame the prompt was seen: a PNG over the whole of it, in base64. With `new` only, so that updates
    /// stay small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heat_map: Option<String>,
}

/// What the camera's empty scene scores for the prompt at its best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackgroundMessage {
    /// The probability that half of its best tries stay under, 0..1.
    pub median: f64,
    /// By how many spreads of those tries, in log-odds, the newest detection is above the median.
    pub above: f64,
    /// False alarms a day that are to be expected at the threshold.
    pub alarms_per_day: f64,
    /// Whether too little was seen yet to go by.
    pub learning: bool,
}

/// How a thing stands to another, or how many there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelationMessage {
    /// `right_of`, `near`, `without`, …; `at_least` where only a count was asked.
    pub kind: String,
    /// To what: its phrase.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchor: Option<String>,
    /// Where that is, in fractions of the frame.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchor_box: Option<BoxMessage>,
    /// To what zone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub zone: Option<String>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u32>,
}

impl RelationMessage {
    fn new(related: &Related) -> Self {
        Self {
            kind: related.kind.map_or("at_least", relation::Kind::as_str).to_owned(),
            anchor: related.anchor.clone(),
            anchor_box: related.area.map(BoxMessage::new),
            zone: related.zone.as_ref().map(Name::to_string),
            count: related.count,
        }
    }
}

impl EvidenceMessage {
    /// What an event rests on.
    pub(super) fn new(event: &Event) -> Self {
        Self {
            threshold: round(event.evidence.threshold),
            runner_up: event.evidence.runner_up.clone(),
            margin: round(event.evidence.margin),
            tiles: event.evidence.tiles,
            hits: event.evidence.hits,
            background: event.evidence.background.as_ref().map(|background| BackgroundMessage {
                median: round(background.median),
                above: round(background.above),
                alarms_per_day: round(background.alarms_per_day),
                learning: background.learning,
            }),
            relation: event.evidence.related.as_ref().map(RelationMessage::new),
            heat_map: (event.evidence.heat_map.as_ref())
                .filter(|_| event.kind == EventKind::New)
                .map(|heat| BASE64.encode(heat.png())),
        }
    }
}
