//! Payloads: the wire types, pinned by golden files in `tests/fixtures` and by `docs/reference/event.schema.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::evidence::EvidenceMessage;
use super::stats::Stats;
use crate::capture::CameraStatus;
use crate::config::rules::Severity;
use crate::config::settings::{EventForm, Name};
use crate::frame::UnitBox;
use crate::prompts::Explained;
use crate::prompts::calibration::probability;
use crate::store::OutboxCounts;
use crate::track::{Crossing, Event, EventKind};

/// An event as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventMessage {
    /// `new`, `update` or `end`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Stable over the life of the event.
    pub id: String,
    /// Counts the messages of this event from 0.
    pub sequence: u32,
    /// Which device.
    pub device: String,
    /// Which camera.
    pub camera: String,
    /// Which prompt.
    pub prompt: String,
    /// The prompt's first phrase.
    pub phrase: String,
    /// Probability of the newest detection, 0..1.
    pub score: f64,
    /// Highest probability so far, 0..1.
    pub top_score: f64,
    /// Where, in fractions of the frame.
    #[serde(rename = "box")]
    pub area: BoxMessage,
    /// Where, as `[x, y, width, height]` in pixels of `frame`.
    pub box_px: [u32; 4],
    /// Size of the analysed frame.
    pub frame: FrameMessage,
    /// Zones that hold its centre.
    pub zones: Vec<String>,
    /// `alert` or `detection`; it can rise once.
    #[serde(default = "alert")]
    pub severity: SeverityName,
    /// It has not moved for a while.
    #[serde(default)]
    pub stationary: bool,
    /// Lines that it has crossed since the last message; absent if none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crossed: Vec<CrossingMessage>,
    /// RFC 3339, UTC, milliseconds.
    pub first_seen: String,
    /// RFC 3339, UTC, milliseconds.
    pub last_seen: String,
    /// Seconds from first to last seen.
    pub duration_s: f64,
    /// Why it was taken for that.
    pub evidence: EvidenceMessage,
    /// Sent late: it waited for the broker.
    pub historical: bool,
}

/// Where in its life an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It has appeared.
    New,
    /// It is still there.
    Update,
    /// It has gone.
    End,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeverityName {
    /// Worth keeping.
    Detection,
    /// Worth telling a person at once.
    Alert,
}

/// What messages were that did not say.
fn alert() -> SeverityName {
    SeverityName::Alert
}

/// A line was crossed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossingMessage {
    /// Which line.
    pub line: String,
    /// `left_to_right` or `right_to_left`, as seen from the line's beginning.
    pub direction: String,
}

/// Edges in fractions of the frame, 0..1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxMessage {
    /// Left.
    pub x0: f64,
    /// Top.
    pub y0: f64,
    /// Right.
    pub x1: f64,
    /// Bottom.
    pub y1: f64,
}

impl BoxMessage {
    pub(super) fn new(area: UnitBox) -> Self {
        Self { x0: round(area.x0), y0: round(area.y0), x1: round(area.x1), y1: round(area.y1) }
    }
}

/// Pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameMessage {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl EventMessage {
    /// The message for `event`, not historical.
    pub fn new(device: &Name, event: &Event) -> Self {
        let (width, height) = event.frame_size;
        let lived = event.last_seen.as_millisecond() - event.first_seen.as_millisecond();
        Self {
            kind: match event.kind {
                EventKind::New => Kind::New,
                EventKind::Update => Kind::Update,
                EventKind::End => Kind::End,
            },
            id: event.id.clone(),
            sequence: event.sequence,
            device: device.to_string(),
            camera: event.camera.to_string(),
            prompt: event.prompt.to_string(),
            phrase: event.phrase.clone(),
            score: round(event.score),
            top_score: round(event.top_score),
            area: BoxMessage::new(event.area),
            box_px: event.area.to_pixels(width, height),
            frame: FrameMessage { width, height },
            zones: event.zones.iter().map(Name::to_string).collect(),
            severity: match event.severity {
                Severity::Detection => SeverityName::Detection,
                Severity::Alert => SeverityName::Alert,
            },
            stationary: event.stationary,
            crossed: event.crossed.iter().map(crossing).collect(),
            first_seen: rfc3339(event.first_seen),
            last_seen: rfc3339(event.last_seen),
            duration_s: lived.max(0) as f64 / 1000.0,
            evidence: EvidenceMessage::new(event),
            historical: false,
        }
    }

    /// The message as a broker wants it.
    pub fn written(&self, form: EventForm) -> Vec<u8> {
        let json = self.to_json();
        let time = self.last_seen.parse::<Timestamp>();
        match (form, time) {
            (EventForm::ThingsBoard, Ok(time)) => {
                [format!("{{\"ts\":{},\"values\":", time.as_millisecond()).as_bytes(), &json, b"}"].concat()
            }
            _ => json,
        }
    }

    /// What MQTT 5 tells beside the payload, so that a broker or consumer can choose without reading it.
    pub(super) fn properties(&self) -> Vec<(&'static str, String)> {
        let kind = match self.kind {
            Kind::New => "new",
            Kind::Update => "update",
            Kind::End => "end",
        };
        let severity = match self.severity {
            SeverityName::Detection => "detection",
            SeverityName::Alert => "alert",
        };
        let prompt = ("prompt", self.prompt.clone());
        let historical = ("historical", self.historical.to_string());
        vec![("type", kind.to_owned()), prompt, ("severity", severity.to_owned()), historical]
    }

    /// The message as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain fields always serialise")
    }
}

fn crossing(crossing: &Crossing) -> CrossingMessage {
    CrossingMessage { line: crossing.line.to_string(), direction: crossing.direction.as_str().to_owned() }
}

#[derive(Serialize)]
struct CalibrationMessage {
    fixed: bool,
    learning: bool,
    threshold: f64,
    background: Option<f64>,
    spread: Option<f64>,
    alarms_per_day: Option<f64>,
    windows: u32,
}

/// Why a prompt's threshold is what it is, as JSON: probabilities 0..1, the spread in log-odds.
pub fn calibration_json(explained: &Explained) -> Vec<u8> {
    let message = CalibrationMessage {
        fixed: explained.fixed,
        learning: explained.learning,
        threshold: round(probability(explained.threshold)),
        background: explained.level.map(|level| round(probability(level.median))),
        spread: explained.level.map(|level| round(level.spread)),
        alarms_per_day: explained.alarms_per_day.map(round),
        windows: explained.level.map_or(0, |level| level.windows as u32),
    };
    serde_json::to_vec(&message).expect("plain fields always serialise")
}

#[derive(Serialize)]
struct StatsMessage<'a> {
    version: &'a str,
    uptime_s: f64,
    cameras: BTreeMap<&'a str, CameraStatsMessage>,
    tiles_encoded: u64,
    encoder_ms: Option<f64>,
    temperature_c: Option<f64>,
    memory_mb: Option<f64>,
    events: u64,
    outbox: OutboxMessage,
}

#[derive(Serialize)]
struct CameraStatsMessage {
    frames: u64,
    frames_dropped: u64,
    frames_analysed: u64,
    fps: f64,
    regions_postponed: u64,
}

#[derive(Serialize)]
struct OutboxMessage {
    waiting: u64,
    unstored: u64,
    published: u64,
    expired: u64,
    pictures_expired: u64,
    bytes: u64,
}

/// `stats` as JSON.
pub fn stats_json(stats: &Stats) -> Vec<u8> {
    let cameras = stats.cameras.iter().map(|(name, camera)| {
        let message = CameraStatsMessage {
            frames: camera.frames,
            frames_dropped: camera.frames_dropped,
            frames_analysed: camera.frames_analysed,
            fps: round64(camera.fps),
            regions_postponed: camera.regions_postponed,
        };
        (name.as_str(), message)
    });
    let message = StatsMessage {
        version: &stats.version,
        uptime_s: round64(stats.uptime_s),
        cameras: cameras.collect(),
        tiles_encoded: stats.tiles_encoded,
        encoder_ms: stats.encoder_ms.map(round64),
        temperature_c: stats.temperature_c.map(round64),
        memory_mb: stats.memory_mb.map(round64),
        events: stats.events,
        outbox: {
            let OutboxCounts { waiting, unstored, published, expired, pictures_expired, bytes } = stats.outbox;
            OutboxMessage { waiting, unstored, published, expired, pictures_expired, bytes }
        },
    };
    serde_json::to_vec(&message).expect("plain fields always serialise")
}

/// The media type of what is retained on a topic.
pub(super) fn content_type(topic: &str) -> &'static str {
    match topic.rsplit('/').next() {
        Some("snapshot") => "image/jpeg",
        Some("stats" | "settings" | "config") => "application/json",
        _ => "text/plain",
    }
}

/// `ON` or `OFF`.
pub fn state_text(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// Four decimals; `None`, which Home Assistant reads as unknown, where there is no score.
pub fn score_text(score: Option<f32>) -> String {
    score.map_or_else(|| "None".to_owned(), |score| round(score).to_string())
}

/// `online`, `offline` or `disabled`.
pub fn camera_status_text(status: CameraStatus) -> &'static str {
    match status {
        CameraStatus::Online => "online",
        CameraStatus::Offline => "offline",
        CameraStatus::Disabled => "disabled",
    }
}

pub(super) fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(super) fn round(value: f32) -> f64 {
    round64(f64::from(value))
}

fn round64(value: f64) -> f64 {
    // JSON has no NaN and no infinity.
    if value.is_finite() { (value * 1e4).round() / 1e4 } else { 0.0 }
}
