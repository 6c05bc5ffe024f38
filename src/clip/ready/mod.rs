//! A ready tower: an image tower in 8 bits as it is after calibration, kept beside its model for the next start, which then
//! reads a quarter of the export's size, layer by layer, and parses none of it.
//!
//! It is believed as long as nothing that it was made of or for has changed: the files of the tower (by their sizes and times,
//! and their hashes where the manifest has them), what the manifest says of it, the program's version and the processor's
//! kernels. Whatever is damaged, or of another, is made again.

mod file;
mod graph;

use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tract_onnx::prelude::*;

use super::calibration::{Calibration, Coded};
use super::manifest::{ImageTower, Manifest};
use super::onnx::{Plan, plan};
use super::ops::{Coder, Plain, Weights, kernels};
use super::prepared::{Identity, kept_as};
use file::{Block, Reader, Writer, damaged};
use graph::Part;

/// How the names of such files end.
pub(super) const ENDING: &str = ".tower";
/// Towers that hold more besides their layers (convolutions, which stay in 32 bits) have little to win.
const MOST_BESIDES: usize = 32 << 20;

/// What a tower was made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Purpose {
    program: String,
    kernels: (String, String),
    tower: ImageTower,
    width: usize,
    dense: bool,
}

/// A file that a tower was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Made {
    /// Within the model's folder.
    path: String,
    identity: Identity,
    /// As the manifest says, if it does.
    sha256: Option<String>,
}

/// What only making a tower shows.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Patches along each side, if it gives their embeddings.
    pub(super) patch_rows: Option<usize>,
    /// Whether it takes any number of tiles at once, or one.
    pub(super) any_batch: bool,
    /// Multiplications for one tile.
    pub(super) macs: f64,
}

/// How the weights of a layer are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    outputs: usize,
    /// Whole numbers if there are scales, else 32-bit floats.
    values: Block,
    scales: Option<Block>,
    inverse: Option<Block>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    purpose: Purpose,
    made_of: Vec<Made>,
    calibration: Calibration,
    facts: Facts,
    layers: Vec<Kept>,
    parts: Vec<Part>,
    rows: Block,
    graph: Block,
}

/// A tower that was kept.
pub(super) struct Ready {
    /// Ready to run.
    pub(super) plan: Plan,
    /// Of when it was made.
    pub(super) facts: Facts,
    /// By which it was coded.
    pub(super) calibration: Calibration,
}

/// Where the tower of a model is kept.
pub(super) struct Place<'a> {
    path: PathBuf,
    folder: &'a Path,
    manifest: &'a Manifest,
    purpose: Purpose,
}

impl<'a> Place<'a> {
    /// For the tower of the model in a folder; `dense` if it gives the embeddings of patches too.
    pub(super) fn new(folder: &'a Path, manifest: &'a Manifest, dense: bool) -> Option<Self> {
        let tower = &manifest.image;
        let patches = tower.patches.as_deref().unwrap_or_default();
        // Nothing that changes with time: what is out of date is replaced.
        let way = [tower.input.as_bytes(), tower.output.as_bytes(), patches.as_bytes(), &[u8::from(dense)]];
        let path = kept_as(folder, &way, ENDING)?;
        let (program, width) = (env!("CARGO_PKG_VERSION").to_owned(), manifest.embedding.width);
        let purpose = Purpose { program, kernels: kernels(), tower: tower.clone(), width, dense };
        Some(Self { path, folder, manifest, purpose })
    }

    /// What is kept here, if it can be believed. That it is damaged is said.
    pub(super) fn open(&self) -> Option<Ready> {
        let again = format!("the tower is prepared again from {}", self.manifest.files.image.path);
        match self.read() {
            Ok(Some(ready)) => Some(ready),
            Ok(None) => {
                tracing::info!("{} was made of other files or for another program; {again}", self.path.display());
                None
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("{} cannot be used ({error}); {again}", self.path.display());
                None
            }
        }
    }

    fn read(&self) -> Result<Option<Ready>> {
        let (mut reader, head) = Reader::open(&self.path)?;
        // Another version may have told other things of it.
        let Ok(head) = serde_json::from_slice::<Head>(&head) else { return Ok(None) };
        let now = head.made_of.iter().map(|made| self.made_of(&made.path)).collect::<Result<Vec<Made>>>();
        if head.purpose != self.purpose || now.is_ok_and(|now| now != head.made_of) {
            return Ok(None);
        }
        let mut weights = Vec::with_capacity(head.layers.len());
        for layer in &head.layers {
            weights.push(Arc::new(layer.read(&mut reader)?));
        }
        let (rows, graph) = (reader.floats(head.rows)?, reader.block(head.graph)?);
        let model = graph::read(&graph, &head.parts, &weights, &rows).and_then(plan);
        let plan = model.map_err(|e| damaged(&format!("{e:#}")))?;
        Ok(Some(Ready { plan, facts: head.facts, calibration: head.calibration }))
    }

    fn made_of(&self, path: &str) -> Result<Made> {
        let file = self.manifest.files.all().into_iter().find(|file| file.path == path);
        let sha256 = file.and_then(|file| file.sha256.clone());
        Ok(Made { path: path.to_owned(), identity: Identity::of(&self.folder.join(path))?, sha256 })
    }

    /// Begins to keep a tower of the model's file, and of those beside it that it takes weights from.
    pub(super) fn begin<'c>(&'c self, beside: &[String], calibration: &'c Calibration) -> Result<Making<'c>> {
        let image = &self.manifest.files.image.path;
        let of = |file: &String| Path::new(image).with_file_name(file).to_string_lossy().into_owned();
        let files = std::iter::once(image.clone()).chain(beside.iter().map(of));
        let made_of = files.map(|file| self.made_of(&file)).collect::<Result<_>>()?;
        let writer = Writer::create(&self.path)?;
        Ok(Making { place: self, writer, made_of, calibration, layers: Vec::new(), weights: Vec::new(), failed: None })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Kept {
    fn read(&self, reader: &mut Reader) -> Result<Weights> {
        let fits = |count: usize| self.outputs > 0 && count.is_multiple_of(self.outputs);
        let plain = match self.scales {
            None => Plain::Float(reader.floats(self.values)?.into()),
            Some(scales) => {
                let coded = reader.block(self.values)?.into_iter().map(|byte| byte as i8).collect();
                let inverse = self.inverse.map(|inverse| reader.floats(inverse)).transpose()?;
                Plain::Int8 { coded, scales: reader.floats(scales)?, inverse }
            }
        };
        let whole = match &plain {
            Plain::Float(values) => fits(values.len()),
            Plain::Int8 { coded, scales, inverse } => {
                let inputs = inverse.as_ref().map_or(coded.len(), |inverse| inverse.len() * self.outputs);
                fits(coded.len()) && scales.len() == self.outputs && inputs == coded.len()
            }
        };
        if !whole {
            return Err(damaged("a layer has not as many weights as it should"));
        }
        Ok(plain.packed(self.outputs))
    }
}

/// A tower that is being coded as its calibration says, and kept at the same time, layer by layer.
pub(super) struct Making<'a> {
    place: &'a Place<'a>,
    writer: Writer,
    made_of: Vec<Made>,
    calibration: &'a Calibration,
    layers: Vec<Kept>,
    weights: Vec<Arc<Weights>>,
    failed: Option<std::io::Error>,
}

impl Making<'_> {
    fn keep(&mut self, plain: &Plain, outputs: usize) -> Result<Kept> {
        Ok(match plain {
            Plain::Float(values) => Kept { outputs, values: self.writer.floats(values)?, scales: None, inverse: None },
            Plain::Int8 { coded, scales, inverse } => {
                let bytes: Vec<u8> = coded.iter().map(|value| *value as u8).collect();
                let values = self.writer.block(&bytes)?;
                let inverse = inverse.as_ref().map(|inverse| self.writer.floats(inverse)).transpose()?;
                Kept { outputs, values, scales: Some(self.writer.floats(scales)?), inverse }
            }
        })
    }

    /// Keeps the tower, of which this has coded the layers.
    ///
    /// # Errors
    /// What the system says, or why such a tower cannot be kept.
    pub(super) fn finish(mut self, model: &TypedModel, facts: Facts) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let besides = graph::constants(model);
        if besides > MOST_BESIDES {
            let problem = format!("{} MB of its weights are not in layers that could be", besides >> 20);
            return Err(std::io::Error::new(ErrorKind::Unsupported, problem));
        }
        let unsupported = |e: TractError| std::io::Error::new(ErrorKind::Unsupported, format!("{e:#}"));
        let written = graph::write(model, &self.weights).map_err(unsupported)?;
        let (rows, graph) = (self.writer.floats(&written.rows)?, self.writer.block(&written.graph)?);
        let head = Head {
            purpose: self.place.purpose.clone(),
            made_of: self.made_of,
            calibration: self.calibration.clone(),
            facts,
            layers: self.layers,
            parts: written.parts,
            rows,
            graph,
        };
        self.writer.finish(&serde_json::to_vec(&head)?)
    }

    fn add(&mut self, plain: Plain, outputs: usize) -> Arc<Weights> {
        if self.failed.is_none() {
            match self.keep(&plain, outputs) {
                Ok(kept) => self.layers.push(kept),
                Err(error) => self.failed = Some(error),
            }
        }
        let weights = Arc::new(plain.packed(outputs));
        self.weights.push(Arc::clone(&weights));
        weights
    }
}

impl Coder for Making<'_> {
    fn weights(&mut self, layer: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        self.add(Coded(self.calibration).plain(layer, values, outputs), outputs)
    }

    fn floats(&mut self, _: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        self.add(Plain::Float(values.into()), outputs)
    }

    fn codes_attention(&self) -> bool {
        self.calibration.attention
    }
}
