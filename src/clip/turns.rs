//! Turns: who may use the encoder next. First come, first served, so that a camera which asks for much and often leaves
//! the others their share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A lock whose waiters are served in the order in which they came, which a mutex of the system does not promise.
#[derive(Debug, Default)]
pub(super) struct Turns {
    tickets: Mutex<Tickets>,
    next: Condvar,
}

#[derive(Debug, Default)]
struct Tickets {
    given: u64,
    served: u64,
}

/// A turn, which ends when this is dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut tickets = self.tickets();
        let own = tickets.given;
        tickets.given += 1;
        while tickets.served != own {
            tickets = self.next.wait(tickets).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.tickets().served += 1;
        self.0.next.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_who_asks_again_and_again_waits_for_those_who_asked_meanwhile() {
        let turns = Turns::default();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let first = turns.take();
            for name in ["light", "lighter"] {
                // Each is in the queue before the next comes.
                let before = turns.tickets().given;
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take();
                    order.lock().expect("not poisoned").push(name);
                });
                while turns.tickets().given == before {
                    thread::yield_now();
                }
            }
            drop(first);
            let _again = turns.take();
            order.lock().expect("not poisoned").push("heavy");
        });
        assert_eq!(order.into_inner().expect("not poisoned"), ["light", "lighter", "heavy"]);
    }
}
