//! Home Assistant discovery: retained messages from which it makes devices and entities by itself.
//!
//! One device for this lookout and one for each of its cameras. All messages lie under the node id `lookout_<device>`, so
//! that what an earlier run announced can be asked back from the broker, and what is gone can be taken away.
//!
//! Source: Home Assistant's documentation of the MQTT integration, "MQTT discovery" (device messages since 2024.11).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::topics::Topics;
use crate::config::settings::{CameraSettings, DiscoveryForm, HomeAssistantSettings, Name};

/// What Home Assistant is told of this device.
pub struct Discovery {
    birth: String,
    mine: String,
    messages: BTreeMap<String, Vec<u8>>,
}

/// A Home Assistant device and its entities, by object id.
struct Device {
    object_id: String,
    about: Value,
    availability: Value,
    entities: Vec<(String, Value)>,
}

impl Discovery {
    /// The messages for a device and its cameras, in the order of their topics.
    pub fn new(settings: &HomeAssistantSettings, device: &Name, topics: &Topics, cameras: &[CameraSettings]) -> Self {
        let node = format!("lookout_{device}");
        let prefix = &settings.prefix;
        let devices =
            std::iter::once(hub(&node, device, topics)).chain(cameras.iter().map(|c| camera(&node, topics, c)));
        let messages = devices.flat_map(|device| match settings.form {
            DiscoveryForm::Device => vec![whole(prefix, &node, device)],
            DiscoveryForm::Entity => one_by_one(prefix, &node, device),
        });
        let messages = messages.map(|(topic, message)| (topic, message.to_string().into_bytes())).collect();
        Self { birth: format!("{prefix}/status"), mine: format!("{prefix}/+/{node}/+/config"), messages }
    }

    /// Topic and payload of each message, to be retained.
    pub fn messages(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.messages.iter()
    }

    /// What must be subscribed to: Home Assistant's birth, and what was announced here before.
    pub fn subscriptions(&self) -> [&str; 2] {
        [&self.birth, &self.mine]
    }

    /// Whether this message says that Home Assistant has just started.
    pub fn is_birth(&self, topic: &str, payload: &[u8]) -> bool {
        topic == self.birth && payload == b"online"
    }

    /// What must be published because the broker holds this message of an earlier run: nothing under its topic if all of
    /// it is gone, or the present message with the components named that are gone. `None` if it is up to date.
    pub fn correction(&self, topic: &str, held: &[u8]) -> Option<Vec<u8>> {
        // The birth is no announcement, and an empty one has been taken away.
        if topic == self.birth || held.is_empty() {
            return None;
        }
        let Some(present) = self.messages.get(topic) else { return Some(Vec::new()) };
        let held: Value = serde_json::from_slice(held).ok()?;
        let mut present: Value = serde_json::from_slice(present).ok()?;
        let now = present.get_mut("cmps")?.as_object_mut()?;
        let gone: Vec<(String, Value)> = (held.get("cmps")?.as_object()?.iter())
            .filter(|(id, entity)| !now.contains_key(*id) && entity.as_object().is_some_and(|e| e.len() > 1))
            .filter_map(|(id, entity)| Some((id.clone(), json!({ "p": entity.get("p")?.as_str()? }))))
            .collect();
        if gone.is_empty() {
            return None;
        }
        now.extend(gone);
        Some(present.to_string().into_bytes())
    }
}

fn origin() -> Value {
    json!({ "name": "lookout", "sw": env!("CARGO_PKG_VERSION") })
}

fn available(topics: impl IntoIterator<Item = String>) -> Value {
    // `stopped` and `disabled` are no words of Home Assistant's.
    let template = "{{ 'online' if value == 'online' else 'offline' }}";
    topics.into_iter().map(|topic| json!({ "topic": topic, "value_template": template })).collect()
}

/// The lookout itself: how it is.
fn hub(node: &str, device: &Name, topics: &Topics) -> Device {
    let about = json!({
        "identifiers": [node],
        "name": format!("Lookout {device}"),
        "manufacturer": "lookout",
        "model": "lookout",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    let diagnostic = |name: &str, template: &str, icon: &str, more: Value| {
        merged(
            json!({
                "p": "sensor",
                "name": name,
                "state_topic": topics.stats(),
                "value_template": template,
                "icon": icon,
                "entity_category": "diagnostic",
                "state_class": "measurement",
            }),
            more,
        )
    };
    let entities = vec![
        (
            "encoder".to_owned(),
            diagnostic(
                "Encoder time",
                "{{ value_json.encoder_ms }}",
                "mdi:timer-outline",
                json!({ "unit_of_measurement": "ms", "suggested_display_precision": 1 }),
            ),
        ),
        (
            "waiting".to_owned(),
            diagnostic("Waiting events", "{{ value_json.outbox.waiting }}", "mdi:tray-full", json!({})),
        ),
    ];
    Device { object_id: "hub".to_owned(), about, availability: available([topics.status()]), entities }
}

/// A camera: whether it gives pictures, and what is seen.
fn camera(node: &str, topics: &Topics, camera: &CameraSettings) -> Device {
    let name = &camera.name;
    let about = json!({
        "identifiers": [format!("{node}_{name}")],
        "name": spoken(name.as_str()),
        "manufacturer": "lookout",
        "model": "camera",
        "via_device": node,
    });
    let mut entities = vec![
        (
            "connected".to_owned(),
            json!({
                "p": "binary_sensor",
                "name": "Connected",
                "state_topic": topics.camera_status(name),
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
                    'duration_s': value_json.duration_s, 'historical': value_json.historical} | to_json }}",
                "icon": "mdi:eye",
            }),
        ),
    ];
    for (key, label) in [("frames_analysed", "Frames analysed"), ("frames_dropped", "Frames dropped")] {
        let cameras = format!("value_json.cameras['{name}']");
        let template = format!("{{{{ {cameras}.{key} if '{name}' in value_json.cameras else 0 }}}}");
        entities.push((
            key.to_owned(),
            json!({
                "p": "sensor",
                "name": label,
                "state_topic": topics.stats(),
                "value_template": template,
                "icon": "mdi:filmstrip",
                "entity_category": "diagnostic",
                "state_class": "total_increasing",
                "enabled_by_default": false,
            }),
        ));
    }
    for prompt in &camera.prompts {
        let (id, label) = (&prompt.name, spoken(prompt.name.as_str()));
        entities.extend([
            (
                format!("{id}_present"),
                json!({
                    "p": "binary_sensor",
                    "name": label,
                    "state_topic": topics.state(name, id),
                    "device_class": "occupancy",
                    "icon": "mdi:eye",
                }),
            ),
            (
                format!("{id}_count"),
                json!({
                    "p": "sensor",
                    "name": format!("{label} count"),
                    "state_topic": topics.count(name, id),
                    "state_class": "measurement",
                    "icon": "mdi:counter",
                }),
            ),
            (
                format!("{id}_score"),
                json!({
                    "p": "sensor",
                    "name": format!("{label} score"),
                    "state_topic": topics.score(name, id),
                    "value_template": "{{ None if value == 'None' else (value | float * 100) | round }}",
                    "unit_of_measurement": "%",
                    "state_class": "measurement",
                    "icon": "mdi:percent",
                    "entity_category": "diagnostic",
                    "enabled_by_default": false,
                }),
            ),
            (
                format!("{id}_snapshot"),
                json!({
                    "p": "image",
                    "name": label,
                    "image_topic": topics.snapshot(name, id),
                    "content_type": "image/jpeg",
                }),
            ),
        ]);
    }
    let availability = available([topics.status(), topics.camera_status(name)]);
    Device { object_id: format!("camera_{name}"), about, availability, entities }
}

/// `blue_bicycle` as people say it: "Blue bicycle".
fn spoken(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.trim().chars();
    letters.next().map_or_else(|| name.to_owned(), |first| first.to_uppercase().chain(letters).collect())
}

fn merged(mut table: Value, more: Value) -> Value {
    if let (Some(table), Value::Object(more)) = (table.as_object_mut(), more) {
        table.extend(more);
    }
    table
}

/// The entity with ids of its own, under which it is kept and named.
fn identified(node: &str, object_id: &str, id: &str, entity: Value) -> Value {
    let platform = entity["p"].as_str().unwrap_or_default();
    // The camera's or device's own name stands in front, as Home Assistant itself would put it.
    let place = object_id.strip_prefix("camera_").unwrap_or(node);
    let own = format!("{place}_{id}").to_lowercase().replace('-', "_");
    let ids = json!({
        "unique_id": format!("{node}_{object_id}_{id}"),
        "object_id": own,
        "default_entity_id": format!("{platform}.{own}"),
    });
    merged(entity, ids)
}

/// One message for the device and all its entities.
fn whole(prefix: &str, node: &str, device: Device) -> (String, Value) {
    let topic = format!("{prefix}/device/{node}/{}/config", device.object_id);
    let entities = device.entities.into_iter();
    let components: Map<String, Value> =
        entities.map(|(id, entity)| (id.clone(), identified(node, &device.object_id, &id, entity))).collect();
    let message = json!({
        "dev": device.about,
        "o": origin(),
        "availability": device.availability,
        "availability_mode": "all",
        "cmps": components,
    });
    (topic, message)
}

/// One message an entity, for a Home Assistant before 2024.11.
fn one_by_one(prefix: &str, node: &str, device: Device) -> Vec<(String, Value)> {
    let message = |(id, entity): (String, Value)| {
        let mut entity = identified(node, &device.object_id, &id, entity);
        let platform = entity["p"].take();
        let fields = entity.as_object_mut()?;
        fields.remove("p");
        fields.entry("availability").or_insert_with(|| device.availability.clone());
        fields.insert("availability_mode".to_owned(), json!("all"));
        fields.insert("device".to_owned(), device.about.clone());
        fields.insert("origin".to_owned(), origin());
        let topic = format!("{prefix}/{}/{node}/{}_{id}/config", platform.as_str()?, device.object_id);
        Some((topic, entity))
    };
    device.entities.into_iter().filter_map(message).collect()
}
