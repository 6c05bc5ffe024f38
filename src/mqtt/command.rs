//! Commands: what others ask of this device, on topics that end in `set` or `reset`.
//!
//! A command comes from anybody whom the broker lets publish, so nothing in it is trusted: not its size, not its
//! encoding, not the names in its topic.

use serde_json::{Map, Value};

use super::topics::Topics;
use crate::config::changes::{Key, PromptKey};
use crate::config::settings::Name;
use crate::config::table::Fault;

/// The greatest payload of a command, bytes.
pub const MAX_COMMAND: usize = 64 * 1024;

/// The most correlation data that is given back, bytes.
const MAX_CORRELATION: usize = 1024;

/// The longest request id that is given back, characters.
const LONGEST_ID: usize = 128;

/// The longest topic that is said back, characters.
const LONGEST_TOPIC: usize = 300;

/// Between the phrases of a prompt where they are one text.
pub const BETWEEN_PHRASES: char = '|';

/// Who asked, so that the answer finds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The command's topic, shortened.
    pub topic: String,
    /// What the request calls itself, if it does.
    pub id: Option<String>,
    /// Where MQTT 5 asks for an answer, and with what correlation data.
    pub reply: Option<(String, Vec<u8>)>,
}

/// A command that can be read; whether it can be followed is for others to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Who asked.
    pub asker: Asker,
    /// The camera that it is about, there or not.
    pub camera: Name,
    /// What is asked.
    pub asked: Asked,
}

/// What is asked of a camera.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Other settings.
    Change {
        /// A merge patch of what the camera is now.
        patch: Map<String, Value>,
        /// Refused if the settings have another revision by now.
        revision: Option<u64>,
        /// Refused if this prompt is not there.
        prompt: Option<Name>,
    },
    /// What is written in place of one change.
    Reset(Key),
    /// What is written in place of all changes.
    ResetAll,
    /// A picture, now.
    Snapshot,
    /// To forget what was learnt of the background, for one prompt or for all.
    Relearn(Option<Name>),
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who asked.
    pub asker: Asker,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// The topics that commands come on.
pub fn subscriptions(topics: &Topics) -> [String; 4] {
    ["+/+/set", "+/+/+/set", "+/+/reset", "+/+/+/reset"].map(|levels| topics.below(levels))
}

/// Whether this is a command's topic.
pub fn is_command(topics: &Topics, topic: &str) -> bool {
    topics.inside(topic).is_some() && (topic.ends_with("/set") || topic.ends_with("/reset"))
}

/// Where an answer is wanted, if it may be given there. Only below this device's own `answers`: whoever may command this
/// device is not to speak with its rights on other topics.
pub(super) fn allowed_reply(topics: &Topics, reply: Option<(String, Vec<u8>)>) -> Option<(String, Vec<u8>)> {
    let allowed = |(topic, correlation): &(String, Vec<u8>)| {
        let below = topics.inside(topic).and_then(|inside| inside.strip_prefix("answers/"));
        let plain = |below: &str| !below.is_empty() && !below.contains(['+', '#', '\0']);
        below.is_some_and(plain) && topic.len() <= LONGEST_TOPIC && correlation.len() <= MAX_CORRELATION
    };
    reply.filter(allowed)
}

/// Reads a command, whose payload has `size` bytes, given or, where they are too many, not.
///
/// # Errors
/// What cannot be read in its topic or payload.
pub fn read(topics: &Topics, topic: &str, payload: &[u8], size: usize) -> Result<Request, Refusal> {
    let mut asker = Asker { topic: shortened(topic, LONGEST_TOPIC), id: None, reply: None };
    if size > MAX_COMMAND {
        let problem = format!("has {size} bytes, at most {MAX_COMMAND} are read");
        return Err(Refusal { asker, faults: vec![Fault { key: "payload".to_owned(), problem }] });
    }
    let (camera, asked) = asked(topics, topic, payload, &mut asker.id)
        .map_err(|(key, problem)| Refusal { asker: asker.clone(), faults: vec![Fault { key, problem }] })?;
    Ok(Request { asker, camera, asked })
}

type Told = (String, String);

fn asked(topics: &Topics, topic: &str, payload: &[u8], id: &mut Option<String>) -> Result<(Name, Asked), Told> {
    let refuse = |key: &str, problem: String| Err((key.to_owned(), problem));
    let Ok(text) = std::str::from_utf8(payload) else { return refuse("payload", "is not UTF-8 text".to_owned()) };
    let levels: Vec<&str> = topics.inside(topic).unwrap_or_default().split('/').collect();
    let (camera, prompt, setting, verb) = match levels.as_slice() {
        [camera, setting, verb] => (*camera, None, *setting, *verb),
        [camera, prompt, setting, verb] => (*camera, Some(*prompt), *setting, *verb),
        _ => return refuse("topic", "should be <camera>/<setting>/set or <camera>/<prompt>/<setting>/set".to_owned()),
    };
    let named = |text: &str| {
        Name::new(text).ok_or_else(|| {
            let shown = shortened(&text.escape_debug().to_string(), LONGEST_ID);
            ("topic".to_owned(), format!("holds \"{shown}\", which is no name: 1 to 64 of A–Z a–z 0–9 _ -"))
        })
    };
    let camera = named(camera)?;
    let prompt = prompt.map(named).transpose()?;
    let text = text.trim();
    let value = value(text, id).map_err(|problem| ("payload".to_owned(), problem))?;
    let reset = verb == "reset";
    let asked = match (prompt, setting) {
        (None, "snapshot") if !reset => Asked::Snapshot,
        (prompt, "calibration") if reset => Asked::Relearn(prompt),
        (None, "settings") if reset => Asked::ResetAll,
        (None, "settings") => {
            let Value::Object(mut patch) = value else {
                return refuse("payload", "should be a JSON object of what to change".to_owned());
            };
            let revision = match patch.remove("revision") {
                None => None,
                Some(value) => Some(value.as_u64().ok_or_else(|| {
                    (
                        "revision".to_owned(),
                        format!("is {}, should be a whole number", shortened(&value.to_string(), 60)),
                    )
                })?),
            };
            Asked::Change { patch, revision, prompt: None }
        }
        (None, "enabled") if reset => Asked::Reset(Key::Enabled),
        (None, "rate") if reset => Asked::Reset(Key::Rate),
        (None, "enabled" | "rate") => Asked::Change { patch: single(setting, value), revision: None, prompt: None },
        (Some(prompt), setting @ ("enabled" | "threshold" | "false_alarms_per_day" | "phrase" | "cooldown_s")) => {
            let key = match setting {
                "enabled" => PromptKey::Enabled,
                "threshold" => PromptKey::Threshold,
                "false_alarms_per_day" => PromptKey::FalseAlarms,
                "cooldown_s" => PromptKey::Cooldown,
                _ => PromptKey::Phrases,
            };
            if reset {
                Asked::Reset(Key::Setting(prompt, key))
            } else {
                let value = if setting == "phrase" { phrases(value, text) } else { value };
                let settings = Value::Object(single(key.as_str(), value));
                let patch = single("prompts", Value::Object(single(prompt.as_str(), settings)));
                Asked::Change { patch, revision: None, prompt: Some(prompt) }
            }
        }
        (None, _) => {
            return refuse(
                "topic",
                "should name settings, enabled, rate, snapshot or calibration (reset) of the camera".to_owned(),
            );
        }
        (Some(_), _) => {
            let known = "enabled, threshold, false_alarms_per_day, phrase, cooldown_s or calibration (reset)";
            return refuse("topic", format!("should name {known} of the prompt"));
        }
    };
    Ok((camera, asked))
}

fn single(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value)])
}

/// JSON where it is JSON that can be meant, else text. An object names the request, and holds the value unless the
/// object itself is the value.
fn value(text: &str, id: &mut Option<String>) -> Result<Value, String> {
    if text.starts_with('{') {
        // The parser itself refuses what is nested more than 128 deep.
        let mut object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("is no JSON that can be read: {error}"))?;
        if let Some(found) = object.remove("id") {
            let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            *id = Some(shortened(&found, LONGEST_ID));
        }
        return Ok(object.remove("value").unwrap_or(Value::Object(object)));
    }
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|error| format!("is no JSON that can be read: {error}"));
    }
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::String(_))) => Ok(value),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// A number can be a phrase too, and one text can hold several phrases.
fn phrases(value: Value, text: &str) -> Value {
    let text = match value {
        Value::Array(_) | Value::Object(_) => return value,
        Value::String(text) => text,
        _ => text.to_owned(),
    };
    text.split(BETWEEN_PHRASES).map(|phrase| Value::String(phrase.trim().to_owned())).collect()
}

fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() > longest {
        text.chars().take(longest).chain("…".chars()).collect()
    } else {
        text.to_owned()
    }
}
