//! The token that is heard: where only one token of the last block goes on, the block's perceptron and the asking side of
//! its attention are done for that one alone. Nothing changes but the time: a twelfth less of a tower of twelve blocks.

use std::collections::{HashMap, HashSet};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::{Gather, Slice};

use super::attention::Attention;
use super::graph::constant;
use super::linear::{Dimension, Linear};
use super::norm::LayerNorm;

/// The dimension of tokens, of `[N, tokens, width]`.
const TOKENS: usize = 1;

/// Moves the choice of a token up through all that treats tokens apart.
pub fn hear_one(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes.len() {
        if let Some(place) = choice(model, id) {
            move_up(model, id, place)?;
        }
    }
    Ok(())
}

/// Which token a node chooses, if that is what it does.
fn choice(model: &TypedModel, id: usize) -> Option<usize> {
    let node = model.node(id);
    if let Some(slice) = node.op_as::<Slice>() {
        let (start, end) = (slice.start.to_usize().ok()?, slice.end.to_usize().ok()?);
        return (slice.axis == TOKENS && end == start + 1).then_some(start);
    }
    let gather = node.op_as::<Gather>()?;
    let index = constant(model, node.inputs[1])?;
    let one = gather.axis == TOKENS && index.rank() == 0;
    one.then(|| index.cast_to_scalar::<i64>().ok()?.try_into().ok()).flatten()
}

/// Whether what a node gives for a token depends on that token alone, and on whatever else it reads from other inputs.
fn by_token(node: &TypedNode) -> bool {
    if let Some(linear) = node.op_as::<Linear>() {
        linear.shape.get(TOKENS) == Some(&Dimension::Input(TOKENS)) && linear.shape.len() == 3
    } else if let Some(attention) = node.op_as::<Attention>() {
        attention.asking == [TOKENS, TOKENS]
    } else if let Some(AxisOp::Reshape(at, ..)) = node.op_as::<AxisOp>() {
        *at > TOKENS
    } else {
        node.op_is::<LayerNorm>() && node.outputs[0].fact.rank() == 3
    }
}

/// Inputs of a node that are read token by token; the others it reads whole.
fn own_inputs(node: &TypedNode) -> usize {
    if node.op_is::<Attention>() { 1 } else { node.inputs.len() }
}

fn move_up(model: &mut TypedModel, id: usize, token: usize) -> TractResult<()> {
    let order = model.eval_order()?;
    let outputs: HashSet<usize> = model.output_outlets()?.iter().map(|outlet| outlet.node).collect();
    // Upwards: all whose readers want nothing but this token of them.
    let mut apart: HashSet<usize> = HashSet::from([id]);
    for at in order.iter().rev() {
        let node = model.node(*at);
        let wanted = |inlet: &InletId| apart.contains(&inlet.node) && inlet.slot < own_inputs(model.node(inlet.node));
        let readers = node.outputs.iter().flat_map(|output| &output.successors);
        if by_token(node) && !outputs.contains(at) && readers.clone().count() > 0 && readers.clone().all(wanted) {
            apart.insert(*at);
        }
    }
    apart.remove(&id);
    if apart.is_empty() {
        return Ok(());
    }
    let mut alone: HashMap<OutletId, OutletId> = HashMap::new();
    let mut of = |model: &mut TypedModel, outlet: OutletId| -> TractResult<OutletId> {
        if let Some(known) = alone.get(&outlet) {
            return Ok(*known);
        }
        let name = format!("{}.token.{}", model.node(outlet.node).name, outlet.slot);
        let sliced = model.wire_node(name, Slice::new(TOKENS, token, token + 1), &[outlet])?[0];
        alone.insert(outlet, sliced);
        Ok(sliced)
    };
    let mut made: HashMap<usize, OutletId> = HashMap::new();
    for at in order.into_iter().filter(|at| apart.contains(at)) {
        let node = model.node(at).clone();
        let own = own_inputs(&node);
        let mut inputs = TVec::new();
        for (slot, input) in node.inputs.iter().enumerate() {
            inputs.push(match made.get(&input.node) {
                Some(outlet) if slot < own => *outlet,
                _ if slot < own => of(model, *input)?,
                _ => *input,
            });
        }
        made.insert(at, model.wire_node(format!("{}.heard", node.name), node.op, &inputs)?[0]);
    }
    let chooser = model.node(id);
    let Some(outlet) = made.get(&chooser.inputs[0].node).copied() else { return Ok(()) };
    let last = match chooser.op_is::<Gather>() {
        true => model.wire_node(format!("{}.heard", chooser.name.clone()), AxisOp::Rm(TOKENS), &[outlet])?[0],
        false => outlet,
    };
    let mut patch = TypedModelPatch::default();
    let tap = patch.tap_model(model, last)?;
    patch.shunt_outside(model, id.into(), tap)?;
    patch.apply(model)
}
