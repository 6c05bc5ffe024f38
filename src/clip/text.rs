//! The text encoder: phrases become embeddings, at startup or when a prompt changes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tract_onnx::prelude::*;

use super::embedding::Embedding;
use super::error::ModelError;
use super::manifest::{Manifest, TextTower};
use super::onnx::{Graph, Plan};
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
    pub(super) fn new(manifest: &Manifest, onnx: &[u8], file: &str, tokenizer: Tokenizer) -> Result<Self, ModelError> {
        let graph = Graph::read(onnx, file)?;
        if let Some(rows) = graph.token_rows() {
            tokenizer.fits(rows)?;
        }
        let encoder = Self {
            graph,
            file: file.to_owned(),
            tower: manifest.text.clone(),
            width: manifest.embedding.width,
            tokenizer,
            plans: Mutex::default(),
        };
        // A broken tower is found out now, not at the first prompt.
        encoder.plan(LENGTHS[0].min(encoder.tower.context_length))?;
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
        let context = self.tower.context_length;
        let length =
            LENGTHS.iter().copied().find(|length| ids.len() <= *length && *length < context).unwrap_or(context);
        let plan = self.plan(length)?;
        let at = |index: usize| i64::from(ids.get(index).copied().unwrap_or(self.tokenizer.pad()));
        let input = tract_ndarray::Array2::from_shape_fn((1, length), |(_, index)| at(index));
        let mut inputs = tvec!(Tensor::from(input).into_tvalue());
        if self.tower.attention_mask.is_some() {
            let mask = tract_ndarray::Array2::from_shape_fn((1, length), |(_, index)| i64::from(index < ids.len()));
            inputs.push(Tensor::from(mask).into_tvalue());
        }
        let run = |e: TractError| ModelError::Run(format!("{e:#}"));
        let output = plan.run(inputs).map_err(run)?;
        let values = output[0].to_plain_array_view::<f32>().map_err(run)?;
        Embedding::new(values.iter().copied().collect::<Vec<f32>>())
            .ok_or_else(|| ModelError::Run("a phrase has no finite embedding".to_owned()))
    }

    fn plan(&self, length: usize) -> Result<Plan, ModelError> {
        let mut plans = self.plans.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(plan) = plans.get(&length) {
            return Ok(plan.clone());
        }
        let fact = InferenceFact::dt_shape(i64::datum_type(), [1, length]);
        let mut inputs = vec![(self.tower.input.as_str(), fact.clone())];
        inputs.extend(self.tower.attention_mask.as_deref().map(|mask| (mask, fact)));
        let (plan, shapes) = self.graph.tower(&inputs, &[&self.tower.output])?;
        let width = self.graph.embeddings(&self.tower.output, &shapes[0])?;
        if width != self.width {
            return Err(ModelError::Width { file: self.file.clone(), found: width, expected: self.width });
        }
        plans.insert(length, plan.clone());
        Ok(plan)
    }
}
