//! Exports that were quantised by others: their weights are taken as the numbers that they stand for, so that what follows
//! sees a tower like any other, and codes it for this machine. What they did to numbers on their way between layers is left
//! out; it was a loss, and slow.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// Makes products of whole numbers products of numbers again: `MatMulInteger` and `ConvInteger` on dynamically quantised
/// inputs, and pairs of `QuantizeLinear` and `DequantizeLinear`.
pub(super) fn restore(graph: &mut GraphProto) {
    let dynamic: HashMap<String, [String; 2]> = of_type(graph, "DynamicQuantizeLinear")
        .filter_map(|node| {
            Some((node.output.first()?.clone(), [node.input.first()?.clone(), node.output.get(1)?.clone()]))
        })
        .collect();
    let fixed: HashMap<String, String> = of_type(graph, "QuantizeLinear")
        .filter_map(|node| Some((node.output.first()?.clone(), node.input.first()?.clone())))
        .collect();
    if dynamic.is_empty() && fixed.is_empty() {
        return;
    }
    // Only what is in bytes: a copy of all weights would be another model in memory.
    let bytes = graph.initializer.iter().filter(|tensor| is_bytes(tensor));
    let weights: HashMap<String, TensorProto> = bytes.map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
    let (mut made, mut scales) = (HashMap::new(), HashSet::new());
    for node in &mut graph.node {
        match node.op_type.as_str() {
            "MatMulInteger" | "ConvInteger" => {
                let Some((inputs, found)) = product(node, &dynamic, &weights, &mut made) else { continue };
                node.input = inputs;
                node.op_type = node.op_type.trim_end_matches("Integer").to_owned();
                scales.extend(found);
            }
            "DequantizeLinear" => {
                let Some(before) = node.input.first().and_then(|input| fixed.get(input)) else { continue };
                node.input = vec![before.clone()];
                node.op_type = "Identity".to_owned();
                node.attribute.clear();
            }
            _ => {}
        }
    }
    // Sums are no longer of steps of the inputs' scales: those are 1 now.
    graph.node.retain(|node| {
        node.op_type != "DynamicQuantizeLinear" || node.output.get(1).is_none_or(|scale| !scales.contains(scale))
    });
    graph.initializer.extend(scales.into_iter().map(|name| floats(name, Vec::new(), &[1.0])));
    graph.initializer.extend(made.into_values());
}

fn of_type<'a>(graph: &'a GraphProto, name: &'a str) -> impl Iterator<Item = &'a NodeProto> {
    graph.node.iter().filter(move |node| node.op_type == name)
}

/// Inputs of the product of what was quantised, and the names of the scales that it was quantised with.
fn product(
    node: &NodeProto,
    dynamic: &HashMap<String, [String; 2]>,
    weights: &HashMap<String, TensorProto>,
    made: &mut HashMap<String, TensorProto>,
) -> Option<(Vec<String>, Vec<String>)> {
    let (mut inputs, mut scales) = (Vec::new(), Vec::new());
    for (side, name) in node.input.iter().take(2).enumerate() {
        if let Some([before, scale]) = dynamic.get(name) {
            inputs.push(before.clone());
            scales.push(scale.clone());
            continue;
        }
        let zero = node.input.get(2 + side).and_then(|zero| weights.get(zero));
        let restored = format!("{name}.restored");
        if !made.contains_key(&restored) {
            made.insert(restored.clone(), numbers(weights.get(name)?, zero, restored.clone())?);
        }
        inputs.push(restored);
    }
    (!scales.is_empty()).then_some((inputs, scales))
}

/// Whole numbers less their zero, which is one for all or one for each along the last dimension.
fn numbers(weights: &TensorProto, zero: Option<&TensorProto>, name: String) -> Option<TensorProto> {
    let values = whole(weights)?;
    let zeros = zero.map_or(Some(vec![0.0]), whole)?;
    let by_column = zeros.len() > 1 && weights.dims.last() == Some(&(zeros.len() as i64));
    if zeros.len() != 1 && !by_column {
        return None;
    }
    let less: Vec<f32> = values.iter().enumerate().map(|(at, value)| value - zeros[at % zeros.len()]).collect();
    Some(floats(name, weights.dims.clone(), &less))
}

fn is_bytes(tensor: &TensorProto) -> bool {
    [DataType::Int8 as i32, DataType::Uint8 as i32].contains(&tensor.data_type)
}

fn whole(tensor: &TensorProto) -> Option<Vec<f32>> {
    let signed = match tensor.data_type {
        kind if kind == DataType::Int8 as i32 => true,
        kind if kind == DataType::Uint8 as i32 => false,
        _ => return None,
    };
    if tensor.raw_data.is_empty() {
        return Some(tensor.int32_data.iter().map(|value| *value as f32).collect());
    }
    let value = |byte: &u8| if signed { f32::from(*byte as i8) } else { f32::from(*byte) };
    Some(tensor.raw_data.iter().map(value).collect())
}

fn floats(name: String, dims: Vec<i64>, values: &[f32]) -> TensorProto {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorProto { name, dims, data_type: DataType::Float as i32, raw_data, ..TensorProto::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        NodeProto { op_type: kind.to_owned(), input: names(inputs), output: names(outputs), ..NodeProto::default() }
    }

    #[test]
    fn a_product_of_bytes_is_one_of_numbers_again() {
        let bytes = |name: &str, dims: &[i64], bytes: &[u8]| TensorProto {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type: DataType::Uint8 as i32,
            raw_data: bytes.to_vec(),
            ..TensorProto::default()
        };
        let mut graph = GraphProto {
            node: vec![
                node("DynamicQuantizeLinear", &["x"], &["q", "s", "z"]),
                node("MatMulInteger", &["q", "w", "z", "wz"], &["sums"]),
                node("Cast", &["sums"], &["cast"]),
                node("Mul", &["s", "ws"], &["scales"]),
                node("Mul", &["cast", "scales"], &["y"]),
                node("QuantizeLinear", &["y", "ys", "yz"], &["yq"]),
                node("DequantizeLinear", &["yq", "ys", "yz"], &["out"]),
            ],
            initializer: vec![bytes("w", &[2, 2], &[130, 120, 128, 255]), bytes("wz", &[2], &[128, 100])],
            ..GraphProto::default()
        };
        restore(&mut graph);
        let kinds: Vec<&str> = graph.node.iter().map(|node| node.op_type.as_str()).collect();
        assert_eq!(kinds, ["MatMul", "Cast", "Mul", "Mul", "QuantizeLinear", "Identity"]);
        assert_eq!(graph.node[0].input, ["x", "w.restored"]);
        assert_eq!(graph.node[5].input, ["y"]);
        let values = |name: &str| -> Vec<f32> {
            let found = graph.initializer.iter().find(|tensor| tensor.name == name).expect("made");
            found.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        };
        assert_eq!((values("w.restored"), values("s")), (vec![2.0, 20.0, 0.0, 155.0], vec![1.0]));
    }

    #[test]
    fn what_is_not_understood_stays_as_it_is() {
        let mut graph = GraphProto {
            node: vec![
                node("DynamicQuantizeLinear", &["x"], &["q", "s", "z"]),
                node("MatMulInteger", &["q", "nowhere", "z"], &["sums"]),
            ],
            ..GraphProto::default()
        };
        let before = graph.clone();
        restore(&mut graph);
        assert_eq!(graph, before);
    }
}
