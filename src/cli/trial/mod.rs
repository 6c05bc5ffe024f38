//! A trial: what a camera would make of recorded clips, through the very path that its live pictures take.

pub(super) mod clip;
pub(super) mod near;
pub(super) mod page;
pub(super) mod written;

use std::path::PathBuf;

use anyhow::Context;

use super::offline::{LONGEST_SIDE, LookArgs, prompt, shrunk};
use crate::app::stored_changes;
use crate::capture::source::Shape;
use crate::capture::{Recording, open_offline};
use crate::clip::{ImageEncoder, Model};
use crate::config;
use crate::config::settings::{CameraSettings, EventSettings, Rotation, Settings, Source};
use crate::frame::Frame;
use crate::prompts::PromptBank;
use crate::store::Store;

/// Which camera is tried, and for what.
#[derive(clap::Args)]
pub(super) struct TrialArgs {
    /// What to look out for (repeatable); with --config, in place of what the camera looks out for
    #[arg(long = "prompt")]
    prompts: Vec<String>,
    /// A configuration: its camera's masks, zones, prompts, thresholds, size and rate hold, and its model
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Which camera of the configuration, where it has several
    #[arg(long, requires = "config")]
    camera: Option<String>,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

/// A camera that is ready to look at recordings.
pub(super) struct Trial {
    pub(super) camera: CameraSettings,
    pub(super) model: Model,
    pub(super) encoder: ImageEncoder,
    pub(super) bank: PromptBank,
    /// The size is the recording's own unless the camera stands in a configuration.
    shape: Shape,
}

impl Trial {
    /// # Errors
    /// What is wrong with the arguments, the configuration or the model.
    pub(super) fn new(args: &TrialArgs) -> anyhow::Result<Self> {
        let settings = args.config.as_deref().map(|path| config::load(Some(path))).transpose()?;
        let camera = match &settings {
            Some(settings) => args.configured(settings)?,
            None => {
                anyhow::ensure!(
                    !args.prompts.is_empty(),
                    "there is nothing to look out for; add --prompt \"a dog\", or --config FILE with a camera's prompts"
                );
                args.look.camera(args.prompts.iter().map(String::as_str), EventSettings::default())?
            }
        };
        for (index, prompt) in camera.prompts.iter().enumerate() {
            let twice = camera.prompts[..index].iter().any(|other| other.name == prompt.name);
            anyhow::ensure!(!twice, "--prompt {:?} says the same as another", prompt.phrases[0]);
        }
        let configured = settings.as_ref().map(|settings| &settings.model);
        let model = args.look.open(configured)?;
        let (encoder, bank) = args.look.ready(&model, configured, &camera)?;
        let size = settings.as_ref().map(|_| camera.size);
        let rotation = if settings.is_some() { camera.rotation } else { Rotation::None };
        let shape = Shape { size, fps: camera.fps, rotation };
        Ok(Self { camera, model, encoder, bank, shape })
    }

    /// Opens a recording with the camera's rate, size and rotation.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn open(&self, source: &Source) -> anyhow::Result<Recording> {
        Ok(open_offline(source, &self.shape)?)
    }

    /// What a prompt is told apart from, by its index there.
    pub(super) fn contender(&self, prompt: usize, index: usize) -> &str {
        self.bank.entries()[prompt].contenders().nth(index).unwrap_or_default()
    }

    /// A frame of a recording, no larger than tells the encoder more where no size is set.
    pub(super) fn fitted(&self, frame: Frame) -> Frame {
        if self.shape.size.is_some() { frame } else { shrunk(frame, LONGEST_SIDE) }
    }
}

impl TrialArgs {
    /// The camera as it runs: as written, with what was changed by message, and with what the arguments say.
    fn configured(&self, settings: &Settings) -> anyhow::Result<CameraSettings> {
        let store = settings.store.path.as_deref().filter(|path| path.exists()).map(|_| Store::open(&settings.store));
        let changes = store.transpose()?.as_ref().map(stored_changes).transpose()?.unwrap_or_default();
        let laid = settings.written.cameras(&changes);
        laid.misfits.iter().for_each(|fault| eprintln!("{fault}"));
        let names = laid.cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut camera = match &self.camera {
            Some(name) => {
                let found = laid.cameras.into_iter().find(|camera| camera.name.as_str() == name);
                found.with_context(|| format!("--camera {name:?} is not in the configuration; it has {names}"))?
            }
            None => {
                anyhow::ensure!(laid.cameras.len() == 1, "which camera? Choose with --camera: {names}");
                laid.cameras.into_iter().next().context("the configuration has a camera")?
            }
        };
        if !self.prompts.is_empty() {
            let asked = |phrase: &String| Ok(prompt(phrase)?.worded(vec![phrase.clone()], &camera.zones));
            camera.prompts = self.prompts.iter().map(asked).collect::<anyhow::Result<_>>()?;
        }
        self.look.laid_over(camera)
    }
}
