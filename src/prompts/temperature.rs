//! The temperature: how far apart a camera's pictures lie from unlike phrases, and the logit scale that makes of it what
//! the softmax was made for.
//!
//! Cosines of one model spread over half the range, those of another over a fiftieth of it, and a camera's light or lens can
//! squeeze them further. A softmax at a scale that does not fit says "everything" or "nothing" of all pictures alike.

use crate::clip::Embedding;

/// How many logits lie between unlike phrases, one standard deviation, where the scale fits: 2.9 with crops and 3.4 with
/// patches of the embedded model, used as it was trained. Within these bounds, which hold the latter, the model's own scale stands.
const FITTING: (f32, f32) = (3.2, 4.2);
/// So many looks speak before a new one weighs little.
const MEMORY: f32 = 20_000.0;
/// Fewer phrases than these say nothing about how far phrases lie apart.
const FEWEST: usize = 4;

/// The spread of cosines from one picture to unlike phrases, as a camera has shown it so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Temperature {
    spread: f32,
    weight: f32,
}

impl Temperature {
    /// Takes in what pictures' embeddings have to do with phrases that mean different things.
    pub fn observe<'a>(&mut self, pictures: impl Iterator<Item = &'a Embedding>, phrases: &[&Embedding]) {
        if phrases.len() < FEWEST {
            return;
        }
        for picture in pictures {
            let cosines: Vec<f32> = phrases.iter().map(|phrase| picture.cosine(phrase)).collect();
            let count = cosines.len() as f32;
            let mean = cosines.iter().sum::<f32>() / count;
            let deviation = (cosines.iter().map(|c| (c - mean).powi(2)).sum::<f32>() / count).sqrt();
            self.weight = (self.weight + 1.0).min(MEMORY);
            self.spread += (deviation - self.spread) / self.weight;
        }
    }

    /// The logit scale to use with a model whose own is `own`.
    pub fn scale(&self, own: f32) -> f32 {
        if self.spread < 1e-6 {
            return own;
        }
        (own * self.spread).clamp(FITTING.0, FITTING.1) / self.spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(squeeze: f32) -> Temperature {
        // Phrases and pictures on six axes, and one more that all share: the larger, the nearer all lie together.
        let at = |axis: usize| {
            let mut values = vec![0.0; 7];
            (values[axis], values[6]) = (1.0, squeeze);
            Embedding::new(values).expect("not zero")
        };
        let phrases: Vec<Embedding> = (0..6).map(at).collect();
        let mut temperature = Temperature::default();
        temperature.observe([at(0), at(3)].iter(), &phrases.iter().collect::<Vec<_>>());
        temperature
    }

    #[test]
    fn a_fitting_scale_stands_and_a_squeezed_space_is_stretched() {
        let wide = seen(0.0);
        assert!((wide.scale(10.0) - 10.0).abs() < 1e-4, "{wide:?}");
        let narrow = seen(7.0);
        let scale = narrow.scale(8.0);
        assert!((scale * narrow.spread - FITTING.0).abs() < 1e-3 && scale > 200.0, "{scale} {narrow:?}");
        assert!(wide.scale(1000.0) < 12.0);
    }

    #[test]
    fn without_phrases_to_tell_by_the_model_is_believed() {
        let mut temperature = Temperature::default();
        let one = Embedding::new(vec![1.0, 0.0]).expect("not zero");
        temperature.observe([one.clone()].iter(), &[&one]);
        assert_eq!(temperature.scale(100.0), 100.0);
    }
}
