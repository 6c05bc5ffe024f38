//! Phrases: their embeddings, from the text tower or as it gave them at an earlier start.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use super::embedding::Embedding;
use super::error::ModelError;
use super::package::Model;
use super::prepared::{PhrasePlace, keep};
use super::text::TextEncoder;

/// More than any configuration has; beyond it, what is kept begins anew.
const MOST: usize = 4096;

/// The phrases of a model. The text tower, the larger part of many, is loaded with the first phrase that is new, and goes
/// when this does.
pub struct Phrases<'a> {
    model: &'a Model,
    place: Option<PhrasePlace>,
    tower: OnceCell<TextEncoder>,
    known: RefCell<BTreeMap<String, Vec<f32>>>,
    new: RefCell<bool>,
}

impl<'a> Phrases<'a> {
    pub(super) fn new(model: &'a Model, place: Option<PhrasePlace>) -> Self {
        let read = |place: &PhrasePlace| serde_json::from_slice(&std::fs::read(place.path()).ok()?).ok();
        let known: BTreeMap<String, Vec<f32>> = place.as_ref().and_then(read).unwrap_or_default();
        let known = if known.len() > MOST { BTreeMap::new() } else { known };
        Self { model, place, tower: OnceCell::new(), known: RefCell::new(known), new: RefCell::new(false) }
    }

    /// The embedding of a phrase, of the manifest's width.
    ///
    /// # Errors
    /// [`ModelError::TooLong`], or what the text tower says, or what is wrong with its file.
    pub fn encode(&self, phrase: &str) -> Result<Embedding, ModelError> {
        let width = self.model.manifest().embedding.width;
        let known = self.known.borrow().get(phrase).filter(|values| values.len() == width).cloned();
        if let Some(embedding) = known.and_then(Embedding::new) {
            return Ok(embedding);
        }
        let tower = match self.tower.get() {
            Some(tower) => tower,
            None => {
                let loaded = self.model.text_encoder()?;
                self.tower.get_or_init(|| loaded)
            }
        };
        let embedding = tower.encode(phrase)?;
        self.known.borrow_mut().insert(phrase.to_owned(), embedding.values().to_vec());
        self.new.replace(true);
        Ok(embedding)
    }

    /// Keeps what is new for the next start, which then needs no text tower. That it cannot be kept is no fault.
    pub fn keep(&self) {
        let Some(place) = self.place.as_ref().filter(|_| self.new.replace(false)) else { return };
        if let Err(error) = keep(place.path(), &*self.known.borrow()) {
            tracing::debug!("embeddings of phrases cannot be kept at {} ({error})", place.path().display());
        }
    }
}
