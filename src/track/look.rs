//! Look: what a thing looked like so far, as the encoder has it, and how much that varies.

use crate::clip::Embedding;

/// A mean over about so many looks: what a thing looks like changes as it turns and walks into the shade.
const OVER: f32 = 12.0;
/// How unlike itself a thing may look of which little is known, as 1 - cosine.
const FIRST_SPREAD: f32 = 0.06;
/// No thing is taken to look more constant than this.
const LEAST_SPREAD: f32 = 0.015;
/// And none to look less constant: a stranger is that unlike.
const MOST_SPREAD: f32 = 0.1;
/// Beyond so many spreads, unlike is unlike.
const MOST: f32 = 12.0;

/// The running mean of a thing's embeddings.
#[derive(Clone, Debug)]
pub struct Look {
    mean: Option<Embedding>,
    /// Mean of 1 - cosine between one look and the mean of those before.
    spread: f32,
    seen: f32,
}

impl Look {
    /// What is known after one look, or none.
    pub fn new(first: Option<Embedding>) -> Self {
        Self { seen: f32::from(u8::from(first.is_some())), mean: first, spread: FIRST_SPREAD }
    }

    /// The mean so far; `None` without any look.
    pub fn mean(&self) -> Option<&Embedding> {
        self.mean.as_ref()
    }

    /// Takes a look in.
    pub fn see(&mut self, embedding: &Embedding) {
        let Some(mean) = &self.mean else {
            *self = Self::new(Some(embedding.clone()));
            return;
        };
        if mean.values().len() != embedding.values().len() {
            return;
        }
        self.seen = (self.seen + 1.0).min(OVER);
        let share = 1.0 / self.seen;
        self.spread += share * ((1.0 - mean.cosine(embedding)) - self.spread);
        let blend = |(m, e): (&f32, &f32)| m + share * (e - m);
        let blended: Vec<f32> = mean.values().iter().zip(embedding.values()).map(blend).collect();
        self.mean = Embedding::new(blended).or_else(|| self.mean.take());
    }

    /// How unlike the thing this looks, in its own spreads: about 1 for itself, 12 at most. `None` where nothing can be
    /// said.
    pub fn misfit(&self, embedding: Option<&Embedding>) -> Option<f32> {
        let (mean, embedding) = (self.mean.as_ref()?, embedding?);
        let alike = mean.values().len() == embedding.values().len();
        alike.then(|| ((1.0 - mean.cosine(embedding)) / self.spread.clamp(LEAST_SPREAD, MOST_SPREAD)).clamp(0.0, MOST))
    }
}
