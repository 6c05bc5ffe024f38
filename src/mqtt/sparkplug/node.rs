//! The edge node: what a host has been told of it, and what it must be told next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prost::Message;
use tokio::sync::Notify;

use super::metrics::Metrics;
use super::wire::{DataType, Metric, Payload, Value};
use crate::capture::CameraStatus;
use crate::config::settings::{CameraSettings, Name};
use crate::config::sparkplug::SparkplugSettings;
use crate::mqtt::link::{Heard, MAX_HEARD};
use crate::mqtt::payload::camera_status_text;
use crate::shutdown::Shutdown;

const REBIRTH: &str = "Node Control/Rebirth";
const EVENT: &str = "event";

/// Events of a camera that wait for a slow broker; the oldest make room.
const MOST_EVENTS: usize = 100;

/// One camera, a device of the node.
#[derive(Default)]
struct Camera {
    online: bool,
    /// A host has heard of its birth, and of no death since.
    born: bool,
    metrics: Metrics,
    /// Each is told by itself, with its time in milliseconds.
    events: VecDeque<(u64, String)>,
}

#[derive(Default)]
struct Inner {
    /// There is a connection; else nothing waits, since the next birth tells everything.
    live: bool,
    born: bool,
    birth: u8,
    seq: u8,
    metrics: Metrics,
    cameras: BTreeMap<Name, Camera>,
    aliases: BTreeMap<String, u64>,
}

/// The edge node. Values come from any thread; its session takes what is to be sent.
pub(in crate::mqtt) struct Node {
    group: String,
    id: String,
    aliases: bool,
    inner: Mutex<Inner>,
    /// Something waits.
    pub(super) wake: Notify,
    /// Raised when its session has ended for good.
    pub(in crate::mqtt) ended: Shutdown,
}

fn millis(time: Timestamp) -> u64 {
    time.as_millisecond().max(0).unsigned_abs()
}

fn now() -> u64 {
    millis(Timestamp::now())
}

impl Node {
    pub(in crate::mqtt) fn new(settings: &SparkplugSettings, device: &Name) -> Self {
        let mut inner = Inner::default();
        let version = Value::Text(env!("CARGO_PKG_VERSION").to_owned());
        inner.metrics.set("version".to_owned(), DataType::String, Some(version), now());
        Self {
            group: settings.group.clone(),
            id: settings.node.replace("{device}", device.as_str()),
            aliases: settings.aliases,
            inner: Mutex::new(inner),
            wake: Notify::new(),
            ended: Shutdown::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic of the node's own messages of this kind.
    pub(super) fn topic(&self, kind: &str) -> String {
        format!("spBv1.0/{}/{kind}/{}", self.group, self.id)
    }

    /// These are the cameras and prompts from now on.
    pub(in crate::mqtt) fn announce(&self, cameras: &[CameraSettings]) {
        let inner = &mut *self.inner();
        let names: BTreeSet<&Name> = cameras.iter().map(|camera| &camera.name).collect();
        inner.cameras.retain(|name, _| names.contains(name));
        for settings in cameras {
            let status = format!("{}/status", settings.name);
            inner.metrics.expect(status, DataType::String, now());
            let camera = inner.cameras.entry(settings.name.clone()).or_default();
            let kept = |metric: &str| {
                let prompt = metric.rsplit_once('/').map(|(prompt, _)| prompt);
                prompt.is_none_or(|prompt| settings.prompts.iter().any(|known| known.name.as_str() == prompt))
            };
            camera.metrics.retain(kept);
            camera.metrics.expect(EVENT.to_owned(), DataType::String, now());
            for prompt in &settings.prompts {
                expect(&mut camera.metrics, &prompt.name);
            }
        }
        self.wake.notify_one();
    }

    /// The prompt is no longer there.
    pub(in crate::mqtt) fn forget(&self, camera: &Name, prompt: &Name) {
        let below = format!("{prompt}/");
        self.change(camera, |camera| camera.metrics.retain(|metric| !metric.starts_with(&below)));
    }

    pub(in crate::mqtt) fn prompt_state(
        &self,
        camera: &Name,
        prompt: &Name,
        on: bool,
        count: usize,
        score: Option<f32>,
    ) {
        self.change(camera, |camera| {
            expect(&mut camera.metrics, prompt);
            let mut set = |key: &str, kind, value| camera.metrics.set(format!("{prompt}/{key}"), kind, value, now());
            set("state", DataType::Boolean, Some(Value::Boolean(on)));
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            set("count", DataType::UInt32, Some(Value::Int(count)));
            set("score", DataType::Float, score.map(Value::Float));
        });
    }

    pub(in crate::mqtt) fn last_seen(&self, camera: &Name, prompt: &Name, time: Timestamp) {
        self.change(camera, |camera| {
            expect(&mut camera.metrics, prompt);
            let value = Some(Value::Long(millis(time)));
            camera.metrics.set(format!("{prompt}/last_seen"), DataType::DateTime, value, now());
        });
    }

    /// Tells an event, as JSON, if the host has heard of the camera's birth; else the birth tells the newest.
    pub(in crate::mqtt) fn event(&self, camera: &Name, time: Timestamp, json: &[u8]) {
        let json = String::from_utf8_lossy(json).into_owned();
        self.change(camera, |camera| {
            if camera.born || !camera.events.is_empty() {
                if camera.events.len() == MOST_EVENTS {
                    camera.events.pop_front();
                }
                camera.events.push_back((millis(time), json));
            } else {
                camera.metrics.set(EVENT.to_owned(), DataType::String, Some(Value::Text(json)), millis(time));
            }
        });
    }

    pub(in crate::mqtt) fn camera_status(&self, camera: &Name, status: CameraStatus) {
        let text = Value::Text(camera_status_text(status).to_owned());
        let inner = &mut *self.inner();
        inner.metrics.set(format!("{camera}/status"), DataType::String, Some(text), now());
        if let Some(camera) = inner.cameras.get_mut(camera) {
            camera.online = status == CameraStatus::Online;
        }
        self.wake.notify_one();
    }

    fn change(&self, camera: &Name, change: impl FnOnce(&mut Camera)) {
        if let Some(camera) = self.inner().cameras.get_mut(camera) {
            change(camera);
            self.wake.notify_one();
        }
    }

    /// A connection begins, with this number in its will.
    pub(super) fn begin(&self, birth: u8) {
        let inner = &mut *self.inner();
        inner.birth = birth;
        inner.live = true;
        inner.unborn();
    }

    /// The connection has ended.
    pub(super) fn end(&self) {
        let inner = &mut *self.inner();
        inner.live = false;
        inner.unborn();
    }

    /// Everything is to be told again.
    pub(super) fn rebirth(&self) {
        self.inner().unborn();
    }

    /// Whether this message asks for a rebirth. A retained one does not: it would ask at each connection again.
    pub(super) fn asks_for_rebirth(&self, heard: &Heard) -> bool {
        if heard.topic != self.topic("NCMD") || heard.retained || heard.size > MAX_HEARD {
            return false;
        }
        let Ok(payload) = Payload::decode(heard.payload.as_slice()) else { return false };
        let asks = |metric: &Metric| metric.name.as_deref() == Some(REBIRTH);
        payload.metrics.iter().any(|metric| asks(metric) && metric.value == Some(Value::Boolean(true)))
    }

    /// The node's death, as the will holds it: it has no place in the sequence.
    pub(super) fn death(&self, birth: u8) -> Vec<u8> {
        Payload { timestamp: Some(now()), metrics: vec![birth_metric(birth, now())], seq: None }.encode_to_vec()
    }

    /// Topic and payload of what is to be sent next. Every birth comes before all data.
    pub(super) fn next(&self) -> Option<(String, Vec<u8>)> {
        let Inner { live, born, birth, seq, metrics, cameras, aliases } = &mut *self.inner();
        if !*live {
            return None;
        }
        let time = now();
        let mut numbered = |place: &str, name: &str| {
            let next = aliases.len() as u64 + 1;
            self.aliases.then(|| *aliases.entry(format!("{place}/{name}")).or_insert(next))
        };
        if !*born || metrics.others {
            *born = true;
            cameras.values_mut().for_each(|camera| camera.born = false);
            *seq = 0;
            // These two have no alias: the one must not, and hosts look for the other by its name.
            let control = Metric {
                name: Some(REBIRTH.to_owned()),
                timestamp: Some(time),
                datatype: Some(DataType::Boolean as u32),
                value: Some(Value::Boolean(false)),
                ..Metric::default()
            };
            let mut told = vec![birth_metric(*birth, time), control];
            told.extend(metrics.birth(|name| numbered("", name)));
            return Some((self.topic("NBIRTH"), payload(told, 0, time)));
        }
        let mut say = |kind: &str, camera: Option<&Name>, told: Vec<Metric>| {
            *seq = seq.wrapping_add(1);
            let topic = camera.map_or_else(|| self.topic(kind), |camera| format!("{}/{camera}", self.topic(kind)));
            Some((topic, payload(told, *seq, time)))
        };
        for (name, camera) in &mut *cameras {
            if camera.online && (!camera.born || camera.metrics.others) {
                camera.born = true;
                return say("DBIRTH", Some(name), camera.metrics.birth(|metric| numbered(name.as_str(), metric)));
            }
            if !camera.online && camera.born {
                camera.born = false;
                camera.last_event();
                camera.metrics.forget_news();
                return say("DDEATH", Some(name), Vec::new());
            }
        }
        if metrics.has_news() {
            return say("NDATA", None, metrics.news(|name| numbered("", name)));
        }
        for (name, camera) in cameras.iter_mut().filter(|(_, camera)| camera.born) {
            if let Some((since, json)) = camera.events.pop_front() {
                camera.metrics.set(EVENT.to_owned(), DataType::String, Some(Value::Text(json)), since);
            }
            if camera.metrics.has_news() {
                return say("DDATA", Some(name), camera.metrics.news(|metric| numbered(name.as_str(), metric)));
            }
        }
        None
    }
}

impl Inner {
    /// Nobody has heard of anything.
    fn unborn(&mut self) {
        self.born = false;
        for camera in self.cameras.values_mut() {
            camera.born = false;
            // While it lives, they are told after the birth.
            if !self.live {
                camera.last_event();
            }
        }
    }
}

impl Camera {
    /// Gives up the events that wait, save that the newest is the present value.
    fn last_event(&mut self) {
        if let Some((since, json)) = self.events.pop_back() {
            self.metrics.set(EVENT.to_owned(), DataType::String, Some(Value::Text(json)), since);
            self.events.clear();
        }
    }
}

/// What is told of each prompt.
fn expect(metrics: &mut Metrics, prompt: &Name) {
    let kinds = [
        ("state", DataType::Boolean),
        ("count", DataType::UInt32),
        ("score", DataType::Float),
        ("last_seen", DataType::DateTime),
    ];
    kinds.into_iter().for_each(|(key, kind)| metrics.expect(format!("{prompt}/{key}"), kind, now()));
}

fn birth_metric(birth: u8, time: u64) -> Metric {
    Metric {
        name: Some("bdSeq".to_owned()),
        timestamp: Some(time),
        datatype: Some(DataType::Int64 as u32),
        value: Some(Value::Long(u64::from(birth))),
        ..Metric::default()
    }
}

fn payload(metrics: Vec<Metric>, seq: u8, time: u64) -> Vec<u8> {
    Payload { timestamp: Some(time), metrics, seq: Some(u64::from(seq)) }.encode_to_vec()
}
