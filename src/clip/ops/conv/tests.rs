//! Networks against the same graph as tract runs it.

use fastrand::Rng;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math::{add, max, min, mul};
use tract_onnx::tract_core::ops::nn::{DataFormat, NearestUpsample};

use super::super::fuse::Floats;
use super::layer::Step;
use super::{Network, convolutions};

/// Size of the difference as a share of the size of what was wanted: sums in another order, no more.
const SAME: f32 = 1e-5;

/// A graph as an exporter would write it.
struct Sketch {
    model: TypedModel,
    rng: Rng,
    names: usize,
}

impl Sketch {
    fn new(seed: u64, channels: usize, rows: usize, columns: usize) -> (Self, OutletId) {
        let mut model = TypedModel::default();
        let any = model.symbols.sym("N").to_dim();
        let shape = [any, channels.to_dim(), rows.to_dim(), columns.to_dim()];
        let source = model.add_source("pixels", f32::fact(shape)).expect("a source");
        (Self { model, rng: Rng::with_seed(seed), names: 0 }, source)
    }

    fn wire(&mut self, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> OutletId {
        self.names += 1;
        self.model.wire_node(format!("n{}", self.names), op, inputs).expect("fits")[0]
    }

    fn random(&mut self, shape: &[usize]) -> OutletId {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.rng.f32() * 2.0 - 0.9).collect();
        self.constant(shape, &values)
    }

    fn constant(&mut self, shape: &[usize], values: &[f32]) -> OutletId {
        self.names += 1;
        let tensor = Tensor::from_shape(shape, values).expect("fits");
        self.model.add_const(format!("c{}", self.names), tensor).expect("a constant")
    }

    fn channels(&self, from: OutletId) -> usize {
        self.model.outlet_fact(from).expect("there").shape[1].to_usize().expect("known")
    }

    /// `group` 0 is one a channel.
    fn convolve(&mut self, from: OutletId, to: usize, side: usize, stride: usize, group: usize) -> OutletId {
        let channels = self.channels(from);
        let (to, group) = if group == 0 { (channels, channels) } else { (to, group) };
        let pad = side / 2;
        let spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec![side, side],
            padding: PaddingSpec::Explicit(tvec![pad, pad], tvec![pad, pad]),
            dilations: None,
            strides: Some(tvec![stride, stride]),
            input_channels: channels,
            output_channels: to,
        };
        let weights = self.random(&[to, channels / group, side, side]);
        let bias = self.random(&[to]);
        self.wire(Conv::new(spec, KernelFormat::OIHW, group, None), &[from, weights, bias])
    }

    fn relu6(&mut self, from: OutletId) -> OutletId {
        let (low, high) = (self.constant(&[1, 1, 1, 1], &[0.0]), self.constant(&[1, 1, 1, 1], &[6.0]));
        let floor = self.wire(max(), &[from, low]);
        self.wire(min(), &[floor, high])
    }

    /// The graph's outputs as tract gives them and as they are once convolutions are found, with the networks of these.
    fn both_ways(mut self, outputs: &[OutletId], pictures: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>, Vec<Network>) {
        self.model.select_output_outlets(outputs).expect("there");
        let plain = self.model.into_decluttered().expect("simplified");
        let mut found = plain.clone();
        convolutions(&mut found, &mut Floats).expect("finds");
        let found = found.into_decluttered().expect("simplified");
        assert!(!found.nodes.iter().any(|node| node.op_is::<Conv>()), "nothing is left of what is replaced");
        let networks = found.nodes.iter().filter_map(|node| node.op_as::<Network>().cloned()).collect();
        let shape: Vec<usize> =
            (plain.input_fact(0).expect("one").shape.iter()).map(|size| size.to_usize().unwrap_or(pictures)).collect();
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| self.rng.f32() * 2.0 - 1.0).collect();
        let input = Tensor::from_shape(&shape, &values).expect("fits").into_tvalue();
        let run = |model: TypedModel| {
            let plan = model.into_optimized().and_then(|model| model.into_runnable()).expect("a plan");
            // Twice: scratch is left from the first time.
            plan.run(tvec![input.clone()]).expect("runs");
            let outputs = plan.run(tvec![input.clone()]).expect("runs");
            let values = |o: &TValue| o.to_plain_array_view::<f32>().expect("f32").iter().copied().collect();
            outputs.iter().map(values).collect()
        };
        (run(plain), run(found), networks)
    }
}

fn check(sketch: Sketch, outputs: &[OutletId], pictures: usize, layers: usize) {
    let (wanted, found, networks) = sketch.both_ways(outputs, pictures);
    let counts: Vec<usize> = networks.iter().map(|network| network.layers().len()).collect();
    assert_eq!(counts, [layers], "layers of the networks");
    for (wanted, found) in wanted.iter().zip(&found) {
        assert_eq!(wanted.len(), found.len());
        let size: f32 = wanted.iter().map(|value| value * value).sum();
        let error: f32 = wanted.iter().zip(found).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!((error / size).sqrt() < SAME, "{}", (error / size).sqrt());
    }
}

#[test]
fn depthwise_convolutions_of_all_shapes() {
    let mut seed = 0;
    for side in [3, 5, 7] {
        for stride in [1, 2] {
            for (channels, rows, columns) in [(5, 9, 7), (16, 3, 3), (37, 1, 2), (100, 8, 5), (128, 2, 11)] {
                seed += 1;
                let (mut sketch, source) = Sketch::new(seed, channels, rows, columns);
                let mut wire = sketch.convolve(source, channels, side, stride, 0);
                wire = sketch.relu6(wire);
                check(sketch, &[wire], 2, 1);
            }
        }
    }
}

#[test]
fn full_convolutions_of_all_shapes() {
    let mut seed = 100;
    for (side, stride) in [(3, 1), (3, 2), (5, 2), (1, 2)] {
        for (channels, to, rows, columns) in [(3, 32, 9, 12), (17, 5, 4, 4), (64, 70, 5, 3)] {
            seed += 1;
            let (mut sketch, source) = Sketch::new(seed, channels, rows, columns);
            let mut wire = sketch.convolve(source, to, side, stride, 1);
            wire = sketch.relu6(wire);
            // A convolution of one pixel alone is left to tract.
            wire = sketch.convolve(wire, 4, 3, 1, 0);
            check(sketch, &[wire], 3, 2);
        }
    }
}

/// Residuals inside and outside of a convolution, what is read more than once, two outputs, what joins maps of two sizes.
#[test]
fn a_network_with_all_there_is() {
    for seed in 200..216 {
        let (rows, columns) = (6 + 4 * (seed as usize % 4), 12);
        let (mut sketch, source) = Sketch::new(seed, 3, rows, columns);
        let stem = sketch.convolve(source, 24, 3, 1, 1);
        let stem = sketch.relu6(stem);
        // Inverted residual.
        let wide = sketch.convolve(stem, 48, 1, 1, 1);
        let wide = sketch.relu6(wide);
        let wide = sketch.convolve(wide, 48, 5, 1, 0);
        let wide = sketch.relu6(wide);
        let narrow = sketch.convolve(wide, 24, 1, 1, 1);
        let sum = sketch.wire(add(), &[stem, narrow]);
        // Down, up, and together; with a factor by channel.
        let down = sketch.convolve(sum, 24, 3, 2, 0);
        let factor = sketch.random(&[1, 24, 1, 1]);
        let down = sketch.wire(mul(), &[down, factor]);
        let up = sketch.wire(NearestUpsample { scales: tvec![1, 1, 2, 2] }, &[down]);
        let both = sketch.wire(add(), &[sum, up]);
        let low = sketch.constant(&[1, 1, 1, 1], &[0.0]);
        let both = sketch.wire(max(), &[both, low]);
        let factor = sketch.random(&[1, 24, 1, 1]);
        let scaled = sketch.wire(mul(), &[both, factor]);
        let end = sketch.convolve(scaled, 10, 1, 1, 1);
        // stem, expand, depthwise, project and sum, depthwise, enlarge, sum, scale, last
        check(sketch, &[end, both], 1 + seed as usize % 3, 9);
    }
}

/// A graph that leaves the network and comes back into it has two of them.
#[test]
fn what_leaves_and_comes_back_is_two_networks() {
    let (mut sketch, source) = Sketch::new(300, 8, 6, 6);
    let first = sketch.convolve(source, 8, 3, 1, 0);
    let away = sketch.wire(tract_onnx::tract_core::ops::math::tanh(), &[first]);
    let sum = sketch.wire(add(), &[first, away]);
    let last = sketch.convolve(sum, 8, 3, 1, 0);
    let (wanted, found, networks) = sketch.both_ways(&[last], 2);
    assert_eq!(networks.len(), 2);
    for network in networks {
        let last = network.layers().last().map(|layer| &layer.step);
        assert!(matches!(last, Some(Step::Depthwise { .. })), "{network:?}");
    }
    let most = wanted[0].iter().zip(&found[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(most < 1e-4, "{most}");
}
