//! Calibration: in what arithmetic each layer of an image tower keeps what it means, found by looking at pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tract_onnx::prelude::*;

use super::embedding::Embedding;
use super::error::ModelError;
use super::onnx::{Graph, Plan};
use super::ops::{Coder, Linear, Plain, Watch, Weights};

/// Cosines to the tower in 32 bits that a tower in 8 bits is to keep: on average, and at least.
const MEAN: f32 = 0.998;
const LEAST: f32 = 0.995;

/// How a layer's weights and inputs are coded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// 32 bits.
    Float,
    /// 8 bits, inputs as they come.
    Int8,
    /// 8 bits, each input divided by a number and its weights multiplied with it, so that neither stands out (SmoothQuant,
    /// Xiao et al. 2023).
    Smooth(Vec<f32>),
}

/// What was chosen for a tower, and what it costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// By the name of the layer in its graph.
    pub layers: BTreeMap<String, Coding>,
    /// Whether attention is done in 8 bits.
    pub attention: bool,
    /// Mean cosine to the tower in 32 bits, of the pictures that it was chosen on.
    pub mean: f32,
    /// The least of those.
    pub least: f32,
}

impl Calibration {
    /// Layers that stay in 32 bits.
    pub fn floats(&self) -> usize {
        self.layers.values().filter(|coding| **coding == Coding::Float).count()
    }

    /// Looks at pictures (each `3 * side * side` values, normalised as the tower wants them) and chooses.
    pub(super) fn find(
        graph: &Graph,
        model: &TypedModel,
        side: usize,
        pictures: &[Vec<f32>],
    ) -> Result<Self, ModelError> {
        let mut watching = Watching::default();
        let exact = graph.runnable(model.clone(), &mut watching)?;
        let wanted = look(&exact, side, pictures)?;
        drop(exact);
        let watches = watching.0.into_iter().map(|(name, watch)| (name, take(&watch))).collect();
        let mut choosing = Choosing { watches, errors: BTreeMap::new(), chosen: BTreeMap::new() };
        let plan = graph.runnable(model.clone(), &mut choosing)?;
        let Choosing { errors, chosen: layers, .. } = choosing;
        let mut found = Self { layers, attention: true, mean: 0.0, least: 0.0 };
        found.compare(&wanted, &look(&plan, side, pictures)?);
        // The layers that lose most go back, more and more of them, until enough of the meaning is there.
        let mut worst: Vec<(&String, f32)> = errors.iter().map(|(name, error)| (name, *error)).collect();
        worst.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut back = 1;
        while (found.mean < MEAN || found.least < LEAST) && found.floats() < found.layers.len() {
            let names: BTreeSet<&String> = worst.iter().take(back).map(|(name, _)| *name).collect();
            for (_, coding) in found.layers.iter_mut().filter(|(name, _)| names.contains(name)) {
                *coding = Coding::Float;
            }
            found.attention = back < worst.len() / 2;
            let plan = graph.runnable(model.clone(), &mut Coded(&found))?;
            found.compare(&wanted, &look(&plan, side, pictures)?);
            back *= 2;
        }
        Ok(found)
    }

    fn compare(&mut self, wanted: &[Embedding], found: &[Embedding]) {
        let cosines: Vec<f32> = wanted.iter().zip(found).map(|(a, b)| a.cosine(b)).collect();
        self.mean = cosines.iter().sum::<f32>() / cosines.len().max(1) as f32;
        self.least = cosines.iter().copied().fold(1.0, f32::min);
    }
}

fn take(watch: &Mutex<Watch>) -> Watch {
    std::mem::take(&mut *watch.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The first output of a tower, picture by picture.
pub(super) fn look(plan: &Plan, side: usize, pictures: &[Vec<f32>]) -> Result<Vec<Embedding>, ModelError> {
    let run = |e: TractError| ModelError::Run(format!("calibrating: {e:#}"));
    let look = |picture: &Vec<f32>| {
        let input = Tensor::from_shape(&[1, 3, side, side], picture).map_err(run)?;
        let outputs = plan.run(tvec!(input.into_tvalue())).map_err(run)?;
        let values = outputs[0].to_plain_array_view::<f32>().map_err(run)?;
        Embedding::new(values.iter().copied().collect::<Vec<f32>>())
            .ok_or_else(|| ModelError::Run("calibrating: a picture has no finite embedding".to_owned()))
    };
    pictures.iter().map(look).collect()
}

/// All in 32 bits, and seen.
#[derive(Default)]
struct Watching(BTreeMap<String, Arc<Mutex<Watch>>>);

impl Coder for Watching {
    fn weights(&mut self, layer: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        let watch = Arc::<Mutex<Watch>>::default();
        self.0.insert(layer.to_owned(), Arc::clone(&watch));
        Arc::new(Weights::float(values, outputs, Some(watch)))
    }

    fn codes_attention(&self) -> bool {
        false
    }
}

/// As a calibration says; layers that it does not know stay in 32 bits.
pub(super) struct Coded<'a>(pub(super) &'a Calibration);

impl Coded<'_> {
    /// The weights of a layer as the calibration says, not packed yet.
    pub(super) fn plain<'v>(&self, layer: &str, values: &'v [f32], outputs: usize) -> Plain<'v> {
        match self.0.layers.get(layer) {
            None | Some(Coding::Float) => Plain::Float(values.into()),
            Some(Coding::Int8) => Plain::int8(values, outputs, None),
            Some(Coding::Smooth(divisors)) if divisors.len() * outputs == values.len() => {
                Plain::int8(values, outputs, Some(divisors))
            }
            // Of another tower, whatever its name says.
            Some(Coding::Smooth(_)) => Plain::Float(values.into()),
        }
    }
}

impl Coder for Coded<'_> {
    fn weights(&mut self, layer: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        Arc::new(self.plain(layer, values, outputs).packed(outputs))
    }

    fn codes_attention(&self) -> bool {
        self.0.attention
    }
}

/// Each layer in the way of 8 bits that loses least on what it was seen to get.
struct Choosing {
    watches: BTreeMap<String, Watch>,
    /// Squares of relative errors.
    errors: BTreeMap<String, f32>,
    chosen: BTreeMap<String, Coding>,
}

impl Coder for Choosing {
    fn weights(&mut self, layer: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        // Of a layer that no picture went through nothing is known.
        let Some(watch) = self.watches.remove(layer).filter(|watch| !watch.rows.is_empty()) else {
            return Arc::new(Weights::float(values, outputs, None));
        };
        let run = |weights: Weights| {
            let layer = Linear::plain(weights);
            let mut out = vec![0.0; watch.rows.len() / watch.largest.len() * outputs];
            layer.run(&watch.rows, &mut out, false);
            (out, layer)
        };
        let (wanted, _) = run(Weights::float(values, outputs, None));
        let error = |found: &[f32]| {
            let size: f32 = wanted.iter().map(|value| value * value).sum();
            wanted.iter().zip(found).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / size.max(f32::MIN_POSITIVE)
        };
        let (plain, plain_layer) = run(Weights::int8(values, outputs, None));
        let divisors = divisors(values, outputs, &watch.largest);
        let (smooth, smooth_layer) = run(Weights::int8(values, outputs, Some(&divisors)));
        // Dividing costs a little time: only where it helps.
        let (plain, smooth) = (error(&plain), error(&smooth));
        let (coding, error, best) = match smooth < 0.8 * plain {
            true => (Coding::Smooth(divisors), smooth, smooth_layer),
            false => (Coding::Int8, plain, plain_layer),
        };
        self.errors.insert(layer.to_owned(), error);
        self.chosen.insert(layer.to_owned(), coding);
        best.weights
    }

    fn codes_attention(&self) -> bool {
        true
    }
}

/// What each input is divided by, so that inputs and weights stand out equally; around 1.
fn divisors(values: &[f32], outputs: usize, largest: &[f32]) -> Vec<f32> {
    const NOTHING: f32 = 1e-6;
    let rows = values.chunks_exact(outputs).zip(largest);
    let ratio = |(row, input): (&[f32], &f32)| {
        let weight = row.iter().fold(NOTHING, |most, value| most.max(value.abs()));
        (input.max(NOTHING) / weight).sqrt()
    };
    let ratios: Vec<f32> = rows.map(ratio).collect();
    let middle = (ratios.iter().map(|ratio| ratio.ln()).sum::<f32>() / ratios.len() as f32).exp();
    ratios.into_iter().map(|ratio| (ratio / middle).clamp(1e-4, 1e4)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of which a few inputs stand out, and what goes in, as real CLIP towers have them.
    #[test]
    fn inputs_that_stand_out_are_divided() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (inputs, outputs, rows) = (64, 48, 100);
        let stands_out = |input: usize| if input.is_multiple_of(31) { 100.0 } else { 1.0 };
        let weights: Vec<f32> = (0..inputs * outputs).map(|_| rng.f32() - 0.5).collect();
        let mut watch = Watch::default();
        watch.rows = (0..rows * inputs).map(|at| stands_out(at % inputs) * (rng.f32() - 0.5)).collect();
        watch.largest = (0..inputs).map(|input| 0.5 * stands_out(input)).collect();
        let watches = BTreeMap::from([("layer".to_owned(), watch)]);
        let mut choosing = Choosing { watches, errors: BTreeMap::new(), chosen: BTreeMap::new() };
        choosing.weights("layer", &weights, outputs);
        assert!(matches!(choosing.chosen["layer"], Coding::Smooth(_)), "{:?}", choosing.chosen);
        assert!(choosing.errors["layer"] < 1e-3, "{}", choosing.errors["layer"]);
    }
}
