//! The cameras as written, before anything was made of them: what [`Changes`] are laid over, so that a value that comes
//! by message is judged by the same words as one in the file.

use std::fmt;

use config::{Map, Value, ValueKind};

use super::camera::camera;
use super::changes::{Changes, Key, PromptKey};
use super::settings::{CameraSettings, Name};
use super::table::{Fault, Faults, Table};

/// A list of cameras as the file and the environment have it. It can hold credentials and is never shown.
#[derive(Clone, Default)]
pub struct Written(Vec<(Name, Map<String, Value>)>);

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The cameras with their changes laid over them.
#[derive(Clone, Debug)]
pub struct Laid {
    /// All cameras.
    pub cameras: Vec<CameraSettings>,
    /// The changes that took effect.
    pub fitting: Changes,
    /// Why the others did not.
    pub misfits: Vec<Fault>,
}

impl Written {
    /// Keeps what was written beside what it was read as: prompts get the names that were made of their phrases, since a
    /// change can give them other phrases.
    pub(super) fn new(tables: Vec<Map<String, Value>>, read: &[CameraSettings]) -> Self {
        let named = |(mut table, camera): (Map<String, Value>, &CameraSettings)| {
            for (entry, prompt) in entries(&mut table, "prompt").iter_mut().zip(&camera.prompts) {
                if let ValueKind::Table(entry) = &mut entry.kind {
                    entry.insert("name".to_owned(), prompt.name.as_str().into());
                }
            }
            (camera.name.clone(), table)
        };
        Self(tables.into_iter().zip(read).map(named).collect())
    }

    /// One camera with its changes. `None` if there is no such camera.
    ///
    /// # Errors
    /// Every fault, with the camera's name in its key. A change of what is not there is one.
    pub fn camera(&self, name: &Name, changes: &Changes) -> Option<Result<CameraSettings, Vec<Fault>>> {
        let (_, table) = self.0.iter().find(|(other, _)| other == name)?;
        Some(laid(name, table.clone(), changes))
    }

    /// All cameras with their changes. What no longer fits is left out and told: a change of a prompt that is gone from the
    /// file by itself, another fault with all changes of its camera.
    pub fn cameras(&self, changes: &Changes) -> Laid {
        let mut told = Vec::new();
        let mut taken = Changes::default();
        let mut one = |(name, table): &(Name, Map<String, Value>)| {
            let mut fitting = changes.clone();
            let added = |prompt: &Name| {
                changes.of(name).any(|(key, value)| *key == Key::Prompt(prompt.clone()) && *value == true)
            };
            let prompts = names(table, "prompt");
            fitting.forget(|camera, key| {
                let gone = |prompt| !added(prompt) && !prompts.contains(prompt);
                camera == name && matches!(key, Key::Setting(prompt, _) if gone(prompt))
            });
            let gone = fitting.difference(changes);
            told.extend(gone.into_iter().map(|(_, key, _)| Fault {
                key: format!("{name}/{key}"),
                problem: "was changed by message, but the file no longer has it".to_owned(),
            }));
            let camera = laid(name, table.clone(), &fitting);
            if camera.is_ok() {
                fitting.of(name).for_each(|(key, value)| taken.insert(name.clone(), key.clone(), value.clone()));
            }
            camera.or_else(|faults| {
                told.extend(faults);
                let problem = "runs as written, since its changes by message no longer fit".to_owned();
                told.push(Fault { key: name.to_string(), problem });
                laid(name, table.clone(), &Changes::default())
            })
        };
        // What is written was read without a fault when this was made.
        let cameras = self.0.iter().filter_map(|written| one(written).ok()).collect();
        let unknown = changes.iter().filter(|(camera, ..)| !self.0.iter().any(|(name, _)| name == *camera));
        told.extend(unknown.map(|(camera, key, _)| Fault {
            key: format!("{camera}/{key}"),
            problem: "was changed by message, but the file no longer has this camera".to_owned(),
        }));
        Laid { cameras, fitting: taken, misfits: told }
    }
}

fn entries<'a>(table: &'a mut Map<String, Value>, key: &str) -> &'a mut Vec<Value> {
    let value = table.entry(key.to_owned()).or_insert_with(|| Vec::<Value>::new().into());
    if !matches!(value.kind, ValueKind::Array(_)) {
        *value = Vec::<Value>::new().into();
    }
    match &mut value.kind {
        ValueKind::Array(entries) => entries,
        _ => unreachable!("made a list above"),
    }
}

/// The name that an entry of a list of tables has.
fn name_of(entry: &Value) -> Option<Name> {
    match &entry.kind {
        ValueKind::Table(table) => table.get("name").and_then(|name| Name::new(&name.clone().into_string().ok()?)),
        _ => None,
    }
}

fn names(table: &Map<String, Value>, key: &str) -> Vec<Name> {
    let entries = table.get(key).and_then(|value| value.clone().into_array().ok()).unwrap_or_default();
    entries.iter().filter_map(name_of).collect()
}

/// A value that came as JSON as one of the file.
fn value(json: &serde_json::Value) -> Value {
    // A number beyond 64 bits is none that a file could hold; as text it is refused with what it is.
    serde_json::from_value(json.clone()).unwrap_or_else(|_| json.to_string().into())
}

/// The entry with this name, made if there is none.
fn entry<'a>(table: &'a mut Map<String, Value>, key: &str, name: &Name) -> &'a mut Map<String, Value> {
    let entries = entries(table, key);
    let at = entries.iter().position(|entry| name_of(entry).as_ref() == Some(name)).unwrap_or_else(|| {
        entries.push(Map::from_iter([("name".to_owned(), Value::from(name.as_str()))]).into());
        entries.len() - 1
    });
    match &mut entries[at].kind {
        ValueKind::Table(entry) => entry,
        _ => unreachable!("only tables have names"),
    }
}

fn laid(name: &Name, mut table: Map<String, Value>, changes: &Changes) -> Result<CameraSettings, Vec<Fault>> {
    let faults = Faults::default();
    // Keys sort prompts before their settings, so that one that was added is there when it gets its phrases.
    for (key, json) in changes.of(name) {
        match key {
            Key::Enabled => drop(table.insert("enabled".to_owned(), value(json))),
            Key::Rate => drop(table.insert("fps".to_owned(), value(json))),
            Key::Zone(zone) if json.is_null() => {
                entries(&mut table, "zone").retain(|e| name_of(e).as_ref() != Some(zone))
            }
            Key::Zone(zone) => drop(entry(&mut table, "zone", zone).insert("points".to_owned(), value(json))),
            Key::Prompt(prompt) if json.is_null() => {
                entries(&mut table, "prompt").retain(|e| name_of(e).as_ref() != Some(prompt));
            }
            Key::Prompt(prompt) => drop(entry(&mut table, "prompt", prompt)),
            Key::Setting(prompt, setting) => {
                if names(&table, "prompt").contains(prompt) {
                    set(entry(&mut table, "prompt", prompt), *setting, json);
                } else {
                    faults.add(format!("{name}/{key}"), "there is no such prompt");
                }
            }
        }
    }
    let (zones, prompts) = (names(&table, "zone"), names(&table, "prompt"));
    let read = camera(Table::new(name.as_str(), table, &faults), &faults);
    let named = |fault: Fault| Fault { key: by_name(&fault.key, &zones, &prompts), ..fault };
    let faults: Vec<Fault> = faults.into_inner().into_iter().map(named).collect();
    read.filter(|_| faults.is_empty()).ok_or(faults)
}

fn set(prompt: &mut Map<String, Value>, key: PromptKey, json: &serde_json::Value) {
    prompt.insert(key.as_str().to_owned(), value(json));
}

/// `street.prompt[1].threshold` as a message would say it: `street/prompts/dog/threshold`.
fn by_name(key: &str, zones: &[Name], prompts: &[Name]) -> String {
    let mut said = key.to_owned();
    for (list, plural, names) in [("zone", "zones", zones), ("prompt", "prompts", prompts)] {
        for (index, name) in names.iter().enumerate() {
            said = said.replace(&format!(".{list}[{index}]"), &format!("/{plural}/{name}"));
        }
    }
    said.replace(".fps", ".rate").replace('.', "/")
}
