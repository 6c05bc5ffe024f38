//! An offline look: the model and the camera that photos and recordings are looked at with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use image::RgbImage;
use jiff::tz::TimeZone;

use crate::app;
use crate::capture::source::Shape;
use crate::capture::{Recording, open_offline};
use crate::clip::{ImageEncoder, Library, Model, Precision};
use crate::config;
use crate::config::camera::default_negatives;
use crate::config::settings::{
    CameraSettings, EventSettings, GridSettings, ModelSettings, Name, PromptSettings, Rotation, Source,
};
use crate::frame::Frame;
use crate::prompts::PromptBank;

/// Analysed frames per second of a video, unless told otherwise.
const FPS: f64 = 5.0;
/// A video is analysed at this size at most; its boxes are told at this size too.
pub(super) const LONGEST_SIDE: u32 = 1280;

/// Arguments that every offline look has.
#[derive(clap::Args)]
pub(super) struct LookArgs {
    /// Probability from which a prompt counts, 0.01 to 0.99. Without it, it starts at 0.6 and follows the background
    #[arg(long)]
    threshold: Option<f32>,
    /// The name of an installed model, or a model's folder; without one, the embedded model
    #[arg(long)]
    model: Option<PathBuf>,
    /// Arithmetic of the encoder; without it, what the model says
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Analysed frames per second of a video [default: 5]
    #[arg(long)]
    fps: Option<f64>,
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

    /// Analysed frames per second of a video.
    pub(super) fn fps(&self) -> f64 {
        self.fps.unwrap_or(FPS)
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
        let standing = CameraSettings {
            name: Name::new("input").context("`input` is a name")?,
            area: None,
            enabled: true,
            source: Source::File { path: PathBuf::new(), repeat: false },
            fps: FPS,
            rotation: Rotation::None,
            size: (640, 360),
            grid: GridSettings::default(),
            masks: Vec::new(),
            zones: Vec::new(),
            prompts: phrases.map(prompt).collect::<anyhow::Result<_>>()?,
            negatives: default_negatives(),
            events,
            lines: Vec::new(),
            time_zone: TimeZone::system(),
        };
        self.laid_over(standing)
    }

    /// A camera with what the arguments say in place of what it says itself.
    ///
    /// # Errors
    /// The first argument that cannot be.
    pub(super) fn laid_over(&self, camera: CameraSettings) -> anyhow::Result<CameraSettings> {
        let (threshold, fps) = (self.threshold(), self.fps());
        anyhow::ensure!((0.01..=0.99).contains(&threshold), "--threshold is {threshold}, should be from 0.01 to 0.99");
        anyhow::ensure!((0.01..=60.0).contains(&fps), "--fps is {fps}, should be from 0.01 to 60");
        let mut camera = camera;
        if self.threshold.is_some() {
            // As in the file: a threshold that is set alone does not follow.
            for prompt in &mut camera.prompts {
                (prompt.threshold, prompt.false_alarms_per_day) = (threshold, None);
            }
        }
        camera.fps = self.fps.unwrap_or(camera.fps);
        camera.grid.dense = self.dense.or(camera.grid.dense);
        Ok(camera)
    }

    /// The model that the arguments name, or a configuration, or the embedded one. What it has to say goes to standard
    /// error.
    ///
    /// # Errors
    /// What is wrong with the model.
    pub(super) fn open(&self, configured: Option<&ModelSettings>) -> anyhow::Result<Model> {
        let configured = configured.and_then(|model| model.path.as_deref());
        let model = self.model.as_deref().or(configured);
        let model = model.map_or_else(Model::embedded, |model| Library::here().open(model))?;
        if let Some(notice) = &model.manifest().notice {
            eprintln!("{notice}");
        }
        Ok(model)
    }

    /// The model's image encoder and the camera's prompts in its space. What the model has to say of them goes to standard
    /// error.
    ///
    /// # Errors
    /// What is wrong with the model, or with a phrase for it.
    pub(super) fn ready(
        &self,
        model: &Model,
        configured: Option<&ModelSettings>,
        camera: &CameraSettings,
    ) -> anyhow::Result<(ImageEncoder, PromptBank)> {
        let cameras = std::slice::from_ref(camera);
        app::phrase_warnings(model, cameras).iter().for_each(|warning| eprintln!("{warning}"));
        let bank = app::banks(model, cameras)?.remove(0);
        let threads = configured.map_or_else(config::file::default_threads, |model| model.threads);
        let precision = self.precision.or(configured.and_then(|model| model.precision));
        Ok((app::encoder(model, cameras, threads, precision)?, bank))
    }

    /// Both for a camera that stands in no configuration.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::ready`].
    pub(super) fn load(&self, camera: &CameraSettings) -> anyhow::Result<(ImageEncoder, PromptBank)> {
        self.ready(&self.open(None)?, None, camera)
    }
}

/// A prompt of which only the phrase is said.
///
/// # Errors
/// What is wrong with the phrase.
pub(super) fn prompt(phrase: &str) -> anyhow::Result<PromptSettings> {
    anyhow::ensure!(!phrase.trim().is_empty(), "--prompt is empty, should describe something: \"a blue bicycle\"");
    let name = Name::from_phrase(phrase).with_context(|| format!("--prompt {phrase:?} holds no word"))?;
    Ok(PromptSettings::new(name, vec![phrase.to_owned()]))
}

/// The recording that a person means: a file, or `demo://street`.
///
/// # Errors
/// That there is no such file.
pub(super) fn recorded(input: &Path) -> anyhow::Result<Source> {
    if let Some(uri) = input.to_str().filter(|text| text.starts_with("demo://")) {
        return Source::parse(uri, Some(false)).map_err(|problem| anyhow::anyhow!("{uri} {problem}"));
    }
    anyhow::ensure!(input.exists(), "there is no file {}", input.display());
    anyhow::ensure!(input.is_file(), "{} is no file", input.display());
    Ok(Source::File { path: std::path::absolute(input)?, repeat: false })
}

/// Opens a recording at its own size and so many frames a second.
///
/// # Errors
/// That it cannot be read.
pub(super) fn open_recording(source: &Source, fps: f64) -> anyhow::Result<Recording> {
    Ok(open_offline(source, &Shape { size: None, fps, rotation: Rotation::None })?)
}

/// The frames of a recording with their positions in it, none larger than tells the encoder more.
pub(super) fn small_frames(recording: Recording) -> impl Iterator<Item = anyhow::Result<(Duration, Frame)>> {
    recording.map(|item| item.map(|(at, frame)| (at, shrunk(frame, LONGEST_SIDE))).map_err(anyhow::Error::from))
}

/// A frame of which no side is longer than so many pixels.
pub(super) fn shrunk(frame: Frame, most: u32) -> Frame {
    let longest = frame.width().max(frame.height());
    if longest <= most {
        return frame;
    }
    let Some(picture) = RgbImage::from_raw(frame.width(), frame.height(), frame.rgb().to_vec()) else { return frame };
    let side = |length: u32| (length * most / longest).max(1);
    let (width, height) = (side(frame.width()), side(frame.height()));
    let small = image::imageops::resize(&picture, width, height, image::imageops::FilterType::Triangle);
    Frame::new(width, height, small.into_raw(), frame.sequence, frame.captured).unwrap_or(frame)
}
