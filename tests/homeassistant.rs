//! Home Assistant discovery against a real broker.

use std::path::Path;
use std::time::Duration;

use lookout::config::settings::{CameraSettings, DiscoveryForm, HomeAssistantSettings, MqttSettings};
use lookout::mqtt::{Discovery, Topics};
use rumqttc::{Client, MqttOptions, QoS};
use serde_json::Value;

use crate::support::mosquitto::Mosquitto;
use crate::support::mqtt::{Device, Subscriber, golden, in_memory, name, settings};

const SOON: Duration = Duration::from_secs(20);
const CAMERA: &str = "homeassistant/device/lookout_hof/camera_gate/config";

fn cameras(prompts: &[&str]) -> Vec<CameraSettings> {
    let prompts: String = prompts.iter().map(|p| format!("[[camera.prompt]]\nphrases = \"{p}\"\n")).collect();
    let text = format!("[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\n{prompts}");
    lookout::config::parse(&text, "test", Path::new(""), false).expect("valid").cameras
}

fn with(form: DiscoveryForm, port: u16) -> MqttSettings {
    let home_assistant = HomeAssistantSettings { form, ..HomeAssistantSettings::default() };
    MqttSettings { home_assistant: Some(home_assistant), ..settings(port) }
}

/// Publishes one message and returns when the broker has it.
fn publish(port: u16, topic: &str, retain: bool, payload: &[u8]) {
    let mut options = MqttOptions::new(format!("says-{}", fastrand::u64(..)), "127.0.0.1", port);
    options.set_max_packet_size(64 << 20, 64 << 20);
    let (client, mut connection) = Client::new(options, 10);
    client.publish(topic, QoS::AtLeastOnce, retain, payload).expect("queued");
    let acknowledged = connection.iter().any(|n| matches!(n, Ok(rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)))));
    assert!(acknowledged);
}

#[test]
fn both_forms_are_pinned_by_golden_files() {
    let text = "[[camera]]\nname = \"gate\"\narea = \"Front garden\"\nsource = \"test://smpte\"\n[[camera.zone]]\n\
                name = \"bus_stop\"\npoints = [[0, 0], [1, 0], [1, 1]]\n[[camera.prompt]]\nphrases = \"a blue bicycle\"\n\
                zone_states = [\"bus_stop\"]\n";
    let cameras = lookout::config::parse(text, "test", Path::new(""), false).expect("valid").cameras;
    for (form, file) in [(DiscoveryForm::Device, "discovery_device"), (DiscoveryForm::Entity, "discovery_entity")] {
        let settings = HomeAssistantSettings { form, ..HomeAssistantSettings::default() };
        let discovery = Discovery::new(&settings, &name("hof"), &Topics::new("lookout", &name("hof")), &cameras, true);
        let all: serde_json::Map<String, Value> = discovery
            .messages()
            .map(|(topic, message)| (topic.clone(), serde_json::from_slice(message).expect("JSON")))
            .collect();
        let mut text = Value::Object(all).to_string();
        // The version changes with every release.
        text = text.replace(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"VERSION\"");
        golden(file, text.as_bytes());
    }
}

#[test]
fn entities_are_announced_and_announced_again_when_home_assistant_starts() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let store = in_memory();
    let device = Device::start_with(with(DiscoveryForm::Device, broker.port), &cameras(&["a dog"]), &store);
    hears.await_topic(CAMERA, SOON);
    hears.await_value("lookout/hof/status", "online", SOON);
    device.publisher.prompt_state(&name("gate"), &name("dog"), true, 1, Some(0.9));
    hears.await_value("lookout/hof/gate/dog/state", "ON", SOON);
    hears.seen.clear();
    publish(broker.port, "homeassistant/status", false, b"offline");
    publish(broker.port, "homeassistant/status", false, b"online");
    hears.await_topic(CAMERA, SOON);
    hears.await_value("lookout/hof/gate/dog/state", "ON", SOON);
}

#[test]
fn what_is_gone_is_taken_away() {
    let broker = Mosquitto::start();
    let store = in_memory();
    let mut hears = Subscriber::new(broker.port);
    let of_cat = "homeassistant/binary_sensor/lookout_hof/camera_gate_cat_present/config";
    for (form, announced) in [(DiscoveryForm::Device, CAMERA), (DiscoveryForm::Entity, of_cat)] {
        let device = Device::start_with(with(form, broker.port), &cameras(&["a dog", "a cat"]), &store);
        hears.await_topic(announced, SOON);
        if form == DiscoveryForm::Entity {
            // The form in use before is gone whole.
            hears.await_value(CAMERA, "", SOON);
        }
        assert!(device.publisher.finish(SOON));
    }
    hears.seen.clear();
    let _device = Device::start_with(with(DiscoveryForm::Entity, broker.port), &cameras(&["a dog"]), &store);
    hears.await_value(of_cat, "", SOON);
    let still = hears.seen.iter().rev().find(|(topic, _)| topic.contains("dog_present")).expect("the dog is announced");
    assert!(!still.1.is_empty());
}

#[test]
fn a_prompt_that_goes_while_the_program_runs_is_taken_away_at_once() {
    let broker = Mosquitto::start();
    let store = in_memory();
    let mut hears = Subscriber::new(broker.port);
    let of_cat = "homeassistant/binary_sensor/lookout_hof/camera_gate_cat_present/config";
    for (form, announced) in [(DiscoveryForm::Device, CAMERA), (DiscoveryForm::Entity, of_cat)] {
        hears.seen.clear();
        let device = Device::start_with(with(form, broker.port), &cameras(&["a dog", "a cat"]), &store);
        hears.await_topic(announced, SOON);
        device.publisher.announce(&cameras(&["a dog"]));
        if form == DiscoveryForm::Entity {
            hears.await_value(of_cat, "", SOON);
        } else {
            hears.await_that("the cat is named as gone", SOON, |topic, message| {
                let message: Value = serde_json::from_slice(message).unwrap_or_default();
                topic == CAMERA && message["cmps"]["cat_present"] == serde_json::json!({ "p": "binary_sensor" })
            });
        }
        assert!(device.publisher.finish(SOON));
    }
}

#[test]
fn what_an_earlier_run_left_of_a_prompt_or_camera_is_cleared() {
    let broker = Mosquitto::start();
    for (topic, value) in [
        ("gate/status", "online"),
        ("gate/dog/state", "ON"),
        ("gate/dog/snapshot", "a picture"),
        ("gate/dog/zones/yard/state", "ON"),
        ("gate/cat/state", "ON"),
        ("gate/cat/snapshot", "a picture"),
        ("gate/cat/zones/yard/state", "ON"),
        ("yard/status", "online"),
        ("yard/settings", "{}"),
        ("yard/dog/state", "ON"),
        ("yard/dog/threshold", "0.5"),
    ] {
        publish(broker.port, &format!("lookout/hof/{topic}"), true, value.as_bytes());
    }
    let mut hears = Subscriber::new(broker.port);
    let device = Device::start_with(with(DiscoveryForm::Device, broker.port), &cameras(&["a dog"]), &in_memory());
    for gone in [
        "gate/dog/zones/yard/state",
        "gate/cat/state",
        "gate/cat/snapshot",
        "gate/cat/zones/yard/state",
        "yard/status",
        "yard/settings",
        "yard/dog/state",
        "yard/dog/threshold",
    ] {
        hears.await_value(&format!("lookout/hof/{gone}"), "", SOON);
    }
    assert!(device.publisher.finish(SOON));
    let mut later = Subscriber::new(broker.port);
    later.await_value("lookout/hof/gate/dog/snapshot", "a picture", SOON);
    later.await_value("lookout/hof/status", "stopped", SOON);
    assert!(
        !later.seen.iter().any(|(topic, _)| topic.contains("/cat/") || topic.contains("/yard/")),
        "{:?}",
        later.seen
    );
}

#[test]
fn what_cannot_be_changed_has_no_controls() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let settings = MqttSettings { read_only: true, ..with(DiscoveryForm::Device, broker.port) };
    let _device = Device::start_with(settings, &cameras(&["a dog"]), &in_memory());
    hears.await_topic(CAMERA, SOON);
    let message = &hears.seen.iter().find(|(topic, _)| topic == CAMERA).expect("heard").1;
    assert!(!String::from_utf8_lossy(message).contains("command_topic"));
}

#[test]
fn a_prompt_that_is_gone_is_named_once_in_the_device_message() {
    let settings = HomeAssistantSettings::default();
    let discovery = |prompts| {
        Discovery::new(&settings, &name("hof"), &Topics::new("lookout", &name("hof")), &cameras(prompts), true)
    };
    let (before, after) = (discovery(&["a dog", "a cat"]), discovery(&["a dog"]));
    let held = |of: &Discovery| of.messages().find(|(topic, _)| *topic == CAMERA).expect("announced").1.clone();
    let correction = after.correction(CAMERA, &held(&before)).expect("a correction");
    let message: Value = serde_json::from_slice(&correction).expect("JSON");
    assert_eq!(message["cmps"]["cat_present"], serde_json::json!({ "p": "binary_sensor" }));
    assert!(message["cmps"]["dog_present"]["state_topic"].is_string());
    // Its own echo, what it would announce, and nonsense need no correction.
    for held in [correction.as_slice(), &held(&after), b"", b"{\"cmps\":7}", b"\xff\xfe", b"{\"cmps\":{\"x\":1}}"] {
        assert_eq!(after.correction(CAMERA, held), None);
    }
    assert_eq!(after.correction("homeassistant/status", b"online"), None);
    assert_eq!(after.correction("homeassistant/device/lookout_hof/camera_old/config", b"{}"), Some(Vec::new()));
}

#[test]
fn a_huge_message_on_a_topic_that_is_listened_to_changes_nothing() {
    let broker = Mosquitto::start();
    publish(broker.port, "homeassistant/status", true, &vec![b'x'; 10 << 20]);
    publish(broker.port, "homeassistant/device/lookout_hof/camera_gate/config", true, &vec![b'['; 300 << 10]);
    let mut hears = Subscriber::new(broker.port);
    let store = in_memory();
    let device = Device::start_with(with(DiscoveryForm::Device, broker.port), &cameras(&["a dog"]), &store);
    hears.await_value("lookout/hof/status", "online", SOON);
    device.publisher.prompt_state(&name("gate"), &name("dog"), true, 1, None);
    hears.await_value("lookout/hof/gate/dog/state", "ON", SOON);
    assert!(device.publisher.finish(SOON), "the connection has lasted");
}
