//! What a node of a graph does, if it is something that a network of convolutions can do.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Max, Min, Mul, Sub};
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_core::ops::nn::NearestUpsample;
use tract_onnx::tract_core::ops::nn::gelu_approximate::GeluApproximate;
use tract_onnx::tract_core::ops::nn::gelu_exact::GeluExact;
use tract_onnx::tract_core::ops::nn::silu::Silu;

use super::super::graph::{constant, is_binary, places, row, scalar, values};
use super::super::rows::Activation;
use super::layer::{Size, Window};

/// What a node does.
#[derive(Debug)]
pub(super) enum Work {
    /// Weights are row-major `[rows of the window * columns * channels, outputs]`.
    Dense { window: Window, weights: Vec<f32>, bias: Vec<f32> },
    /// Weights are `[rows of the window * columns, channels]`.
    Depthwise { window: Window, weights: Vec<f32>, bias: Vec<f32> },
    /// With the other outlet.
    Add(OutletId),
    /// By channel.
    Scale { scale: Vec<f32>, shift: Vec<f32> },
    /// Each pixel so many times as large.
    Enlarge([usize; 2]),
    /// Of each value.
    Activation(Activation),
}

/// What a node does with which value.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) work: Work,
    pub(super) from: OutletId,
    /// Of what comes out.
    pub(super) size: Size,
}

/// The size of what lies there, if it is `[N, channels, rows, columns]` in 32 bits.
pub(super) fn size(fact: &TypedFact) -> Option<Size> {
    let [_, channels, rows, columns] = &fact.shape[..] else { return None };
    let size =
        Size { rows: rows.to_usize().ok()?, columns: columns.to_usize().ok()?, channels: channels.to_usize().ok()? };
    (fact.datum_type == f32::datum_type() && fact.konst.is_none() && size.len() > 0).then_some(size)
}

/// `None` if it is nothing of the kind.
pub(super) fn read(model: &TypedModel, node: &TypedNode) -> Option<Read> {
    let [output] = &node.outputs[..] else { return None };
    let to = size(&output.fact)?;
    let (from, work) = if let Some(op) = node.op_as::<Conv>() {
        (node.inputs[0], convolution(model, node, op, to)?)
    } else if let Some(op) = node.op_as::<EinSum>() {
        pointwise(model, node, op)?
    } else if let Some(op) = node.op_as::<NearestUpsample>() {
        let [1, 1, rows, columns] = op.scales[..] else { return None };
        (node.inputs[0], Work::Enlarge([rows, columns]))
    } else if let Some(op) = node.op_as::<ElementWiseOp>() {
        (node.inputs[0], Work::Activation(activation(op)?))
    } else {
        binary(model, node, to)?
    };
    size(model.outlet_fact(from).ok()?)?;
    Some(Read { work, from, size: to })
}

fn convolution(model: &TypedModel, node: &TypedNode, op: &Conv, to: Size) -> Option<Work> {
    let spec = &op.pool_spec;
    let plain = op.q_params.is_none()
        && op.kernel_fmt == KernelFormat::OIHW
        && spec.data_format == DataFormat::NCHW
        && spec.dilations.iter().flatten().all(|dilation| *dilation == 1);
    if !plain {
        return None;
    }
    let from = size(model.outlet_fact(node.inputs[0]).ok()?)?;
    let padding = spec.computed_padding(&[from.rows, from.columns]);
    let (kernel, stride) = (&spec.kernel_shape, spec.strides());
    let window = Window {
        kernel: [kernel[0], kernel[1]],
        stride: [stride[0], stride[1]],
        before: [padding[0].pad_before, padding[1].pad_before],
    };
    let weights = constant(model, node.inputs[1])?;
    let bias = row(&*constant(model, node.inputs[2])?, to.channels)?;
    let weights = weights.as_ref().clone();
    if op.group == 1 {
        let weights = values(&weights.permute_axes(&[2, 3, 1, 0]).ok()?)?;
        Some(Work::Dense { window, weights, bias })
    } else if op.group == from.channels && op.group == to.channels {
        let weights = values(&weights.permute_axes(&[1, 2, 3, 0]).ok()?)?;
        Some(Work::Depthwise { window, weights, bias })
    } else {
        None
    }
}

/// A product of each pixel's channels with constant weights.
fn pointwise(model: &TypedModel, node: &TypedNode, op: &EinSum) -> Option<(OutletId, Work)> {
    if node.inputs.len() != 2 || op.q_params.is_some() || op.operating_dt != f32::datum_type() {
        return None;
    }
    let (input, weights) = match [0, 1].map(|input| constant(model, node.inputs[input])) {
        [None, Some(weights)] => (0, weights),
        [Some(weights), None] => (1, weights),
        _ => return None,
    };
    // Of each axis: its place in the input, in the weights, in the output.
    let axes: Vec<[Option<usize>; 3]> =
        places(op)?.into_iter().map(|[a, b, out]| if input == 0 { [a, b, out] } else { [b, a, out] }).collect();
    let (mut summed, mut given) = (None, None);
    for axis in &axes {
        match axis {
            [Some(1), Some(weight), None] => summed = Some(*weight),
            [None, Some(weight), Some(1)] => given = Some(*weight),
            [Some(a), None, Some(b)] if a == b && *a != 1 => {}
            _ => return None,
        }
    }
    let (summed, given) = (summed?, given?);
    if weights.rank() != 2 {
        return None;
    }
    let outputs = weights.shape()[given];
    let weights = values(&weights.as_ref().clone().permute_axes(&[summed, given]).ok()?)?;
    let window = Window { kernel: [1, 1], stride: [1, 1], before: [0, 0] };
    Some((node.inputs[input], Work::Dense { window, weights, bias: vec![0.0; outputs] }))
}

fn activation(op: &ElementWiseOp) -> Option<Activation> {
    if op.0.is::<GeluExact>() {
        Some(Activation::Gelu)
    } else if op.0.downcast_ref::<GeluApproximate>().is_some_and(|gelu| !gelu.fast_impl) {
        Some(Activation::GeluTanh)
    } else if op.0.is::<Silu>() {
        Some(Activation::Swish(1.0))
    } else {
        None
    }
}

fn binary(model: &TypedModel, node: &TypedNode, to: Size) -> Option<(OutletId, Work)> {
    let [a, b] = node.inputs[..] else { return None };
    let (from, other) = match (constant(model, a), constant(model, b)) {
        (None, None) => {
            let same = |outlet| model.outlet_fact(outlet).ok().and_then(size) == Some(to);
            return (is_binary::<Add>(node) && a != b && same(a) && same(b)).then_some((a, Work::Add(b)));
        }
        (None, Some(other)) => (a, other),
        (Some(other), None) if !is_binary::<Sub>(node) => (b, other),
        _ => return None,
    };
    if size(model.outlet_fact(from).ok()?)? != to {
        return None;
    }
    let work = if is_binary::<Max>(node) {
        Work::Activation(Activation::Clamp(scalar(&other)?, f32::MAX))
    } else if is_binary::<Min>(node) {
        Work::Activation(Activation::Clamp(f32::MIN, scalar(&other)?))
    } else {
        let other = by_channel(&other, to.channels)?;
        let (ones, zeros) = (vec![1.0; to.channels], vec![0.0; to.channels]);
        if is_binary::<Add>(node) {
            Work::Scale { scale: ones, shift: other }
        } else if is_binary::<Sub>(node) {
            Work::Scale { scale: ones, shift: other.into_iter().map(|value| -value).collect() }
        } else if is_binary::<Mul>(node) {
            Work::Scale { scale: other, shift: zeros }
        } else {
            return None;
        }
    };
    Some((from, work))
}

/// A constant as the channels of a picture meet it. `None` if it differs from pixel to pixel.
fn by_channel(tensor: &Tensor, channels: usize) -> Option<Vec<f32>> {
    if tensor.len() == 1 {
        return scalar(tensor).map(|value| vec![value; channels]);
    }
    // Shapes are aligned at their ends.
    let own = tensor.rank().checked_sub(3)?;
    (tensor.len() == channels && tensor.shape()[own] == channels).then(|| values(tensor)).flatten()
}
