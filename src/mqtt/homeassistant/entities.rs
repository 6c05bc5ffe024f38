//! The devices and entities that Home Assistant makes: the lookout itself, and each of its cameras.
//!
//! What is seen is available while the lookout and the camera both are. What is set is available while the lookout is:
//! a camera that is switched off must be able to be switched on.

use serde_json::{Value, json};

use super::super::topics::Topics;
use crate::config::settings::{CameraSettings, Name, PromptSettings};

/// A Home Assistant device and its entities, by object id.
pub(super) struct Device {
    pub(super) object_id: String,
    pub(super) about: Value,
    pub(super) availability: Value,
    pub(super) entities: Vec<(String, Value)>,
}

/// Home Assistant shows no longer state.
const LONGEST_STATE: usize = 255;

fn available(topics: impl IntoIterator<Item = String>) -> Value {
    // `stopped` and `disabled` are no words of Home Assistant's.
    let template = "{{ 'online' if value == 'online' else 'offline' }}";
    topics.into_iter().map(|topic| json!({ "topic": topic, "value_template": template })).collect()
}

/// `blue_bicycle` as people say it: "Blue bicycle".
fn spoken(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.trim().chars();
    letters.next().map_or_else(|| name.to_owned(), |first| first.to_uppercase().chain(letters).collect())
}

pub(super) fn merged(mut table: Value, more: Value) -> Value {
    if let (Some(table), Value::Object(more)) = (table.as_object_mut(), more) {
        table.extend(more);
    }
    table
}

/// A sensor of `stats` for diagnosis.
fn diagnostic(topics: &Topics, name: &str, value: &str, icon: &str, more: Value) -> Value {
    let entity = json!({
        "p": "sensor",
        "name": name,
        "state_topic": topics.stats(),
        "value_template": format!("{{{{ {value} }}}}"),
        "icon": icon,
        "entity_category": "diagnostic",
        "state_class": "measurement",
    });
    merged(entity, more)
}

/// The lookout itself: how it is.
pub(super) fn hub(node: &str, device: &Name, topics: &Topics) -> Device {
    let about = json!({
        "identifiers": [node],
        "name": format!("Lookout {device}"),
        "manufacturer": "lookout",
        "model": "lookout",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    let sensor = |id: &str, name: &str, value: &str, icon: &str, more: Value| {
        (id.to_owned(), diagnostic(topics, name, value, icon, more))
    };
    let entities = vec![
        sensor(
            "encoder",
            "Encoder time",
            "value_json.encoder_ms",
            "mdi:timer-outline",
            json!({ "unit_of_measurement": "ms", "suggested_display_precision": 1 }),
        ),
        sensor("waiting", "Waiting events", "value_json.outbox.waiting", "mdi:tray-full", json!({})),
        sensor(
            "expired",
            "Expired events",
            "value_json.outbox.expired",
            "mdi:tray-remove",
            json!({ "state_class": "total_increasing" }),
        ),
        sensor(
            "temperature",
            "Temperature",
            "value_json.temperature_c",
            "mdi:thermometer",
            json!({ "device_class": "temperature", "unit_of_measurement": "°C", "suggested_display_precision": 0 }),
        ),
        sensor(
            "memory",
            "Memory",
            "value_json.memory_mb",
            "mdi:memory",
            json!({ "device_class": "data_size", "unit_of_measurement": "MB", "suggested_display_precision": 0 }),
        ),
    ];
    Device { object_id: "hub".to_owned(), about, availability: available([topics.status()]), entities }
}

/// A camera: whether it gives pictures, what is seen, and, where `controls` are wanted, what can be set.
pub(super) fn camera(node: &str, topics: &Topics, camera: &CameraSettings, controls: bool) -> Device {
    let name = &camera.name;
    let about = json!({
        "identifiers": [format!("{node}_{name}")],
        "name": spoken(name.as_str()),
        "manufacturer": "lookout",
        "model": "camera",
        "via_device": node,
    });
    let about = match &camera.area {
        Some(area) => merged(about, json!({ "suggested_area": area })),
        None => about,
    };
    let mut entities = vec![
        (
            "connected".to_owned(),
            json!({
                "p": "binary_sensor",
                "name": "Connected",
                "state_topic": topics.camera_status(name),
                "value_template": "{{ 'online' if value == 'online' else 'offline' }}",
                "payload_on": "online",
                "payload_off": "offline",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                // A camera that is not there must be able to say so.
                "availability": available([topics.status()]),
            }),
        ),
        (
            "event".to_owned(),
            json!({
                "p": "event",
                "name": "Event",
                "state_topic": topics.events(name),
                "event_types": ["new", "update", "end"],
                "value_template": "{{ {'event_type': value_json.type, 'id': value_json.id, 'prompt': value_json.prompt, \
                    'phrase': value_json.phrase, 'score': value_json.score, 'zones': value_json.zones, \
                    'severity': value_json.severity, 'stationary': value_json.stationary, \
                    'crossed': value_json.crossed | default([]), \
                    'duration_s': value_json.duration_s, 'historical': value_json.historical} | to_json }}",
                "icon": "mdi:eye",
            }),
        ),
    ];
    let sensor = |key: &str, label: &str, more: Value| {
        let cameras = format!("value_json.cameras['{name}']");
        let value = format!("{cameras}.{key} if '{name}' in value_json.cameras else 0");
        let off = json!({ "enabled_by_default": false });
        (key.to_owned(), diagnostic(topics, label, &value, "mdi:filmstrip", merged(off, more)))
    };
    entities.extend([
        sensor("fps", "Analysed rate", json!({ "unit_of_measurement": "fps", "suggested_display_precision": 1 })),
        sensor("frames_analysed", "Frames analysed", json!({ "state_class": "total_increasing" })),
        sensor("frames_dropped", "Frames dropped", json!({ "state_class": "total_increasing" })),
    ]);
    if controls {
        entities.extend(camera_controls(topics, name));
    }
    for prompt in &camera.prompts {
        entities.extend(seen(topics, name, prompt));
        entities.extend(prompt.rules.zone_states.iter().map(|zone| in_zone(topics, name, prompt, zone)));
        if controls {
            entities.extend(prompt_controls(topics, name, prompt));
        }
    }
    let availability = available([topics.status(), topics.camera_status(name)]);
    Device { object_id: format!("camera_{name}"), about, availability, entities }
}

/// An entity that sets what lies on a topic.
fn control(topics: &Topics, platform: &str, name: &str, topic: &str, more: Value) -> Value {
    let entity = json!({
        "p": platform,
        "name": name,
        "state_topic": topic,
        "command_topic": format!("{topic}/set"),
        "entity_category": "config",
        "availability": available([topics.status()]),
    });
    merged(entity, more)
}

fn camera_controls(topics: &Topics, camera: &Name) -> [(String, Value); 4] {
    let at = |setting: &str| topics.camera_setting(camera, setting);
    let rate = json!({
        "min": 0.01, "max": 60, "step": 0.01, "mode": "box", "unit_of_measurement": "fps", "icon": "mdi:speedometer",
    });
    let press = json!({
        "p": "button",
        "name": "Take snapshot",
        "command_topic": format!("{}/set", at("snapshot")),
        "icon": "mdi:camera",
    });
    let picture = json!({
        "p": "image",
        "name": "Snapshot",
        "image_topic": at("snapshot"),
        "content_type": "image/jpeg",
        "availability": available([topics.status()]),
    });
    [
        ("enabled".to_owned(), control(topics, "switch", "Enabled", &at("enabled"), json!({ "icon": "mdi:cctv" }))),
        ("rate".to_owned(), control(topics, "number", "Rate", &at("rate"), rate)),
        ("snapshot_now".to_owned(), press),
        ("snapshot".to_owned(), picture),
    ]
}

/// What is seen of a prompt.
fn seen(topics: &Topics, camera: &Name, prompt: &PromptSettings) -> [(String, Value); 5] {
    let (id, label) = (&prompt.name, spoken(prompt.name.as_str()));
    let present = json!({
        "p": "binary_sensor",
        "name": label,
        "state_topic": topics.state(camera, id),
        "device_class": "occupancy",
        "icon": "mdi:eye",
    });
    let count = json!({
        "p": "sensor",
        "name": format!("{label} count"),
        "state_topic": topics.count(camera, id),
        "state_class": "measurement",
        "icon": "mdi:counter",
    });
    let score = json!({
        "p": "sensor",
        "name": format!("{label} score"),
        "state_topic": topics.score(camera, id),
        "value_template": "{{ None if value == 'None' else (value | float * 100) | round }}",
        "unit_of_measurement": "%",
        "state_class": "measurement",
        "icon": "mdi:percent",
        "entity_category": "diagnostic",
        "enabled_by_default": false,
    });
    let last_seen = json!({
        "p": "sensor",
        "name": format!("{label} last seen"),
        "state_topic": topics.last_seen(camera, id),
        "device_class": "timestamp",
        "icon": "mdi:clock-outline",
        // It stays true while the camera is away.
        "availability": available([topics.status()]),
    });
    let snapshot = json!({
        "p": "image",
        "name": label,
        "image_topic": topics.snapshot(camera, id),
        "content_type": "image/jpeg",
    });
    [
        (format!("{id}_present"), present),
        (format!("{id}_count"), count),
        (format!("{id}_score"), score),
        (format!("{id}_last_seen"), last_seen),
        (format!("{id}_snapshot"), snapshot),
    ]
}

/// Whether a prompt's thing is in a zone.
fn in_zone(topics: &Topics, camera: &Name, prompt: &PromptSettings, zone: &Name) -> (String, Value) {
    let (id, label) = (&prompt.name, spoken(prompt.name.as_str()));
    let present = json!({
        "p": "binary_sensor",
        "name": format!("{label} in {}", spoken(zone.as_str()).to_lowercase()),
        "state_topic": topics.zone_state(camera, id, zone),
        "device_class": "occupancy",
        "icon": "mdi:vector-square",
    });
    (format!("{id}_in_{zone}"), present)
}

fn prompt_controls(topics: &Topics, camera: &Name, prompt: &PromptSettings) -> [(String, Value); 7] {
    let (id, label) = (&prompt.name, spoken(prompt.name.as_str()));
    let at = |setting: &str| topics.prompt_setting(camera, id, setting);
    let threshold = json!({ "min": 0.01, "max": 0.99, "step": 0.01, "mode": "slider", "icon": "mdi:tune-vertical" });
    let per_day = json!({ "min": 0, "max": 1000, "step": 0.1, "mode": "box", "icon": "mdi:bell-cancel-outline" });
    let calibration = at("calibration");
    let state = json!({
        "p": "sensor",
        "name": format!("{label} calibration"),
        "state_topic": calibration,
        "value_template": "{{ 'fixed' if value_json.fixed else 'learning' if value_json.learning else 'learnt' }}",
        "json_attributes_topic": calibration,
        "device_class": "enum",
        "options": ["fixed", "learning", "learnt"],
        "icon": "mdi:school-outline",
        "entity_category": "diagnostic",
        "availability": available([topics.status()]),
    });
    let reset = json!({
        "p": "button",
        "name": format!("{label} reset calibration"),
        "command_topic": format!("{calibration}/reset"),
        "icon": "mdi:restart",
        "entity_category": "config",
        "availability": available([topics.status()]),
    });
    let cooldown = json!({
        "min": 0, "max": 86_400, "step": 1, "mode": "box", "unit_of_measurement": "s", "icon": "mdi:bell-sleep",
    });
    let phrase = json!({
        "min": 1,
        "max": LONGEST_STATE,
        "value_template": format!("{{{{ value[:{LONGEST_STATE}] }}}}"),
        "icon": "mdi:text",
    });
    let named = |setting: &str| format!("{label} {setting}");
    let icon = json!({ "icon": "mdi:eye-check" });
    [
        (format!("{id}_enabled"), control(topics, "switch", &named("enabled"), &at("enabled"), icon)),
        (format!("{id}_threshold"), control(topics, "number", &named("threshold"), &at("threshold"), threshold)),
        (
            format!("{id}_false_alarms_per_day"),
            control(topics, "number", &named("false alarms a day"), &at("false_alarms_per_day"), per_day),
        ),
        (format!("{id}_calibration"), state),
        (format!("{id}_reset_calibration"), reset),
        (format!("{id}_cooldown"), control(topics, "number", &named("cooldown"), &at("cooldown_s"), cooldown)),
        (format!("{id}_phrase"), control(topics, "text", &named("phrase"), &at("phrase"), phrase)),
    ]
}
