//! Turns: who may use the encoder next. Whoever used it least of late, so that a camera which asks for much and often
//! leaves the others their share and does not keep them waiting.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

/// Use counts by half after this long. Seconds.
const FORGOTTEN_S: f64 = 1.0;
/// Less use than this is none. Seconds.
const NONE: f64 = 1e-4;

/// A lock that is given to whoever held it least of late; of equals, to who came first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: Mutex<Queue>,
    next: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    is_taken: bool,
    /// Those who wait, in the order in which they came.
    waiting: Vec<ThreadId>,
    /// How long each has held it of late.
    used: HashMap<ThreadId, Use>,
}

/// For how long somebody held the lock, what is long ago counting less.
#[derive(Clone, Copy, Debug)]
struct Use {
    seconds: f64,
    at: Instant,
}

impl Use {
    fn by(&self, now: Instant) -> f64 {
        self.seconds * 0.5_f64.powf(now.duration_since(self.at).as_secs_f64() / FORGOTTEN_S)
    }
}

/// A turn, which ends when this is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    since: Instant,
}

impl Turns {
    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let own = thread::current().id();
        let mut queue = self.queue();
        queue.waiting.push(own);
        while queue.is_taken || queue.first() != Some(own) {
            queue = self.next.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.waiting.retain(|other| *other != own);
        queue.is_taken = true;
        Turn { turns: self, since: Instant::now() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whose turn it is next.
    fn first(&self) -> Option<ThreadId> {
        let now = Instant::now();
        let used = |who: &ThreadId| self.used.get(who).map_or(0.0, |used| used.by(now));
        // Of equals, `min_by` takes the first.
        self.waiting.iter().copied().min_by(|a, b| used(a).total_cmp(&used(b)))
    }
}

impl Turn<'_> {
    /// Whether others use it too.
    pub(super) fn is_shared(&self) -> bool {
        let own = thread::current().id();
        self.turns.queue().used.keys().any(|other| *other != own)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        let now = Instant::now();
        queue.used.retain(|_, used| used.by(now) > NONE);
        let held = now.duration_since(self.since).as_secs_f64();
        let before = queue.used.get(&thread::current().id()).map_or(0.0, |used| used.by(now));
        queue.used.insert(thread::current().id(), Use { seconds: before + held, at: now });
        queue.is_taken = false;
        drop(queue);
        self.turns.next.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_who_asks_much_waits_for_those_who_ask_little() {
        let turns = Turns::default();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = turns.take();
            thread::sleep(Duration::from_millis(20));
            for name in ["light", "lighter"] {
                // Each is in the queue before the next comes.
                let before = turns.queue().waiting.len();
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take();
                    order.lock().expect("not poisoned").push(name);
                });
                while turns.queue().waiting.len() == before {
                    thread::yield_now();
                }
            }
            drop(first);
            let again = turns.take();
            order.lock().expect("not poisoned").push("heavy");
            assert!(again.is_shared());
        });
        assert_eq!(order.into_inner().expect("not poisoned"), ["light", "lighter", "heavy"]);
    }

    #[test]
    fn one_alone_shares_with_nobody() {
        let turns = Turns::default();
        assert!(!turns.take().is_shared() && !turns.take().is_shared());
    }

    #[test]
    fn use_is_forgotten() {
        let (now, at) = (Instant::now() + Duration::from_secs(3), Instant::now());
        let used = Use { seconds: 0.8, at }.by(now);
        assert!((used - 0.1).abs() < 1e-3, "{used}");
    }
}
