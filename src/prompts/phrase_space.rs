//! The phrase space: what a model's manifest says of how its cosines become probabilities.

use crate::clip::manifest::Space;

/// What is known of the space that phrases and pictures share.
#[derive(Clone, Copy, Debug)]
pub struct PhraseSpace {
    /// Cosines are multiplied by it before the softmax, as in the model's training.
    pub logit_scale: f32,
    /// Two phrases count as synonyms from this cosine on; `None` takes a share of how far the negatives lie apart.
    pub synonym_cosine: Option<f32>,
}

impl From<f32> for PhraseSpace {
    fn from(logit_scale: f32) -> Self {
        Self { logit_scale, synonym_cosine: None }
    }
}

impl From<&Space> for PhraseSpace {
    fn from(space: &Space) -> Self {
        Self { logit_scale: space.logit_scale, synonym_cosine: space.synonym_cosine }
    }
}
