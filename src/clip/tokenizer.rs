//! The tokenizer: a phrase becomes the token ids that the text tower was trained with.

use super::error::ModelError;
use super::manifest::TextTower;

/// A `tokenizer.json` with what the text tower needs around it.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    file: String,
    pad: u32,
    limit: usize,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if it is broken or lacks the padding token.
    pub fn new(bytes: &[u8], file: &str, tower: &TextTower) -> Result<Self, ModelError> {
        let fault = |problem: String| ModelError::Tokenizer { file: file.to_owned(), problem };
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| fault(format!("it cannot be read: {e}")))?;
        // A phrase that is too long is an error here, never cut silently.
        inner.with_truncation(None).map_err(|e| fault(e.to_string()))?;
        inner.with_padding(None);
        let pad = inner
            .token_to_id(&tower.pad_token)
            .ok_or_else(|| fault(format!("it has no token {:?}, which text.pad_token names", tower.pad_token)))?;
        Ok(Self { inner, file: file.to_owned(), pad, limit: tower.context_length })
    }

    /// Checks that the ids fit a table of so many rows. Tables are sometimes padded to a multiple of 64.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if they do not.
    pub(super) fn fits(&self, rows: usize) -> Result<(), ModelError> {
        let size = self.inner.get_vocab_size(true);
        if (size..size + 64).contains(&rows) {
            return Ok(());
        }
        let problem = format!("it has {size} tokens, but the text tower has {rows}");
        Err(ModelError::Tokenizer { file: self.file.clone(), problem })
    }

    /// The ids of a phrase, start and end included, not padded.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] beyond the context length.
    pub fn ids(&self, phrase: &str) -> Result<Vec<u32>, ModelError> {
        let ids = self.all_ids(phrase)?;
        if ids.len() > self.limit {
            let shown: String = phrase.chars().take(60).chain((phrase.chars().count() > 60).then_some('…')).collect();
            return Err(ModelError::TooLong { phrase: shown, tokens: ids.len(), limit: self.limit });
        }
        Ok(ids)
    }

    /// The ids of a phrase, cut to the context length as the original does: the end token stays. True if it was cut.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn cut_ids(&self, phrase: &str) -> Result<(Vec<u32>, bool), ModelError> {
        let mut ids = self.all_ids(phrase)?;
        let surplus = ids.len().saturating_sub(self.limit);
        let end = ids.len() - 1;
        ids.drain(end - surplus..end);
        Ok((ids, surplus > 0))
    }

    fn all_ids(&self, phrase: &str) -> Result<Vec<u32>, ModelError> {
        let encoding =
            self.inner.encode(phrase, true).map_err(|e| ModelError::Run(format!("tokenizing {phrase:?}: {e}")))?;
        if encoding.is_empty() {
            let problem = "it adds no start and end tokens".to_owned();
            return Err(ModelError::Tokenizer { file: self.file.clone(), problem });
        }
        Ok(encoding.get_ids().to_vec())
    }

    /// The id that phrases are filled up with.
    pub(super) fn pad(&self) -> u32 {
        self.pad
    }
}
