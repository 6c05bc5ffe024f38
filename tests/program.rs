//! The whole program as people run it: its commands, a real broker, a real camera.

#[path = "support/mosquitto.rs"]
mod mosquitto;
#[path = "support/rtsp.rs"]
mod rtsp;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mosquitto::Mosquitto;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

/// Longer than the program needs to start, on a loaded machine too.
const SOON: Duration = Duration::from_secs(90);

fn lookout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    lookout(arguments).output().expect("the program starts")
}

fn config(folder: &Path, text: &str) -> String {
    let path = folder.join("lookout.toml");
    std::fs::write(&path, text).expect("writes");
    path.display().to_string()
}

/// Everything that a broker hands on.
struct Hears(Receiver<(String, Vec<u8>)>);

impl Hears {
    fn new(port: u16) -> Self {
        let mut options =
            MqttOptions::new(format!("hears-{port}-{:?}", std::thread::current().id()), "127.0.0.1", port);
        options.set_max_packet_size(4 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 10);
        client.subscribe("lookout/#", QoS::AtLeastOnce).expect("subscribes");
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            let _client = client;
            for message in connection.iter() {
                match message {
                    Ok(Event::Incoming(Packet::Publish(p)))
                        if tell.send((p.topic.clone(), p.payload.to_vec())).is_err() =>
                    {
                        break;
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        Self(heard)
    }

    /// The first message that fits.
    fn find(&self, what: &str, fits: impl Fn(&str, &[u8]) -> bool) -> (String, Vec<u8>) {
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (topic, payload) = self.0.recv_timeout(left).unwrap_or_else(|_| panic!("never heard {what}"));
            if fits(&topic, &payload) {
                return (topic, payload);
            }
        }
    }

    fn value(&self, topic: &str, value: &str) {
        self.find(&format!("{topic} {value}"), |t, p| t == topic && p == value.as_bytes());
    }
}

/// A running program, killed when dropped.
struct Running {
    child: Child,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let child = lookout(arguments).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
        Self { child }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn street(port: u16) -> String {
    format!(
        "[device]\nid = \"hof\"\n[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\nkeep_alive_s = 5\n[[camera]]\nname = \"street\"\n\
         source = \"demo://street\"\nfps = 2\n[[camera.prompt]]\nphrases = \"a blue bicycle\"\n[[camera.prompt]]\n\
         phrases = \"a pedestrian\"\n"
    )
}

#[test]
fn the_street_is_told_over_mqtt_and_a_signal_ends_it_cleanly() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = Running::start(&["run", "--config", &config(folder.path(), &street(broker.port))]);
    hears.value("lookout/hof/status", "online");
    hears.value("lookout/hof/street/status", "online");
    let (_, event) = hears.find("an event of the pedestrian", |topic, payload| {
        topic == "lookout/hof/street/events" && String::from_utf8_lossy(payload).contains("\"pedestrian\"")
    });
    let event: Value = serde_json::from_slice(&event).expect("JSON");
    let schema: Value = serde_json::from_str(include_str!("../docs/event.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&event), "{:?} of {event}", validator.iter_errors(&event).next().map(|e| e.to_string()));
    assert_eq!((&event["type"], &event["device"]), (&Value::from("new"), &Value::from("hof")));
    let (_, jpeg) = hears.find("the picture", |topic, _| topic == "lookout/hof/street/pedestrian/snapshot");
    assert_eq!(image::load_from_memory(&jpeg).expect("a JPEG").width(), 640);
    running.signal("-TERM");
    hears.value("lookout/hof/status", "stopped");
    assert!(running.child.wait().expect("ends").success());
    let again = Hears::new(broker.port);
    again.value("lookout/hof/status", "stopped");
}

#[test]
fn a_killed_program_is_offline() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&["run", "--config", &config(folder.path(), &street(broker.port))]);
    hears.value("lookout/hof/status", "online");
    running.signal("-KILL");
    hears.value("lookout/hof/status", "offline");
}

#[test]
fn one_camera_that_is_not_there_does_not_stop_the_other() {
    let broker = Mosquitto::start();
    let server = rtsp::RtspCamera::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let camera = |name: &str, source: &str| {
        format!("[[camera]]\nname = \"{name}\"\nsource = \"{source}\"\n[[camera.prompt]]\nphrases = \"a dog\"\n")
    };
    let text = format!(
        "[device]\nid = \"hof\"\n[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n{}{}",
        broker.port,
        camera("gone", "rtsp://user:hidden-secret@127.0.0.1:9/none"),
        camera("here", &server.uri())
    );
    let mut running = Running::start(&["run", "--config", &config(folder.path(), &text)]);
    let mut told = BTreeMap::new();
    while told.get("here").is_none_or(|s| s != "online") || !told.contains_key("gone") {
        let (topic, payload) = hears.find("both cameras", |topic, _| topic.ends_with("e/status"));
        told.insert(topic.split('/').nth(2).expect("a camera").to_owned(), String::from_utf8(payload).expect("text"));
    }
    assert_eq!(told["gone"], "offline");
    running.signal("-INT");
    assert!(running.child.wait().expect("ends").success());
    let log = BufReader::new(running.child.stderr.take().expect("piped")).lines();
    let log: Vec<String> = log.map(|line| line.expect("text")).collect();
    assert!(log.iter().any(|line| line.contains("gone") && line.contains("127.0.0.1:9")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("hidden-secret")));
}

#[test]
fn a_photo_is_looked_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (photo, marked) = (folder.path().join("grey.png"), folder.path().join("marked.jpg"));
    image::RgbImage::from_pixel(200, 100, image::Rgb([120, 120, 120])).save(&photo).expect("writes");
    let (photo, marked) = (photo.display().to_string(), marked.display().to_string());
    let found = output(&["detect", &photo, "--prompt", "a red car", "--json", "--annotate", &marked]);
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let json: Value = serde_json::from_slice(&found.stdout).expect("JSON");
    assert_eq!(json["detections"], Value::Array(Vec::new()));
    assert_eq!(image::open(marked).expect("a picture").width(), 200);
}

#[test]
fn mistakes_get_one_clear_line_and_status_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("text.png");
    std::fs::write(&text, "no picture").expect("writes");
    let text = text.display().to_string();
    for (arguments, wanted) in [
        (vec!["detect", "/no/such.jpg", "--prompt", "a dog"], "no file /no/such.jpg"),
        (vec!["detect", &text, "--prompt", "a dog"], "text.png"),
        (vec!["detect", &text, "--prompt", " "], "--prompt is empty"),
        (vec!["embed"], "nothing to embed"),
        (vec!["embed", "--model", "/no/model", "--text", "a dog"], "/no/model"),
        (vec!["run", "--config", "/no/lookout.toml"], "cannot read /no/lookout.toml"),
        (vec!["demo", "--seconds", "1", "--prompt", ""], "camera[0].prompt[0].phrases[0]"),
        (vec!["demo", "--seconds", "1", "--source", "nonsense"], "camera[0].source"),
    ] {
        let found = output(&arguments);
        let said = String::from_utf8_lossy(&found.stderr);
        assert_eq!(found.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(wanted) && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}
