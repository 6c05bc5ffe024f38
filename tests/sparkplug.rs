//! Sparkplug B over a real broker: births before data, an unbroken sequence, deaths that belong to their births, rebirth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lookout::capture::CameraStatus;
use lookout::config::parse;
use lookout::config::settings::{CameraSettings, MqttSettings, Protocol};
use lookout::config::sparkplug::SparkplugSettings;
use lookout::mqtt::sparkplug::wire::{Metric, Payload, Value};
use lookout::track::EventKind;
use prost::Message;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use crate::support::mosquitto::Mosquitto;
use crate::support::mqtt::{Device, event, in_memory, name, open, settings};
use crate::support::program::{Running, config};

const SOON: Duration = Duration::from_secs(20);

/// One message as a host takes it.
#[derive(Clone, Debug)]
struct Said {
    /// Such as `DDATA`.
    kind: String,
    /// The camera; empty for the node.
    device: String,
    payload: Payload,
    qos: QoS,
}

impl Said {
    fn metric(&self, name: &str) -> &Metric {
        let found = self.payload.metrics.iter().find(|metric| metric.name.as_deref() == Some(name));
        found.unwrap_or_else(|| panic!("{name} is not in {self:?}"))
    }

    fn birth(&self) -> u64 {
        match self.metric("bdSeq").value {
            Some(Value::Long(number)) => number,
            ref other => panic!("bdSeq is {other:?}"),
        }
    }

    fn is(&self, kind: &str, device: &str) -> bool {
        self.kind == kind && self.device == device
    }
}

/// A host application that holds all it hears against the specification.
struct Host {
    client: Client,
    heard: Receiver<Said>,
    /// The sequence number that must come next, and which devices are born; `None` while the node is dead.
    alive: Option<(u64, BTreeSet<String>)>,
    birth: u64,
    aliases: BTreeMap<u64, String>,
}

impl Host {
    fn new(port: u16) -> Self {
        let options = MqttOptions::new(format!("host-{}", fastrand::u64(..)), "127.0.0.1", port);
        let (client, mut connection) = Client::new(options, 100);
        client.subscribe("spBv1.0/#", QoS::AtLeastOnce).expect("queued");
        let (tell, heard) = channel();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            for message in connection.iter() {
                match message {
                    Ok(Event::Incoming(Packet::SubAck(_))) => drop(ready.send(())),
                    Ok(Event::Incoming(Packet::Publish(heard))) => {
                        assert!(!heard.retain, "{} is retained", heard.topic);
                        let levels: Vec<&str> = heard.topic.split('/').collect();
                        if levels[2] == "NCMD" {
                            continue;
                        }
                        assert_eq!((levels[0], levels[1], levels[3]), ("spBv1.0", "plant", "hof"), "{}", heard.topic);
                        let payload = Payload::decode(&heard.payload[..]).expect("protobuf");
                        let device = levels.get(4).unwrap_or(&"").to_string();
                        let said = Said { kind: levels[2].to_owned(), device, payload, qos: heard.qos };
                        if tell.send(said).is_err() {
                            break;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        is_ready.recv_timeout(SOON).expect("the broker confirms");
        Self { client, heard, alive: None, birth: 0, aliases: BTreeMap::new() }
    }

    /// The next message, which the specification must allow.
    fn next(&mut self, within: Duration) -> Option<Said> {
        let mut said = self.heard.recv_timeout(within).ok()?;
        assert!(said.payload.timestamp.is_some());
        let born = said.kind.ends_with("BIRTH");
        for metric in &mut said.payload.metrics {
            assert!(metric.timestamp.is_some() && (metric.value.is_some() != (metric.is_null == Some(true))));
            assert_eq!(metric.datatype.is_some(), born || said.kind == "NDEATH", "{metric:?}");
            match (metric.alias, metric.name.clone()) {
                (Some(alias), Some(name)) if born => {
                    let name = format!("{}/{name}", said.device);
                    assert_eq!(self.aliases.entry(alias).or_insert(name.clone()), &name, "an alias names one metric");
                }
                (Some(alias), None) => {
                    let name = self.aliases[&alias].strip_prefix(&format!("{}/", said.device)).expect("its own alias");
                    metric.name = Some(name.to_owned());
                }
                (None, Some(_)) => {}
                _ => panic!("{metric:?} in {}", said.kind),
            }
        }
        if said.kind == "NDEATH" {
            assert_eq!((said.payload.seq, said.payload.metrics.len(), said.qos), (None, 1, QoS::AtLeastOnce));
            assert!(self.alive.take().is_some(), "dead twice");
            assert_eq!(said.birth(), self.birth, "the death belongs to the birth");
            return Some(said);
        }
        assert_eq!(said.qos, QoS::AtMostOnce, "{}", said.kind);
        let seq = said.payload.seq.expect("a sequence number");
        if said.kind == "NBIRTH" {
            assert_eq!(seq, 0);
            assert_eq!(said.metric("Node Control/Rebirth").value, Some(Value::Boolean(false)));
            assert!(said.metric("Node Control/Rebirth").alias.is_none());
            self.birth = said.birth();
            self.alive = Some((1, BTreeSet::new()));
            return Some(said);
        }
        let (expected, devices) = self.alive.as_mut().expect("birth before anything else");
        assert_eq!(seq, *expected, "{said:?}");
        *expected = (seq + 1) % 256;
        match said.kind.as_str() {
            "DBIRTH" => drop(devices.insert(said.device.clone())),
            "DDEATH" => assert!(devices.remove(&said.device), "{} dies unborn", said.device),
            "DDATA" => assert!(devices.contains(&said.device), "data of {} before its birth", said.device),
            "NDATA" => {}
            other => panic!("{other}"),
        }
        Some(said)
    }

    fn find(&mut self, what: &str, fits: impl Fn(&Said) -> bool) -> Said {
        let until = Instant::now() + SOON;
        loop {
            let said = self.next(until.saturating_duration_since(Instant::now()));
            let said = said.unwrap_or_else(|| panic!("never heard {what}"));
            if fits(&said) {
                return said;
            }
        }
    }

    fn find_kind(&mut self, kind: &str, device: &str) -> Said {
        self.find(&format!("{kind} {device}"), |said| said.is(kind, device))
    }

    fn ask_for_rebirth(&self) {
        let value = Some(Value::Boolean(true));
        let metric = Metric { name: Some("Node Control/Rebirth".to_owned()), value, ..Metric::default() };
        let payload = Payload { timestamp: Some(1), metrics: vec![metric], seq: None };
        self.say(payload.encode_to_vec());
    }

    fn say(&self, payload: Vec<u8>) {
        self.client.publish("spBv1.0/plant/NCMD/hof", QoS::AtMostOnce, false, payload).expect("queued");
    }
}

fn cameras() -> Vec<CameraSettings> {
    let camera = |name: &str| {
        format!("[[camera]]\nname = \"{name}\"\nsource = \"demo://\"\n[[camera.prompt]]\nphrases = \"a dog\"\n")
    };
    let text = camera("gate") + &camera("yard");
    parse(&text, "test", Path::new(""), false).expect("valid").cameras
}

fn sparkplug(port: u16, aliases: bool) -> MqttSettings {
    let [group, node, client_id] = ["plant", "{device}", "lookout-{device}-sparkplug"].map(str::to_owned);
    MqttSettings { sparkplug: Some(SparkplugSettings { group, node, client_id, aliases }), ..settings(port) }
}

fn lives(protocol: Protocol, aliases: bool) {
    let broker = Mosquitto::start();
    let mut host = Host::new(broker.port);
    let settings = MqttSettings { protocol, ..sparkplug(broker.port, aliases) };
    let device = Device::start_with(settings, &cameras(), &in_memory());
    let (gate, dog, publisher) = (name("gate"), name("dog"), &device.publisher);
    let born = host.find_kind("NBIRTH", "");
    assert_eq!(born.birth(), 0);
    assert_eq!(born.metric("gate/status").alias.is_some(), aliases);
    // Nothing is told of a camera that gives no pictures, but what was seen is known at its birth.
    publisher.prompt_state(&gate, &dog, true, 1, Some(0.5));
    publisher.camera_status(&gate, CameraStatus::Online);
    let born = host.find_kind("DBIRTH", "gate");
    assert_eq!(born.metric("dog/state").value, Some(Value::Boolean(true)));
    assert_eq!((born.metric("dog/last_seen").datatype, born.metric("dog/last_seen").is_null), (Some(13), Some(true)));
    assert_eq!((born.metric("event").datatype, born.metric("event").is_null), (Some(12), Some(true)));
    let status = host.find_kind("NDATA", "");
    assert_eq!(status.metric("gate/status").value, Some(Value::Text("online".to_owned())));

    // More than the sequence has numbers; each event is told, and states by their newest value.
    let (mut events, mut count) = (Vec::new(), None);
    for batch in 1..=12_usize {
        for number in (batch - 1) * 50..batch * 50 {
            publisher.event(&event(EventKind::Update, number as u32)).expect("stored");
            publisher.prompt_state(&gate, &dog, true, number, None);
        }
        while events.len() < batch * 50 || count != Some(Value::Int(batch as u32 * 50 - 1)) {
            let said = host.find_kind("DDATA", "gate");
            for metric in said.payload.metrics {
                match (metric.name.as_deref(), metric.value) {
                    (Some("event"), Some(Value::Text(json))) => {
                        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
                        events.push(json["sequence"].as_u64().expect("a number"));
                    }
                    (Some("dog/count"), value) => count = value,
                    (Some("dog/score"), value) => assert_eq!(value, None),
                    _ => {}
                }
            }
        }
    }
    assert!(events.iter().copied().eq(0..600), "{events:?}");

    // Rubbish on the command's topic does nothing; many requests for a rebirth give few.
    host.say(vec![0xff; 10_000]);
    for _ in 0..200 {
        host.ask_for_rebirth();
    }
    assert_eq!(host.find_kind("NBIRTH", "").birth(), 0, "a rebirth is of the same connection");
    assert_eq!(host.find_kind("DBIRTH", "gate").metric("dog/count").value, Some(Value::Int(599)));
    let mut births = 0;
    while let Some(said) = host.next(Duration::from_secs(3)) {
        births += u32::from(said.kind == "NBIRTH");
    }
    assert!(births <= 2, "{births} births more");

    publisher.camera_status(&gate, CameraStatus::Offline);
    host.find_kind("DDEATH", "gate");
    publisher.prompt_state(&gate, &dog, false, 0, None);
    publisher.camera_status(&gate, CameraStatus::Online);
    assert_eq!(host.find_kind("DBIRTH", "gate").metric("dog/state").value, Some(Value::Boolean(false)));

    // Another prompt is another set of metrics, so the camera is born again.
    publisher.prompt_state(&gate, &name("cat"), false, 0, None);
    host.find("the cat", |said| said.is("DBIRTH", "gate") && said.metric("cat/state").value.is_some());
    publisher.forget_seen(&gate, &name("cat"));
    let without = host.find_kind("DBIRTH", "gate");
    assert!(without.payload.metrics.iter().all(|metric| metric.name.as_deref() != Some("cat/state")));

    assert!(publisher.finish(SOON));
    host.find_kind("NDEATH", "");
    assert!(host.next(Duration::from_millis(500)).is_none(), "the will is not spoken too");
    assert_eq!(broker.complaints(), Vec::<String>::new());
}

#[test]
fn a_node_lives_by_the_specification_in_mqtt_5() {
    lives(Protocol::V5, false);
}

#[test]
fn a_node_lives_by_the_specification_with_aliases_in_mqtt_3_1_1() {
    lives(Protocol::V311, true);
}

#[test]
fn births_are_counted_over_lost_connections_and_runs() {
    let mut broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a folder");
    let store = || open(Some(folder.path().join("lookout.db")), 100);
    let mut host = Host::new(broker.port);
    let device = Device::start_with(sparkplug(broker.port, false), &cameras(), &store());
    assert_eq!(host.find_kind("NBIRTH", "").birth(), 0);
    device.publisher.camera_status(&name("yard"), CameraStatus::Online);
    host.find_kind("DBIRTH", "yard");
    broker.restart();
    // Who comes back later than the device has missed the birth, and asks for another.
    let host = Host::new(broker.port);
    host.ask_for_rebirth();
    let again = loop {
        match host.heard.recv_timeout(SOON).expect("the rebirth") {
            said if said.kind == "NBIRTH" => break said,
            _ => host.ask_for_rebirth(),
        }
    };
    assert_eq!(again.birth(), 1, "one more than before");
    drop((device, host));
    let _device = Device::start_with(sparkplug(broker.port, false), &cameras(), &store());
    let mut host = Host::new(broker.port);
    host.ask_for_rebirth();
    assert_eq!(host.find_kind("NBIRTH", "").birth(), 2);
}

#[test]
fn the_will_of_a_killed_program_belongs_to_its_birth() {
    let broker = Mosquitto::start();
    let mut host = Host::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[device]\nid = \"hof\"\n[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n[mqtt.sparkplug]\ngroup = \"plant\"\n[store]\n\
         path = \"lookout.db\"\n[[camera]]\nname = \"street\"\nsource = \"test://smpte\"\nfps = 0.5\n\
         [[camera.prompt]]\nphrases = \"a dog\"\n",
        broker.port
    );
    let config = config(folder.path(), &text);
    for birth in 0..2 {
        let running = Running::start(&["run", "--config", &config]);
        assert_eq!(host.find_kind("NBIRTH", "").birth(), birth);
        host.find_kind("DBIRTH", "street");
        running.signal("-KILL");
        assert_eq!(host.find_kind("NDEATH", "").birth(), birth);
    }
    let running = Running::start(&["run", "--config", &config]);
    host.find_kind("DBIRTH", "street");
    running.end();
    assert_eq!(host.find_kind("NDEATH", "").birth(), 2);
}
