//! Rules: which of a prompt's detections count, and what is told of them and when.

use std::fmt;
use std::time::Duration;

use super::events::seconds;
use super::settings::{Name, Zone};
use super::table::Table;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth keeping.
    Detection,
    /// Worth telling a person at once.
    Alert,
}

/// A line across the picture, from which crossings are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Told with each crossing.
    pub name: Name,
    /// Where it begins, 0..1. Left and right are those of who stands here and looks to the other end.
    pub from: (f32, f32),
    /// Where it ends, 0..1.
    pub to: (f32, f32),
}

/// A part of the day, by the camera's own clock; over midnight if it ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Minute of the day, 0..1440.
    from: u16,
    /// The first minute after it, 0..=1440, not `from`.
    to: u16,
}

/// What counts of a prompt, and how it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Detections centred in one of these do not count.
    pub excluded_zones: Vec<Name>,
    /// Lowest and greatest height of a box, as a share of the frame's.
    pub size: (f32, f32),
    /// Lowest and greatest width of a box in pixels divided by its height.
    pub aspect: (f32, f32),
    /// An event begins once its thing was there for so long.
    pub dwell: Duration,
    /// If not empty, it is looked out for in these parts of the day only.
    pub hours: Vec<Hours>,
    /// After an alert, no event begins for so long.
    pub cooldown: Duration,
    /// What an event begins as.
    pub severity: Severity,
    /// A detection becomes an alert once its thing was there for so long.
    pub alert_after: Option<Duration>,
    /// A detection becomes an alert in one of these.
    pub alert_zones: Vec<Name>,
    /// Whether one is in it is told of each of these zones by itself.
    pub zone_states: Vec<Name>,
    /// Lines whose crossing is told. A detection becomes an alert by it.
    pub lines: Vec<Name>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            excluded_zones: Vec::new(),
            size: (0.0, 1.0),
            aspect: (0.0, 100.0),
            dwell: Duration::ZERO,
            hours: Vec::new(),
            cooldown: Duration::ZERO,
            severity: Severity::Alert,
            alert_after: None,
            alert_zones: Vec::new(),
            zone_states: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl Severity {
    /// As in the file and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Alert => "alert",
        }
    }

    /// `None` for other words than [`Self::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Detection, Self::Alert].into_iter().find(|severity| severity.as_str() == text)
    }
}

impl Hours {
    /// Reads `"22:00-06:00"`. `None` if it is not that, or no time at all.
    pub fn parse(text: &str) -> Option<Self> {
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            let (h, m): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (digits(minutes) && m < 60 && h * 60 + m <= 1440).then_some(h * 60 + m)
        };
        let (from, to) = text.split_once(['-', '–'])?;
        let (from, to) = (minute(from)?, minute(to)?);
        (from != to && from < 1440).then_some(Self { from, to })
    }

    /// Whether a minute of the day, 0..1440, lies in it.
    pub fn holds(&self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// The rules of a `[[camera.prompt]]`.
pub(super) fn rules(table: &mut Table<'_>, zones: &[Zone], lines: &[Line]) -> Rules {
    let standard = Rules::default();
    let zones: Vec<&Name> = zones.iter().map(|zone| &zone.name).collect();
    let lines: Vec<&Name> = lines.iter().map(|line| &line.name).collect();
    let alert_after = table.some_number("alert_after_s", 0.0, 86_400.0).map(seconds);
    let alert_zones = named(table, "alert_zones", "zone", &zones);
    // Whoever says when it becomes an alert means that it does not begin as one.
    let begins = if alert_after.is_some() || !alert_zones.is_empty() { Severity::Detection } else { Severity::Alert };
    Rules {
        excluded_zones: named(table, "excluded_zones", "zone", &zones),
        size: range(table, ("min_size", "max_size"), standard.size, 1.0),
        aspect: range(table, ("min_aspect", "max_aspect"), standard.aspect, 100.0),
        dwell: seconds(table.number("dwell_s", 0.0, 0.0, 86_400.0)),
        hours: hours(table),
        cooldown: seconds(table.number("cooldown_s", 0.0, 0.0, 86_400.0)),
        severity: severity(table).unwrap_or(begins),
        alert_after,
        alert_zones,
        zone_states: named(table, "zone_states", "zone", &zones),
        lines: named(table, "lines", "line", &lines),
    }
}

/// Names out of a list of those that are there.
pub(super) fn named(table: &mut Table<'_>, key: &'static str, what: &str, there: &[&Name]) -> Vec<Name> {
    let mut found = Vec::new();
    for text in table.texts(key).unwrap_or_default() {
        match there.iter().find(|name| name.as_str() == text) {
            Some(name) => found.push((*name).clone()),
            None => {
                let known: Vec<&str> = there.iter().map(|name| name.as_str()).collect();
                table.fault(key, format!("there is no {what} {text:?}; {what}s here: {}", known.join(", ")));
            }
        }
    }
    found
}

fn range(
    table: &mut Table<'_>,
    (low, high): (&'static str, &'static str),
    standard: (f32, f32),
    most: f64,
) -> (f32, f32) {
    let least = table.some_number(low, 0.0, most).map_or(standard.0, |number| number as f32);
    let greatest = table.some_number(high, 0.0, most).map_or(standard.1, |number| number as f32);
    if least > greatest {
        table.fault(low, format!("is {least}, more than `{high}`, which is {greatest}: nothing would count"));
    }
    (least, greatest)
}

fn hours(table: &mut Table<'_>) -> Vec<Hours> {
    let mut found = Vec::new();
    for text in table.texts("hours").unwrap_or_default() {
        match Hours::parse(&text) {
            Some(hours) => found.push(hours),
            None => table.fault("hours", format!("holds {text:?}, should be like \"22:00-06:00\"")),
        }
    }
    found
}

fn severity(table: &mut Table<'_>) -> Option<Severity> {
    let text = table.text("severity")?;
    let found = Severity::parse(&text);
    if found.is_none() {
        table.fault("severity", format!("is {text:?}, should be \"alert\" or \"detection\""));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_go_over_midnight() {
        let night = Hours::parse("22:00-06:00").expect("hours");
        assert!(night.holds(22 * 60) && night.holds(0) && night.holds(359) && !night.holds(360) && !night.holds(1319));
        let day = Hours::parse("6:30 - 24:00").expect("hours");
        assert!(day.holds(390) && day.holds(1439) && !day.holds(389));
        assert_eq!((night.to_string(), day.to_string()), ("22:00-06:00".to_owned(), "06:30-24:00".to_owned()));
        for wrong in [
            "",
            "22-06",
            "22:00",
            "08:00-08:00",
            "25:00-26:00",
            "08:60-09:00",
            "08:5-09:00",
            "24:00-06:00",
            "-1:00-06:00",
        ] {
            assert_eq!(Hours::parse(wrong), None, "{wrong:?}");
        }
    }
}
