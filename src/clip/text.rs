//! The text encoder: phrases become embeddings, at startup or when a prompt changes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tract_onnx::prelude::*;

use super::embedding::Embedding;
use super::error::ModelError;
use super::manifest::{Integers, Manifest, TextTower};
use super::onnx::{Graph, Input, Plan};
use super::package::Shelf;
use super::tokenizer::Tokenizer;

/// Lengths that towers are made for: most phrases are short, and a tower's time grows with its length.
const LENGTHS: &[usize] = &[8, 16, 32];

/// The text tower and its tokenizer.
pub struct TextEncoder {
    graph: Graph,
    file: String,
    tower: TextTower,
    width: usize,
    tokenizer: Tokenizer,
    plans: Mutex<BTreeMap<usize, Plan>>,
}

impl TextEncoder {
    /// The text tower and tokenizer of the model with that manifest.
    pub(super) fn new(manifest: &Manifest, shelf: &Shelf) -> Result<Self, ModelError> {
        let files = &manifest.files;
        let (bytes, name) = (shelf.checked(&files.tokenizer)?, shelf.named(&files.tokenizer.path));
        let tokenizer = Tokenizer::new(&bytes, &name, &manifest.text)?;
        let (file, expected) = (shelf.named(&files.text.path), files.text.sha256.is_some());
        if expected {
            shelf.hash(&files.text)?;
        }
        let graph = shelf.graph(&files.text)?;
        if let Some(rows) = graph.token_rows() {
            tokenizer.fits(rows)?;
        }
        let encoder = Self {
            graph: graph.towards(&[&manifest.text.output])?,
            file,
            tower: manifest.text.clone(),
            width: manifest.embedding.width,
            tokenizer,
            plans: Mutex::default(),
        };
        // A broken tower is found out now, not at the first prompt.
        encoder.plan(encoder.length(1))?;
        Ok(encoder)
    }

    /// The ids of a phrase, start and end included, not padded.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] beyond the context length.
    pub fn token_ids(&self, phrase: &str) -> Result<Vec<u32>, ModelError> {
        self.tokenizer.ids(phrase)
    }

    /// The embedding of a phrase, of the manifest's width.
    ///
    /// # Errors
    /// [`ModelError::TooLong`], or what the tower says.
    pub fn encode(&self, phrase: &str) -> Result<Embedding, ModelError> {
        self.encode_ids(&self.tokenizer.ids(phrase)?)
    }

    /// The ids of a phrase, cut to the context length as the original does: the end token stays. True if it was cut.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn cut_ids(&self, phrase: &str) -> Result<(Vec<u32>, bool), ModelError> {
        self.tokenizer.cut_ids(phrase)
    }

    /// The embedding of a phrase's ids, at most the context length of them.
    ///
    /// # Errors
    /// What the tower says.
    pub fn encode_ids(&self, ids: &[u32]) -> Result<Embedding, ModelError> {
        let length = self.length(ids.len());
        let plan = self.plan(length)?;
        let at = |index: usize| i64::from(ids.get(index).copied().unwrap_or(self.tokenizer.pad()));
        let mut inputs = tvec!(self.integers(length, at)?);
        if self.tower.attention_mask.is_some() {
            inputs.push(self.integers(length, |index| i64::from(index < ids.len()))?);
        }
        let run = |e: TractError| ModelError::Run(format!("{e:#}"));
        let output = plan.run(inputs).map_err(run)?;
        let values = output[0].to_plain_array_view::<f32>().map_err(run)?;
        Embedding::new(values.iter().copied().collect::<Vec<f32>>())
            .ok_or_else(|| ModelError::Run("a phrase has no finite embedding".to_owned()))
    }

    /// The length that a phrase of so many ids is filled up to.
    fn length(&self, ids: usize) -> usize {
        let context = self.tower.context_length;
        let shorter = LENGTHS.iter().copied().filter(|length| !self.tower.fixed && *length < context);
        shorter.into_iter().find(|length| ids <= *length).unwrap_or(context)
    }

    /// A row of integers of the type that the graph reads.
    fn integers(&self, length: usize, at: impl Fn(usize) -> i64) -> Result<TValue, ModelError> {
        let row = Tensor::from(tract_ndarray::Array2::from_shape_fn((1, length), |(_, index)| at(index)));
        let row = row.cast_to_dt(self.datum_type()).map_err(|e| ModelError::Run(format!("{e:#}")))?;
        Ok(row.into_owned().into_tvalue())
    }

    fn datum_type(&self) -> DatumType {
        match self.tower.integers {
            Integers::Int64 => i64::datum_type(),
            Integers::Int32 => i32::datum_type(),
        }
    }

    fn plan(&self, length: usize) -> Result<Plan, ModelError> {
        let mut plans = self.plans.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(plan) = plans.get(&length) {
            return Ok(plan.clone());
        }
        let names = std::iter::once(self.tower.input.as_str()).chain(self.tower.attention_mask.as_deref());
        let input = |name| Input { name, of: self.datum_type(), shape: vec![Some(1), Some(length)] };
        let inputs: Vec<Input> = names.map(input).collect();
        let (plan, shapes) = self.graph.tower(&inputs, &[&self.tower.output])?;
        let width = self.graph.embeddings(&self.tower.output, &shapes[0])?;
        if width != self.width {
            return Err(ModelError::Width { file: self.file.clone(), found: width, expected: self.width });
        }
        plans.insert(length, plan.clone());
        Ok(plan)
    }
}
