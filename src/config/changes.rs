//! Changes: what was set while the program ran, by key, to be laid over the cameras as [`super::written`].
//!
//! A change is one value under one key, so that two who change different things do not undo each other's.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::settings::{CameraSettings, Name};
use super::table::Fault;

/// What can be changed of a camera. Written as `enabled`, `rate`, `zones/yard`, `prompts/dog`, `prompts/dog/threshold`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Whether it is watched.
    Enabled,
    /// Analysed frames per second.
    Rate,
    /// A zone's points; `null` where it was taken away.
    Zone(Name),
    /// A prompt that was added (`true`) or taken away (`null`).
    Prompt(Name),
    /// A setting of a prompt.
    Setting(Name, PromptKey),
}

/// What can be changed of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PromptKey {
    /// Whether it is looked out for.
    Enabled,
    /// Ways to say it.
    Phrases,
    /// What it is not.
    Negatives,
    /// Probability from which it counts.
    Threshold,
    /// Zones in which it counts.
    Zones,
    /// False alarms a day that are accepted; 0 leaves the threshold alone.
    FalseAlarms,
    /// Zones in which it does not.
    ExcludedZones,
    /// Least height.
    MinSize,
    /// Greatest height.
    MaxSize,
    /// Least width over height.
    MinAspect,
    /// Greatest width over height.
    MaxAspect,
    /// How long it must be there.
    Dwell,
    /// Parts of the day in which it is looked out for.
    Hours,
    /// Pause after an alert.
    Cooldown,
    /// What its events begin as.
    Severity,
    /// When a detection becomes an alert.
    AlertAfter,
    /// Where a detection becomes an alert.
    AlertZones,
    /// Of which zones it is told whether one is in them.
    ZoneStates,
    /// Lines whose crossing is told.
    Lines,
}

impl PromptKey {
    const ALL: [Self; 19] = [
        Self::Enabled,
        Self::Phrases,
        Self::Negatives,
        Self::Threshold,
        Self::Zones,
        Self::FalseAlarms,
        Self::ExcludedZones,
        Self::MinSize,
        Self::MaxSize,
        Self::MinAspect,
        Self::MaxAspect,
        Self::Dwell,
        Self::Hours,
        Self::Cooldown,
        Self::Severity,
        Self::AlertAfter,
        Self::AlertZones,
        Self::ZoneStates,
        Self::Lines,
    ];

    /// As in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Phrases => "phrases",
            Self::Negatives => "negatives",
            Self::Threshold => "threshold",
            Self::Zones => "zones",
            Self::FalseAlarms => "false_alarms_per_day",
            Self::ExcludedZones => "excluded_zones",
            Self::MinSize => "min_size",
            Self::MaxSize => "max_size",
            Self::MinAspect => "min_aspect",
            Self::MaxAspect => "max_aspect",
            Self::Dwell => "dwell_s",
            Self::Hours => "hours",
            Self::Cooldown => "cooldown_s",
            Self::Severity => "severity",
            Self::AlertAfter => "alert_after_s",
            Self::AlertZones => "alert_zones",
            Self::ZoneStates => "zone_states",
            Self::Lines => "lines",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enabled => f.write_str("enabled"),
            Self::Rate => f.write_str("rate"),
            Self::Zone(zone) => write!(f, "zones/{zone}"),
            Self::Prompt(prompt) => write!(f, "prompts/{prompt}"),
            Self::Setting(prompt, key) => write!(f, "prompts/{prompt}/{}", key.as_str()),
        }
    }
}

impl FromStr for Key {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let name = |text: &str| Name::new(text).ok_or(());
        match text.split('/').collect::<Vec<_>>().as_slice() {
            ["enabled"] => Ok(Self::Enabled),
            ["rate"] => Ok(Self::Rate),
            ["zones", zone] => Ok(Self::Zone(name(zone)?)),
            ["prompts", prompt] => Ok(Self::Prompt(name(prompt)?)),
            ["prompts", prompt, key] => Ok(Self::Setting(name(prompt)?, PromptKey::parse(key).ok_or(())?)),
            _ => Err(()),
        }
    }
}

impl Key {
    /// Whether it is of this prompt.
    pub fn is_of(&self, prompt: &Name) -> bool {
        matches!(self, Self::Prompt(name) | Self::Setting(name, _) if name == prompt)
    }
}

/// Everything that was changed, by camera and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes(BTreeMap<(Name, Key), Value>);

impl Changes {
    /// Takes in a change as it is; what it means is judged when it is laid over what is written.
    pub fn insert(&mut self, camera: Name, key: Key, value: Value) {
        self.0.insert((camera, key), value);
    }

    /// All of them, in the order of cameras and keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Key, &Value)> {
        self.0.iter().map(|((camera, key), value)| (camera, key, value))
    }

    /// Those of one camera.
    pub fn of<'a>(&'a self, camera: &'a Name) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.iter().filter(move |(of, ..)| *of == camera).map(|(_, key, value)| (key, value))
    }

    /// Forgets those that fit, and tells how many did.
    pub fn forget(&mut self, fits: impl Fn(&Name, &Key) -> bool) -> usize {
        let before = self.0.len();
        self.0.retain(|(camera, key), _| !fits(camera, key));
        before - self.0.len()
    }

    /// What leads from these to `next`: `None` as a value where a change is forgotten.
    pub fn difference<'a>(&'a self, next: &'a Self) -> Vec<(&'a Name, &'a Key, Option<&'a Value>)> {
        let gone = self.0.keys().filter(|key| !next.0.contains_key(*key)).map(|(camera, key)| (camera, key, None));
        let set = next.0.iter().filter(|(key, value)| self.0.get(*key) != Some(value));
        gone.chain(set.map(|((camera, key), value)| (camera, key, Some(value)))).collect()
    }

    /// These with a request laid over them: a JSON merge patch (RFC 7396) of what a camera is now, in which `null` takes
    /// a prompt or zone away and sets a single setting back to what is written. `present` is the camera now, `written` as the file has it.
    ///
    /// # Errors
    /// Everything in it that is not known or not there. Whether the values are right is told when they are laid over
    /// what is written.
    pub fn patched(
        &self,
        present: &CameraSettings,
        written: &CameraSettings,
        patch: &Map<String, Value>,
    ) -> Result<Self, Vec<Fault>> {
        let mut patching = Patching { next: self.clone(), present, written, faults: Vec::new() };
        for (key, value) in patch {
            match key.as_str() {
                "enabled" => patching.set(Key::Enabled, value),
                "rate" => patching.set(Key::Rate, value),
                "zones" => patching.each(key, value, Patching::zone),
                "prompts" => patching.each(key, value, Patching::prompt),
                _ => patching.fault(key, "unknown key; known here: enabled, rate, zones, prompts".to_owned()),
            }
        }
        if patching.faults.is_empty() { Ok(patching.next) } else { Err(patching.faults) }
    }
}

struct Patching<'a> {
    next: Changes,
    present: &'a CameraSettings,
    written: &'a CameraSettings,
    faults: Vec<Fault>,
}

impl Patching<'_> {
    fn fault(&mut self, key: &str, problem: String) {
        self.faults.push(Fault { key: shortened(key), problem });
    }

    /// `null` sets it back to what is written.
    fn set(&mut self, key: Key, value: &Value) {
        let at = (self.present.name.clone(), key);
        if value.is_null() {
            self.next.0.remove(&at);
        } else {
            self.next.0.insert(at, value.clone());
        }
    }

    fn each(&mut self, key: &str, value: &Value, one: impl Fn(&mut Self, Name, &Value)) {
        let Some(entries) = value.as_object() else {
            return self.fault(key, format!("should be an object of {key} by name"));
        };
        for (text, value) in entries {
            match Name::new(text) {
                Some(name) => one(self, name, value),
                None => {
                    let problem = "is no name; it should be 1 to 64 of A–Z a–z 0–9 _ -".to_owned();
                    self.fault(&format!("{key}/{}", text.escape_debug()), problem);
                }
            }
        }
    }

    /// Takes away what is there; what the file has is remembered as gone.
    fn remove(&mut self, key: Key, is_there: bool, is_written: bool) {
        if !is_there {
            return self.fault(&key.to_string(), "there is none to take away".to_owned());
        }
        let at = (self.present.name.clone(), key);
        if is_written {
            self.next.0.insert(at, Value::Null);
        } else {
            self.next.0.remove(&at);
        }
    }

    fn zone(&mut self, name: Name, value: &Value) {
        let has = |camera: &CameraSettings| camera.zones.iter().any(|zone| zone.name == name);
        if value.is_null() {
            self.remove(Key::Zone(name.clone()), has(self.present), has(self.written));
        } else {
            self.set(Key::Zone(name), value);
        }
    }

    fn prompt(&mut self, name: Name, value: &Value) {
        let has = |camera: &CameraSettings| camera.prompts.iter().any(|prompt| prompt.name == name);
        let (is_there, is_written) = (has(self.present), has(self.written));
        let camera = self.present.name.clone();
        let key = Key::Prompt(name.clone());
        match value {
            Value::Null => {
                self.next.forget(|of, key| *of == camera && matches!(key, Key::Setting(prompt, _) if *prompt == name));
                self.remove(key, is_there, is_written);
            }
            Value::Object(settings) => {
                if is_written {
                    self.next.0.remove(&(camera, key));
                } else if !is_there {
                    self.next.0.insert((camera, key), Value::Bool(true));
                }
                // Whoever sets a threshold by hand wants that one, and not what would be made of it.
                let by_hand = settings.get(PromptKey::Threshold.as_str());
                if let Some(threshold) = by_hand.filter(|_| !settings.contains_key(PromptKey::FalseAlarms.as_str())) {
                    let none = if threshold.is_null() { Value::Null } else { Value::from(0) };
                    self.set(Key::Setting(name.clone(), PromptKey::FalseAlarms), &none);
                }
                for (text, value) in settings {
                    match PromptKey::parse(text) {
                        Some(key) => self.set(Key::Setting(name.clone(), key), value),
                        None => {
                            let known = PromptKey::ALL.map(PromptKey::as_str).join(", ");
                            self.fault(&format!("prompts/{name}/{text}"), format!("unknown key; known here: {known}"));
                        }
                    }
                }
            }
            _ => self
                .fault(&key.to_string(), "should be an object such as {\"phrases\": [\"a dog\"]}, or null".to_owned()),
        }
    }
}

/// What a stranger wrote, short enough to be told.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.chars().count() > LONGEST {
        text.chars().take(LONGEST).chain("…".chars()).collect()
    } else {
        text.to_owned()
    }
}
