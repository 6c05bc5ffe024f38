//! The rule that finds attention in a graph, by its softmax.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::math::Mul;
use tract_onnx::tract_core::ops::nn::Softmax;

use super::attention::Attention;
use super::graph::{constant, is_binary, next, places, replace, scalar};

/// `softmax(scale * Q Kt) V`, found by its softmax.
pub fn attention(model: &TypedModel, node: &TypedNode, int8: bool) -> TractResult<Option<TypedModelPatch>> {
    rule_if_some!(softmax = node.op_as::<Softmax>());
    rule_if!(softmax.axes.len() == 1 && softmax.quant_output_dt.is_none());
    let mut scale = 1.0;
    let mut product = model.node(node.inputs[0].node);
    if is_binary::<Mul>(product) {
        rule_if_some!(side = product.inputs.iter().position(|input| constant(model, *input).is_some()));
        rule_if_some!(factor = constant(model, product.inputs[side]).and_then(|factor| scalar(&factor)));
        scale = factor;
        product = model.node(product.inputs[1 - side].node);
    }
    rule_if_some!(compare = product.op_as::<EinSum>());
    rule_if_some!(sum = next(model, node.id));
    rule_if_some!(tell = sum.op_as::<EinSum>());
    for op in [compare, tell] {
        rule_if!(op.axes.input_count() == 2 && op.q_params.is_none() && op.operating_dt == f32::datum_type());
    }
    rule_if!(model.node_output_facts(product.id)?[0].datum_type == f32::datum_type());
    rule_if_some!(compare = places(compare));
    rule_if_some!(tell = places(tell));
    let weights_side = usize::from(sum.inputs[1].node == node.id);
    let values = sum.inputs[1 - weights_side];
    // As if the weights always came first.
    let tell: Vec<[Option<usize>; 3]> =
        tell.into_iter().map(|[a, b, out]| if weights_side == 0 { [a, b, out] } else { [b, a, out] }).collect();
    let asked_axis = softmax.axes[0];
    // Queries are the side that has no axis of the asked tokens.
    rule_if_some!(asked = compare.iter().find(|axis| axis[2] == Some(asked_axis)));
    let swapped = asked[0].is_some();
    rule_if!(asked[0].is_some() != asked[1].is_some());
    let compare: Vec<[Option<usize>; 3]> =
        compare.into_iter().map(|[a, b, out]| if swapped { [b, a, out] } else { [a, b, out] }).collect();
    let (queries, keys) =
        if swapped { (product.inputs[1], product.inputs[0]) } else { (product.inputs[0], product.inputs[1]) };
    let told_of = |place: usize| tell.iter().find(|axis| axis[0] == Some(place));
    let size = |place: usize| model.node_output_facts(product.id).map(|facts| facts[0].shape[place].clone());
    let (mut batch, mut asking, mut asked, mut compared) = (Vec::new(), None, None, None);
    for axis in &compare {
        match *axis {
            [Some(query), Some(key), Some(place)] => {
                let Some([_, Some(value), Some(out)]) = told_of(place) else { return Ok(None) };
                batch.push([query, key, *value, *out]);
            }
            [Some(query), Some(key), None] if compared.is_none() => compared = Some([query, key]),
            [Some(query), None, Some(place)] => {
                let Some([_, None, Some(out)]) = told_of(place) else { return Ok(None) };
                if asking.is_some() || size(place)?.is_one() {
                    return Ok(None);
                }
                asking = Some([query, *out]);
            }
            [None, Some(key), Some(place)] if place == asked_axis && asked.is_none() => {
                let Some([_, Some(value), None]) = told_of(place) else { return Ok(None) };
                asked = Some([key, *value]);
            }
            _ => return Ok(None),
        }
    }
    let mut told = None;
    for axis in &tell {
        match *axis {
            [None, Some(value), Some(out)] if told.is_none() => told = Some([value, out]),
            [None, ..] => return Ok(None),
            _ => {}
        }
    }
    rule_if_some!(asking = asking);
    rule_if_some!(asked = asked);
    rule_if_some!(compared = compared);
    rule_if_some!(told = told);
    let rank = model.node_output_facts(sum.id)?[0].rank();
    rule_if!(batch.len() + 2 == rank);
    let op = Attention { scale, batch, asking, asked, compared, told, int8, rank };
    replace(model, &[queries, keys, values], op, &node.name, sum.id)
}
