//! Home Assistant discovery: retained messages from which it makes devices and entities by itself.
//!
//! One device for this lookout and one for each of its cameras. All messages lie under the node id `lookout_<device>`, so
//! that what an earlier run announced can be asked back from the broker, and what is gone can be taken away.
//!
//! Source: Home Assistant's documentation of the MQTT integration, "MQTT discovery" (device messages since 2024.11).

mod entities;

use std::collections::BTreeMap;

use entities::{Device, camera, hub, merged};
use serde_json::{Map, Value, json};

use super::topics::Topics;
use crate::config::settings::{CameraSettings, DiscoveryForm, HomeAssistantSettings, Name};

/// What Home Assistant is told of this device.
pub struct Discovery {
    birth: String,
    mine: String,
    messages: BTreeMap<String, Vec<u8>>,
}

impl Discovery {
    /// The messages for a device and its cameras, in the order of their topics; with `controls`, what can be set too.
    pub fn new(
        settings: &HomeAssistantSettings,
        device: &Name,
        topics: &Topics,
        cameras: &[CameraSettings],
        controls: bool,
    ) -> Self {
        let node = format!("lookout_{device}");
        let prefix = &settings.prefix;
        let devices = std::iter::once(hub(&node, device, topics))
            .chain(cameras.iter().map(|watched| camera(&node, topics, watched, controls)));
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
