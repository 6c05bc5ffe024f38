//! Metrics: the values of a node or device by name, and which of them a host has yet to hear.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{DataType, Metric, Value};

struct Entry {
    kind: DataType,
    value: Option<Value>,
    /// Milliseconds since 1970.
    since: u64,
}

/// Values by name.
#[derive(Default)]
pub(super) struct Metrics {
    entries: BTreeMap<String, Entry>,
    changed: BTreeSet<String>,
    /// There are others than were told at the birth.
    pub(super) others: bool,
}

impl Metrics {
    /// Sets a value, `None` where it is not known. True if it is news.
    pub(super) fn set(&mut self, name: String, kind: DataType, value: Option<Value>, since: u64) -> bool {
        match self.entries.get_mut(&name) {
            Some(entry) if entry.value == value => false,
            Some(entry) => {
                (entry.value, entry.since) = (value, since);
                self.changed.insert(name);
                true
            }
            None => {
                self.entries.insert(name, Entry { kind, value, since });
                self.others = true;
                true
            }
        }
    }

    /// Makes a value known of which nothing is known yet.
    pub(super) fn expect(&mut self, name: String, kind: DataType, now: u64) {
        if !self.entries.contains_key(&name) {
            self.set(name, kind, None, now);
        }
    }

    /// Keeps those of which `keep` is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|name, _| keep(name));
        self.changed.retain(|name| keep(name));
        self.others |= self.entries.len() != before;
    }

    /// All values with their types, after which nothing is news.
    pub(super) fn birth(&mut self, mut alias: impl FnMut(&str) -> Option<u64>) -> Vec<Metric> {
        self.forget_news();
        let told = |(name, entry): (&String, &Entry)| Metric {
            name: Some(name.clone()),
            alias: alias(name),
            datatype: Some(entry.kind as u32),
            ..plain(entry)
        };
        self.entries.iter().map(told).collect()
    }

    /// What has changed since it was told.
    pub(super) fn news(&mut self, mut alias: impl FnMut(&str) -> Option<u64>) -> Vec<Metric> {
        let changed = std::mem::take(&mut self.changed);
        let told = |name: &String| {
            let alias = alias(name);
            // With an alias, the specification forbids the name.
            let spoken = alias.is_none().then(|| name.clone());
            Some(Metric { name: spoken, alias, ..plain(self.entries.get(name)?) })
        };
        changed.iter().filter_map(told).collect()
    }

    pub(super) fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    pub(super) fn forget_news(&mut self) {
        self.changed.clear();
        self.others = false;
    }
}

fn plain(entry: &Entry) -> Metric {
    let is_null = entry.value.is_none().then_some(true);
    Metric { timestamp: Some(entry.since), is_null, value: entry.value.clone(), ..Metric::default() }
}
