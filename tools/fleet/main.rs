//! A fleet against one broker: as many devices as wanted publish events as lookout does, each with an outbox and a
//! connection of its own, and one consumer counts what arrives and how late.
//!
//! `cargo run --release --example fleet -- --devices 1000 --seconds 60`

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use lookout::config::file::{default_store, server};
use lookout::config::rules::Severity;
use lookout::config::settings::{MqttSettings, Name};
use lookout::frame::UnitBox;
use lookout::mqtt::payload::EventMessage;
use lookout::mqtt::{MqttPublisher, Publisher};
use lookout::shutdown::Shutdown;
use lookout::store::Store;
use lookout::track::{Event, EventKind, Evidence};
use rumqttc::{Client, MqttOptions, Packet, QoS};

/// What is simulated.
#[derive(Parser)]
struct Arguments {
    /// The broker
    #[arg(long, default_value = "mqtt://127.0.0.1:1883")]
    mqtt: String,
    /// Which MQTT the devices speak
    #[arg(long, default_value = "5")]
    protocol: String,
    /// How many devices
    #[arg(long, default_value_t = 1000)]
    devices: u32,
    /// How long they publish
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Messages a device publishes in a minute, at moments of its own
    #[arg(long, default_value_t = 20.0)]
    per_minute: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let text = format!(
        "[mqtt]\nurl = \"{}\"\nprotocol = \"{}\"\nbase = \"fleet\"\nhome_assistant.discovery = \"off\"\n[[camera]]\n\
         name = \"gate\"\nsource = \"test://smpte\"\n[[camera.prompt]]\nphrases = \"a dog\"\n",
        arguments.mqtt, arguments.protocol
    );
    let settings =
        lookout::config::parse(&text, "the arguments", Path::new(""), false)?.mqtt.context("[mqtt] is set")?;
    let heard = consumer(&arguments.mqtt)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = Instant::now();
    let fleet =
        (0..arguments.devices).map(|number| device(number, &settings, &runtime)).collect::<anyhow::Result<Vec<_>>>()?;
    await_that("all devices are online", Duration::from_secs(120), || heard.count_online() >= fleet.len());
    println!("{} devices online after {:.1} s", fleet.len(), started.elapsed().as_secs_f64());

    let mut sent = publish(&fleet, &arguments);
    let published = Instant::now();
    await_that("the outboxes are empty", Duration::from_secs(60), || {
        fleet.iter().all(|(_, p)| p.outbox().waiting == 0)
    });
    println!("{} messages published; outboxes empty {:.2} s later", sent.len(), published.elapsed().as_secs_f64());
    let mut latencies = Vec::new();
    let mut duplicates = 0;
    while let Ok((device, sequence, late)) = heard.events.recv_timeout(Duration::from_secs(2)) {
        match sent.remove(&(device, sequence)) {
            Some(()) => latencies.push(late),
            None => duplicates += 1,
        }
    }
    latencies.sort();
    let at = |share: f64| latencies.get(((latencies.len() as f64 - 1.0) * share) as usize).copied().unwrap_or_default();
    let [median, most, worst] = [0.5, 0.99, 1.0].map(|share| at(share).as_secs_f64() * 1000.0);
    println!("arrived {}, lost {}, twice {duplicates}", latencies.len(), sent.len());
    println!("latency: median {median:.1} ms, 99 % within {most:.1} ms, all within {worst:.1} ms");
    runtime.shutdown_timeout(Duration::from_secs(1));
    anyhow::ensure!(sent.is_empty(), "messages were lost");
    Ok(())
}

type Device = (Name, Publisher);

fn device(number: u32, settings: &MqttSettings, runtime: &tokio::runtime::Runtime) -> anyhow::Result<Device> {
    let name = Name::new(&format!("d{number:05}")).context("a name")?;
    let store = Store::open(&default_store())?;
    let (publisher, _) =
        MqttPublisher::start(settings.clone(), name.clone(), &[], store, Shutdown::default(), runtime.handle());
    Ok((name, publisher))
}

/// Publishes for the time that is wanted, evenly over time and devices. Gives what was published.
fn publish(fleet: &[Device], arguments: &Arguments) -> HashMap<(String, u32), ()> {
    let interval = Duration::from_secs_f64(60.0 / arguments.per_minute / fleet.len() as f64);
    let started = Instant::now();
    let mut sent = HashMap::new();
    for turn in 0u32.. {
        let due = interval * turn;
        if due >= Duration::from_secs(arguments.seconds) {
            break;
        }
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        let (name, publisher) = &fleet[turn as usize % fleet.len()];
        let sequence = turn / fleet.len() as u32;
        if publisher.event(&event(sequence)).is_ok() {
            sent.insert((name.to_string(), sequence), ());
        }
    }
    sent
}

fn event(sequence: u32) -> Event {
    let name = |text| Name::new(text).expect("a name");
    let now = Timestamp::now();
    Event {
        kind: EventKind::Update,
        id: "gate-1764000000000-dog-1".to_owned(),
        sequence,
        camera: name("gate"),
        prompt: name("dog"),
        phrase: "a dog near the gate".to_owned(),
        score: 0.8,
        top_score: 0.9,
        area: UnitBox::new(0.25, 0.5, 0.35, 0.75),
        frame_size: (640, 360),
        zones: vec![name("path")],
        severity: Severity::Alert,
        stationary: false,
        crossed: Vec::new(),
        first_seen: now,
        last_seen: now,
        evidence: Evidence { threshold: 0.6, runner_up: "a cat".to_owned(), margin: 0.04, tiles: 3, hits: 5 },
    }
}

/// What the consumer hears.
struct Heard {
    online: Receiver<()>,
    seen_online: std::cell::Cell<usize>,
    /// Device, sequence, and how long after the event's own time.
    events: Receiver<(String, u32, Duration)>,
}

impl Heard {
    fn count_online(&self) -> usize {
        self.seen_online.set(self.seen_online.get() + self.online.try_iter().count());
        self.seen_online.get()
    }
}

fn consumer(mqtt: &str) -> anyhow::Result<Heard> {
    let (host, port, _) = server(mqtt).map_err(|problem| anyhow::anyhow!("--mqtt {problem}"))?;
    let mut options = MqttOptions::new(format!("fleet-consumer-{}", std::process::id()), host, port);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut connection) = Client::new(options, 10);
    client.subscribe("fleet/+/status", QoS::AtLeastOnce)?;
    client.subscribe("fleet/+/+/events", QoS::AtLeastOnce)?;
    let ((tell_online, online), (tell_event, events)) = (channel(), channel());
    std::thread::spawn(move || {
        let _client = client;
        for message in connection.iter() {
            let Ok(rumqttc::Event::Incoming(Packet::Publish(heard))) = message else { continue };
            if heard.payload == "online" {
                let _ = tell_online.send(());
            } else if let Ok(event) = serde_json::from_slice::<EventMessage>(&heard.payload) {
                let seen: Timestamp = event.last_seen.parse().unwrap_or_default();
                let late = Timestamp::now().duration_since(seen).unsigned_abs();
                let _ = tell_event.send((event.device, event.sequence, late));
            }
        }
    });
    Ok(Heard { online, seen_online: std::cell::Cell::new(0), events })
}

fn await_that(what: &str, within: Duration, holds: impl Fn() -> bool) {
    let until = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < until, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
