//! Reading a graph: what the rules of `fuse` and `heads` ask of it.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::einsum::EinSum;

/// The one node that reads what a node gives.
pub fn next(model: &TypedModel, id: usize) -> Option<&TypedNode> {
    let node = model.node(id);
    let output = node.outputs.first()?;
    match (node.outputs.len(), &output.successors[..]) {
        (1, [only]) if !model.output_outlets().ok()?.contains(&id.into()) => Some(model.node(only.node)),
        _ => None,
    }
}

pub fn constant(model: &TypedModel, outlet: OutletId) -> Option<Arc<Tensor>> {
    model.outlet_fact(outlet).ok()?.konst.clone()
}

pub fn is_binary<O: BinMiniOp>(node: &TypedNode) -> bool {
    node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<O>())
}

/// The constant that a node of that operation combines `from` with.
pub fn with_constant<O: BinMiniOp>(model: &TypedModel, node: &TypedNode, from: usize) -> Option<Arc<Tensor>> {
    if !is_binary::<O>(node) {
        return None;
    }
    let other = node.inputs.iter().find(|input| input.node != from)?;
    constant(model, *other)
}

pub fn scalar(tensor: &Tensor) -> Option<f32> {
    (tensor.len() == 1 && tensor.datum_type() == f32::datum_type())
        .then(|| values(tensor))
        .flatten()
        .map(|values| values[0])
}

pub fn values(tensor: &Tensor) -> Option<Vec<f32>> {
    let view = tensor.try_as_plain_ram().ok()?;
    view.as_slice::<f32>().ok().map(<[f32]>::to_vec)
}

/// A constant as a row over the last dimension. `None` if it differs along any other.
pub fn row(tensor: &Tensor, width: usize) -> Option<Vec<f32>> {
    let values = values(tensor)?;
    match values.len() {
        1 => Some(vec![values[0]; width]),
        len if len == width && tensor.shape().last() == Some(&width) => Some(values),
        _ => None,
    }
}

pub fn replace(
    model: &TypedModel,
    inputs: &[OutletId],
    op: impl Into<Box<dyn TypedOp>>,
    name: &str,
    last: usize,
) -> TractResult<Option<TypedModelPatch>> {
    let mut patch = TypedModelPatch::default();
    let taps = patch.taps(model, inputs)?;
    let out = patch.wire_node(format!("{name}.fused"), op, &taps)?;
    patch.shunt_outside(model, last.into(), out[0])?;
    Ok(Some(patch))
}

/// Where an axis is in the two inputs and the output of a product.
pub fn places(op: &EinSum) -> Option<Vec<[Option<usize>; 3]>> {
    let one = |places: &[usize]| match places {
        [] => Some(None),
        [place] => Some(Some(*place)),
        _ => None,
    };
    op.axes
        .iter_all_axes()
        .map(|axis| Some([one(&axis.inputs[0])?, one(&axis.inputs[1])?, one(&axis.outputs[0])?]))
        .collect()
}
