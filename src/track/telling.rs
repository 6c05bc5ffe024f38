//! Telling: when the things of a prompt become events, and how much those matter.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::track::Track;
use crate::config::rules::{Line, Rules, Severity};
use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::elapsed::since;
use crate::frame::Polygon;

/// A prompt's rules with what they name.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) camera: Name,
    pub(super) prompt: Name,
    pub(super) rules: Rules,
    pub(super) lines: Vec<Line>,
    alert_zones: Vec<Polygon>,
    time_zone: TimeZone,
}

impl Telling {
    pub(super) fn new(camera: &CameraSettings, prompt: &PromptSettings) -> Self {
        let rules = prompt.rules.clone();
        let zones = camera.zones.iter().filter(|zone| rules.alert_zones.contains(&zone.name));
        Self {
            camera: camera.name.clone(),
            prompt: prompt.name.clone(),
            lines: camera.lines.iter().filter(|line| rules.lines.contains(&line.name)).cloned().collect(),
            alert_zones: zones.map(|zone| zone.polygon.clone()).collect(),
            time_zone: camera.time_zone.clone(),
            rules,
        }
    }

    /// Whether it is looked out for at this time of the day.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        let local = self.time_zone.to_datetime(now).time();
        let minute = 60 * u16::try_from(local.hour()).unwrap_or(0) + u16::try_from(local.minute()).unwrap_or(0);
        self.rules.hours.is_empty() || self.rules.hours.iter().any(|hours| hours.holds(minute))
    }

    /// The most that an event can come to matter: what is worth a pause after it.
    pub(super) fn highest(&self) -> Severity {
        let rises = self.rules.alert_after.is_some() || !self.alert_zones.is_empty() || !self.lines.is_empty();
        if rises { Severity::Alert } else { self.rules.severity }
    }

    /// Raises what a thing's event matters by what it does now, and tells whether it did.
    pub(super) fn raise(&self, track: &mut Track, now: Timestamp) -> bool {
        let centre = track.detection.area.centre();
        let stays = self.rules.alert_after.is_some_and(|after| since(track.first_seen, now) >= after);
        let enters = self.alert_zones.iter().any(|zone| zone.contains(centre));
        let before = track.severity;
        if stays || enters || !track.crossed.is_empty() {
            track.severity = Severity::Alert;
        }
        track.severity > before
    }
}
