//! ONNX files changed as other exporters would have written them.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Size;
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};

/// A file that is being changed.
pub struct Onnx(ModelProto);

impl Onnx {
    pub fn new(bytes: &[u8]) -> Self {
        Self(ModelProto::decode(bytes).expect("an ONNX file"))
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().expect("a graph")
    }

    fn ports(&mut self) -> impl Iterator<Item = &mut ValueInfoProto> {
        let graph = self.graph();
        graph.input.iter_mut().chain(&mut graph.output)
    }

    /// Calls an input or output otherwise.
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        self.ports().filter(|port| port.name == from).for_each(|port| port.name = to.to_owned());
        for node in &mut self.graph().node {
            node.input
                .iter_mut()
                .chain(&mut node.output)
                .filter(|name| *name == from)
                .for_each(|name| *name = to.to_owned());
        }
        self
    }

    /// Declares the sizes of an input or output, 0 for free ones.
    pub fn shape(mut self, name: &str, sizes: &[i64]) -> Self {
        let dim = sizes
            .iter()
            .map(|size| Dimension { value: (*size > 0).then_some(Size::DimValue(*size)), ..Dimension::default() });
        let shape = TensorShapeProto { dim: dim.collect() };
        for port in self.ports().filter(|port| port.name == name) {
            if let Some(TypeProto { value: Some(Value::TensorType(tensor)), .. }) = &mut port.r#type {
                tensor.shape = Some(shape.clone());
            }
        }
        self
    }

    /// Declares no shape at all.
    pub fn shapeless(mut self, name: &str) -> Self {
        for port in self.ports().filter(|port| port.name == name) {
            if let Some(TypeProto { value: Some(Value::TensorType(tensor)), .. }) = &mut port.r#type {
                tensor.shape = None;
            }
        }
        self
    }

    /// Takes ids of 32 bits under another name, and widens them itself.
    pub fn narrow(mut self, input: &str, name: &str) -> Self {
        let graph = self.graph();
        let kind = Value::TensorType(Tensor { elem_type: DataType::Int32 as i32, shape: None });
        graph.input.retain(|port| port.name != input);
        graph.input.push(ValueInfoProto {
            name: name.to_owned(),
            r#type: Some(TypeProto { value: Some(kind), ..TypeProto::default() }),
            ..ValueInfoProto::default()
        });
        graph.node.insert(0, node("Cast", &[name], input, vec![number("to", DataType::Int64 as i64)]));
        self
    }

    /// Makes an output depend on how many ids there are, as that of a tower that looks at what phrases are filled up with.
    pub fn length_sensitive(mut self, ids: &str, output: &str) -> Self {
        let inner = format!("{output}_inner");
        let graph = self.graph();
        for node in &mut graph.node {
            node.output.iter_mut().filter(|name| *name == output).for_each(|name| name.clone_from(&inner));
        }
        graph.node.push(node("Size", &[ids], "how_many", Vec::new()));
        graph.node.push(node("Cast", &["how_many"], "length", vec![number("to", DataType::Float as i64)]));
        graph.node.push(node("Reciprocal", &["length"], "share", Vec::new()));
        graph.node.push(node("Add", &[&inner, "share"], output, Vec::new()));
        self
    }

    /// Moves the larger weights into a file beside this one; its content.
    pub fn outside(&mut self, file: &str) -> Vec<u8> {
        let mut content = Vec::new();
        for weight in self.graph().initializer.iter_mut().filter(|weight| weight.raw_data.len() > 1000) {
            let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
            weight.external_data = vec![
                entry("location", file.to_owned()),
                entry("offset", content.len().to_string()),
                entry("length", weight.raw_data.len().to_string()),
            ];
            weight.data_location = Some(1);
            content.append(&mut weight.raw_data);
        }
        content
    }
}

fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: format!("made_{output}"),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..NodeProto::default()
    }
}

fn number(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i: value, ..AttributeProto::default() }
}
