//! A session: one connection to the broker, from its acknowledgement to its end.
//!
//! Each session has a new rumqttc client, because rumqttc forgets on reconnect what it had not sent or what was not
//! acknowledged. Nothing is lost by that: the store and the board know what the broker has yet to hear.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::command;
use super::lanes::Lanes;
use super::payload::EventMessage;
use super::shared::Shared;
use crate::store::{OutboxId, Pending, StoreError};

/// Events, and board values, on their way to the broker at a time.
const WINDOW: usize = 16;

/// More than all that is ever on its way, so that `try_publish` does not fail and packet ids do not collide.
const CHANNEL: usize = 4 * WINDOW;

/// An event that is sent later than this after it was stored is historical.
const FRESH: Duration = Duration::from_secs(5);

/// A broker that answers pings and yet acknowledges nothing for this long is left; a new connection may do better.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// A larger message is none of those that are listened for, bytes.
const MAX_HEARD: usize = 256 * 1024;

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

/// What the connection tells its driver.
enum Signal {
    /// A publish got this packet id, in the order of the publishes.
    Sent(u16),
    /// The broker has it.
    Acknowledged(u16),
    /// The goodbye is out.
    Disconnected,
    /// A message on a topic that was subscribed to.
    Heard(Heard),
}

/// What came on a topic that was subscribed to.
struct Heard {
    topic: String,
    /// Empty if it is larger than anything that is listened for.
    payload: Vec<u8>,
    /// Its size, bytes, kept or not.
    size: usize,
    /// Whether it lay at the broker.
    retained: bool,
}

/// Runs one session to its end. `Ok` when the program stopped and said so.
///
/// `late` is the newest event that is historical however quickly it is sent; it is asked for once connected.
pub(super) async fn run(
    shared: &Shared,
    mut options: MqttOptions,
    mut stop: Stop,
    late: impl FnOnce() -> OutboxId,
) -> Result<(), ConnectionError> {
    options.set_last_will(LastWill::new(shared.topics.status(), "offline", QoS::AtLeastOnce, true));
    let (client, mut connection) = AsyncClient::new(options, CHANNEL);
    tokio::select! {
        connected = connection.poll() => { connected?; }
        () = past(stop.clone()) => return Err(ConnectionError::NetworkTimeout),
    }
    tracing::info!(broker = %shared.broker, "connected to the broker");
    shared.board.republish();
    // What was acknowledged on an earlier connection is not sent again.
    shared.settle();
    let late = late();
    let lanes = match Lanes::new(&shared.store, late, shared.backlog_per_s, Instant::now()) {
        Ok(lanes) => lanes,
        Err(error) => {
            tracing::error!("{error}");
            return Err(ConnectionError::FlushTimeout);
        }
    };
    let (signals, received) = mpsc::unbounded_channel();
    let mut driver = Driver {
        shared,
        client,
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
        driven = driver.drive(&mut stop) => driven.map_err(|Gone| ConnectionError::FlushTimeout),
    }
}

/// Completes when the program stops and its last moment has come.
async fn past(mut stop: Stop) {
    let deadline = match stop.wait_for(Option::is_some).await {
        Ok(deadline) => *deadline,
        Err(_) => return,
    };
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline).await;
    }
}

/// Completes at the moment, never if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Keeps the connection going until it fails.
async fn pump(connection: &mut EventLoop, signals: mpsc::UnboundedSender<Signal>) -> ConnectionError {
    loop {
        let signal = match connection.poll().await {
            Ok(Event::Outgoing(Outgoing::Publish(id))) => Signal::Sent(id),
            Ok(Event::Incoming(Packet::PubAck(ack))) => Signal::Acknowledged(ack.pkid),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => Signal::Disconnected,
            Ok(Event::Incoming(Packet::Publish(heard))) => {
                let size = heard.payload.len();
                let payload = if size <= MAX_HEARD { heard.payload.to_vec() } else { Vec::new() };
                Signal::Heard(Heard { topic: heard.topic, payload, size, retained: heard.retain })
            }
            Ok(_) => continue,
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

/// The broker, or rumqttc, takes no more.
struct Gone;

/// Decides what is sent when.
struct Driver<'a> {
    shared: &'a Shared,
    client: AsyncClient,
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
            self.client.try_subscribe(topic, QoS::AtLeastOnce).map_err(|_| Gone)?;
        }
        self.publish(Item::Status, self.shared.topics.status(), true, b"online".to_vec())?;
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
        self.publish(Item::Status, self.shared.topics.status(), true, b"stopped".to_vec())?;
        while !self.settled() {
            let signal = self.received.recv().await;
            self.note(signal);
        }
        self.client.try_disconnect().map_err(|_| Gone)?;
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
            self.values += 1;
            let cleared = payload.is_empty().then(|| topic.clone());
            self.publish(Item::Value(cleared), topic, true, payload)?;
        }
        while self.values < WINDOW {
            let Some((topic, payload)) = self.shared.notes.take() else { break };
            self.values += 1;
            self.publish(Item::Note, topic, false, payload)?;
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
            Ok(message) if pending.json.len() < self.shared.max_payload => message,
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
        self.publish(Item::Event(pending.id), self.shared.topics.events(&pending.camera), false, message.to_json())
    }

    fn discard(&self, pending: &Pending, why: &str) {
        tracing::error!(camera = %pending.camera, "a stored event is given up: {why}");
        report(self.shared.store.discard(pending.id));
    }

    fn publish(&mut self, item: Item, topic: String, retain: bool, payload: Vec<u8>) -> Result<(), Gone> {
        if self.settled() {
            self.heard = Instant::now();
        }
        self.unnumbered.push_back(item);
        // Fails only if the connection is gone, which the pump tells.
        self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload).map_err(|_| Gone)
    }

    /// Somebody asks for something, Home Assistant has started, or the broker holds what an earlier run announced.
    fn hear(&self, heard: Heard) {
        let Heard { topic, payload, size, retained } = heard;
        if command::is_command(&self.shared.topics, &topic) {
            return self.shared.command(&topic, &payload, size, retained);
        }
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
            Some(Signal::Disconnected) | None => self.disconnected = true,
        }
    }
}

fn report<T>(outcome: Result<T, StoreError>) {
    if let Err(error) = outcome {
        tracing::error!("{error}");
    }
}
