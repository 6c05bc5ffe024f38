//! The lanes: in which order stored messages leave. What is fresh goes at once; what has waited for the broker, the
//! *backlog*, goes behind it at a bounded rate.
//!
//! Within each lane the order is that of the store. A fresh message about an event that is still in the backlog is held
//! back until the backlog has gone, so that no event ends before it begins.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{OutboxId, Pending, Store, StoreError};

/// Messages read from the store at a time.
const BATCH: usize = 16;

/// Fresh messages that are held back; with more, the fresh lane waits too.
const MOST_HELD: usize = 1000;

/// So many a second, evenly: a tenth of a second's worth may go at once.
struct Allowance {
    per_s: f64,
    left: f64,
    counted: Instant,
}

impl Allowance {
    fn new(per_s: u32, now: Instant) -> Self {
        Self { per_s: f64::from(per_s), left: 1.0, counted: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let earned = now.duration_since(self.counted).as_secs_f64() * self.per_s;
        self.left = (self.left + earned).min((self.per_s / 10.0).max(1.0));
        self.counted = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// When one may go again.
    fn due(&self) -> Instant {
        self.counted + Duration::from_secs_f64((1.0 - self.left).max(0.0) / self.per_s)
    }
}

/// Messages of one range of the store, oldest first, read in batches.
struct Lane {
    cursor: OutboxId,
    to: Option<OutboxId>,
    read: VecDeque<Pending>,
    /// The store had no more when it was last asked.
    drained: bool,
}

impl Lane {
    fn new(cursor: OutboxId, to: Option<OutboxId>) -> Self {
        Self { cursor, to, read: VecDeque::new(), drained: false }
    }

    fn next(&mut self, store: &Store) -> Result<Option<Pending>, StoreError> {
        if self.read.is_empty() && !self.drained {
            // SQLite answers in well under a millisecond, so the caller's task may wait for it.
            self.read = store.pending(self.cursor, self.to, BATCH)?.into();
            self.drained = self.read.is_empty();
        }
        let next = self.read.pop_front();
        if let Some(next) = &next {
            self.cursor = next.id;
        }
        Ok(next)
    }

    fn is_empty(&self) -> bool {
        self.read.is_empty() && self.drained
    }
}

/// Both lanes, for one connection.
pub(super) struct Lanes {
    fresh: Lane,
    backlog: Lane,
    /// Events of which messages are in the backlog or held.
    behind: HashSet<String>,
    held: VecDeque<Pending>,
    allowance: Allowance,
}

impl Lanes {
    /// Lanes in which all up to `late` is backlog, and goes at `per_s` messages a second from `now` on.
    pub(super) fn new(store: &Store, late: OutboxId, per_s: u32, now: Instant) -> Result<Self, StoreError> {
        Ok(Self {
            fresh: Lane::new(late, None),
            backlog: Lane::new(OutboxId::default(), Some(late)),
            behind: store.events_waiting(late)?,
            held: VecDeque::new(),
            allowance: Allowance::new(per_s, now),
        })
    }

    /// Something was stored.
    pub(super) fn wake(&mut self) {
        self.fresh.drained = false;
    }

    /// What is to be sent next, if something may be sent `now`. `hurried` lets the backlog go as fast as it can.
    pub(super) fn next(&mut self, store: &Store, now: Instant, hurried: bool) -> Result<Option<Pending>, StoreError> {
        while self.held.len() < MOST_HELD {
            match self.fresh.next(store)? {
                Some(pending) if self.behind.contains(&pending.event) => self.held.push_back(pending),
                Some(pending) => return Ok(Some(pending)),
                None => break,
            }
        }
        if self.late_is_gone() || !(hurried || self.allowance.take(now)) {
            return Ok(None);
        }
        let next = match self.backlog.next(store)? {
            Some(pending) => Some(pending),
            None => self.held.pop_front(),
        };
        if self.late_is_gone() {
            self.behind.clear();
        }
        Ok(next)
    }

    fn late_is_gone(&self) -> bool {
        self.backlog.is_empty() && self.held.is_empty()
    }

    /// When the backlog may go on. `None` if there is none.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.late_is_gone()).then(|| self.allowance.due())
    }

    /// Whether nothing is left to send.
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.late_is_gone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::config::file::default_store;

    fn push(store: &Store, event: &str, number: u8) -> OutboxId {
        store.push_event("gate", event, &[number], Timestamp::now()).expect("stored")
    }

    fn all(lanes: &mut Lanes, store: &Store) -> Vec<u8> {
        std::iter::from_fn(|| lanes.next(store, Instant::now(), true).expect("read"))
            .map(|pending| pending.json[0])
            .collect()
    }

    #[test]
    fn fresh_goes_first_but_no_event_ends_before_it_begins() {
        let store = Store::open(&default_store()).expect("opens");
        for (event, number) in [("a", 1), ("b", 2), ("b", 3)] {
            push(&store, event, number);
        }
        let mut lanes = Lanes::new(&store, store.newest(), 50, Instant::now()).expect("read");
        for (event, number) in [("c", 4), ("b", 5), ("c", 6), ("a", 7)] {
            push(&store, event, number);
        }
        assert_eq!(all(&mut lanes, &store), [4, 6, 1, 2, 3, 5, 7]);
        assert!(lanes.is_empty() && lanes.due().is_none());
        push(&store, "b", 8);
        lanes.wake();
        assert_eq!(all(&mut lanes, &store), [8], "the backlog has gone, and the event is fresh again");
    }

    #[test]
    fn the_backlog_goes_at_its_rate() {
        let store = Store::open(&default_store()).expect("opens");
        for number in 0..100 {
            push(&store, "a", number);
        }
        let started = Instant::now();
        let mut now = started;
        let mut lanes = Lanes::new(&store, store.newest(), 20, now).expect("read");
        let mut sent = 0;
        while !lanes.is_empty() {
            while lanes.next(&store, now, false).expect("read").is_some() {
                sent += 1;
            }
            now = lanes.due().unwrap_or(now);
        }
        assert_eq!(sent, 100);
        let took = now.duration_since(started);
        assert!((Duration::from_millis(4500)..Duration::from_millis(5500)).contains(&took), "{took:?}");
    }
}
