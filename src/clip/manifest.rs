//! The manifest: what `manifest.toml` says of a model folder.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::error::ModelError;

/// A model folder's description.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Short name.
    pub name: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// SPDX expression.
    #[serde(default)]
    pub licence: String,
    /// Where it comes from.
    #[serde(default)]
    pub origin: String,
    /// Said when the program starts on it.
    pub notice: Option<String>,
    /// Its files.
    pub files: Files,
    /// The image tower.
    pub image: ImageTower,
    /// The text tower.
    pub text: TextTower,
    /// The shared space.
    pub embedding: Space,
}

/// The files of a model; `image` and `text` may be the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// ONNX with the image tower.
    pub image: ModelFile,
    /// ONNX with the text tower.
    pub text: ModelFile,
    /// `tokenizer.json`.
    pub tokenizer: ModelFile,
    /// Weights that an exporter has put beside the ONNX files, which name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<ModelFile>,
}

impl Files {
    /// Each file, to be changed; one that is both towers' comes twice.
    pub fn each(&mut self) -> impl Iterator<Item = &mut ModelFile> {
        [&mut self.image, &mut self.text, &mut self.tokenizer].into_iter().chain(&mut self.weights)
    }

    /// Each file once, the weights after the others.
    pub fn all(&self) -> Vec<&ModelFile> {
        let mut all: Vec<&ModelFile> = Vec::new();
        for file in [&self.image, &self.text, &self.tokenizer].into_iter().chain(&self.weights) {
            if all.iter().all(|known| known.path != file.path) {
                all.push(file);
            }
        }
        all
    }
}

/// One file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Within the folder.
    pub path: String,
    /// Of its content, in hexadecimal; absent only where the manifest was derived from an export.
    pub sha256: Option<String>,
}

/// How the image tower is fed and read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTower {
    /// Side of the square input in pixels.
    pub size: u32,
    /// Mean per channel, RGB, of values 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel, RGB, of values 0..1.
    pub std: [f32; 3],
    /// How crops are resized.
    pub interpolation: Interpolation,
    /// Name of the graph's input, `[batch, 3, size, size]`.
    pub input: String,
    /// Name of the graph's output, `[batch, width]`.
    pub output: String,
    /// Name of the graph's output with an embedding of every patch in the same space, `[batch, patches, width]`, row by
    /// row; absent where it has none.
    pub patches: Option<String>,
    /// Name of the graph's output with a bounding-box regression, `[batch, 5]`: left, top, right and bottom edge of the
    /// object in the middle of the crop, in fractions of the crop, and the probability that there is one; absent where the
    /// model has none.
    pub boxes: Option<String>,
    /// Arithmetic of the tower.
    #[serde(default)]
    pub precision: Precision,
}

/// How the text tower is fed and read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TextTower {
    /// Most tokens of a phrase, start and end included.
    pub context_length: usize,
    /// Name of the graph's input, `[batch, tokens]`.
    pub input: String,
    /// Name of the graph's attention mask, if it has one.
    pub attention_mask: Option<String>,
    /// Name of the graph's output, `[batch, width]`.
    pub output: String,
    /// What phrases are filled up with.
    pub pad_token: String,
    /// True for a graph that only reads phrases filled up to the context length, or that gives others other embeddings.
    #[serde(default)]
    pub fixed: bool,
    /// Type of the graph's token ids.
    #[serde(default)]
    pub integers: Integers,
    /// The words that the model was trained with, in lower case, where that is a list short enough to be given.
    pub words: Option<Vec<String>>,
}

/// The space that both towers share.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// Dimensions.
    pub width: usize,
    /// What cosines are multiplied with before a softmax: the exponential of the learnt parameter.
    pub logit_scale: f32,
    /// Two phrases count as synonyms from this cosine on, and then do not contend for a picture; measured on pairs of both
    /// kinds. Absent where it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synonym_cosine: Option<f32>,
}

/// Antialiased resizing, as Pillow does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Triangle filter.
    Bilinear,
    /// Catmull-Rom (a = -0.5), what CLIP was trained with.
    Bicubic,
    /// Three-lobed Lanczos.
    Lanczos3,
}

impl Interpolation {
    /// As manifests have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos3 => "lanczos3",
        }
    }
}

/// The integers that a graph reads token ids as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Integers {
    /// 64 bits, as Hugging Face exports have them.
    #[default]
    Int64,
    /// 32 bits.
    Int32,
}

/// The arithmetic that a tower runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 8 bits, as far as that keeps what the tower means.
    #[default]
    Int8,
    /// 32-bit floating point.
    F32,
}

impl Precision {
    /// As it is written in manifests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::F32 => "f32",
        }
    }
}

impl Manifest {
    /// Reads a manifest; `file` names it in errors.
    ///
    /// # Errors
    /// The first thing that cannot be, with its key.
    pub fn parse(text: &str, file: &str) -> Result<Self, ModelError> {
        let fault = |problem: String| ModelError::Manifest { file: file.to_owned(), problem };
        let manifest: Self = toml::from_str(text).map_err(|e| fault(e.to_string().trim_end().to_owned()))?;
        manifest.check().map_err(fault)?;
        Ok(manifest)
    }

    /// The text of a `manifest.toml` that says this.
    ///
    /// # Errors
    /// What cannot be, with its key, as [`Self::parse`] would find it; `file` names the manifest.
    pub fn written(&self, file: &str) -> Result<String, ModelError> {
        let fault = |problem: String| ModelError::Manifest { file: file.to_owned(), problem };
        self.check().map_err(fault)?;
        toml::to_string(self).map_err(|e| fault(e.to_string()))
    }

    /// The words of a phrase that the model was not trained with; it gives them some meaning all the same. None where the
    /// manifest does not list its words.
    pub fn unknown_words(&self, phrase: &str) -> Vec<String> {
        let Some(known) = &self.text.words else { return Vec::new() };
        let lower = phrase.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.filter(|word| !known.iter().any(|known| known == word)).map(str::to_owned).collect()
    }

    fn check(&self) -> Result<(), String> {
        let weights = self.files.weights.iter().map(|file| ("weights", file));
        let named = [("image", &self.files.image), ("text", &self.files.text), ("tokenizer", &self.files.tokenizer)];
        for (key, file) in named.into_iter().chain(weights) {
            let plain = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
            if file.path.is_empty() || !plain {
                return Err(format!("files.{key}.path is {:?}, should be a path within the folder", file.path));
            }
            match &file.sha256 {
                Some(hash) if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    return Err(format!("files.{key}.sha256 is {hash:?}, should be 64 hexadecimal digits"));
                }
                _ => {}
            }
        }
        if !(8..=2048).contains(&self.image.size) {
            return Err(format!("image.size is {}, should be from 8 to 2048", self.image.size));
        }
        if self.image.std.iter().any(|std| !std.is_finite() || *std <= 0.0) {
            return Err(format!("image.std is {:?}, should be three numbers above 0", self.image.std));
        }
        if self.image.mean.iter().any(|mean| !mean.is_finite()) {
            return Err(format!("image.mean is {:?}, should be three numbers", self.image.mean));
        }
        if !(2..=4096).contains(&self.text.context_length) {
            return Err(format!("text.context_length is {}, should be from 2 to 4096", self.text.context_length));
        }
        if !(1..=65_536).contains(&self.embedding.width) {
            return Err(format!("embedding.width is {}, should be from 1 to 65536", self.embedding.width));
        }
        if self.embedding.synonym_cosine.is_some_and(|cosine| !(0.0..=1.0).contains(&cosine)) {
            let found = self.embedding.synonym_cosine.unwrap_or_default();
            return Err(format!("embedding.synonym_cosine is {found}, should be from 0 to 1"));
        }
        let scale = self.embedding.logit_scale;
        if !(scale > 0.0 && scale <= 1000.0) {
            return Err(format!(
                "embedding.logit_scale is {scale}, should be above 0, at most 1000 (100 for most CLIPs)"
            ));
        }
        Ok(())
    }
}
