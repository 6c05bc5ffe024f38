//! A device under test, and a subscriber that hears it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lookout::config::file::default_store;
use lookout::config::rules::Severity;
use lookout::config::settings::{CameraSettings, MqttSettings, Name, Protocol, StoreSettings, TopicSettings};
use lookout::detect::HeatMap;
use lookout::frame::UnitBox;
use lookout::mqtt::{MqttPublisher, Publisher};
use lookout::shutdown::Shutdown;
use lookout::store::Store;
use lookout::track::{Crossing, Direction, Event, EventKind, Evidence};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rumqttc::{Client, Connection, Incoming, MqttOptions, QoS};
use tokio::runtime::Runtime;

pub fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

pub fn settings(port: u16) -> MqttSettings {
    MqttSettings {
        host: "127.0.0.1".to_owned(),
        port,
        protocol: Protocol::V5,
        base: "lookout".to_owned(),
        topics: TopicSettings::default(),
        client_id: "lookout-{device}".to_owned(),
        user: None,
        password: None,
        tls: None,
        keep_alive: Duration::from_secs(5),
        reconnect_max: Duration::from_secs(1),
        max_payload: 1_000_000,
        backlog_per_s: 1000,
        read_only: false,
        home_assistant: None,
        sparkplug: None,
    }
}

pub fn open(path: Option<PathBuf>, max_events: usize) -> Store {
    let max_age = Duration::from_secs(3600);
    Store::open(&StoreSettings { path, max_age, max_events, ..default_store() }).expect("the store opens")
}

pub fn in_memory() -> Store {
    open(None, 10_000)
}

pub fn event(kind: EventKind, sequence: u32) -> Event {
    let first_seen: Timestamp = "2026-11-24T10:15:30.25Z".parse().expect("a time");
    Event {
        kind,
        id: "gate-dog-1a2b".to_owned(),
        sequence,
        camera: name("gate"),
        prompt: name("dog"),
        phrase: "a dog near the gate".to_owned(),
        score: 0.812_345,
        top_score: 0.9,
        area: UnitBox::new(0.25, 0.5, 0.333_333, 0.75),
        frame_size: (640, 480),
        zones: vec![name("path")],
        severity: if sequence == 0 { Severity::Detection } else { Severity::Alert },
        stationary: kind == EventKind::End,
        crossed: match kind {
            EventKind::Update => vec![Crossing { line: name("drive"), direction: Direction::LeftToRight }],
            _ => Vec::new(),
        },
        first_seen,
        last_seen: first_seen + Duration::from_millis(1500 * u64::from(sequence)),
        evidence: Evidence {
            threshold: 0.6,
            runner_up: "a cat".to_owned(),
            margin: 0.043_21,
            tiles: 3,
            hits: 5,
            background: None,
            related: None,
            heat_map: Some(HeatMap::from_png(b"\x89PNG, a small one".to_vec())),
        },
    }
}

pub fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string("docs/reference/event.schema.json").expect("the schema");
    let schema = serde_json::from_str(&text).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is one");
    jsonschema::validator_for(&schema).expect("the schema compiles")
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().expect("a runtime").block_on(future)
}

/// Waits for something that the broker does not tell.
pub fn await_that(within: Duration, holds: impl Fn() -> bool) {
    let until = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < until, "it never held");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Compares with `tests/fixtures/<file>.json`; `UPDATE_GOLDEN=1` writes it instead. Gives the value.
pub fn golden(file: &str, json: &[u8]) -> serde_json::Value {
    let path = format!("tests/fixtures/{file}.json");
    let value: serde_json::Value = serde_json::from_slice(json).expect("JSON");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&value).expect("JSON") + "\n";
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let pinned = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(value, serde_json::from_slice::<serde_json::Value>(&pinned).expect("JSON"), "differs from {path}");
    value
}

/// A publisher with its own runtime; dropped, it vanishes like a killed program.
pub struct Device {
    pub publisher: Publisher,
    /// Kept open, so that commands find somebody.
    pub requests: std::sync::mpsc::Receiver<lookout::mqtt::Request>,
    runtime: Option<Runtime>,
}

impl Device {
    pub fn start(settings: MqttSettings, store: &Store) -> Self {
        Self::start_with(settings, &[], store)
    }

    pub fn start_with(settings: MqttSettings, cameras: &[CameraSettings], store: &Store) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (publisher, requests) =
            MqttPublisher::start(settings, name("hof"), cameras, store.clone(), Shutdown::default(), runtime.handle());
        Self { publisher, requests, runtime: Some(runtime) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// Hears everything under `lookout/` and `homeassistant/`.
pub struct Subscriber {
    pub seen: Vec<(String, Vec<u8>)>,
    connection: Connection,
    _client: Client,
}

impl Subscriber {
    /// Returns when the broker has confirmed the subscription.
    pub fn new(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("hears-{}", fastrand::u64(..)), "127.0.0.1", port);
        options.set_max_packet_size(64 << 20, 4 << 20);
        let (client, mut connection) = Client::new(options, 10);
        client.subscribe("homeassistant/#", QoS::AtLeastOnce).expect("queued");
        client.subscribe("lookout/#", QoS::AtLeastOnce).expect("queued");
        let mut seen = Vec::new();
        let mut confirmed = 0;
        for message in connection.iter() {
            match message.expect("the broker answers") {
                rumqttc::Event::Incoming(Incoming::SubAck(_)) => confirmed += 1,
                rumqttc::Event::Incoming(Incoming::Publish(heard)) => seen.push((heard.topic, heard.payload.to_vec())),
                _ => {}
            }
            if confirmed == 2 {
                break;
            }
        }
        Self { seen, connection, _client: client }
    }

    /// Listens until `enough` of what was heard so far.
    fn listen(&mut self, within: Duration, mut enough: impl FnMut(&[(String, Vec<u8>)]) -> bool) -> bool {
        let until = Instant::now() + within;
        loop {
            if enough(&self.seen) {
                return true;
            }
            match self.connection.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Ok(rumqttc::Event::Incoming(Incoming::Publish(heard)))) => {
                    self.seen.push((heard.topic, heard.payload.to_vec()));
                }
                Ok(Ok(_)) => {}
                Ok(Err(_)) => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => return false,
            }
        }
    }

    /// Waits until a value was heard, now or earlier.
    pub fn await_value(&mut self, topic: &str, value: &str, within: Duration) {
        let heard = self.listen(within, |seen| seen.iter().any(|(t, v)| t == topic && v == value.as_bytes()));
        assert!(heard, "{topic} never was {value}; heard {:?}", self.topics());
    }

    /// Waits for a message that fits.
    pub fn await_that(&mut self, what: &str, within: Duration, fits: impl Fn(&str, &[u8]) -> bool) {
        let heard = self.listen(within, |seen| seen.iter().any(|(topic, payload)| fits(topic, payload)));
        assert!(heard, "{what}: never heard; heard {:?}", self.topics());
    }

    /// Waits for anything on a topic.
    pub fn await_topic(&mut self, topic: &str, within: Duration) {
        let heard = self.listen(within, |seen| seen.iter().any(|(t, _)| t == topic));
        assert!(heard, "nothing on {topic}; heard {:?}", self.topics());
    }

    /// Waits for that many events, and gives all.
    pub fn await_events(&mut self, count: usize, within: Duration) -> Vec<serde_json::Value> {
        let of = |seen: &[(String, Vec<u8>)]| -> Vec<serde_json::Value> {
            let events = seen.iter().filter(|(topic, _)| topic.ends_with("/events"));
            events.map(|(_, json)| serde_json::from_slice(json).expect("JSON")).collect()
        };
        let heard = self.listen(within, |seen| seen.iter().filter(|(t, _)| t.ends_with("/events")).count() >= count);
        assert!(heard, "{} of {count} events arrived", of(&self.seen).len());
        of(&self.seen)
    }

    fn topics(&self) -> Vec<&str> {
        self.seen.iter().map(|(topic, _)| topic.as_str()).collect()
    }
}

/// Writes an authority, a broker's and a client's certificate signed by it, and a stranger's authority.
pub fn tls_files(folder: &Path) {
    let write = |file: &str, text: String| std::fs::write(folder.join(file), text).expect("written");
    let authority = |common_name: &str| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        (certificate.pem(), Issuer::new(params, key))
    };
    let (ca, issuer) = authority("test authority");
    write("ca.pem", ca);
    write("other-ca.pem", authority("a stranger").0);
    for (file, host) in [("server", "localhost"), ("client", "hof")] {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.subject_alt_names.push(rcgen::SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        params.distinguished_name.push(rcgen::DnType::CommonName, host);
        let key = KeyPair::generate().expect("a key");
        write(&format!("{file}.pem"), params.signed_by(&key, &issuer).expect("signed").pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
}
