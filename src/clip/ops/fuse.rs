//! The transform: what a transformer is made of becomes few operations that know what they are.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::math::{Add, Mul, Sub};
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_core::ops::nn::gelu_approximate::GeluApproximate;
use tract_onnx::tract_core::ops::nn::gelu_exact::GeluExact;
use tract_onnx::tract_core::ops::nn::silu::Silu;
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer, RmsNorm, Sigmoid};

use super::conv::convolutions;
use super::graph::{constant, is_binary, next, places, replace, row, scalar, values, with_constant};
use super::heads::attention;
use super::linear::{Dimension, Linear, Weights};
use super::norm::LayerNorm;
use super::patches::Patches;
use super::rows::Activation;
use super::token::hear_one;

/// In what arithmetic the parts of a tower run.
pub trait Coder {
    /// The weights of a layer: row-major `[inputs, outputs]`.
    fn weights(&mut self, layer: &str, values: &[f32], outputs: usize) -> Arc<Weights>;

    /// Whether attention is done in 8 bits.
    fn codes_attention(&self) -> bool;

    /// The weights of a layer that stays in 32 bits whatever the others do.
    fn floats(&mut self, _: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        Arc::new(Weights::float(values, outputs, None))
    }
}

/// Everything in 32 bits.
pub struct Floats;

impl Coder for Floats {
    fn weights(&mut self, _: &str, values: &[f32], outputs: usize) -> Arc<Weights> {
        Arc::new(Weights::float(values, outputs, None))
    }

    fn codes_attention(&self) -> bool {
        false
    }
}

/// Rewrites a decluttered model. Whatever is not recognised stays as it is.
pub fn fuse(model: &mut TypedModel, coder: &mut dyn Coder) -> TractResult<()> {
    for id in 0..model.nodes.len() {
        each(model, id, layer_norm)?;
    }
    for id in 0..model.nodes.len() {
        each(model, id, |model, node| attention(model, node, coder.codes_attention()))?;
    }
    for id in 0..model.nodes.len() {
        if each(model, id, |model, node| linear(model, node, coder))?
            || each(model, id, |model, node| patches(model, node, coder))?
        {
            forget_weights(model, id)?;
        }
    }
    for id in 0..model.nodes.len() {
        each(model, id, residual)?;
    }
    for id in 0..model.nodes.len() {
        each(model, id, chain)?;
    }
    convolutions(model, coder)?;
    hear_one(model)?;
    // What was left of moving dimensions about.
    model.declutter()
}

fn each(
    model: &mut TypedModel,
    id: usize,
    rule: impl FnOnce(&TypedModel, &TypedNode) -> TractResult<Option<TypedModelPatch>>,
) -> TractResult<bool> {
    let patch = rule(model, model.node(id))?;
    let applies = patch.is_some();
    patch.map_or(Ok(()), |patch| patch.apply(model))?;
    Ok(applies)
}

/// Lets go of the constants that only a node has read in whose place there is now another: a tower's weights would be held
/// twice until the last of them is packed.
fn forget_weights(model: &mut TypedModel, id: usize) -> TractResult<()> {
    for input in model.node(id).inputs.clone() {
        let node = &mut model.nodes[input.node];
        if node.op_is::<Const>() && node.outputs[0].successors.len() == 1 {
            node.op = Box::new(Const::new(Tensor::from(0.0_f32).into())?);
            node.outputs[0].fact.konst = None;
        }
    }
    Ok(())
}

/// `RmsNorm(x - sum(x) / n)`, with a scale and a shift after it if they are there.
fn layer_norm(model: &TypedModel, node: &TypedNode) -> TractResult<Option<TypedModelPatch>> {
    rule_if_some!(op = node.op_as::<RmsNorm>());
    let fact = model.node_output_facts(node.id)?[0];
    rule_if!(op.axis + 1 == fact.rank() && fact.datum_type == f32::datum_type());
    rule_if_some!(width = fact.shape[op.axis].to_usize().ok());
    let centred = model.node(node.inputs[0].node);
    rule_if!(is_binary::<Sub>(centred));
    let (input, mean) = (centred.inputs[0], model.node(centred.inputs[1].node));
    rule_if_some!(
        share = mean.inputs.iter().find_map(|input| constant(model, *input)).and_then(|share| scalar(&share))
    );
    rule_if!(is_binary::<Mul>(mean) && (share * width as f32 - 1.0).abs() < 1e-3);
    rule_if_some!(sum = mean.inputs.iter().map(|input| model.node(input.node)).find(|node| node.op_is::<Reduce>()));
    rule_if_some!(reduce = sum.op_as::<Reduce>());
    rule_if!(reduce.reducer == Reducer::Sum && reduce.axes[..] == [op.axis] && sum.inputs[0] == input);
    let (mut last, mut scale, mut shift) = (node.id, vec![1.0; width], vec![0.0; width]);
    if let Some(factor) = next(model, last)
        && let Some(found) = with_constant::<Mul>(model, factor, last).and_then(|found| row(&found, width))
    {
        (last, scale) = (factor.id, found);
    }
    if let Some(sum) = next(model, last)
        && let Some(found) = with_constant::<Add>(model, sum, last).and_then(|found| row(&found, width))
    {
        (last, shift) = (sum.id, found);
    }
    let epsilon = op.eps.cast_to_scalar::<f32>()?;
    let norm = LayerNorm { scale: Arc::new(scale), shift: Arc::new(shift), epsilon };
    replace(model, &[input], norm, &node.name, last)
}

/// A product of something with constant weights, and what its sums go through.
fn linear(model: &TypedModel, node: &TypedNode, coder: &mut dyn Coder) -> TractResult<Option<TypedModelPatch>> {
    rule_if_some!(op = node.op_as::<EinSum>());
    rule_if!(op.axes.input_count() == 2 && op.q_params.is_none() && op.operating_dt == f32::datum_type());
    let constants = [0, 1].map(|input| constant(model, node.inputs[input]));
    let (side, weights) = match constants {
        [None, Some(weights)] => (0, weights),
        [Some(weights), None] => (1, weights),
        _ => return Ok(None),
    };
    rule_if!(weights.datum_type() == f32::datum_type());
    let input = node.inputs[side];
    let (input_fact, output_fact) = (model.outlet_fact(input)?, model.node_output_facts(node.id)?[0]);
    rule_if!(input_fact.datum_type == f32::datum_type());
    rule_if_some!(places = places(op));
    // Of each axis: its place in the input, in the weights, in the output.
    let axes: Vec<[Option<usize>; 3]> =
        places.into_iter().map(|[a, b, out]| if side == 0 { [a, b, out] } else { [b, a, out] }).collect();
    let of_input = |place: usize| axes.iter().find(|axis| axis[0] == Some(place)).expect("every place has an axis");
    let of_output = |place: usize| axes.iter().find(|axis| axis[2] == Some(place)).expect("every place has an axis");
    let is_one = |dimension: &TDim| dimension.is_one();
    // The input: kept dimensions, then those that are summed over.
    let mut order = Vec::new();
    let mut kept = Vec::new();
    for place in 0..input_fact.rank() {
        match of_input(place) {
            [_, Some(weight), None] => order.push(*weight),
            [_, None, Some(out)] if order.is_empty() => kept.push(*out),
            [_, None, _] if is_one(&input_fact.shape[place]) => {}
            _ => return Ok(None),
        }
    }
    rule_if!(!order.is_empty());
    let big = |out: &usize| !is_one(&output_fact.shape[*out]);
    rule_if!(kept.iter().filter(|out| big(out)).is_sorted());
    // The output: the kept ones, then the layer's own.
    let (mut shape, mut columns) = (Vec::new(), Vec::new());
    for place in 0..output_fact.rank() {
        shape.push(match of_output(place) {
            [None, Some(weight), _] => {
                columns.push(*weight);
                Dimension::Outputs(weights.shape()[*weight])
            }
            [Some(input), None, _] if columns.is_empty() || is_one(&output_fact.shape[place]) => {
                Dimension::Input(*input)
            }
            [None, None, _] => Dimension::One,
            _ => return Ok(None),
        });
    }
    rule_if!(!columns.is_empty());
    // Dimensions of the weights that nothing reads are 1.
    let spare: Vec<usize> =
        (0..weights.rank()).filter(|axis| !order.contains(axis) && !columns.contains(axis)).collect();
    rule_if!(spare.iter().all(|axis| weights.shape()[*axis] == 1));
    let outputs: usize = columns.iter().map(|axis| weights.shape()[*axis]).product();
    let permutation: Vec<usize> = spare.into_iter().chain(order).chain(columns).collect();
    rule_if_some!(row_major = values(&weights.as_ref().clone().permute_axes(&permutation)?));
    let mut row_major = row_major;
    let (mut last, mut bias, mut activation) = (node.id, vec![0.0; outputs], Activation::None);
    // Scales of weights that somebody has quantised.
    if let Some(product) = next(model, last)
        && let Some(found) =
            with_constant::<Mul>(model, product, last).and_then(|found| bias_of(&found, &shape, outputs))
    {
        last = product.id;
        for row in row_major.chunks_exact_mut(outputs) {
            row.iter_mut().zip(&found).for_each(|(weight, scale)| *weight *= scale);
        }
    }
    if let Some(sum) = next(model, last)
        && let Some(found) = with_constant::<Add>(model, sum, last).and_then(|found| bias_of(&found, &shape, outputs))
    {
        (last, bias) = (sum.id, found);
    }
    if let Some((end, found)) = activation_after(model, last) {
        (last, activation) = (end, found);
    }
    let weights = coder.weights(&node.name, &row_major, outputs);
    let layer = Linear { before: None, weights, bias: Arc::new(bias), activation, shape };
    replace(model, &[input], layer, &node.name, last)
}

/// A constant that the output meets as a row over the layer's outputs. `None` if it differs along any other dimension.
fn bias_of(constant: &Tensor, shape: &[Dimension], outputs: usize) -> Option<Vec<f32>> {
    if constant.len() == 1 {
        return scalar(constant).map(|value| vec![value; outputs]);
    }
    let aligned = constant.rank() == shape.len();
    let fits = constant.shape().iter().zip(shape).all(|(found, dimension)| match dimension {
        Dimension::Outputs(count) => found == count,
        _ => *found == 1,
    });
    (aligned && fits).then(|| values(constant)).flatten()
}

fn activation_after(model: &TypedModel, id: usize) -> Option<(usize, Activation)> {
    let node = model.node(id);
    let readers: Vec<&TypedNode> =
        node.outputs.first()?.successors.iter().map(|inlet| model.node(inlet.node)).collect();
    match readers[..] {
        [only] => {
            let op = only.op_as::<ElementWiseOp>()?;
            let found = if op.0.is::<GeluExact>() {
                Activation::Gelu
            } else if op.0.downcast_ref::<GeluApproximate>().is_some_and(|gelu| !gelu.fast_impl) {
                Activation::GeluTanh
            } else if op.0.is::<Silu>() {
                Activation::Swish(1.0)
            } else {
                return None;
            };
            Some((only.id, found))
        }
        // x * sigmoid(alpha * x)
        [a, b] => {
            let (factor, product) = if with_constant::<Mul>(model, a, id).is_some() { (a, b) } else { (b, a) };
            let alpha = with_constant::<Mul>(model, factor, id).and_then(|alpha| scalar(&alpha))?;
            let sigmoid = next(model, factor.id)?;
            let is_sigmoid = sigmoid.op_as::<ElementWiseOp>().is_some_and(|op| op.0.is::<Sigmoid>());
            let closes = next(model, sigmoid.id)?.id == product.id && is_binary::<Mul>(product);
            (is_sigmoid && closes).then_some((product.id, Activation::Swish(alpha)))
        }
        _ => None,
    }
}

/// A sum of a layer with something else of its shape.
fn residual(model: &TypedModel, node: &TypedNode) -> TractResult<Option<TypedModelPatch>> {
    rule_if_some!(op = node.op_as::<Linear>());
    rule_if!(op.activation == Activation::None && node.inputs.len() == 1);
    rule_if_some!(sum = next(model, node.id));
    rule_if!(is_binary::<Add>(sum));
    rule_if_some!(other = sum.inputs.iter().find(|input| input.node != node.id));
    let (fact, own) = (model.outlet_fact(*other)?, model.node_output_facts(node.id)?[0]);
    rule_if!(fact.konst.is_none() && fact.shape == own.shape && fact.datum_type == own.datum_type);
    replace(model, &[node.inputs[0], *other], op.clone(), &node.name, sum.id)
}

/// Two layers of which the second alone reads the first.
fn chain(model: &TypedModel, node: &TypedNode) -> TractResult<Option<TypedModelPatch>> {
    rule_if_some!(op = node.op_as::<Linear>());
    rule_if!(op.before.is_none());
    let first = model.node(node.inputs[0].node);
    rule_if_some!(before = first.op_as::<Linear>());
    rule_if!(before.before.is_none() && first.inputs.len() == 1);
    rule_if!(next(model, first.id).is_some_and(|reader| reader.id == node.id));
    // Rows stay rows: every dimension but the last goes through both in its place.
    let straight =
        before.shape.iter().enumerate().rev().skip(1).all(|(place, dimension)| *dimension == Dimension::Input(place));
    rule_if!(straight && matches!(before.shape.last(), Some(Dimension::Outputs(_))));
    let inputs: Vec<OutletId> = first.inputs.iter().chain(&node.inputs[1..]).copied().collect();
    let both = Linear { before: Some(Arc::new(before.clone())), ..op.clone() };
    replace(model, &inputs, both, &node.name, node.id)
}

/// A convolution whose stride is its kernel: a linear layer on squares of the picture.
fn patches(model: &TypedModel, node: &TypedNode, coder: &mut dyn Coder) -> TractResult<Option<TypedModelPatch>> {
    rule_if_some!(op = node.op_as::<Conv>());
    let spec = &op.pool_spec;
    rule_if!(
        op.group == 1
            && op.q_params.is_none()
            && op.kernel_fmt == KernelFormat::OIHW
            && spec.data_format == DataFormat::NCHW
    );
    rule_if!(spec.dilations.iter().flatten().all(|dilation| *dilation == 1));
    let [side, other] = spec.kernel_shape[..] else { return Ok(None) };
    rule_if!(side == other && spec.strides.as_deref() == Some(&[side, side]));
    let unpadded = match &spec.padding {
        PaddingSpec::Valid => true,
        PaddingSpec::Explicit(before, after) => before.iter().chain(after).all(|pixels| *pixels == 0),
        _ => false,
    };
    let (input, output) = (model.outlet_fact(node.inputs[0])?, model.node_output_facts(node.id)?[0]);
    rule_if_some!(size = input.shape[2].to_usize().ok().zip(input.shape[3].to_usize().ok()));
    rule_if!(unpadded && size.0 % side == 0 && size.1 % side == 0 && input.datum_type == f32::datum_type());
    let (Some(kernel), Some(bias)) = (constant(model, node.inputs[1]), constant(model, node.inputs[2])) else {
        return Ok(None);
    };
    let outputs = spec.output_channels;
    let kernel =
        kernel.as_ref().clone().into_shape(&[outputs, spec.input_channels * side * side])?.permute_axes(&[1, 0])?;
    rule_if_some!(row_major = values(&kernel));
    rule_if_some!(bias = row(&bias, outputs));
    let weights = coder.weights(&node.name, &row_major, outputs);
    let shape = vec![Dimension::Input(0), Dimension::Input(1), Dimension::Outputs(outputs)];
    let layer = Linear { before: None, weights, bias: Arc::new(bias), activation: Activation::None, shape };
    let mut patch = TypedModelPatch::default();
    let mut wire = patch.taps(model, &node.inputs[..1])?;
    wire = patch.wire_node(format!("{}.patches", node.name), Patches { side }, &wire)?;
    wire = patch.wire_node(format!("{}.fused", node.name), layer, &wire)?;
    // As the convolution gives it: channels first, rows and columns apart.
    wire = patch.wire_node(format!("{}.channels", node.name), AxisOp::Move(2, 1), &wire)?;
    let [rows, columns] = [output.shape[2].clone(), output.shape[3].clone()];
    let apart = AxisOp::Reshape(2, tvec![rows.clone() * columns.clone()], tvec![rows, columns]);
    wire = patch.wire_node(format!("{}.square", node.name), apart, &wire)?;
    patch.shunt_outside(model, node.id.into(), wire[0])?;
    Ok(Some(patch))
}
