//! Learning: what a camera's watch knows of its scene, kept in the store over restarts: what the background scores, what
//! stands still, and when it last alerted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::annotate::jpeg;
use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::detect::confirm;
use crate::frame::{Frame, UnitBox};
use crate::pipeline::{Learnt, Try, Watch};
use crate::prompts::calibration::probability;
use crate::store::{Store, StoredCalibration, StoredTry};

/// What the background scores is written once in so long, to spare an SD card, and at the end.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// That parked things are still there is written again after this long.
const PARKED_ANEW: Duration = Duration::from_secs(600);

/// So many of the background's nearest tries are kept for each prompt, of different parts of the picture.
const TRIES: usize = 4;

/// What comes less near than this is no try worth a picture.
const NEAR: f64 = 0.05;

/// Where one camera's learning is kept.
pub(super) struct Learning {
    store: Option<Store>,
    /// By which model; what another scored says nothing.
    model: String,
    kept: Instant,
    /// The background's nearest tries, with where they were.
    tries: Vec<(UnitBox, StoredTry)>,
    /// The events of the parked things that the store has, and when it was last given them.
    parked: (BTreeSet<String>, Option<Timestamp>),
    /// When prompts last alerted, as the store has it.
    alerted: Vec<(Name, Timestamp)>,
}

impl Learning {
    pub(super) fn new(store: Option<Store>, model: String) -> Self {
        let (tries, parked, alerted) = (Vec::new(), (BTreeSet::new(), None), Vec::new());
        Self { store, model, kept: Instant::now(), tries, parked, alerted }
    }

    /// What a prompt was learnt as.
    fn subject(&self, prompt: &PromptSettings) -> String {
        format!("{}: {}", self.model, prompt.phrases.join(" | "))
    }

    /// Lets a watch go on from what was kept of its camera.
    pub(super) fn recall(&mut self, watch: &mut Watch) {
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
        let is_known = |tried: &StoredTry| learnt.iter().any(|known| known.prompt.as_str() == tried.prompt);
        let tries = store.tries().unwrap_or_default();
        let tries = tries.into_iter().filter(|tried| tried.camera == camera.as_str() && is_known(tried));
        // Where they were is not kept: at worst one is there twice for a while.
        self.tries = tries.map(|tried| (UnitBox::new(0.0, 0.0, 0.0, 0.0), tried)).collect();
        for prompt in watch.recall(&learnt) {
            tracing::warn!(%camera, %prompt, "what was learnt of its background cannot be read; it begins anew");
        }
        match store.parked(&camera) {
            Ok(parked) => watch.remember(parked),
            Err(error) => tracing::warn!(%camera, "what was parked is not known: {error}"),
        }
        match store.alerted(&camera) {
            Ok(alerted) => {
                watch.pause(alerted);
                self.alerted = watch.alerted();
            }
            Err(error) => tracing::warn!(%camera, "when it last alerted is not known: {error}"),
        }
    }

    /// Drops tries at what is no longer asked for, or in other words.
    pub(super) fn changed(&mut self, before: &[PromptSettings], now: &[PromptSettings]) {
        let goes_on = |old: &PromptSettings| now.iter().any(|new| new.name == old.name && new.phrases == old.phrases);
        let kept: Vec<&str> = before.iter().filter(|old| goes_on(old)).map(|old| old.name.as_str()).collect();
        self.tries.retain(|(_, tried)| kept.contains(&tried.prompt.as_str()));
    }

    /// Keeps what is parked, if that is other than what the store has, or old, or `anew`.
    pub(super) fn keep_parked(&mut self, watch: &Watch, now: Timestamp, anew: bool) {
        let Some(store) = &self.store else { return };
        let parked = watch.parked();
        let events: BTreeSet<String> = parked.iter().map(|parked| parked.event.clone()).collect();
        let (kept, at) = &self.parked;
        let old = at.is_none_or(|at| now.duration_since(at).unsigned_abs() >= PARKED_ANEW);
        if *kept == events && !(anew || old) || kept.is_empty() && events.is_empty() {
            return;
        }
        if let Err(error) = store.keep_parked(&watch.camera().name, &parked) {
            tracing::warn!(camera = %watch.camera().name, "what is parked is not kept: {error}");
        }
        self.parked = (events, Some(now));
    }

    /// Keeps when the prompts last alerted, if that is other than what the store has.
    pub(super) fn keep_alerted(&mut self, watch: &Watch) {
        let Some(store) = &self.store else { return };
        let alerted = watch.alerted();
        if alerted == self.alerted {
            return;
        }
        if let Err(error) = store.keep_alerted(&watch.camera().name, &alerted) {
            tracing::warn!(camera = %watch.camera().name, "when it last alerted is not kept: {error}");
        }
        self.alerted = alerted;
    }

    /// Notes what the background came up with: the nearest tries of different parts are offered as what to say no to.
    pub(super) fn note(&mut self, watch: &Watch, frame: &Frame, tries: &[Try]) {
        if self.store.is_none() {
            return;
        }
        for tried in tries {
            let (camera, prompt) = (watch.camera().name.as_str(), watch.camera().prompts[tried.prompt].name.as_str());
            let score = f64::from(probability(tried.logit));
            let of_prompt = |(_, other): &(UnitBox, StoredTry)| other.prompt == prompt;
            let here = |(area, other): &(UnitBox, StoredTry)| other.prompt == prompt && area.iou(&tried.area) > 0.2;
            if score < NEAR || self.tries.iter().any(|other| here(other) && other.1.score >= score) {
                continue;
            }
            self.tries.retain(|other| !here(other));
            if self.tries.iter().filter(|other| of_prompt(other)).count() >= TRIES {
                let weakest = self.tries.iter().enumerate().filter(|(_, other)| of_prompt(other));
                let weakest = weakest.min_by(|a, b| a.1.1.score.total_cmp(&b.1.1.score)).map(|(at, t)| (at, t.1.score));
                match weakest {
                    Some((at, weakest)) if weakest < score => drop(self.tries.remove(at)),
                    _ => continue,
                }
            }
            let crop = confirm::crop(&tried.area, (frame.width(), frame.height()));
            let Some(part) = frame.part(&crop) else { continue };
            let stored = StoredTry {
                camera: camera.to_owned(),
                prompt: prompt.to_owned(),
                score,
                runner_up: watch.contender(tried).to_owned(),
                time: frame.captured,
                jpeg: jpeg(&part, &[], 80),
            };
            self.tries.push((tried.area, stored));
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
        let (stored, tries): (Vec<_>, Vec<_>) = (stored.collect(), self.tries.iter().map(|(_, t)| t.clone()).collect());
        if let Err(error) = store.keep_calibrations(camera.name.as_str(), &stored, &tries, Timestamp::now()) {
            tracing::warn!(camera = %camera.name, "what was learnt of its background is not kept: {error}");
        }
    }

    /// Forgets what was learnt for one prompt of a camera, or for all.
    pub(super) fn forget(&mut self, camera: &Name, prompt: Option<&Name>) {
        self.tries.retain(|(_, tried)| prompt.is_some_and(|prompt| tried.prompt != prompt.as_str()));
        let Some(store) = &self.store else { return };
        if let Err(error) = store.forget_calibrations(camera.as_str(), prompt.map(Name::as_str)) {
            tracing::warn!(%camera, "what was learnt of its background is not forgotten: {error}");
        }
    }
}
