//! The catalogue: published models, where they lie and what they are worth.

use std::path::Path;

use serde::Deserialize;

use super::error::ModelError;
use super::export::Given;
use super::library;

/// The catalogue as it is in the repository.
pub const EMBEDDED: &str = include_str!("../../models/catalog.toml");

/// SPDX identifiers whose terms ask for no more than that they be kept.
const PERMISSIVE: &[&str] =
    &["MIT", "Apache-2.0", "MIT OR Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "CC0-1.0", "Unlicense"];

/// Published models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The name of the one that is offered where none is named.
    pub default: String,
    /// All of them.
    #[serde(rename = "model")]
    pub models: Vec<Entry>,
}

/// One published model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Short name, also of its folder.
    pub name: String,
    /// One line.
    pub title: String,
    /// SPDX identifier.
    pub licence: String,
    /// Where its text is.
    pub licence_url: String,
    /// What a licence that is not permissive asks, in a sentence.
    pub terms: Option<String>,
    /// Zero-shot accuracy on ImageNet.
    pub imagenet: Option<Accuracy>,
    /// Work of the image tower.
    pub gmac: Option<Work>,
    /// `owner/name` on the hub.
    pub repo: String,
    /// A commit, or a branch where no commit is known.
    pub revision: String,
    /// How all this is known.
    pub evidence: String,
    /// What is fetched.
    pub files: Vec<RemoteFile>,
    /// What the repository's files do not say.
    #[serde(default)]
    pub settings: Given,
}

/// A published accuracy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Top-1, per cent.
    pub top1: f32,
    /// Who says so.
    pub source: String,
}

/// How much a tower computes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Multiply-adds for one picture, 10^9.
    pub image: f32,
    /// Who says so.
    pub source: String,
}

/// One file of a repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    /// What it is to the model.
    pub role: Role,
    /// Within the repository.
    pub path: String,
    /// Within the model's folder, where that differs.
    pub to: Option<String>,
    /// Bytes, if known.
    pub size: Option<u64>,
    /// Size in 10^6 bytes, roughly, where it is not known exactly.
    pub about_mb: Option<u64>,
    /// Of its content, in hexadecimal, if known.
    pub sha256: Option<String>,
    /// The model can do without.
    #[serde(default)]
    pub optional: bool,
}

/// What a file is to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// ONNX with both towers.
    Model,
    /// ONNX with the image tower.
    Image,
    /// ONNX with the text tower.
    Text,
    /// Weights beside an ONNX file.
    Weights,
    /// `tokenizer.json`.
    Tokenizer,
    /// Settings.
    Config,
}

impl RemoteFile {
    /// Where it lies in the model's folder.
    pub fn to(&self) -> &str {
        self.to.as_deref().unwrap_or(&self.path)
    }
}

impl Entry {
    /// Whether its licence asks for nothing but that it be kept.
    pub fn is_permissive(&self) -> bool {
        PERMISSIVE.contains(&self.licence.as_str())
    }

    /// Bytes of all files, and whether that is exact.
    pub fn size(&self) -> (u64, bool) {
        let of = |file: &RemoteFile| file.size.or(file.about_mb.map(|mb| mb * 1_000_000));
        // Settings are a few hundred bytes.
        let exact = self.files.iter().all(|file| file.size.is_some() || file.role == Role::Config);
        (self.files.iter().filter_map(of).sum(), exact)
    }

    /// What an import of its files has to be told: which file is what, and what they do not say.
    pub fn layout(&self) -> Given {
        let file = |wanted: &[Role]| {
            self.files.iter().find(|file| wanted.contains(&file.role)).map(|file| file.to().to_owned())
        };
        Given {
            image_file: file(&[Role::Image, Role::Model]),
            text_file: file(&[Role::Text, Role::Model]),
            tokenizer: file(&[Role::Tokenizer]).map(Into::into),
            ..Given::default()
        }
    }

    fn check(&self) -> Result<(), String> {
        if !library::is_name(&self.name) {
            return Err(format!(
                "the name {:?} should be of a–z 0–9 . _ -, beginning with a letter or digit",
                self.name
            ));
        }
        let slashes = self.repo.matches('/').count();
        if slashes != 1 || self.repo.starts_with('/') || self.repo.ends_with('/') || self.repo.contains("..") {
            return Err(format!("{}: repo is {:?}, should be owner/name", self.name, self.repo));
        }
        let has = |wanted: &[Role]| self.files.iter().any(|file| wanted.contains(&file.role));
        if !has(&[Role::Image, Role::Model]) || !has(&[Role::Text, Role::Model]) || !has(&[Role::Tokenizer]) {
            return Err(format!("{}: files should name an image tower, a text tower and a tokenizer", self.name));
        }
        for file in &self.files {
            for path in [Some(&file.path), file.to.as_ref()].into_iter().flatten() {
                if !library::is_inner(path) {
                    return Err(format!("{}: {path:?} should be a path within the repository or folder", self.name));
                }
            }
            if file.sha256.as_ref().is_some_and(|hash| hash.len() != 64 || hash.bytes().any(|b| !b.is_ascii_hexdigit()))
            {
                return Err(format!("{}: the sha256 of {} should be 64 hexadecimal digits", self.name, file.path));
            }
        }
        if !self.is_permissive() && self.terms.is_none() {
            return Err(format!("{}: a licence such as {:?} needs its terms in a sentence", self.name, self.licence));
        }
        Ok(())
    }
}

impl Catalogue {
    /// The catalogue of the program.
    ///
    /// # Errors
    /// Only if the program was built with a broken one.
    pub fn embedded() -> Result<Self, ModelError> {
        Self::parse(EMBEDDED, "the embedded catalogue")
    }

    /// The catalogue of this file if there is one, else that of `$LOOKOUT_CATALOGUE`, else the program's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn here(file: Option<&Path>) -> Result<Self, ModelError> {
        let set = std::env::var_os("LOOKOUT_CATALOGUE").filter(|value| !value.is_empty());
        match (file, set) {
            (Some(file), _) => Self::open(file),
            (None, Some(file)) => Self::open(Path::new(&file)),
            (None, None) => Self::embedded(),
        }
    }

    /// The catalogue of a file.
    ///
    /// # Errors
    /// If it cannot be read, or what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| ModelError::File { file: file.clone(), problem: e.to_string() })?;
        Self::parse(&text, &file)
    }

    /// Reads a catalogue; `file` names it in errors.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn parse(text: &str, file: &str) -> Result<Self, ModelError> {
        let fault = |problem: String| ModelError::Manifest { file: file.to_owned(), problem };
        let catalogue: Self = toml::from_str(text).map_err(|e| fault(e.to_string().trim_end().to_owned()))?;
        for (index, entry) in catalogue.models.iter().enumerate() {
            entry.check().map_err(fault)?;
            if catalogue.models[..index].iter().any(|other| other.name == entry.name) {
                return Err(fault(format!("{:?} names two models", entry.name)));
            }
        }
        if catalogue.find(&catalogue.default).is_none() {
            return Err(fault(format!("default is {:?}, which is no model of it", catalogue.default)));
        }
        Ok(catalogue)
    }

    /// The model of that name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.name == name)
    }

    /// The name most like this one, if any is.
    pub fn like(&self, name: &str) -> Option<&str> {
        let likeness = |entry: &&Entry| (strsim::jaro_winkler(&entry.name, &name.to_lowercase()) * 1000.0) as u32;
        let best = self.models.iter().max_by_key(likeness)?;
        (likeness(&best) > 800).then_some(best.name.as_str())
    }
}
