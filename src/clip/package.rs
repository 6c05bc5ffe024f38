//! A model package: a folder with a manifest, ONNX and a tokenizer, or the same embedded in the binary.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::ModelError;
use super::image::{ImageEncoder, Running};
use super::manifest::{Manifest, ModelFile};
use super::onnx::Graph;
use super::phrases::Phrases;
use super::prepared::PhrasePlace;
use super::text::TextEncoder;
use super::{embedded, huggingface};

/// Where a package's files are.
#[derive(Clone, Debug)]
pub(super) enum Shelf {
    Folder(PathBuf),
    Embedded,
}

impl Shelf {
    pub(super) fn named(&self, file: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(file).display().to_string(),
            Self::Embedded => format!("the embedded {file}"),
        }
    }

    /// The folder, of what is in one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Embedded => None,
        }
    }

    /// An ONNX file's graph; its large weights are not read yet.
    pub(super) fn graph(&self, file: &ModelFile) -> Result<Graph, ModelError> {
        match self {
            Self::Folder(folder) => Graph::open(&folder.join(&file.path)),
            Self::Embedded => Graph::read(&self.read(&file.path)?, &self.named(&file.path)),
        }
    }

    /// The sha256 of a file, in hexadecimal, which is that in the manifest if there is one. The file is not held in memory.
    ///
    /// # Errors
    /// That it is another, or what the system says.
    pub(super) fn hash(&self, file: &ModelFile) -> Result<String, ModelError> {
        let mut hash = Sha256::new();
        match self {
            Self::Folder(folder) => {
                let fault =
                    |e: std::io::Error| ModelError::File { file: self.named(&file.path), problem: e.to_string() };
                let mut content = File::open(folder.join(&file.path)).map_err(fault)?;
                let mut part = vec![0; 1 << 18];
                while let count @ 1.. = content.read(&mut part).map_err(fault)? {
                    hash.update(&part[..count]);
                }
            }
            Self::Embedded => hash.update(self.read(&file.path)?),
        }
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        match &file.sha256 {
            Some(expected) if !found.eq_ignore_ascii_case(expected) => {
                Err(ModelError::Hash { file: self.named(&file.path), found, expected: expected.clone() })
            }
            _ => Ok(found),
        }
    }

    /// A file whole, with the hash that the manifest says.
    pub(super) fn checked(&self, file: &ModelFile) -> Result<Cow<'static, [u8]>, ModelError> {
        if file.sha256.is_some() {
            self.hash(file)?;
        }
        self.read(&file.path)
    }

    fn read(&self, file: &str) -> Result<Cow<'static, [u8]>, ModelError> {
        let fault = |problem: String| ModelError::File { file: self.named(file), problem };
        match self {
            Self::Folder(folder) => std::fs::read(folder.join(file)).map(Cow::Owned).map_err(|e| fault(e.to_string())),
            Self::Embedded => {
                embedded::file(file).map(Cow::Borrowed).ok_or_else(|| fault("it is not embedded".to_owned()))
            }
        }
    }
}

/// A model package whose manifest has been read. Its files are read, and their hashes checked, when an encoder is made.
#[derive(Clone, Debug)]
pub struct Model {
    shelf: Shelf,
    manifest: Manifest,
}

impl Model {
    /// Opens a folder with a `manifest.toml`, or laid out as a Hugging Face CLIP export.
    ///
    /// # Errors
    /// What is missing in the folder, or wrong in its manifest.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let shelf = Shelf::Folder(folder.to_owned());
        if !folder.is_dir() {
            let problem = "there is no such folder".to_owned();
            return Err(ModelError::File { file: folder.display().to_string(), problem });
        }
        let manifest = if !folder.join("manifest.toml").exists() && folder.join("config.json").exists() {
            huggingface::manifest(folder)?
        } else {
            Self::read_manifest(&shelf)?
        };
        Ok(Self { shelf, manifest })
    }

    /// The model that is part of the program.
    ///
    /// # Errors
    /// Only if the program was built with broken files.
    pub fn embedded() -> Result<Self, ModelError> {
        let shelf = Shelf::Embedded;
        Ok(Self { manifest: Self::read_manifest(&shelf)?, shelf })
    }

    fn read_manifest(shelf: &Shelf) -> Result<Manifest, ModelError> {
        let file = shelf.named("manifest.toml");
        let text = String::from_utf8(shelf.read("manifest.toml")?.into_owned())
            .map_err(|_| ModelError::Manifest { file: file.clone(), problem: "is not UTF-8 text".to_owned() })?;
        Manifest::parse(&text, &file)
    }

    /// What the package says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Loads the image tower, to run in 32 bits on so many threads (at least 1).
    ///
    /// # Errors
    /// What is wrong with the file or its graph.
    pub fn image_encoder(&self, threads: usize) -> Result<ImageEncoder, ModelError> {
        self.encoder(&Running::floats(threads))
    }

    /// As [`Self::image_encoder`], one that gives the embeddings of patches too.
    ///
    /// # Errors
    /// Those, and that its patches' embeddings cannot be had.
    pub fn dense_encoder(&self, threads: usize) -> Result<ImageEncoder, ModelError> {
        self.encoder(&Running { dense: true, ..Running::floats(threads) })
    }

    /// Loads the image tower, to run like that.
    ///
    /// # Errors
    /// What is wrong with the file or its graph, and that its patches' embeddings cannot be had.
    pub fn encoder(&self, running: &Running) -> Result<ImageEncoder, ModelError> {
        ImageEncoder::new(&self.manifest, &self.shelf, running)
    }

    /// The embeddings of phrases, as they are asked for; of those that were asked for at an earlier start, without the text
    /// tower's file.
    pub fn phrases(&self) -> Phrases<'_> {
        let place = self.shelf.folder().and_then(|folder| PhrasePlace::new(folder, &self.manifest));
        Phrases::new(self, place)
    }

    /// Loads the text tower and tokenizer. Drop it when the phrases are embedded: it is the larger part of a model.
    ///
    /// # Errors
    /// What is wrong with the files, or with one for the other.
    pub fn text_encoder(&self) -> Result<TextEncoder, ModelError> {
        TextEncoder::new(&self.manifest, &self.shelf)
    }
}
