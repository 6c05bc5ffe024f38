//! A table of the file being read: each value is taken out once, every fault is noted with its key path, and what is
//! left over at the end is unknown.

use std::cell::RefCell;
use std::fmt::Display;
use std::path::Path;

use config::{Map, Value, ValueKind};

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key path, such as `camera[1].prompt[0].threshold`.
    pub key: String,
    /// What was found and what would be right.
    pub problem: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// Collects faults while the tables are read.
#[derive(Debug, Default)]
pub struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    /// Notes a fault.
    pub fn add(&self, key: impl Into<String>, problem: impl Into<String>) {
        self.0.borrow_mut().push(Fault { key: key.into(), problem: problem.into() });
    }

    /// All faults, in the order in which they were met.
    pub fn into_inner(self) -> Vec<Fault> {
        self.0.into_inner()
    }
}

/// A table at a key path. Values are taken out; [`Table::finish`] reports the rest as unknown keys.
pub struct Table<'a> {
    path: String,
    values: Map<String, Value>,
    known: Vec<&'static str>,
    faults: &'a Faults,
}

/// What a value looks like to the person who wrote it, shortened.
fn shown(value: &Value) -> String {
    let text = match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(items) => format!("a list of {}", items.len()),
        ValueKind::Nil => "nothing".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() > 60 { text.chars().take(57).chain("…".chars()).collect() } else { text }
}

impl<'a> Table<'a> {
    /// A table at `path`, which is empty at the top.
    pub fn new(path: impl Into<String>, values: Map<String, Value>, faults: &'a Faults) -> Self {
        Self { path: path.into(), values, known: Vec::new(), faults }
    }

    /// The path of a key in this table.
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a fault at a key of this table.
    pub fn fault(&self, key: &str, problem: impl Into<String>) {
        self.faults.add(self.at(key), problem);
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.remove(key).filter(|value| !matches!(value.kind, ValueKind::Nil))
    }

    /// What has not been taken yet, as written.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Lets relative paths under these keys of the tables `[[list]]` start at `folder`, before anything is taken.
    pub fn join_paths(&mut self, list: &str, keys: &[&str], folder: &Path) {
        fn joined(value: &mut Value, folder: &Path) {
            match &mut value.kind {
                ValueKind::String(path) => *path = folder.join(&*path).display().to_string(),
                ValueKind::Array(items) => items.iter_mut().for_each(|item| joined(item, folder)),
                _ => {}
            }
        }
        let Some(ValueKind::Array(items)) = self.values.get_mut(list).map(|value| &mut value.kind) else { return };
        for item in items {
            if let ValueKind::Table(table) = &mut item.kind {
                for key in keys {
                    table.get_mut(*key).into_iter().for_each(|value| joined(value, folder));
                }
            }
        }
    }

    /// Whether the key is there and has not been taken.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Takes a text. Numbers and truth values count as their text, since the environment cannot tell them apart.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        match value.kind {
            ValueKind::Table(_) | ValueKind::Array(_) => {
                self.fault(key, format!("is {}, should be a text", shown(&value)));
                None
            }
            _ => value.into_string().ok(),
        }
    }

    /// Takes a truth value.
    pub fn truth(&mut self, key: &'static str, default: bool) -> bool {
        self.some_truth(key).unwrap_or(default)
    }

    /// Takes a truth value, if it is there.
    pub fn some_truth(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        let found = shown(&value);
        let truth = value.into_bool().ok();
        if truth.is_none() {
            self.fault(key, format!("is {found}, should be true or false"));
        }
        truth
    }

    /// Takes a number within `low..=high`.
    pub fn number(&mut self, key: &'static str, default: f64, low: f64, high: f64) -> f64 {
        self.some_number(key, low, high).unwrap_or(default)
    }

    /// Takes a number within `low..=high`, if it is there.
    pub fn some_number(&mut self, key: &'static str, low: f64, high: f64) -> Option<f64> {
        let value = self.take(key)?;
        let found = shown(&value);
        match value.into_float() {
            Ok(number) if number >= low && number <= high => Some(number),
            _ => {
                self.fault(key, format!("is {found}, should be a number from {low} to {high}"));
                None
            }
        }
    }

    /// Takes a whole number within `low..=high`.
    pub fn whole(&mut self, key: &'static str, default: u64, low: u64, high: u64) -> u64 {
        let Some(value) = self.take(key) else { return default };
        let found = shown(&value);
        let number = match value.kind {
            ValueKind::Float(_) => None,
            _ => value.into_uint().ok(),
        };
        match number {
            Some(number) if (low..=high).contains(&number) => number,
            _ => {
                self.fault(key, format!("is {found}, should be a whole number from {low} to {high}"));
                default
            }
        }
    }

    /// Takes a list of texts; a single text counts as a list of one. `None` if the key is absent.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let found = shown(&value);
        match value.kind {
            ValueKind::String(text) => Some(vec![text]),
            ValueKind::Array(items) => {
                let texts: Option<Vec<String>> = items
                    .into_iter()
                    .map(|item| match item.kind {
                        ValueKind::String(text) => Some(text),
                        _ => None,
                    })
                    .collect();
                if texts.is_none() {
                    self.fault(key, "should hold texts only");
                }
                Some(texts.unwrap_or_default())
            }
            _ => {
                self.fault(key, format!("is {found}, should be a list of texts"));
                Some(Vec::new())
            }
        }
    }

    /// Takes a list of numbers, each within `low..=high`. `None` if the key is absent or faulty.
    pub fn numbers(&mut self, key: &'static str, low: f64, high: f64) -> Option<Vec<f64>> {
        let value = self.take(key)?;
        let found = shown(&value);
        let numbers = value
            .into_array()
            .ok()
            .and_then(|items| items.into_iter().map(|item| item.into_float().ok()).collect::<Option<Vec<f64>>>());
        match numbers {
            Some(numbers) if !numbers.is_empty() && numbers.iter().all(|n| *n >= low && *n <= high) => Some(numbers),
            _ => {
                self.fault(key, format!("is {found}, should be a list of numbers from {low} to {high}"));
                None
            }
        }
    }

    /// Takes a list of anything, for values that are read further by hand. Empty if absent.
    pub fn list(&mut self, key: &'static str) -> Vec<Value> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let found = shown(&value);
        value.into_array().unwrap_or_else(|_| {
            self.fault(key, format!("is {found}, should be a list"));
            Vec::new()
        })
    }

    /// Takes the table at a key. `None` if it is absent or not a table.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'a>> {
        let value = self.take(key)?;
        let found = shown(&value);
        let path = self.at(key);
        match value.into_table() {
            Ok(values) => Some(Table::new(path, values, self.faults)),
            Err(_) => {
                self.fault(key, format!("is {found}, should be a table [{path}]"));
                None
            }
        }
    }

    /// Takes the tables `[[key]]`.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'a>> {
        let path = self.at(key);
        let items = self.list(key);
        let tables = items.into_iter().enumerate().filter_map(|(index, item)| {
            let path = format!("{path}[{index}]");
            let found = shown(&item);
            match item.into_table() {
                Ok(values) => Some(Table::new(path, values, self.faults)),
                Err(_) => {
                    self.faults.add(path, format!("is {found}, should be a table"));
                    None
                }
            }
        });
        tables.collect()
    }

    /// Reports every key that nobody asked for, with the nearest one that there is.
    pub fn finish(self) {
        for key in self.values.keys() {
            let nearest = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(key, known), known))
                .filter(|(distance, known)| *distance <= known.len().max(3) / 2)
                .min();
            let hint = match nearest {
                Some((_, known)) => format!("unknown key; did you mean `{known}`?"),
                None => format!("unknown key; known here: {}", self.known.join(", ")),
            };
            self.faults.add(self.at(key), hint);
        }
    }
}

/// A point out of `[x, y]`. `None` if the shape is another one.
pub fn point(value: Value) -> Option<(f32, f32)> {
    match value.into_array().ok()?.as_slice() {
        [x, y] => Some((x.clone().into_float().ok()? as f32, y.clone().into_float().ok()? as f32)),
        _ => None,
    }
}

/// A polygon's points out of `[[x, y], …]`. `None` if the shape is another one.
pub fn points(value: Value) -> Option<Vec<(f32, f32)>> {
    value.into_array().ok()?.into_iter().map(point).collect()
}
