//! The board: the newest retained value of each topic, and which of them the broker has yet to hear.
//!
//! A value that is set replaces the one that waits, so the board never holds more than one value a topic. Topics leave
//! in the order in which they first waited, so a busy one does not hold up the others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Inner {
    values: BTreeMap<String, Entry>,
    waiting: VecDeque<String>,
}

struct Entry {
    payload: Vec<u8>,
    waits: bool,
}

/// Latest-wins values by topic.
#[derive(Default)]
pub struct Board(Mutex<Inner>);

impl Board {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up a value. True if it is news and now waits to be published.
    pub fn set(&self, topic: String, payload: Vec<u8>) -> bool {
        let inner = &mut *self.inner();
        match inner.values.get_mut(&topic) {
            Some(entry) if entry.payload == payload => return entry.waits,
            Some(entry) => {
                entry.payload = payload;
                if std::mem::replace(&mut entry.waits, true) {
                    return true;
                }
            }
            None => {
                inner.values.insert(topic.clone(), Entry { payload, waits: true });
            }
        }
        inner.waiting.push_back(topic);
        true
    }

    /// Lets a value wait again although it is no news. False if there is none under this topic.
    pub fn repeat(&self, topic: &str) -> bool {
        let inner = &mut *self.inner();
        let Some(entry) = inner.values.get_mut(topic) else { return false };
        if !std::mem::replace(&mut entry.waits, true) {
            inner.waiting.push_back(topic.to_owned());
        }
        true
    }

    /// Takes down a topic whose clearing, by an empty value, the broker has acknowledged.
    pub fn cleared(&self, topic: &str) {
        let inner = &mut *self.inner();
        if inner.values.get(topic).is_some_and(|entry| entry.payload.is_empty() && !entry.waits) {
            inner.values.remove(topic);
        }
    }

    /// Takes the next value to publish; the board goes on showing it.
    pub fn take(&self) -> Option<(String, Vec<u8>)> {
        let inner = &mut *self.inner();
        let topic = inner.waiting.pop_front()?;
        let entry = inner.values.get_mut(&topic)?;
        entry.waits = false;
        Some((topic, entry.payload.clone()))
    }

    /// Lets every value wait again: a new connection may face a broker that has forgotten them.
    pub fn republish(&self) {
        let inner = &mut *self.inner();
        for (topic, entry) in &mut inner.values {
            if !std::mem::replace(&mut entry.waits, true) {
                inner.waiting.push_back(topic.clone());
            }
        }
    }

    /// Replaces every value for which `new` gives another.
    pub fn replace(&self, new: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) {
        let inner = self.inner();
        let changes: Vec<_> = (inner.values.iter())
            .filter_map(|(topic, entry)| Some((topic.clone(), new(topic, &entry.payload)?)))
            .collect();
        drop(inner);
        for (topic, payload) in changes {
            self.set(topic, payload);
        }
    }

    /// Whether nothing waits.
    pub fn is_settled(&self) -> bool {
        self.inner().waiting.is_empty()
    }
}
