//! `lookout models import`: an ONNX export into the models folder.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde_json::json;

use super::part::sha256;
use super::stage::Stage;
use crate::clip::export::{self, Given, Survey};
use crate::clip::library::{is_name, name_of};
use crate::clip::manifest::Interpolation;
use crate::clip::{Library, Manifest};

/// Arguments of `lookout models import`.
#[derive(clap::Args)]
pub(super) struct ImportArgs {
    /// The export's folder
    path: PathBuf,
    /// What it shall be called; by default as its folder
    #[arg(long)]
    name: Option<String>,
    /// Link to the files where they are instead of copying them
    #[arg(long)]
    link: bool,
    /// Take the place of an installed model of that name
    #[arg(long)]
    force: bool,
    /// Its licence, as SPDX has it
    #[arg(long)]
    licence: Option<String>,
    /// ONNX file with the image tower, within the folder
    #[arg(long, value_name = "FILE")]
    image_file: Option<String>,
    /// ONNX file with the text tower, within the folder
    #[arg(long, value_name = "FILE")]
    text_file: Option<String>,
    /// tokenizer.json, if it is not in the folder
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Name of the image tower's input
    #[arg(long, value_name = "NAME")]
    image_input: Option<String>,
    /// Name of the image tower's output: embeddings in the space of both towers
    #[arg(long, alias = "output", value_name = "NAME")]
    image_output: Option<String>,
    /// Name of the text tower's input
    #[arg(long, value_name = "NAME")]
    text_input: Option<String>,
    /// Name of the text tower's output
    #[arg(long, value_name = "NAME")]
    text_output: Option<String>,
    /// Side of the square input in pixels
    #[arg(long, value_name = "PIXELS")]
    size: Option<u32>,
    /// Mean of each channel, of values 0 to 1: R,G,B, or one number for all
    #[arg(long, value_name = "R,G,B")]
    mean: Option<Channels>,
    /// Standard deviation of each channel, of values 0 to 1: R,G,B, or one number for all
    #[arg(long, value_name = "R,G,B")]
    std: Option<Channels>,
    /// How crops are resized
    #[arg(long)]
    interpolation: Option<Filter>,
    /// What cosines are multiplied with before the softmax
    #[arg(long, value_name = "NUMBER")]
    logit_scale: Option<f32>,
    /// Most tokens of a phrase
    #[arg(long, value_name = "TOKENS")]
    context_length: Option<usize>,
    /// What shorter phrases are filled up with
    #[arg(long, value_name = "TOKEN")]
    pad_token: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A number for each of R, G and B.
#[derive(Clone, Copy)]
struct Channels([f32; 3]);

impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        match numbers.as_deref() {
            Ok([one]) => Ok(Self([*one; 3])),
            Ok([r, g, b]) => Ok(Self([*r, *g, *b])),
            _ => Err("should be three numbers, R,G,B, or one for all".to_owned()),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Filter {
    Bilinear,
    Bicubic,
    Lanczos3,
}

pub(super) fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let path = args.path.canonicalize().with_context(|| format!("cannot read {}", args.path.display()))?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => path.file_name().and_then(|name| name_of(&name.to_string_lossy())).context("give it a --name")?,
    };
    ensure!(is_name(&name), "--name is {name:?}, should be of a–z 0–9 . _ -, beginning with a letter or digit");
    let library = Library::here();
    let there = library.find(&name).filter(|_| !args.force);
    if let Some(folder) = there {
        anyhow::bail!("{name:?} is installed in {}; give another --name, or --force to replace it", folder.display());
    }
    let Survey { mut manifest, sources, mut notes } = export::survey(&path, &args.given(), &Given::default())?;
    manifest.name.clone_from(&name);
    manifest.licence = args.licence.clone().unwrap_or_default();
    manifest.origin = format!("imported from {}", path.display());
    let stage = Stage::open(&library.writable()?, &name)?;
    // What an earlier attempt has left may be of another export.
    stage.clear()?;
    bring(&manifest, &sources, stage.folder(), args.link)?;
    let trial = export::settle(stage.folder(), &mut manifest);
    notes.extend(trial.with_context(|| format!("{} has been read, but does not run", path.display()))?);
    for file in manifest.files.each() {
        let hash = sha256(&stage.folder().join(&file.path));
        file.sha256 = Some(hash.with_context(|| format!("cannot read {}", file.path))?);
    }
    let folder = stage.install(&manifest)?;
    tell(args, &name, &folder, &manifest, &notes);
    Ok(())
}

impl ImportArgs {
    fn given(&self) -> Given {
        Given {
            image_file: self.image_file.clone(),
            text_file: self.text_file.clone(),
            tokenizer: self.tokenizer.clone(),
            image_input: self.image_input.clone(),
            image_output: self.image_output.clone(),
            text_input: self.text_input.clone(),
            text_output: self.text_output.clone(),
            size: self.size,
            mean: self.mean.map(|mean| mean.0),
            std: self.std.map(|std| std.0),
            interpolation: self.interpolation.map(|filter| match filter {
                Filter::Bilinear => Interpolation::Bilinear,
                Filter::Bicubic => Interpolation::Bicubic,
                Filter::Lanczos3 => Interpolation::Lanczos3,
            }),
            logit_scale: self.logit_scale,
            context_length: self.context_length,
            pad_token: self.pad_token.clone(),
        }
    }
}

/// Copies or links the model's files onto the stage.
fn bring(manifest: &Manifest, sources: &[PathBuf], stage: &Path, link: bool) -> anyhow::Result<()> {
    for (file, source) in manifest.files.all().into_iter().zip(sources) {
        let target = stage.join(&file.path);
        let bring = || -> std::io::Result<()> {
            std::fs::create_dir_all(target.parent().unwrap_or(stage))?;
            if link {
                return std::os::unix::fs::symlink(source.canonicalize()?, &target);
            }
            std::fs::copy(source, &target)?;
            std::fs::File::open(&target)?.sync_all()
        };
        let what = if link { "link" } else { "copy" };
        bring().with_context(|| format!("cannot {what} {} to {}", source.display(), target.display()))?;
    }
    Ok(())
}

fn tell(args: &ImportArgs, name: &str, folder: &Path, manifest: &Manifest, notes: &[String]) {
    if args.json {
        println!("{}", json!({ "name": name, "folder": folder, "manifest": manifest, "notes": notes }));
        return;
    }
    let (image, text) = (&manifest.image, &manifest.text);
    println!("{name}: {}", manifest.description);
    println!(
        "  image tower  {}: {} [1, 3, {s}, {s}] → {}, {}, mean {:?}, std {:?}",
        manifest.files.image.path,
        image.input,
        image.output,
        image.interpolation.name(),
        image.mean,
        image.std,
        s = image.size
    );
    let length = text.context_length;
    println!("  text tower   {}: {} [1, {length}] → {}", manifest.files.text.path, text.input, text.output);
    println!("  embeddings   {} wide, logit scale {}", manifest.embedding.width, manifest.embedding.logit_scale);
    notes.iter().for_each(|note| println!("  note         {note}"));
    println!("{name} is installed in {}. In the configuration:\n\n[model]\nname = {name:?}", folder.display());
}
