//! `lookout models prepare`: calibrates a model's encoder for this machine now, on one's own pictures if there are any.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::{kept_json, print_kept};
use crate::cli::photo;
use crate::clip::{Library, Model, Precision, Running};
use crate::config::file::default_threads;
use crate::config::settings::LogFormat;
use crate::frame::Frame;
use crate::telemetry;

/// More pictures tell little that is new.
const MOST: usize = 64;

/// Arguments of `lookout models prepare`.
#[derive(clap::Args)]
pub(super) struct PrepareArgs {
    /// Name of an installed model, or a model's folder
    model: PathBuf,
    /// Calibrate on the pictures in this folder (JPEG, PNG, GIF, WebP), as the cameras see them, instead of drawn ones
    #[arg(long)]
    pictures: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PrepareArgs) -> anyhow::Result<()> {
    // That what is found cannot be kept is said there.
    telemetry::start(LogFormat::Human, "warn");
    let folder = Library::here().folder(&args.model)?;
    let model = Model::open(&folder)?;
    let pictures = args.pictures.as_deref().map_or_else(|| Ok(Vec::new()), pictures)?;
    let (count, threads) = (pictures.len(), default_threads());
    let encoder = model.encoder(&Running { threads, dense: false, precision: Precision::Int8, pictures })?;
    let found = encoder.calibration().context("an encoder in 8 bits has a calibration")?;
    if args.json {
        let mut told = serde_json::to_value(found)?;
        told["kept"] = kept_json(&folder);
        println!("{}", serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    let on = if count == 0 { "drawn pictures".to_owned() } else { format!("{count} pictures of yours") };
    println!(
        "{}: {} of {} layers in 8 bits; cosine to 32 bits {:.5} on average, {:.5} at least, on {on}",
        model.manifest().name,
        found.layers.len() - found.floats(),
        found.layers.len(),
        found.mean,
        found.least
    );
    print_kept(&folder);
    Ok(())
}

fn pictures(folder: &Path) -> anyhow::Result<Vec<Frame>> {
    let all = std::fs::read_dir(folder).with_context(|| format!("--pictures: cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = all.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let frames: Vec<Frame> = paths.iter().filter_map(|path| photo::read(path).ok()).take(MOST).collect();
    ensure!(!frames.is_empty(), "--pictures: no file in {} is a picture (JPEG, PNG, GIF or WebP)", folder.display());
    Ok(frames)
}
