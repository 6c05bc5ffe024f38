//! `[camera.events]` as written, read into [`EventSettings`].

use std::time::Duration;

use super::table::Table;

/// When detections become events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSettings {
    /// Detections before a track is announced, at least 1.
    pub min_hits: u32,
    /// Time from the first to the last of them, at least: two things that pass each other can look like a third for a moment.
    pub min_seen: Duration,
    /// A track goes on while its score stays above `threshold * hysteresis`, 0..=1.
    pub hysteresis: f32,
    /// Unseen for this long, a thing has gone.
    pub gone_after: Duration,
    /// At most one update of an event in this time, save of what happens but once.
    pub update_every: Duration,
    /// A thing that has not moved for so long is stationary.
    pub stationary_after: Duration,
    /// Unseen for this long, a stationary thing has gone: something may have stood before it.
    pub stationary_gone_after: Duration,
    /// A stationary thing that is seen again within this time, at its place and with its looks, is the same.
    pub parked_for: Duration,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            min_hits: 2,
            min_seen: Duration::from_millis(450),
            hysteresis: 0.7,
            gone_after: Duration::from_secs(3),
            update_every: Duration::from_secs(1),
            stationary_after: Duration::from_secs(10),
            stationary_gone_after: Duration::from_secs(30),
            parked_for: Duration::from_secs(3600),
        }
    }
}

pub(super) fn events(mut table: Table<'_>) -> EventSettings {
    let standard = EventSettings::default();
    let events = EventSettings {
        min_hits: table.whole("min_hits", standard.min_hits.into(), 1, 1000) as u32,
        min_seen: seconds(table.number("min_seen_s", standard.min_seen.as_secs_f64(), 0.0, 3600.0)),
        hysteresis: table.number("hysteresis", standard.hysteresis.into(), 0.0, 1.0) as f32,
        gone_after: seconds(table.number("gone_after_s", standard.gone_after.as_secs_f64(), 0.1, 86_400.0)),
        update_every: seconds(table.number("update_every_s", standard.update_every.as_secs_f64(), 0.1, 86_400.0)),
        stationary_after: time(&mut table, "stationary_after_s", standard.stationary_after),
        stationary_gone_after: time(&mut table, "stationary_gone_after_s", standard.stationary_gone_after),
        parked_for: time(&mut table, "parked_for_s", standard.parked_for),
    };
    table.finish();
    events
}

fn time(table: &mut Table<'_>, key: &'static str, standard: Duration) -> Duration {
    seconds(table.number(key, standard.as_secs_f64(), 0.0, 864_000.0))
}

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
