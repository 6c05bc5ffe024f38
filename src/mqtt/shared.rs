//! What the publisher and its connection task share, and what either does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::answer::{self, Note, Notes};
use super::board::Board;
use super::command::{self, Asker, Refusal, Request};
use super::homeassistant::Discovery;
use super::link::Heard;
use super::sparkplug::Node;
use super::topics::Topics;
use crate::config::settings::{CameraSettings, EventForm, HomeAssistantSettings, Name, PromptSettings};
use crate::config::table::Fault;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::telemetry::OncePerSecond;

/// The prompts of each camera, and the zones of each that are told of by themselves.
type Known = BTreeMap<Name, BTreeMap<Name, BTreeSet<Name>>>;

/// What publisher and connection task share.
pub(super) struct Shared {
    pub(super) broker: String,
    pub(super) device: Name,
    pub(super) topics: Topics,
    pub(super) store: Store,
    pub(super) board: Board,
    pub(super) notes: Notes,
    /// Whether more is published than events and stats.
    pub(super) everything: bool,
    pub(super) form: EventForm,
    pub(super) home_assistant: Option<HomeAssistantSettings>,
    /// The same states in Sparkplug's form, where that is wanted.
    pub(super) sparkplug: Option<Node>,
    pub(super) discovery: Mutex<Option<Arc<Discovery>>>,
    /// What is told of now.
    pub(super) known: Mutex<Known>,
    /// Who follows commands; `None` where messages may change nothing.
    pub(super) requests: Option<SyncSender<Request>>,
    /// What strangers send must not fill the log.
    pub(super) quiet: OncePerSecond,
    pub(super) max_payload: usize,
    pub(super) backlog_per_s: u32,
    /// Something waits.
    pub(super) wake: Notify,
    pub(super) stop: watch::Sender<Option<Instant>>,
    /// Raised when the connection task has ended.
    pub(super) ended: Shutdown,
    /// It ended with `stopped` acknowledged.
    pub(super) cleanly: AtomicBool,
}

impl Shared {
    /// Expires old events, says so, and brings the store's file up to date.
    pub(super) fn expire(&self) {
        match self.store.expire(Timestamp::now()) {
            Ok(0) => {}
            Ok(gone) => tracing::warn!(gone, "events expired before the broker at {} took them", self.broker),
            Err(error) => tracing::error!("{error}"),
        }
        self.settle();
    }

    /// Brings the store's file up to date.
    pub(super) fn settle(&self) {
        if let Err(error) = self.store.settle() {
            tracing::error!("{error}");
        }
    }

    pub(super) fn discovery(&self) -> Option<Arc<Discovery>> {
        self.discovery.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells Home Assistant of these cameras from now on, and takes away what is gone.
    pub(super) fn announce(&self, cameras: &[CameraSettings]) {
        let zones = |prompt: &PromptSettings| (prompt.name.clone(), prompt.rules.zone_states.iter().cloned().collect());
        let prompts = |camera: &CameraSettings| camera.prompts.iter().map(zones).collect();
        *self.known() = cameras.iter().map(|camera| (camera.name.clone(), prompts(camera))).collect();
        self.sparkplug.iter().for_each(|node| node.announce(cameras));
        let Some(settings) = &self.home_assistant else { return };
        let next = Arc::new(Discovery::new(settings, &self.device, &self.topics, cameras, self.requests.is_some()));
        let before = self.discovery.lock().unwrap_or_else(PoisonError::into_inner).replace(next.clone());
        for (topic, message) in next.messages() {
            self.board.set(topic.clone(), message.clone());
        }
        for (topic, message) in before.iter().flat_map(|before| before.messages()) {
            if let Some(correction) = next.correction(topic, message) {
                self.board.set(topic.clone(), correction);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it shows which cameras and prompts an earlier run has left at the broker.
    pub(super) fn traces(&self) -> Vec<String> {
        let traces = ["+/status", "+/+/state", "+/+/zones/+/state"].map(|levels| self.topics.below(levels));
        if self.everything { traces.into() } else { Vec::new() }
    }

    /// All that is retained of what the topic is a trace of, if that is not told of any more.
    fn left_over(&self, topic: &str) -> Option<Vec<String>> {
        let levels: Vec<&str> = self.topics.inside(topic)?.split('/').collect();
        let (camera, levels) = levels.split_first()?;
        let camera = Name::new(camera)?;
        let known = self.known();
        let prompts = known.get(&camera);
        match *levels {
            ["status"] => prompts.is_none().then(|| answer::of_camera(&self.topics, &camera).collect()),
            [prompt, "state"] => {
                let prompt = Name::new(prompt)?;
                let there = prompts.is_some_and(|prompts| prompts.contains_key(&prompt));
                (!there).then(|| answer::of_prompt(&self.topics, &camera, &prompt).collect())
            }
            [prompt, "zones", zone, "state"] => {
                let (prompt, zone) = (Name::new(prompt)?, Name::new(zone)?);
                let zones = prompts.and_then(|prompts| prompts.get(&prompt));
                let there = zones.is_some_and(|zones| zones.contains(&zone));
                (!there).then(|| vec![topic.to_owned()])
            }
            _ => None,
        }
    }

    /// Clears what is retained of a camera, a prompt or a zone that is gone; this topic is a trace of it.
    pub(super) fn clear(&self, topic: &str) {
        let Some(gone) = self.left_over(topic) else { return };
        tracing::info!(topic, "taking away what is no longer there");
        for topic in gone {
            self.board.set(topic, Vec::new());
        }
    }

    /// The topics that commands come on; none where they may change nothing.
    pub(super) fn command_topics(&self) -> Vec<String> {
        if self.requests.is_some() { command::subscriptions(&self.topics).into() } else { Vec::new() }
    }

    /// Reads a command and hands it on.
    pub(super) fn command(&self, heard: Heard) {
        let Heard { topic, payload, size, retained, reply } = heard;
        let Some(requests) = &self.requests else { return };
        let reply = command::allowed_reply(&self.topics, reply);
        if retained {
            // It would be followed again at each start, long after it was meant.
            if let Some(held) = self.quiet.pass() {
                tracing::warn!(held, "a retained command on {} is ignored", topic.escape_debug());
            }
            return;
        }
        let read = command::read(&self.topics, &topic, &payload, size);
        let outcome = read.and_then(|mut request| {
            request.asker.reply.clone_from(&reply);
            let asker = request.asker.clone();
            requests.try_send(request).map_err(|_| {
                let problem = "comes too fast: others wait still; send it again later".to_owned();
                Refusal { asker, faults: vec![Fault { key: "topic".to_owned(), problem }] }
            })
        });
        if let Err(mut refusal) = outcome {
            refusal.asker.reply = reply;
            self.refuse(&refusal);
        }
    }

    pub(super) fn refuse(&self, refusal: &Refusal) {
        if let Some(held) = self.quiet.pass() {
            let why: Vec<String> = refusal.faults.iter().map(ToString::to_string).collect();
            let why = why.join("; ");
            tracing::warn!(held, "refused a command on {}: {}", refusal.asker.topic.escape_debug(), why.escape_debug());
        }
        let correlation = refusal.asker.reply.as_ref().map(|(_, correlation)| correlation.clone());
        let error = Note {
            topic: self.topics.errors(),
            payload: answer::answer_json(&refusal.asker, &refusal.faults),
            correlation,
        };
        if self.notes.push(error) {
            self.wake.notify_one();
        }
        self.reply(&refusal.asker, &refusal.faults);
    }

    /// Answers where MQTT 5 asked for it; without faults, the request was followed.
    pub(super) fn reply(&self, asker: &Asker, faults: &[Fault]) {
        let Some((topic, correlation)) = asker.reply.clone() else { return };
        let payload = answer::answer_json(asker, faults);
        if self.notes.push(Note { topic, payload, correlation: Some(correlation) }) {
            self.wake.notify_one();
        }
    }
}
