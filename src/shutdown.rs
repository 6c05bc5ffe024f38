//! The request to stop, which every wait in the program races.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A flag that is raised once, and that threads and tasks can wait for. Clones share the flag.
#[derive(Clone, Debug)]
pub struct Shutdown {
    raise: Arc<watch::Sender<bool>>,
    threads: Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { raise: Arc::new(watch::Sender::new(false)), threads: Arc::default() }
    }
}

impl Shutdown {
    /// Raises the flag; all waits end.
    pub fn request(&self) {
        *self.threads.0.lock().expect("the flag's lock is never held across a panic") = true;
        self.threads.1.notify_all();
        self.raise.send_replace(true);
    }

    /// Whether the flag has been raised.
    pub fn requested(&self) -> bool {
        *self.raise.borrow()
    }

    /// Sleeps for `duration` on a thread, or less. Returns true when the flag was raised.
    pub fn wait_timeout(&self, duration: Duration) -> bool {
        let raised = self.threads.0.lock().expect("the flag's lock is never held across a panic");
        let (raised, _) = self
            .threads
            .1
            .wait_timeout_while(raised, duration, |raised| !*raised)
            .expect("the flag's lock is never held across a panic");
        *raised
    }

    /// Completes when the flag is raised.
    pub async fn wait(&self) {
        // The sender lives in self, so the channel cannot close while this waits.
        let _ = self.raise.subscribe().wait_for(|raised| *raised).await;
    }
}
