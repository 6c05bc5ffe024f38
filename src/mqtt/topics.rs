//! Topics: where each message goes, made of base, device, camera and prompt.

use std::fmt::Display;

use crate::config::settings::Name;

/// The topics of one device. Camera and prompt parts are [`Name`]s, as text where they come from the store.
#[derive(Clone, Debug)]
pub struct Topics {
    device: String,
}

impl Topics {
    /// Topics under `<base>/<device>`; slashes at the base's ends are ignored.
    pub fn new(base: &str, device: &Name) -> Self {
        Self { device: format!("{}/{device}", base.trim_matches('/')) }
    }

    /// `online`, `stopped` or `offline` (Last Will), retained.
    pub fn status(&self) -> String {
        format!("{}/status", self.device)
    }

    /// Health and rates as JSON, retained.
    pub fn stats(&self) -> String {
        format!("{}/stats", self.device)
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
        format!("{}/{camera}/events", self.device)
    }

    /// `ON` or `OFF`, retained.
    pub fn state(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/state", self.device)
    }

    /// How many are there, retained.
    pub fn count(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/count", self.device)
    }

    /// The newest probability, 0..1, retained.
    pub fn score(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/score", self.device)
    }

    /// A JPEG, retained.
    pub fn snapshot(&self, camera: &Name, prompt: &Name) -> String {
        format!("{}/{camera}/{prompt}/snapshot", self.device)
    }
}
