//! The publisher: what the rest of the program holds of MQTT. It takes messages at once and brings them to the broker
//! in its own time, over as many connections as that needs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::answer::Notes;
use super::board::Board;
use super::client;
use super::command::{Asker, Refusal, Request};
use super::error::MqttError;
use super::link::{self, Will};
use super::payload::{self, EventMessage};
use super::session::{self, Stop};
use super::shared::Shared;
use super::sparkplug::{self, Node};
use super::stats::Stats;
use super::topics::Topics;
use crate::capture::CameraStatus;
use crate::config::settings::{CameraSettings, MqttSettings, Name};
use crate::prompts::Explained;
use crate::shutdown::Shutdown;
use crate::store::{OutboxCounts, OutboxId, Store, StoreError};
use crate::telemetry::OncePerSecond;
use crate::track::Event;

const BACKOFF_FLOOR: Duration = Duration::from_secs(1);

/// Commands that wait to be followed.
const WAITING_REQUESTS: usize = 32;

/// A connection that held this long was a good one, and the next backoff starts anew.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// Starts the connection to the broker.
pub struct MqttPublisher;

impl MqttPublisher {
    /// Starts the connection task on `runtime` and returns at once, whether or not the broker is there. `cameras` are those
    /// that Home Assistant is told of. `shutdown` cuts a backoff short; the task itself ends by [`Publisher::finish`].
    ///
    /// With the publisher come the commands that are heard; while too many of them wait, more are refused.
    pub fn start(
        settings: MqttSettings,
        device: Name,
        cameras: &[CameraSettings],
        store: Store,
        shutdown: Shutdown,
        runtime: &Handle,
    ) -> (Publisher, Receiver<Request>) {
        let topics = Topics::from_templates(&settings.topics, &settings.base, &device);
        let everything = settings.topics.everything;
        let (requests, received) = sync_channel(WAITING_REQUESTS);
        let sparkplug = settings.sparkplug.as_ref().map(|wanted| Node::new(wanted, &device));
        let shared = Arc::new(Shared {
            broker: client::broker(&settings),
            topics,
            device,
            store,
            board: Board::default(),
            notes: Notes::default(),
            everything,
            form: settings.topics.form,
            home_assistant: settings.home_assistant.clone().filter(|_| everything),
            sparkplug,
            discovery: Mutex::default(),
            known: Mutex::default(),
            requests: (everything && !settings.read_only).then_some(requests),
            quiet: OncePerSecond::default(),
            wake: Notify::new(),
            max_payload: settings.max_payload,
            backlog_per_s: settings.backlog_per_s,
            stop: watch::Sender::new(None),
            ended: Shutdown::default(),
            cleanly: AtomicBool::new(false),
        });
        shared.announce(cameras);
        // Read before the first event can be pushed, so that it tells this run's events from those left over.
        let left_over = shared.store.newest();
        runtime.spawn(sparkplug::keep_connected(shared.clone(), settings.clone(), shutdown.clone()));
        runtime.spawn(keep_connected(shared.clone(), settings, shutdown, left_over));
        (Publisher { shared }, received)
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
    /// The disk does not take it. It is published all the same, but does not outlive the program.
    pub fn event(&self, event: &Event) -> Result<(), StoreError> {
        let json = EventMessage::new(&self.shared.device, event).to_json();
        let stored = self.shared.store.push_event(event.camera.as_str(), &event.id, &json, Timestamp::now());
        self.shared.wake.notify_one();
        if let Some(node) = &self.shared.sparkplug {
            node.event(&event.camera, event.last_seen, &json);
        }
        stored.map(|_| ())
    }

    /// Shows whether the prompt's thing is there, how many, and the newest probability (0..1) if there is one.
    pub fn prompt_state(&self, camera: &Name, prompt: &Name, on: bool, count: usize, score: Option<f32>) {
        let topics = &self.shared.topics;
        self.show(topics.state(camera, prompt), payload::state_text(on).into());
        self.show(topics.count(camera, prompt), count.to_string().into());
        self.show(topics.score(camera, prompt), payload::score_text(score).into());
        if let Some(node) = &self.shared.sparkplug {
            node.prompt_state(camera, prompt, on, count, score);
        }
    }

    /// Shows whether the prompt's thing is in a zone.
    pub fn zone_state(&self, camera: &Name, prompt: &Name, zone: &Name, on: bool) {
        self.show(self.shared.topics.zone_state(camera, prompt, zone), payload::state_text(on).into());
    }

    /// Shows what was learnt of the camera's background for a prompt.
    pub fn calibration(&self, camera: &Name, prompt: &Name, explained: &Explained) {
        let topic = self.shared.topics.prompt_setting(camera, prompt, "calibration");
        self.show(topic, payload::calibration_json(explained));
    }

    /// Shows when the prompt's thing was last there.
    pub fn last_seen(&self, camera: &Name, prompt: &Name, time: Timestamp) {
        self.show(self.shared.topics.last_seen(camera, prompt), payload::rfc3339(time).into());
        if let Some(node) = &self.shared.sparkplug {
            node.last_seen(camera, prompt, time);
        }
    }

    /// Shows the newest picture of the prompt's thing. One too large for a packet is refused with a log line.
    pub fn snapshot(&self, camera: &Name, prompt: &Name, jpeg: Vec<u8>) {
        self.picture(self.shared.topics.snapshot(camera, prompt), jpeg);
    }

    /// Keeps the best picture of an event beside it.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn keep_picture(&self, event: &Event, jpeg: &[u8]) -> Result<(), StoreError> {
        self.shared.store.push_picture(&event.id, jpeg, Timestamp::now())
    }

    /// Shows a picture of all that a camera sees. One too large for a packet is refused with a log line.
    pub fn camera_snapshot(&self, camera: &Name, jpeg: Vec<u8>) {
        self.picture(self.shared.topics.camera_snapshot(camera), jpeg);
    }

    fn picture(&self, topic: String, jpeg: Vec<u8>) {
        let (bytes, most) = (jpeg.len(), self.shared.max_payload);
        if bytes > most {
            tracing::warn!(
                topic,
                bytes,
                "the snapshot is not published: more than {most} bytes (`mqtt.max_payload_kb`)"
            );
            return;
        }
        self.show(topic, jpeg);
    }

    /// Shows whether a camera gives pictures.
    pub fn camera_status(&self, camera: &Name, status: CameraStatus) {
        self.show(self.shared.topics.camera_status(camera), payload::camera_status_text(status).into());
        if let Some(node) = &self.shared.sparkplug {
            node.camera_status(camera, status);
        }
    }

    /// Shows health and rates.
    pub fn stats(&self, stats: &Stats) {
        self.show(self.shared.topics.stats(), payload::stats_json(stats));
    }

    /// Puts a retained value of any topic on the board; the newest of each topic wins. Where only events are published,
    /// nothing but stats.
    pub fn show(&self, topic: String, payload: Vec<u8>) {
        if !self.shared.everything && topic != self.shared.topics.stats() {
            return;
        }
        if self.shared.board.set(topic, payload) {
            self.shared.wake.notify_one();
        }
    }

    pub(super) fn repeat(&self, topic: &str) {
        if self.shared.board.repeat(topic) {
            self.shared.wake.notify_one();
        }
    }

    pub(super) fn forget_metrics(&self, camera: &Name, prompt: &Name) {
        self.shared.sparkplug.iter().for_each(|node| node.forget(camera, prompt));
    }

    pub(super) fn reply(&self, asker: &Asker) {
        self.shared.reply(asker, &[]);
    }

    /// Tells Home Assistant of these cameras from now on; entities of what is gone disappear.
    pub fn announce(&self, cameras: &[CameraSettings]) {
        self.shared.announce(cameras);
        self.shared.wake.notify_one();
    }

    /// Says what was wrong with a request.
    pub fn refuse(&self, refusal: &Refusal) {
        self.shared.refuse(refusal);
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
        let until = std::time::Instant::now() + deadline;
        // The last words need their share of the time.
        let reserve = (deadline / 4).min(Duration::from_secs(1));
        self.shared.stop.send_replace(Some(Instant::now() + (deadline - reserve)));
        self.shared.ended.wait_timeout(deadline);
        if let Some(node) = &self.shared.sparkplug {
            node.ended.wait_timeout(until.saturating_duration_since(std::time::Instant::now()));
        }
        self.shared.cleanly.load(Ordering::Acquire)
    }
}

/// What a retained value becomes when the program stops.
fn last_value(topic: &str, now: &[u8]) -> Option<Vec<u8>> {
    if now.is_empty() {
        // It is being cleared.
        None
    } else if topic.ends_with("/state") {
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
    let client_id = settings.client_id.replace("{device}", shared.device.as_str());
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
                late = shared.store.newest();
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
                let pause = backoff(failures, settings.reconnect_max);
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
    let will = || Will { topic: shared.topics.status(), payload: b"offline".into(), retain: true };
    let link = link::open(settings, client_id, shared.everything.then(will), session::CHANNEL)?;
    session::run(shared, link, stop, late).await.map_err(|error| {
        let user = settings.user.as_deref();
        MqttError::from_link(&error, &shared.broker, client_id, user, settings.tls.is_some())
    })
}

/// A pause that doubles with each failure, within floor and ceiling, and differs from device to device.
pub(super) fn backoff(failures: u32, ceiling: Duration) -> Duration {
    let ceiling = BACKOFF_FLOOR.saturating_mul(1 << failures.min(12)).min(ceiling).max(BACKOFF_FLOOR);
    BACKOFF_FLOOR + (ceiling - BACKOFF_FLOOR).mul_f64(fastrand::f64())
}
