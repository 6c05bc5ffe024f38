//! Topics: where each message goes, made of base, device, camera and prompt.

use std::fmt::Display;

use crate::config::settings::{Name, TopicSettings};

/// The topics of one device. Camera and prompt parts are [`Name`]s, as text where they come from the store.
#[derive(Clone, Debug)]
pub struct Topics {
    device: String,
    /// With `{camera}` where the camera's name belongs.
    events: String,
    stats: String,
}

impl Topics {
    /// Topics under `<base>/<device>`; slashes at the base's ends are ignored.
    pub fn new(base: &str, device: &Name) -> Self {
        Self::from_templates(&TopicSettings::default(), base, device)
    }

    /// Topics by templates.
    pub fn from_templates(templates: &TopicSettings, base: &str, device: &Name) -> Self {
        let place =
            |template: &str| template.replace("{base}", base.trim_matches('/')).replace("{device}", device.as_str());
        let root = place(&templates.root);
        let (events, stats) = (templates.events.replace("{root}", &root), templates.stats.replace("{root}", &root));
        Self { events: place(&events), stats: place(&stats), device: root }
    }

    /// A topic or filter made of these levels below the device.
    pub fn below(&self, levels: &str) -> String {
        format!("{}/{levels}", self.device)
    }

    /// The levels below the device. `None` for a topic elsewhere.
    pub fn inside<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic.strip_prefix(&self.device)?.strip_prefix('/')
    }

    /// `online`, `stopped` or `offline` (Last Will), retained.
    pub fn status(&self) -> String {
        format!("{}/status", self.device)
    }

    /// Health and rates as JSON, retained.
    pub fn stats(&self) -> String {
        self.stats.clone()
    }

    /// What was wrong with a command.
    pub fn errors(&self) -> String {
        format!("{}/errors", self.device)
    }

    /// `online`, `offline` or `disabled`, retained.
    pub fn camera_status(&self, camera: &Name) -> String {
        format!("{}/{camera}/status", self.device)
    }

    /// Events as JSON.
    pub fn events(&self, camera: impl Display) -> String {
        self.events.replace("{camera}", &camera.to_string())
    }

    /// `ON` or `OFF`, retained.
    pub fn state(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/state", self.device)
    }

    /// `ON` or `OFF` for one zone, retained.
    pub fn zone_state(&self, camera: &Name, prompt: &Name, zone: &Name) -> String {
        format!("{}/{camera}/{prompt}/zones/{zone}/state", self.device)
    }

    /// A setting of a camera, retained; `/set` below it changes it.
    pub fn camera_setting(&self, camera: &Name, setting: &str) -> String {
        format!("{}/{camera}/{setting}", self.device)
    }

    /// A setting of a prompt, retained; `/set` below it changes it.
    pub fn prompt_setting(&self, camera: &Name, prompt: &Name, setting: &str) -> String {
        format!("{}/{camera}/{prompt}/{setting}", self.device)
    }

    /// How many are there, retained.
    pub fn count(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/count", self.device)
    }

    /// The newest probability, 0..1, retained.
    pub fn score(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/score", self.device)
    }

    /// When one was last there, RFC 3339, retained.
    pub fn last_seen(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/last_seen", self.device)
    }

    /// A JPEG of the whole camera, taken when it was asked for, retained.
    pub fn camera_snapshot(&self, camera: &Name) -> String {
        self.camera_setting(camera, "snapshot")
    }

    /// A JPEG, retained.
    pub fn snapshot(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/snapshot", self.device)
    }
}
