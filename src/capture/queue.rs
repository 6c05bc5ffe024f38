//! The latest-wins queue between a camera and its inference: it holds one item, a newer one replaces it, and what was
//! replaced is counted.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

struct State<T> {
    item: Option<T>,
    dropped: u64,
    senders: usize,
    receiver: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The camera's end.
pub struct LatestSender<T>(Arc<Shared<T>>);

/// The inference's end.
pub struct LatestReceiver<T>(Arc<Shared<T>>);

/// What a wait for an item came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// The newest item.
    Item(T),
    /// None came in time.
    Timeout,
    /// None will come: the sender is gone.
    Closed,
}

/// A queue of one.
pub fn latest_wins<T>() -> (LatestSender<T>, LatestReceiver<T>) {
    let state = State { item: None, dropped: 0, senders: 1, receiver: true };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
    (LatestSender(Arc::clone(&shared)), LatestReceiver(shared))
}

impl<T> LatestSender<T> {
    /// Puts an item in, never waiting. Returns false when nobody will take it.
    pub fn send(&self, item: T) -> bool {
        let mut state = self.0.state();
        if state.item.replace(item).is_some() {
            state.dropped += 1;
        }
        self.0.changed.notify_one();
        state.receiver
    }

    /// Items replaced so far.
    pub fn dropped(&self) -> u64 {
        self.0.state().dropped
    }
}

impl<T> Clone for LatestSender<T> {
    fn clone(&self) -> Self {
        self.0.state().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for LatestSender<T> {
    fn drop(&mut self) {
        self.0.state().senders -= 1;
        self.0.changed.notify_one();
    }
}

impl<T> LatestReceiver<T> {
    /// Takes the newest item, waiting for one up to `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Received<T> {
        let empty = |state: &mut State<T>| state.item.is_none() && state.senders > 0;
        let waited = self.0.changed.wait_timeout_while(self.0.state(), timeout, empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.item.take() {
            Some(item) => Received::Item(item),
            None if state.senders == 0 => Received::Closed,
            None => Received::Timeout,
        }
    }

    /// Items replaced so far.
    pub fn dropped(&self) -> u64 {
        self.0.state().dropped
    }
}

impl<T> Drop for LatestReceiver<T> {
    fn drop(&mut self) {
        self.0.state().receiver = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn the_newest_wins_and_the_rest_is_counted() {
        let (sender, receiver) = latest_wins();
        assert_eq!(receiver.recv_timeout(SOON), Received::Timeout);
        (1..=5).for_each(|i| assert!(sender.send(i)));
        assert_eq!(receiver.recv_timeout(SOON), Received::Item(5));
        assert_eq!((receiver.dropped(), sender.dropped()), (4, 4));
    }

    #[test]
    fn the_last_item_is_still_given_after_the_sender_has_gone() {
        let (sender, receiver) = latest_wins();
        let other = sender.clone();
        other.send(7);
        drop((sender, other));
        assert_eq!(receiver.recv_timeout(SOON), Received::Item(7));
        assert_eq!(receiver.recv_timeout(SOON), Received::Closed);
    }

    #[test]
    fn a_waiting_receiver_is_woken() {
        let (sender, receiver) = latest_wins();
        let waiting = std::thread::spawn(move || receiver.recv_timeout(Duration::from_secs(20)));
        sender.send("frame");
        assert_eq!(waiting.join().expect("no panic"), Received::Item("frame"));
    }
}
