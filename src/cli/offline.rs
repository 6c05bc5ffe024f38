//! An offline look: the model and the camera that photos and recordings are looked at with.

use std::path::PathBuf;

use anyhow::Context;
use jiff::tz::TimeZone;

use crate::app;
use crate::clip::{ImageEncoder, Library, Model, Precision};
use crate::config;
use crate::config::camera::default_negatives;
use crate::config::settings::{CameraSettings, EventSettings, GridSettings, Name, PromptSettings, Rotation, Source};
use crate::prompts::PromptBank;

/// Arguments that every offline look has.
#[derive(clap::Args)]
pub(super) struct LookArgs {
    /// Probability from which a prompt counts, 0.01 to 0.99. Without it, it starts at 0.6 and follows the background
    #[arg(long)]
    threshold: Option<f32>,
    /// The name of an installed model, or a model's folder; without one, the embedded demo model
    #[arg(long)]
    model: Option<PathBuf>,
    /// Arithmetic of the encoder; without it, what the model says
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Analysed frames per second of a video
    #[arg(long, default_value_t = 5.0)]
    pub(super) fps: f64,
    /// Score every patch of few, large tiles instead of many tiles: about a fifth of the encoder's time. On by itself where
    /// the model can
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    dense: Option<bool>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl LookArgs {
    /// Where prompts start to count.
    pub(super) fn threshold(&self) -> f32 {
        self.threshold.unwrap_or(PromptSettings::DEFAULT_THRESHOLD)
    }

    /// A camera that looks out for these phrases everywhere. Its source is not used.
    ///
    /// # Errors
    /// The first argument that cannot be.
    pub(super) fn camera<'a>(
        &self,
        phrases: impl Iterator<Item = &'a str>,
        events: EventSettings,
    ) -> anyhow::Result<CameraSettings> {
        let (threshold, fps) = (self.threshold(), self.fps);
        let false_alarms_per_day = self.threshold.is_none().then_some(PromptSettings::DEFAULT_FALSE_ALARMS);
        anyhow::ensure!((0.01..=0.99).contains(&threshold), "--threshold is {threshold}, should be from 0.01 to 0.99");
        anyhow::ensure!((0.01..=60.0).contains(&fps), "--fps is {fps}, should be from 0.01 to 60");
        let prompt = |phrase: &str| {
            anyhow::ensure!(
                !phrase.trim().is_empty(),
                "--prompt is empty, should describe something: \"a blue bicycle\""
            );
            let name = Name::from_phrase(phrase).with_context(|| format!("--prompt {phrase:?} holds no word"))?;
            Ok(PromptSettings { threshold, false_alarms_per_day, ..PromptSettings::new(name, vec![phrase.to_owned()]) })
        };
        Ok(CameraSettings {
            name: Name::new("input").context("`input` is a name")?,
            enabled: true,
            source: Source::File { path: PathBuf::new(), repeat: false },
            fps,
            rotation: Rotation::None,
            size: (640, 360),
            grid: GridSettings { dense: self.dense, ..GridSettings::default() },
            masks: Vec::new(),
            zones: Vec::new(),
            prompts: phrases.map(prompt).collect::<anyhow::Result<_>>()?,
            negatives: default_negatives(),
            events,
            lines: Vec::new(),
            time_zone: TimeZone::system(),
        })
    }

    /// The model's image encoder and the camera's prompts in its space. What the model has to say goes to standard error.
    ///
    /// # Errors
    /// What is wrong with the model, or with a phrase for it.
    pub(super) fn load(&self, camera: &CameraSettings) -> anyhow::Result<(ImageEncoder, PromptBank)> {
        let model = self.model.as_deref().map_or_else(Model::embedded, |model| Library::here().open(model))?;
        let cameras = std::slice::from_ref(camera);
        let notice = model.manifest().notice.clone();
        notice.into_iter().chain(app::unknown_words(&model, cameras)).for_each(|warning| eprintln!("{warning}"));
        let bank = app::banks(&model, cameras)?.remove(0);
        let threads = config::file::default_threads();
        Ok((app::encoder(&model, cameras, threads, self.precision)?, bank))
    }
}
