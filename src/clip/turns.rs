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
    /// For how many seconds each has held it, what is long ago counting less. All are as of the end of the last turn: those
    /// who wait compare them at different moments, and must find the same one first, or nobody would go on.
    used: HashMap<ThreadId, f64>,
    /// When the last turn ended.
    ended: Option<Instant>,
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
        let used = |who: &ThreadId| self.used.get(who).copied().unwrap_or(0.0);
        // Of equals, `min_by` takes the first.
        self.waiting.iter().copied().min_by(|a, b| used(a).total_cmp(&used(b)))
    }

    /// Notes a turn that ends now.
    fn note(&mut self, who: ThreadId, seconds: f64, now: Instant) {
        let passed = self.ended.replace(now).map_or(0.0, |ended| now.duration_since(ended).as_secs_f64());
        let left = 0.5_f64.powf(passed / FORGOTTEN_S);
        self.used.retain(|_, used| {
            *used *= left;
            *used > NONE
        });
        *self.used.entry(who).or_default() += seconds;
        self.is_taken = false;
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
        queue.note(thread::current().id(), now.duration_since(self.since).as_secs_f64(), now);
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
        let (mut queue, who, now) = (Queue::default(), thread::current().id(), Instant::now());
        queue.note(who, 0.8, now);
        queue.note(who, 0.1, now + Duration::from_secs(3));
        assert!((queue.used[&who] - 0.2).abs() < 1e-6, "{:?}", queue.used);
        let other = thread::spawn(|| thread::current().id()).join().expect("an id");
        queue.note(other, 0.1, now + Duration::from_secs(60));
        assert!(!queue.used.contains_key(&who), "{:?}", queue.used);
    }

    #[test]
    fn many_who_ask_at_once_all_get_on() {
        let (turns, held) = (Turns::default(), Mutex::new(()));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let _turn = turns.take();
                        // Whoever has the turn has it alone.
                        drop(held.try_lock().expect("one at a time"));
                    }
                });
            }
        });
        assert!(turns.queue().waiting.is_empty() && !turns.queue().is_taken);
    }
}
