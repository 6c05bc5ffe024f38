//! Dense looks with a published tower: what each patch shows, in the space of the whole picture.
//!
//! A CLIP is trained to say one thing of a picture, by its class token; in its last block patches gather what the class
//! token is to hear, and no longer tell what lies on them. So the last block is gone through once more in another way: each
//! patch attends to those whose keys are like its own, and what was there before and the block's perceptron are left out
//! (SCLIP, Wang et al. 2024; ClearCLIP, Lan et al. 2024). All else is shared: it costs little more than a look.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::{Gather, Slice};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::math::{Div, Mul};

use super::attention::Attention;
use super::linear::{Dimension, Linear};
use super::norm::LayerNorm;

/// What stands between the last block and the embedding.
enum Tail {
    Norm(LayerNorm),
    Linear(Linear),
}

/// Adds an output `[N, patches, width]` to a fused tower whose first output is `[N, width]`. False if the tower is not built
/// in a way that is known.
pub fn add_patches(model: &mut TypedModel) -> TractResult<bool> {
    let Some((last, tail)) = tail(model)? else { return Ok(false) };
    // The perceptron adds to what attention has added to what was there.
    let block = model.node(last).inputs.last().map(|input| model.node(input.node));
    let Some(project) = block.and_then(|node| node.op_as::<Linear>().map(|op| (node, op.clone()))) else {
        return Ok(false);
    };
    let (project_node, project) = project;
    let heads = model.node(project_node.inputs[0].node);
    let Some(attention) = heads.op_as::<Attention>() else { return Ok(false) };
    let (keys, values) = (heads.inputs[1], heads.inputs[2]);
    let alike = Attention {
        batch: attention.batch.iter().map(|[_, key, value, out]| [*key, *key, *value, *out]).collect(),
        asking: [attention.asked[0], attention.asking[1]],
        compared: [attention.compared[1]; 2],
        ..attention.clone()
    };
    let mut wire = model.wire_node("dense.attention", alike, &[keys, keys, values])?[0];
    wire = model.wire_node("dense.project", Linear { before: None, ..project }, &[wire])?[0];
    for (index, part) in tail.into_iter().enumerate() {
        let name = format!("dense.tail.{index}");
        wire = match part {
            Tail::Norm(norm) => model.wire_node(name, norm, &[wire])?[0],
            Tail::Linear(linear) => {
                let outputs = linear.bias.len();
                let shape = vec![Dimension::Input(0), Dimension::Input(1), Dimension::Outputs(outputs)];
                model.wire_node(name, Linear { shape, ..linear }, &[wire])?[0]
            }
        };
    }
    let fact = model.outlet_fact(wire)?.clone();
    let Some(tokens) = (fact.rank() == 3).then(|| fact.shape[1].to_usize().ok()).flatten() else { return Ok(false) };
    // Without a class token all of them are patches.
    if tokens.isqrt().pow(2) != tokens {
        wire = model.wire_node("dense.patches", Slice::new(1, 1, tokens), &[wire])?[0];
    }
    let mut outputs = model.output_outlets()?.to_vec();
    outputs.push(wire);
    model.select_output_outlets(&outputs)?;
    Ok(true)
}

/// The node that ends the last block, and what follows it on the way to the first output, in order.
fn tail(model: &TypedModel) -> TractResult<Option<(usize, Vec<Tail>)>> {
    let mut parts = Vec::new();
    let mut at = model.output_outlets()?[0];
    // More than any tower has.
    for _ in 0..16 {
        let node = model.node(at.node);
        if let Some(norm) = node.op_as::<LayerNorm>() {
            parts.push(Tail::Norm(norm.clone()));
        } else if let Some(linear) = node.op_as::<Linear>() {
            if node.inputs.len() == 2 {
                parts.reverse();
                return Ok(Some((node.id, parts)));
            }
            if let Some(before) = &linear.before {
                parts.push(Tail::Linear(Linear { before: None, ..linear.clone() }));
                parts.push(Tail::Linear(Linear::clone(before)));
            } else {
                parts.push(Tail::Linear(linear.clone()));
            }
        } else if node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<Div>() || op.0.is::<Mul>()) {
            // An embedding that is made a unit long, by its own length.
            let own = node.inputs.iter().find(|input| {
                let node = model.node(input.node);
                node.op_is::<Linear>() || node.op_is::<LayerNorm>()
            });
            let Some(own) = own else { return Ok(None) };
            at = *own;
            continue;
        } else if !(node.op_is::<Gather>() || node.op_is::<Slice>() || node.op_is::<AxisOp>()) {
            return Ok(None);
        }
        at = node.inputs[0];
    }
    Ok(None)
}
