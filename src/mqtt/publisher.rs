//! The publisher: what the rest of the program holds of MQTT. It takes messages at once and brings them to the broker
//! in its own time, over as many connections as that needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::board::Board;
use super::client::{self, MAX_PAYLOAD};
use super::error::MqttError;
use super::homeassistant::Discovery;
use super::payload::{self, EventMessage};
use super::session::{self, Stop};
use super::stats::Stats;
use super::topics::Topics;
use crate::capture::CameraStatus;
use crate::config::settings::{CameraSettings, MqttSettings, Name};
use crate::shutdown::Shutdown;
use crate::store::{OutboxCounts, OutboxId, Store, StoreError};
use crate::track::Event;

const BACKOFF_FLOOR: Duration = Duration::from_secs(1);
const BACKOFF_CEILING: Duration = Duration::from_secs(30);

/// A connection that held this long was a good one, and the next backoff starts anew.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// What publisher and connection task share.
pub(super) struct Shared {
    pub(super) broker: String,
    pub(super) device: Name,
    pub(super) topics: Topics,
    pub(super) store: Store,
    pub(super) board: Board,
    pub(super) discovery: Option<Discovery>,
    /// Something waits.
    pub(super) wake: Notify,
    stop: watch::Sender<Option<Instant>>,
    /// Raised when the connection task has ended.
    ended: Shutdown,
    /// It ended with `stopped` acknowledged.
    cleanly: AtomicBool,
}

impl Shared {
    /// Expires old events, and says so.
    pub(super) fn expire(&self) {
        match self.store.expire(Timestamp::now()) {
            Ok(0) => {}
            Ok(gone) => tracing::warn!(gone, "events expired before the broker at {} took them", self.broker),
            Err(error) => tracing::error!("{error}"),
        }
    }
}

/// Starts the connection to the broker.
pub struct MqttPublisher;

impl MqttPublisher {
    /// Starts the connection task on `runtime` and returns at once, whether or not the broker is there. `cameras` are those
    /// that Home Assistant is told of. `shutdown` cuts a backoff short; the task itself ends by [`Publisher::finish`].
    pub fn start(
        settings: MqttSettings,
        device: Name,
        cameras: &[CameraSettings],
        store: Store,
        shutdown: Shutdown,
        runtime: &Handle,
    ) -> Publisher {
        let topics = Topics::new(&settings.base, &device);
        let announced = settings.home_assistant.as_ref();
        let discovery = announced.map(|settings| Discovery::new(settings, &device, &topics, cameras));
        let board = Board::default();
        for (topic, message) in discovery.iter().flat_map(Discovery::messages) {
            board.set(topic.clone(), message.clone());
        }
        let shared = Arc::new(Shared {
            broker: client::broker(&settings),
            topics,
            device,
            store,
            board,
            discovery,
            wake: Notify::new(),
            stop: watch::Sender::new(None),
            ended: Shutdown::default(),
            cleanly: AtomicBool::new(false),
        });
        // Read before the first event can be pushed, so that it tells this run's events from those left over.
        let left_over = shared.store.newest().unwrap_or_default();
        runtime.spawn(keep_connected(shared.clone(), settings, shutdown, left_over));
        Publisher { shared }
    }
}

/// Publishes. Clones share the connection; no call waits for the broker, save [`Publisher::finish`].
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

impl Publisher {
    /// Stores the event, to be published as soon as the broker takes it.
    ///
    /// # Errors
    /// The store does not take it; the event is then lost, and the caller counts it.
    pub fn event(&self, event: &Event) -> Result<(), StoreError> {
        let json = EventMessage::new(&self.shared.device, event).to_json();
        self.shared.store.push_event(event.camera.as_str(), &json, Timestamp::now())?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Shows whether the prompt's thing is there, how many, and the newest probability (0..1) if there is one.
    pub fn prompt_state(&self, camera: &Name, prompt: &Name, on: bool, count: usize, score: Option<f32>) {
        let topics = &self.shared.topics;
        self.show(topics.state(camera, prompt), payload::state_text(on).into());
        self.show(topics.count(camera, prompt), count.to_string().into());
        self.show(topics.score(camera, prompt), payload::score_text(score).into());
    }

    /// Shows the newest picture of the prompt's thing. One too large for a packet is refused with a log line.
    pub fn snapshot(&self, camera: &Name, prompt: &Name, jpeg: Vec<u8>) {
        if jpeg.len() > MAX_PAYLOAD {
            let bytes = jpeg.len();
            tracing::warn!(%camera, %prompt, bytes, "the snapshot is not published: more than {MAX_PAYLOAD} bytes");
            return;
        }
        self.show(self.shared.topics.snapshot(camera, prompt), jpeg);
    }

    /// Shows whether a camera gives pictures.
    pub fn camera_status(&self, camera: &Name, status: CameraStatus) {
        self.show(self.shared.topics.camera_status(camera), payload::camera_status_text(status).into());
    }

    /// Shows health and rates.
    pub fn stats(&self, stats: &Stats) {
        self.show(self.shared.topics.stats(), payload::stats_json(stats));
    }

    /// Puts a retained value of any topic on the board; the newest of each topic wins.
    pub fn show(&self, topic: String, payload: Vec<u8>) {
        if self.shared.board.set(topic, payload) {
            self.shared.wake.notify_one();
        }
    }

    /// What waits for the broker, and what became of the rest.
    pub fn outbox(&self) -> OutboxCounts {
        self.shared.store.counts()
    }

    /// The topics in use.
    pub fn topics(&self) -> &Topics {
        &self.shared.topics
    }

    /// Ends the connection: sends what waits as far as the broker takes it, shows cameras as `offline`, states as
    /// `OFF` and the device as `stopped`. Blocks its thread up to `deadline`; what is left waits in the store. True if
    /// the broker has acknowledged `stopped`.
    pub fn finish(&self, deadline: Duration) -> bool {
        self.shared.board.replace(last_value);
        // The last words need their share of the time.
        let reserve = (deadline / 4).min(Duration::from_secs(1));
        self.shared.stop.send_replace(Some(Instant::now() + (deadline - reserve)));
        self.shared.ended.wait_timeout(deadline);
        self.shared.cleanly.load(Ordering::Acquire)
    }
}

/// What a retained value becomes when the program stops.
fn last_value(topic: &str, now: &[u8]) -> Option<Vec<u8>> {
    if topic.ends_with("/state") {
        Some(payload::state_text(false).into())
    } else if topic.ends_with("/count") {
        Some(b"0".into())
    } else if topic.ends_with("/score") {
        Some(payload::score_text(None).into())
    } else if topic.ends_with("/status") && now == b"online" {
        Some(b"offline".into())
    } else {
        None
    }
}

/// One connection after the other, until the program stops.
async fn keep_connected(shared: Arc<Shared>, settings: MqttSettings, shutdown: Shutdown, left_over: OutboxId) {
    let client_id = format!("lookout-{}", shared.device);
    let mut stop = shared.stop.subscribe();
    let mut failures = 0;
    let mut late = left_over;
    let mut connected = false;
    let mut hurried = false;
    loop {
        let started = Instant::now();
        let outcome = connect(&shared, &settings, &client_id, stop.clone(), || {
            // After an outage, whatever waits has waited for the broker.
            if std::mem::replace(&mut connected, true) {
                late = shared.store.newest().unwrap_or(late);
            }
            late
        });
        let stopping = stop.borrow_and_update().is_some();
        match outcome.await {
            Ok(()) => {
                tracing::info!(broker = %shared.broker, "disconnected from the broker");
                shared.cleanly.store(true, Ordering::Release);
                break;
            }
            Err(error) if stopping => {
                tracing::warn!("{error}; {} events wait for the next start", shared.store.counts().waiting);
                break;
            }
            Err(error) => {
                failures = if connected && started.elapsed() > GOOD_CONNECTION { 1 } else { failures + 1 };
                let pause = backoff(failures);
                tracing::warn!("{error}; next try in {:.1} s", pause.as_secs_f32());
                shared.expire();
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = stop.changed() => {}
                    () = shutdown.wait(), if !hurried => hurried = true,
                }
            }
        }
    }
    shared.ended.request();
}

async fn connect(
    shared: &Shared,
    settings: &MqttSettings,
    client_id: &str,
    stop: Stop,
    late: impl FnOnce() -> OutboxId,
) -> Result<(), MqttError> {
    let options = client::options(settings, client_id)?;
    session::run(shared, options, stop, late).await.map_err(|error| {
        let user = settings.user.as_deref();
        MqttError::from_connection(&error, &shared.broker, client_id, user, settings.tls.is_some())
    })
}

/// A pause that doubles with each failure, within floor and ceiling, and differs from device to device.
fn backoff(failures: u32) -> Duration {
    let ceiling = BACKOFF_FLOOR.saturating_mul(1 << failures.min(6)).min(BACKOFF_CEILING);
    BACKOFF_FLOOR + (ceiling - BACKOFF_FLOOR).mul_f64(fastrand::f64())
}
