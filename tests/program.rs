//! The whole program as people run it: its commands, a real broker, a real camera.

use std::collections::BTreeMap;
use std::time::Duration;

use lookout::config::file::default_store;
use lookout::config::settings::StoreSettings;
use lookout::store::Store;
use serde_json::Value;

use crate::support::mosquitto::Mosquitto;
use crate::support::mqtt::{self, name};
use crate::support::program::{Hears, Running, config, output};
use crate::support::{RENDERED_MODEL, rtsp};

/// Longer than a pedestrian takes to come, on a loaded machine too.
const SOON: Duration = Duration::from_secs(90);

fn street(port: u16) -> String {
    format!(
        "[device]\nid = \"hof\"\n[model]\npath = {RENDERED_MODEL:?}\n[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n\
         keep_alive_s = 5\n[[camera]]\nname = \"street\"\nsource = \"demo://street\"\nfps = 2\n[[camera.prompt]]\n\
         phrases = \"a blue bicycle\"\n[[camera.prompt]]\nphrases = \"a pedestrian\"\n"
    )
}

#[test]
fn the_street_is_told_over_mqtt_and_a_signal_ends_it_cleanly() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&["run", "--config", &config(folder.path(), &street(broker.port))]);
    hears.value("lookout/hof/status", "online");
    hears.value("lookout/hof/street/status", "online");
    let (_, event) = hears.find("an event of the pedestrian", |topic, payload| {
        topic == "lookout/hof/street/events" && String::from_utf8_lossy(payload).contains("\"pedestrian\"")
    });
    let event: Value = serde_json::from_slice(&event).expect("JSON");
    let schema: Value = serde_json::from_str(include_str!("../docs/reference/event.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&event), "{:?} of {event}", validator.iter_errors(&event).next().map(|e| e.to_string()));
    assert_eq!((&event["type"], &event["device"]), (&Value::from("new"), &Value::from("hof")));
    let (_, jpeg) = hears.find("the picture", |topic, _| topic == "lookout/hof/street/pedestrian/snapshot");
    assert_eq!(image::load_from_memory(&jpeg).expect("a JPEG").width(), 640);
    running.signal("-TERM");
    hears.value("lookout/hof/status", "stopped");
    running.ended();
    let again = Hears::new(broker.port);
    again.value("lookout/hof/status", "stopped");
}

#[test]
fn zones_are_told_apart_while_it_is_asked_for() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let zones = "zone_states = [\"left\", \"right\"]\n[[camera.zone]]\nname = \"left\"\n\
                 points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]\n[[camera.zone]]\nname = \"right\"\n\
                 points = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]\n";
    let running = Running::start(&["run", "--config", &config(folder.path(), &(street(broker.port) + zones))]);
    let state = |zone: &str| format!("lookout/hof/street/pedestrian/zones/{zone}/state");
    // Who comes from the left is on the left first.
    hears.value(&state("right"), "OFF");
    hears.value(&state("left"), "ON");
    hears.value(&state("right"), "ON");
    hears.say("lookout/hof/street/settings/set", r#"{"prompts": {"pedestrian": {"zone_states": ["right"]}}}"#);
    hears.value(&state("left"), "");
    hears.say("lookout/hof/street/pedestrian/enabled/set", "OFF");
    hears.value("lookout/hof/street/pedestrian/enabled", "OFF");
    hears.value(&state("right"), "OFF");
    running.end();
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
    let running = Running::start(&["run", "--config", &config(folder.path(), &text)]);
    let mut told = BTreeMap::new();
    while told.get("here").is_none_or(|s| s != "online") || !told.contains_key("gone") {
        let (topic, payload) = hears.find("both cameras", |topic, _| topic.ends_with("e/status"));
        told.insert(topic.split('/').nth(2).expect("a camera").to_owned(), String::from_utf8(payload).expect("text"));
    }
    assert_eq!(told["gone"], "offline");
    let log = running.end();
    assert!(log.iter().any(|line| line.contains("gone") && line.contains("127.0.0.1:9")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("hidden-secret")));
}

#[test]
fn what_was_told_is_kept_in_a_file_without_a_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lookout.db");
    let text = format!(
        "[store]\npath = {path:?}\n[model]\npath = {RENDERED_MODEL:?}\n[[camera]]\nname = \"street\"\nsource = \"demo://street\"\nfps = 2\n\
         [[camera.prompt]]\nphrases = \"a pedestrian\"\ncooldown_s = 600\n"
    );
    let running = Running::start(&["run", "--config", &config(folder.path(), &text)]);
    let settings = StoreSettings { path: Some(path.clone()), ..default_store() };
    let alerted = || path.exists().then(|| Store::open(&settings).ok()?.alerted(&name("street")).ok()).flatten();
    mqtt::await_that(SOON, || alerted().is_some_and(|alerted| alerted.iter().any(|(p, _)| *p == name("pedestrian"))));
    running.end();
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
        (vec!["events", "--store", &text], "text.png: file is not a database; check"),
        (
            vec!["eval", "--annotations", "/no/such.json", "--images", "/", "--prompt", "a dog"],
            "cannot read /no/such.json",
        ),
        (vec!["demo", "--seconds", "1", "--prompt", ""], "camera[0].prompt[0].phrases[0]"),
        (vec!["demo", "--seconds", "1", "--source", "nonsense"], "camera[0].source"),
    ] {
        let found = output(&arguments);
        let said = String::from_utf8_lossy(&found.stderr);
        assert_eq!(found.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(wanted) && !said.contains("panicked"), "{arguments:?}: {said}");
        for reason in ["No such file", "not a database"] {
            assert!(said.matches(reason).count() <= 1, "said twice: {said}");
        }
    }
}
