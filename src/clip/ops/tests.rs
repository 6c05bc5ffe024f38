//! Each operation against the plainest way to write it.

use std::sync::Arc;

use fastrand::Rng;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{EvalContext, EvalOp};
use tract_onnx::tract_core::ops::einsum::EinSum;

use super::attention::Attention;
use super::linear::{Dimension, Linear, Weights};
use super::norm::LayerNorm;
use super::patches::Patches;
use super::rows::{Activation, Coded, Signed};
use super::{Floats, fuse};

fn random(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.f32() * 2.0 - 0.8).collect()
}

/// Size of the difference as a share of the size of what was wanted.
fn error(wanted: &[f32], found: &[f32]) -> f32 {
    assert_eq!(wanted.len(), found.len());
    let size: f32 = wanted.iter().map(|value| value * value).sum();
    (wanted.iter().zip(found).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / size).sqrt()
}

fn evaluated(op: &dyn EvalOp, inputs: &[(&[usize], &[f32])]) -> Vec<f32> {
    let tensor = |(shape, values): &(&[usize], &[f32])| Tensor::from_shape(shape, values).expect("fits").into_tvalue();
    let outputs = op.eval(&EvalContext::out_of_plan(), inputs.iter().map(tensor).collect()).expect("runs");
    outputs[0].to_plain_array_view::<f32>().expect("f32").iter().copied().collect()
}

fn activated(value: f32, activation: Activation) -> f32 {
    match activation {
        Activation::None => value,
        // By the definition: the value times the share of a normal distribution below it.
        Activation::Gelu => {
            let steps = 4000;
            let low = -8.0_f64;
            let width = (f64::from(value) - low) / f64::from(steps);
            let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let share: f64 = (0..steps).map(|step| density(low + (f64::from(step) + 0.5) * width) * width).sum();
            value * share as f32
        }
        Activation::GeluTanh => {
            0.5 * value
                * (1.0 + ((2.0 / std::f32::consts::PI).sqrt() * (value + 0.044_715 * value * value * value)).tanh())
        }
        Activation::Swish(alpha) => value / (1.0 + (-alpha * value).exp()),
        Activation::Clamp(low, high) => value.max(low).min(high),
    }
}

#[test]
fn a_row_in_bytes_is_within_half_a_step() {
    let mut rng = Rng::with_seed(1);
    for width in [1, 5, 64, 100, 257] {
        let rows = random(&mut rng, 7 * width);
        let mut coded = Coded::default();
        coded.code(rows.chunks_exact(width), width);
        for ((row, bytes), (zero, scale)) in
            rows.chunks_exact(width).zip(coded.bytes.chunks_exact(width)).zip(coded.codes())
        {
            for (value, byte) in row.iter().zip(bytes) {
                let found = scale * (f32::from(*byte) - f32::from(zero));
                assert!((found - value).abs() <= 0.51 * scale, "{width}: {value} became {found}, step {scale}");
            }
        }
        let mut signed = Signed::default();
        signed.by_column(rows.chunks_exact(width), width, 127.0);
        for (row, bytes) in rows.chunks_exact(width).zip(signed.bytes.chunks_exact(width)) {
            for ((value, byte), scale) in row.iter().zip(bytes).zip(&signed.scales) {
                assert!((f32::from(*byte) * scale - value).abs() <= 0.51 * scale);
            }
        }
    }
}

#[test]
fn rows_that_are_all_nothing_stay_nothing() {
    let layer = Linear::plain(Weights::int8(&[1.0; 12], 3, None));
    let mut output = [1.0; 6];
    layer.run(&[0.0; 8], &mut output, false);
    assert_eq!(output, [0.0; 6]);
}

#[test]
fn a_linear_layer_is_what_it_is_in_both_arithmetics() {
    let mut rng = Rng::with_seed(2);
    let activations = [
        Activation::None,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Swish(1.702),
        Activation::Clamp(-0.1, 0.5),
    ];
    for (index, (rows, inputs, outputs)) in
        [(1, 64, 48), (50, 96, 33), (130, 40, 16), (3, 1500, 5)].into_iter().enumerate()
    {
        let (input, weights) = (random(&mut rng, rows * inputs), random(&mut rng, inputs * outputs));
        let (bias, sum) = (random(&mut rng, outputs), random(&mut rng, rows * outputs));
        let activation = activations[index];
        let value = |row: usize, output: usize| {
            let products = (0..inputs).map(|k| input[row * inputs + k] * weights[k * outputs + output]);
            activated(products.sum::<f32>() + bias[output], activation)
        };
        let wanted: Vec<f32> = (0..rows * outputs).map(|at| value(at / outputs, at % outputs)).collect();
        let added: Vec<f32> = wanted.iter().zip(&sum).map(|(a, b)| a + b).collect();
        let divisors: Vec<f32> = (0..inputs).map(|k| 0.5 + (k % 7) as f32).collect();
        let kinds = [
            (Weights::float(&weights, outputs, None), 1e-5),
            (Weights::int8(&weights, outputs, None), 0.02),
            (Weights::int8(&weights, outputs, Some(&divisors)), 0.04),
        ];
        for (weights, most) in kinds {
            let shape = vec![Dimension::Input(0), Dimension::Outputs(outputs)];
            let (weights, bias) = (Arc::new(weights), Arc::new(bias.clone()));
            let layer = Linear { before: None, weights, bias, activation, shape };
            let found = evaluated(&layer, &[(&[rows, inputs], &input)]);
            assert!(error(&wanted, &found) < most, "{layer:?}: {}", error(&wanted, &found));
            if activation == Activation::None {
                let found = evaluated(&layer, &[(&[rows, inputs], &input), (&[rows, outputs], &sum)]);
                assert!(error(&added, &found) < most, "{layer:?} and a sum: {}", error(&added, &found));
            }
        }
    }
}

#[test]
fn two_layers_in_one_are_the_two_one_after_the_other() {
    let mut rng = Rng::with_seed(3);
    let (rows, inputs, hidden, outputs) = (75, 32, 64, 24);
    let input = random(&mut rng, rows * inputs);
    let layer = |rng: &mut Rng, inputs: usize, outputs: usize| {
        Linear::plain(Weights::int8(&random(rng, inputs * outputs), outputs, None))
    };
    let first = Linear { activation: Activation::Gelu, ..layer(&mut rng, inputs, hidden) };
    let second = layer(&mut rng, hidden, outputs);
    let (mut between, mut wanted) = (vec![0.0; rows * hidden], vec![0.0; rows * outputs]);
    first.run(&input, &mut between, false);
    second.run(&between, &mut wanted, false);
    let both = Linear { before: Some(Arc::new(first)), ..second };
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        let mut found = vec![0.0; rows * outputs];
        pool.install(|| both.run(&input, &mut found, false));
        assert_eq!(wanted, found, "{threads} threads");
    }
}

#[test]
fn attention_is_a_mean_of_values_whatever_the_order_of_dimensions() {
    let mut rng = Rng::with_seed(4);
    let (pictures, tokens, heads, width) = (2, 100, 3, 16);
    let count = pictures * tokens * heads * width;
    let [queries, keys, values] = [(); 3].map(|()| random(&mut rng, count));
    // [picture, token, head, column]
    let at = |p: usize, t: usize, h: usize, c: usize| ((p * tokens + t) * heads + h) * width + c;
    let scale = 0.7;
    let mut wanted = vec![0.0; count];
    for (p, h, t) in (0..pictures * heads * tokens).map(|i| (i / tokens / heads, i / tokens % heads, i % tokens)) {
        let product = |s: usize| (0..width).map(|c| queries[at(p, t, h, c)] * keys[at(p, s, h, c)]).sum::<f32>();
        let weights: Vec<f32> = (0..tokens).map(|s| (scale * product(s)).exp()).collect();
        let total: f32 = weights.iter().sum();
        for c in 0..width {
            wanted[at(p, t, h, c)] = (0..tokens).map(|s| weights[s] * values[at(p, s, h, c)]).sum::<f32>() / total;
        }
    }
    for (int8, most) in [(false, 1e-5), (true, 0.02)] {
        let batch = vec![[0, 0, 0, 0], [2, 2, 2, 2]];
        let op =
            Attention { scale, batch, asking: [1, 1], asked: [1, 1], compared: [3, 3], told: [3, 3], int8, rank: 4 };
        let shape = [pictures, tokens, heads, width];
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
            let inputs = [(&shape[..], &queries[..]), (&shape[..], &keys[..]), (&shape[..], &values[..])];
            let found = pool.install(|| evaluated(&op, &inputs));
            assert!(error(&wanted, &found) < most, "int8 {int8}: {}", error(&wanted, &found));
        }
    }
}

#[test]
fn normalised_rows_have_the_mean_and_spread_that_they_should() {
    let mut rng = Rng::with_seed(5);
    let width = 45;
    let (scale, shift) = (random(&mut rng, width), random(&mut rng, width));
    let input = random(&mut rng, 4 * width);
    let op = LayerNorm { scale: Arc::new(scale.clone()), shift: Arc::new(shift.clone()), epsilon: 1e-5 };
    let found = evaluated(&op, &[(&[4, width], &input)]);
    let wanted: Vec<f32> = input
        .chunks_exact(width)
        .flat_map(|row| {
            let mean = row.iter().sum::<f32>() / width as f32;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / width as f32;
            let value = move |v: &f32| (v - mean) / (variance + 1e-5).sqrt();
            row.iter().map(value).zip(scale.iter().zip(&shift)).map(|(v, (a, b))| v * a + b).collect::<Vec<f32>>()
        })
        .collect();
    assert!(error(&wanted, &found) < 1e-5);
}

#[test]
fn patches_hold_their_squares_channel_by_channel() {
    let (height, width, side) = (4, 6, 2);
    let input: Vec<f32> = (0..2 * 3 * height * width).map(|at| at as f32).collect();
    let found = evaluated(&Patches { side }, &[(&[2, 3, height, width], &input)]);
    let mut wanted = Vec::new();
    for (picture, y, x) in (0..2 * 2 * 3).map(|at| (at / 6, at / 3 % 2, at % 3)) {
        for (channel, line, column) in (0..3 * side * side).map(|at| (at / 4, at / 2 % 2, at % 2)) {
            let place = ((picture * 3 + channel) * height + y * side + line) * width + x * side + column;
            wanted.push(input[place]);
        }
    }
    assert_eq!(wanted, found);
}

#[test]
fn everything_in_a_transformer_is_found_and_means_the_same() {
    let bytes: &[u8] = include_bytes!("../../../models/demo/vision.onnx");
    let reader = onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
    let mut model = reader.model_for_read(&mut &*bytes).expect("reads");
    let any = model.symbols.sym("N").to_dim();
    let shape: TVec<TDim> = tvec![any, 3.to_dim(), 64.to_dim(), 64.to_dim()];
    model.set_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape)).expect("its input");
    let plain = model.into_typed().expect("typed").into_decluttered().expect("simplified");
    let mut fused = plain.clone();
    fuse(&mut fused, &mut Floats).expect("fuses");
    let count = |name: &str| fused.nodes.iter().filter(|node| node.op.name() == name).count();
    assert_eq!(count("Convolutions"), 1, "the stem");
    assert_eq!(fused.nodes.iter().filter(|node| node.op_is::<EinSum>()).count(), 0, "products");
    assert_eq!((count("Attention"), count("RmsNorm"), count("LayerNorm")), (4, 0, 11));
    let input = random(&mut Rng::with_seed(6), 3 * 3 * 64 * 64);
    let input = Tensor::from_shape(&[3, 3, 64, 64], &input).expect("fits").into_tvalue();
    let run = |model: TypedModel| {
        let plan = model.into_optimized().and_then(|model| model.into_runnable()).expect("a plan");
        let outputs = plan.run(tvec![input.clone()]).expect("runs");
        outputs
            .iter()
            .flat_map(|o| o.to_plain_array_view::<f32>().expect("f32").iter().copied().collect::<Vec<_>>())
            .collect()
    };
    let (wanted, found): (Vec<f32>, Vec<f32>) = (run(plain), run(fused));
    assert!(error(&wanted, &found) < 1e-4, "{}", error(&wanted, &found));
}
