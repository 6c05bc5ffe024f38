//! Learning: what a camera's watch has learnt, kept in the store over restarts.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::pipeline::{Learnt, Watch};
use crate::store::{Store, StoredCalibration};

/// It is written once in so long, to spare an SD card, and at the end.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// Where one camera's learning is kept.
pub(super) struct Learning {
    store: Option<Store>,
    /// By which model; what another scored says nothing.
    model: String,
    kept: Instant,
}

impl Learning {
    pub(super) fn new(store: Option<Store>, model: String) -> Self {
        Self { store, model, kept: Instant::now() }
    }

    /// What a prompt was learnt as.
    fn subject(&self, prompt: &PromptSettings) -> String {
        format!("{}: {}", self.model, prompt.phrases.join(" | "))
    }

    /// Lets a watch go on from what was kept of its camera.
    pub(super) fn recall(&self, watch: &mut Watch) {
        let Some(store) = &self.store else { return };
        let camera = watch.camera().name.clone();
        let stored = store.calibrations().unwrap_or_else(|error| {
            tracing::warn!(%camera, "what was learnt of its background is not read: {error}");
            Vec::new()
        });
        let same = |stored: &StoredCalibration| {
            let mut prompts = watch.camera().prompts.iter();
            prompts.find(|p| p.name.as_str() == stored.prompt && self.subject(p) == stored.subject).cloned()
        };
        let of_camera = stored.into_iter().filter(|stored| stored.camera == camera.as_str());
        let learnt: Vec<Learnt> = of_camera
            .filter_map(|stored| {
                let prompt = same(&stored)?.name;
                Some(Learnt { prompt, background: stored.background, usual: stored.usual })
            })
            .collect();
        for prompt in watch.recall(&learnt) {
            tracing::warn!(%camera, %prompt, "what was learnt of its background cannot be read; it begins anew");
        }
    }

    /// Keeps what a watch has learnt, if it is time.
    pub(super) fn keep_sometimes(&mut self, watch: &Watch) {
        if self.kept.elapsed() >= EVERY {
            self.keep(watch);
        }
    }

    /// Keeps what a watch has learnt.
    pub(super) fn keep(&mut self, watch: &Watch) {
        self.kept = Instant::now();
        let Some(store) = &self.store else { return };
        let camera: &CameraSettings = watch.camera();
        let stored = watch.learnt().into_iter().zip(&camera.prompts).map(|(learnt, prompt)| StoredCalibration {
            camera: camera.name.to_string(),
            prompt: learnt.prompt.to_string(),
            subject: self.subject(prompt),
            background: learnt.background,
            usual: learnt.usual,
        });
        if let Err(error) = store.keep_calibrations(&stored.collect::<Vec<_>>(), Timestamp::now()) {
            tracing::warn!(camera = %camera.name, "what was learnt of its background is not kept: {error}");
        }
    }

    /// Forgets what was learnt for one prompt of a camera, or for all.
    pub(super) fn forget(&self, camera: &Name, prompt: Option<&Name>) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.forget_calibrations(camera.as_str(), prompt.map(Name::as_str)) {
            tracing::warn!(%camera, "what was learnt of its background is not forgotten: {error}");
        }
    }
}
