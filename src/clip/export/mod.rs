//! An export: a folder of ONNX files as people have it, from which the manifest of a model is derived.

mod files;
mod graph;
mod settings;
mod trial;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::ModelError;
use super::library::is_inner;
use super::manifest::{Files, ImageTower, Integers, Interpolation, Manifest, ModelFile, Precision, Space, TextTower};
use super::onnx::Graph;

pub use graph::Anatomy;
use graph::Sketch;
use settings::{Maker, Said};
pub use trial::settle;

/// What a person, or the catalogue, says of an export.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    /// ONNX file with the image tower, within the folder.
    pub image_file: Option<String>,
    /// ONNX file with the text tower, within the folder.
    pub text_file: Option<String>,
    /// `tokenizer.json`, within the folder or anywhere else.
    pub tokenizer: Option<PathBuf>,
    /// Name of the image tower's input.
    pub image_input: Option<String>,
    /// Name of the image tower's output.
    pub image_output: Option<String>,
    /// Name of the text tower's input.
    pub text_input: Option<String>,
    /// Name of the text tower's output.
    pub text_output: Option<String>,
    /// Side of the square input, pixels.
    pub size: Option<u32>,
    /// Mean per channel, RGB, of values 0..1.
    pub mean: Option<[f32; 3]>,
    /// Standard deviation per channel, RGB, of values 0..1.
    pub std: Option<[f32; 3]>,
    /// How crops are resized.
    pub interpolation: Option<Interpolation>,
    /// What cosines are multiplied with.
    pub logit_scale: Option<f32>,
    /// Most tokens of a phrase.
    pub context_length: Option<usize>,
    /// What phrases are filled up with.
    pub pad_token: Option<String>,
}

/// What an export was found to be.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Its manifest, without hashes; the name is that of the folder.
    pub manifest: Manifest,
    /// Each file of the manifest, in its order, and where it is now.
    pub sources: Vec<PathBuf>,
    /// What was not found and had to be assumed, and the argument that says otherwise.
    pub notes: Vec<String>,
}

/// The normalisation that CLIP was trained with.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// The scale that nearly all CLIPs end their training with: the highest that is allowed.
const SCALE: f32 = 100.0;
const CONTEXT: usize = 77;

/// Derives the manifest of an export: what is `given` counts most, then what its files say, then the `fallback`, then what
/// models of its kind have.
///
/// # Errors
/// What is missing or cannot be made sense of, in which file, and the argument that would help.
pub fn survey(folder: &Path, given: &Given, fallback: &Given) -> Result<Survey, ModelError> {
    let places = files::find(folder, given)?;
    let said = settings::read(folder, &places)?;
    let mut notes = Vec::new();
    let image = Graph::open(&folder.join(&places.image))?;
    let image_sketch = Sketch::new(&image);
    let one_file = places.image == places.text;
    let input = image_sketch.image_input(given.image_input.as_deref())?;
    let output = image_sketch.output("image", given.image_output.as_deref())?;
    let size = given.size.or(input.side()).or(said.size).or(fallback.size).or_else(|| {
        let side = (said.maker == Maker::MobileClip).then_some(256)?;
        notes.push("no input size found; 256 is taken, as MobileCLIP has it (--size)".to_owned());
        Some(side)
    });
    let size = size.ok_or_else(|| {
        fault(
            folder,
            &places.image,
            "nothing says the side of its input in pixels; give it with --size, such as --size 224",
        )
    })?;
    let mut width = output.last().or(said.width);
    if width.is_none() {
        width = Some(trial::image_width(image, &input.name, &output.name, size)?);
    }
    let mut scale = given.logit_scale.or(image_sketch.logit_scale());
    let mut weights = image_sketch.weights(&places.image);
    let text_sketch = if one_file {
        image_sketch.clone()
    } else {
        let text = Graph::open(&folder.join(&places.text))?;
        let sketch = Sketch::new(&text);
        scale = scale.or(sketch.logit_scale());
        weights.extend(sketch.weights(&places.text));
        sketch
    };
    weights.sort();
    weights.dedup();
    if let Some(outside) = weights.iter().find(|path| !is_inner(path)) {
        let problem = format!("it takes weights from {outside:?}, which is outside the folder; put them into it");
        return Err(fault(folder, &places.image, problem));
    }
    let tokens = text_sketch.text_input(given.text_input.as_deref())?;
    let text_output = text_sketch.output("text", given.text_output.as_deref())?;
    let logit_scale = scale.or(fallback.logit_scale).unwrap_or_else(|| {
        notes.push(format!("no logit scale found; {SCALE} is taken, as most CLIPs have it (--logit-scale)"));
        SCALE
    });
    let context_length = given.context_length.or(tokens.last()).or(said.context).or(fallback.context_length);
    let context_length = context_length.unwrap_or_else(|| {
        notes.push(format!("no context length found; {CONTEXT} is taken, as CLIPs have it (--context-length)"));
        CONTEXT
    });
    let (mean, std) = normalisation(given, &said, fallback, &mut notes);
    let file = |path: &str| ModelFile { path: path.to_owned(), sha256: None };
    let files = Files {
        image: file(&places.image),
        text: file(&places.text),
        tokenizer: file(&places.tokenizer_name),
        weights: weights.iter().map(|path| file(path)).collect(),
    };
    let source = |path: &str| if path == places.tokenizer_name { places.tokenizer.clone() } else { folder.join(path) };
    let sources = files.all().iter().map(|file| source(&file.path)).collect();
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let manifest = Manifest {
        name: name.unwrap_or_else(|| "model".to_owned()),
        description: said.maker.name().to_owned(),
        licence: String::new(),
        origin: folder.display().to_string(),
        notice: None,
        files,
        image: ImageTower {
            size,
            mean,
            std,
            interpolation: given.interpolation.or(said.interpolation).or(fallback.interpolation).unwrap_or(match said
                .maker
            {
                Maker::MobileClip => Interpolation::Bilinear,
                Maker::HuggingFace | Maker::OpenClip => Interpolation::Bicubic,
            }),
            input: input.name,
            output: output.name,
            patches: None,
            boxes: None,
            precision: Precision::Int8,
        },
        text: TextTower {
            context_length,
            input: tokens.name.clone(),
            attention_mask: text_sketch.attention_mask(),
            output: text_output.name,
            pad_token: (given.pad_token.clone()).or(said.pad_token).or(fallback.pad_token.clone()).unwrap_or_else(
                || {
                    match said.maker {
                        Maker::HuggingFace => "<|endoftext|>".to_owned(),
                        // The token with the id 0, which their tokenizer fills up with.
                        Maker::OpenClip | Maker::MobileClip => "!".to_owned(),
                    }
                },
            ),
            // MobileCLIP's looks at what phrases are filled up with; of others that is seen by trying them.
            fixed: tokens.last().is_some() || said.maker == Maker::MobileClip,
            integers: if tokens.is_int32() { Integers::Int32 } else { Integers::Int64 },
            words: None,
        },
        embedding: Space { width: width.unwrap_or_default(), logit_scale, synonym_cosine: None },
    };
    Ok(Survey { manifest, sources, notes })
}

fn normalisation(given: &Given, said: &Said, fallback: &Given, notes: &mut Vec<String>) -> ([f32; 3], [f32; 3]) {
    let (mean, std) = (given.mean.or(said.mean).or(fallback.mean), given.std.or(said.std).or(fallback.std));
    let (usual_mean, usual_std, whose) = match said.maker {
        Maker::MobileClip => ([0.0; 3], [1.0; 3], "MobileCLIP's"),
        Maker::HuggingFace | Maker::OpenClip => (MEAN, STD, "OpenAI's CLIP's"),
    };
    if mean.is_none() || std.is_none() {
        notes.push(format!("no normalisation found; {whose} is taken (--mean, --std)"));
    }
    (mean.unwrap_or(usual_mean), std.unwrap_or(usual_std))
}

fn named(folder: &Path, file: &str) -> String {
    folder.join(file).display().to_string()
}

fn fault(folder: &Path, file: &str, problem: impl Into<String>) -> ModelError {
    ModelError::Manifest { file: named(folder, file), problem: problem.into() }
}
