//! Answers: the settings as they are now, on their retained topics, or what was wrong with a request, on `errors`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::command::{Asker, BETWEEN_PHRASES};
use super::payload::state_text;
use super::publisher::Publisher;
use super::topics::Topics;
use crate::config::settings::{CameraSettings, Name, PromptSettings, Zone};
use crate::config::table::Fault;

/// What is seen of a prompt, by topics below it.
const SEEN: [&str; 6] = ["state", "count", "score", "last_seen", "snapshot", "calibration"];

/// What is set of a prompt.
const SET: [&str; 5] = ["enabled", "threshold", "false_alarms_per_day", "phrase", "cooldown_s"];

/// All that is retained of a prompt.
pub(super) fn of_prompt(topics: &Topics, camera: &Name, prompt: &Name) -> impl Iterator<Item = String> {
    SEEN.into_iter().chain(SET).map(|key| topics.prompt_setting(camera, prompt, key))
}

/// All that is retained of a camera itself.
pub(super) fn of_camera(topics: &Topics, camera: &Name) -> impl Iterator<Item = String> {
    ["status", "enabled", "rate", "settings", "snapshot"].into_iter().map(|key| topics.camera_setting(camera, key))
}

/// What a camera's settings are told with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Counts the changes by message.
    pub revision: u64,
    /// Keys that a message has changed, in order.
    pub changed: Vec<String>,
    /// What the newest request that was followed called itself.
    pub request: Option<String>,
}

#[derive(Serialize)]
struct SettingsMessage<'a> {
    revision: u64,
    request: Option<&'a str>,
    changed: &'a [String],
    enabled: bool,
    rate: f64,
    zones: BTreeMap<&'a str, Vec<[f64; 2]>>,
    prompts: BTreeMap<&'a str, PromptMessage<'a>>,
}

#[derive(Serialize)]
struct PromptMessage<'a> {
    enabled: bool,
    phrases: &'a [String],
    negatives: &'a [String],
    threshold: f64,
    false_alarms_per_day: f64,
    zones: Vec<&'a str>,
    excluded_zones: Vec<&'a str>,
    min_size: f64,
    max_size: f64,
    min_aspect: f64,
    max_aspect: f64,
    dwell_s: f64,
    hours: Vec<String>,
    cooldown_s: f64,
    severity: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_after_s: Option<f64>,
    alert_zones: Vec<&'a str>,
    zone_states: Vec<&'a str>,
    lines: Vec<&'a str>,
}

#[derive(Serialize)]
struct AnswerMessage<'a> {
    topic: &'a str,
    id: Option<&'a str>,
    faults: Vec<FaultMessage<'a>>,
}

#[derive(Serialize)]
struct FaultMessage<'a> {
    key: &'a str,
    problem: &'a str,
}

/// A 32-bit number without the digits that 64 bits would add.
fn short(number: f32) -> f64 {
    (f64::from(number) * 1e6).round() / 1e6
}

/// A camera's settings as JSON: what `settings` shows, and what a merge patch for `settings/set` is laid over.
pub fn settings_json(camera: &CameraSettings, standing: &Standing) -> Vec<u8> {
    let zone = |zone: &Zone| zone.polygon.points().iter().map(|(x, y)| [short(*x), short(*y)]).collect::<Vec<_>>();
    fn names(names: &[Name]) -> Vec<&str> {
        names.iter().map(Name::as_str).collect()
    }
    fn told(prompt: &PromptSettings) -> PromptMessage<'_> {
        let rules = &prompt.rules;
        PromptMessage {
            enabled: prompt.enabled,
            phrases: &prompt.phrases,
            negatives: &prompt.negatives,
            threshold: short(prompt.threshold),
            false_alarms_per_day: short(prompt.false_alarms_per_day.unwrap_or_default()),
            zones: names(&prompt.zones),
            excluded_zones: names(&rules.excluded_zones),
            min_size: short(rules.size.0),
            max_size: short(rules.size.1),
            min_aspect: short(rules.aspect.0),
            max_aspect: short(rules.aspect.1),
            dwell_s: rules.dwell.as_secs_f64(),
            hours: rules.hours.iter().map(ToString::to_string).collect(),
            cooldown_s: rules.cooldown.as_secs_f64(),
            severity: rules.severity.as_str(),
            alert_after_s: rules.alert_after.map(|after| after.as_secs_f64()),
            alert_zones: names(&rules.alert_zones),
            zone_states: names(&rules.zone_states),
            lines: names(&rules.lines),
        }
    }
    let message = SettingsMessage {
        revision: standing.revision,
        request: standing.request.as_deref(),
        changed: &standing.changed,
        enabled: camera.enabled,
        rate: camera.fps,
        zones: camera.zones.iter().map(|z| (z.name.as_str(), zone(z))).collect(),
        prompts: camera.prompts.iter().map(|p| (p.name.as_str(), told(p))).collect(),
    };
    serde_json::to_vec(&message).expect("plain fields always serialise")
}

/// What became of a request, as JSON: what was wrong with it, or nothing.
pub fn answer_json(asker: &Asker, faults: &[Fault]) -> Vec<u8> {
    let message = AnswerMessage {
        topic: &asker.topic,
        id: asker.id.as_deref(),
        faults: faults.iter().map(|f| FaultMessage { key: &f.key, problem: &f.problem }).collect(),
    };
    serde_json::to_vec(&message).expect("plain fields always serialise")
}

/// A message that is neither retained nor stored.
pub(super) struct Note {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    /// What the asker gave to know the answer by.
    pub(super) correlation: Option<Vec<u8>>,
}

/// Messages that are not retained and not stored, first in, first out. When more wait than fit, the newest are refused;
/// the log counts all that they would have told.
#[derive(Default)]
pub(super) struct Notes(Mutex<VecDeque<Note>>);

impl Notes {
    /// So many errors tell enough.
    const MOST: usize = 64;

    fn queue(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if it is refused.
    pub(super) fn push(&self, note: Note) -> bool {
        let mut queue = self.queue();
        let fits = queue.len() < Self::MOST;
        if fits {
            queue.push_back(note);
        }
        fits
    }

    pub(super) fn take(&self) -> Option<Note> {
        self.queue().pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue().is_empty()
    }
}

impl Publisher {
    /// Shows a camera's settings.
    pub fn settings(&self, camera: &CameraSettings, standing: &Standing) {
        let (topics, name) = (self.topics(), &camera.name);
        self.show(topics.camera_setting(name, "enabled"), state_text(camera.enabled).into());
        self.show(topics.camera_setting(name, "rate"), camera.fps.to_string().into());
        self.show(topics.camera_setting(name, "settings"), settings_json(camera, standing));
        let between = format!(" {BETWEEN_PHRASES} ");
        for prompt in &camera.prompts {
            let setting = |key| topics.prompt_setting(name, &prompt.name, key);
            self.show(setting("enabled"), state_text(prompt.enabled).into());
            self.show(setting("threshold"), short(prompt.threshold).to_string().into());
            let false_alarms = prompt.false_alarms_per_day.unwrap_or_default();
            self.show(setting("false_alarms_per_day"), short(false_alarms).to_string().into());
            self.show(setting("cooldown_s"), prompt.rules.cooldown.as_secs_f64().to_string().into());
            self.show(setting("phrase"), prompt.phrases.join(&between).into());
        }
    }

    /// Says the state again that a request was about, whether or not it has changed.
    pub fn answer(&self, asker: &Asker) {
        if let Some((setting, _)) = asker.topic.rsplit_once('/') {
            self.repeat(setting);
        }
        self.reply(asker);
    }

    /// Clears what was seen of a prompt that is no longer there: for whoever shows what is seen.
    pub fn forget_seen(&self, camera: &Name, prompt: &Name) {
        SEEN.iter().for_each(|key| self.show(self.topics().prompt_setting(camera, prompt, key), Vec::new()));
        self.forget_metrics(camera, prompt);
    }

    /// Clears what was told of a zone that is not asked about any more.
    pub fn forget_zone(&self, camera: &Name, prompt: &Name, zone: &Name) {
        self.show(self.topics().zone_state(camera, prompt, zone), Vec::new());
    }

    /// Clears what was set of a prompt that is no longer there: for whoever shows the settings.
    pub fn forget_settings(&self, camera: &Name, prompt: &Name) {
        SET.iter().for_each(|key| self.show(self.topics().prompt_setting(camera, prompt, key), Vec::new()));
    }
}
