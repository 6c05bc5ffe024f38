//! A session: one connection to the broker, from its acknowledgement to its end.
//!
//! Each session has a new rumqttc client, because rumqttc forgets on reconnect what it had not sent or what was not
//! acknowledged. Nothing is lost by that: the store and the board know what the broker has yet to hear.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::answer::Note;
use super::client::PACKET_OVERHEAD;
use super::command;
use super::lanes::Lanes;
use super::link::{About, Connection, Gone, Heard, LinkError, MAX_HEARD, Message, Sender, Signal};
use super::payload::{EventMessage, content_type};
use super::shared::Shared;
use crate::store::{OutboxId, Pending, StoreError};

/// Events, and board values, on their way to the broker at a time.
const WINDOW: usize = 16;

/// More than all that is ever on its way, so that `try_publish` does not fail and packet ids do not collide.
pub(super) const CHANNEL: usize = 4 * WINDOW;

/// An event that is sent later than this after it was stored is historical.
const FRESH: Duration = Duration::from_secs(5);

/// A broker that answers pings and yet acknowledges nothing for this long is left; a new connection may do better.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// An error or answer is of no use to who comes later than this.
const NOTE_EXPIRES: Duration = Duration::from_secs(600);

const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// When the program stops, and by when the last word is to be said. `None` while it runs.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// What is being sent.
enum Item {
    Status,
    /// A retained value, with the topic if it is being cleared.
    Value(Option<String>),
    Note,
    Event(OutboxId),
}

/// Runs one session to its end. `Ok` when the program stopped and said so.
///
/// `late` is the newest event that is historical however quickly it is sent; it is asked for once connected.
pub(super) async fn run(
    shared: &Shared,
    (sender, mut connection): (Sender, Connection),
    mut stop: Stop,
    late: impl FnOnce() -> OutboxId,
) -> Result<(), LinkError> {
    let taken = tokio::select! {
        connected = connection.next() => match connected? {
            Signal::Connected(Some(most)) => most.saturating_sub(PACKET_OVERHEAD),
            _ => usize::MAX,
        },
        () = past(stop.clone()) => return Err(LinkError::Silent),
    };
    tracing::info!(broker = %shared.broker, "connected to the broker");
    shared.board.republish();
    // What was acknowledged on an earlier connection is not sent again.
    shared.settle();
    let late = late();
    let lanes = match Lanes::new(&shared.store, late, shared.backlog_per_s, Instant::now()) {
        Ok(lanes) => lanes,
        Err(error) => {
            tracing::error!("{error}");
            return Err(LinkError::Silent);
        }
    };
    let (signals, received) = mpsc::unbounded_channel();
    let mut driver = Driver {
        shared,
        sender,
        max_payload: taken.min(shared.max_payload),
        received,
        unnumbered: VecDeque::new(),
        numbered: HashMap::new(),
        lanes,
        late,
        events: 0,
        values: 0,
        disconnected: false,
        heard: Instant::now(),
    };
    // Neither is ever cancelled by the other's progress: a poll that is cut off in a flush leaves bytes behind.
    tokio::select! {
        error = pump(&mut connection, signals) => Err(error),
        driven = driver.drive(&mut stop) => driven.map_err(|Gone| LinkError::Silent),
    }
}

/// Completes when the program stops and its last moment has come.
pub(super) async fn past(mut stop: Stop) {
    let deadline = match stop.wait_for(Option::is_some).await {
        Ok(deadline) => *deadline,
        Err(_) => return,
    };
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline).await;
    }
}

/// Completes at the moment, never if there is none.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Keeps the connection going until it fails.
pub(super) async fn pump(connection: &mut Connection, signals: mpsc::UnboundedSender<Signal>) -> LinkError {
    loop {
        let signal = match connection.next().await {
            Ok(signal) => signal,
            Err(error) => return error,
        };
        let goodbye = matches!(signal, Signal::Disconnected);
        // The driver outlives the pump, so someone listens.
        let _ = signals.send(signal);
        if goodbye {
            // That the broker now closes the connection is no fault.
            return std::future::pending().await;
        }
    }
}

/// Decides what is sent when.
struct Driver<'a> {
    shared: &'a Shared,
    sender: Sender,
    /// The greatest payload that this broker takes, bytes.
    max_payload: usize,
    received: mpsc::UnboundedReceiver<Signal>,
    unnumbered: VecDeque<Item>,
    numbered: HashMap<u16, Item>,
    lanes: Lanes,
    late: OutboxId,
    events: usize,
    values: usize,
    disconnected: bool,
    /// When the broker last acknowledged something, or the first thing it owes was sent.
    heard: Instant,
}

impl Driver<'_> {
    async fn drive(&mut self, stop: &mut Stop) -> Result<(), Gone> {
        // Before anything is announced: what the broker holds of earlier runs must be heard before it is replaced.
        let discovery = self.shared.discovery();
        let announced = discovery.iter().flat_map(|discovery| discovery.subscriptions()).map(str::to_owned);
        for topic in announced.chain(self.shared.traces()).chain(self.shared.command_topics()) {
            self.sender.subscribe(topic)?;
        }
        self.publish_status("online")?;
        let mut expire = tokio::time::interval(EXPIRE_EVERY);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stopping = stop.borrow_and_update().is_some();
            self.fill(stopping)?;
            if stopping && self.idle() {
                break;
            }
            let too_late = past(stop.clone());
            tokio::select! {
                signal = self.received.recv() => self.note(signal),
                () = self.shared.wake.notified() => self.lanes.wake(),
                () = until(self.lanes.due()), if self.events < WINDOW => {}
                _ = expire.tick() => {
                    self.shared.expire();
                    self.lanes.wake();
                    if !self.settled() && self.heard.elapsed() > ACKNOWLEDGED_WITHIN {
                        return Err(Gone);
                    }
                }
                _ = stop.changed() => {}
                () = too_late => break,
            }
        }
        self.say_goodbye().await
    }

    fn idle(&self) -> bool {
        self.lanes.is_empty() && self.settled() && self.shared.board.is_settled() && self.shared.notes.is_empty()
    }

    /// Whether the broker has acknowledged all that was sent.
    fn settled(&self) -> bool {
        self.unnumbered.is_empty() && self.numbered.is_empty()
    }

    /// The last word; without it the broker would speak the Last Will.
    async fn say_goodbye(&mut self) -> Result<(), Gone> {
        self.publish_status("stopped")?;
        while !self.settled() {
            let signal = self.received.recv().await;
            self.note(signal);
        }
        self.sender.disconnect()?;
        while !self.disconnected {
            let signal = self.received.recv().await;
            self.note(signal);
        }
        Ok(())
    }

    /// Sends what waits, as far as the windows allow, and the backlog in no hurry unless this is the end.
    fn fill(&mut self, hurried: bool) -> Result<(), Gone> {
        while self.values < WINDOW {
            let Some((topic, payload)) = self.shared.board.take() else { break };
            if payload.len() > self.max_payload {
                tracing::warn!(
                    topic,
                    bytes = payload.len(),
                    "not published: the broker takes {} bytes",
                    self.max_payload
                );
                continue;
            }
            self.values += 1;
            let cleared = payload.is_empty().then(|| topic.clone());
            let about = About { content_type: Some(content_type(&topic)), ..About::default() };
            self.publish(Item::Value(cleared), Message { topic, payload, retain: self.shared.everything, about })?;
        }
        while self.values < WINDOW {
            let Some(Note { topic, payload, correlation }) = self.shared.notes.take() else { break };
            self.values += 1;
            let about = About {
                content_type: Some("application/json"),
                expires: Some(NOTE_EXPIRES),
                correlation,
                ..About::default()
            };
            self.publish(Item::Note, Message { topic, payload, retain: false, about })?;
        }
        while self.events < WINDOW {
            match self.lanes.next(&self.shared.store, Instant::now(), hurried) {
                Ok(Some(pending)) => self.send_event(pending)?,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!("{error}");
                    break;
                }
            }
        }
        Ok(())
    }

    fn send_event(&mut self, pending: Pending) -> Result<(), Gone> {
        let mut message = match serde_json::from_slice::<EventMessage>(&pending.json) {
            Ok(message) if pending.json.len() < self.max_payload => message,
            Ok(_) => {
                self.discard(&pending, "it is larger than a packet may be");
                return Ok(());
            }
            Err(error) => {
                self.discard(&pending, &format!("it cannot be read: {error}"));
                return Ok(());
            }
        };
        let waited = Timestamp::now().duration_since(pending.created);
        message.historical = pending.id <= self.late || waited.unsigned_abs() > FRESH;
        self.events += 1;
        let about = About {
            content_type: Some("application/json"),
            expires: Some(self.shared.store.max_age().saturating_sub(waited.unsigned_abs())),
            user: message.properties(),
            ..About::default()
        };
        let (topic, payload) = (self.shared.topics.events(&pending.camera), message.written(self.shared.form));
        self.publish(Item::Event(pending.id), Message { topic, payload, retain: false, about })
    }

    fn discard(&self, pending: &Pending, why: &str) {
        tracing::error!(camera = %pending.camera, "a stored event is given up: {why}");
        report(self.shared.store.discard(pending.id));
    }

    fn publish_status(&mut self, status: &str) -> Result<(), Gone> {
        if !self.shared.everything {
            return Ok(());
        }
        let topic = self.shared.topics.status();
        let about = About { content_type: Some("text/plain"), ..About::default() };
        self.publish(Item::Status, Message { topic, payload: status.into(), retain: true, about })
    }

    fn publish(&mut self, item: Item, message: Message) -> Result<(), Gone> {
        if self.settled() {
            self.heard = Instant::now();
        }
        self.unnumbered.push_back(item);
        // Fails only if the connection is gone, which the pump tells.
        self.sender.publish(message)
    }

    /// Somebody asks for something, Home Assistant has started, or the broker holds what an earlier run announced.
    fn hear(&self, heard: Heard) {
        if command::is_command(&self.shared.topics, &heard.topic) {
            return self.shared.command(heard);
        }
        let Heard { topic, payload, size, retained, .. } = heard;
        if self.shared.topics.inside(&topic).is_some() {
            // What is not retained is this session's own word.
            if retained && size > 0 {
                self.shared.clear(&topic);
            }
            return;
        }
        let Some(discovery) = self.shared.discovery().filter(|_| size <= MAX_HEARD) else { return };
        if discovery.is_birth(&topic, &payload) {
            tracing::info!("Home Assistant has started; announcing everything again");
            self.shared.board.republish();
        } else if let Some(correction) = discovery.correction(&topic, &payload) {
            tracing::info!(topic, "taking away what is no longer there");
            self.shared.board.set(topic, correction);
        }
    }

    fn note(&mut self, signal: Option<Signal>) {
        if !matches!(signal, Some(Signal::Heard(..))) {
            self.heard = Instant::now();
        }
        match signal {
            Some(Signal::Sent(number)) => {
                if let Some(item) = self.unnumbered.pop_front() {
                    self.numbered.insert(number, item);
                }
            }
            Some(Signal::Refused(number, why)) => {
                // It stays in the store, or on the board, and is tried again on the next connection.
                if let Some(held) = self.shared.quiet.pass() {
                    tracing::warn!(held, "the broker refuses a message: {why}; may this user publish there?");
                }
                match self.numbered.remove(&number) {
                    Some(Item::Event(_)) => self.events -= 1,
                    Some(Item::Value(_) | Item::Note) => self.values -= 1,
                    Some(Item::Status) | None => {}
                }
            }
            Some(Signal::Acknowledged(number)) => match self.numbered.remove(&number) {
                Some(Item::Event(id)) => {
                    self.events -= 1;
                    report(self.shared.store.acknowledge(id));
                }
                Some(Item::Value(cleared)) => {
                    self.values -= 1;
                    cleared.iter().for_each(|topic| self.shared.board.cleared(topic));
                }
                Some(Item::Note) => self.values -= 1,
                Some(Item::Status) | None => {}
            },
            Some(Signal::Heard(heard)) => self.hear(heard),
            Some(Signal::Connected(_)) => {}
            Some(Signal::Disconnected) | None => self.disconnected = true,
        }
    }
}

fn report<T>(outcome: Result<T, StoreError>) {
    if let Err(error) = outcome {
        tracing::error!("{error}");
    }
}
