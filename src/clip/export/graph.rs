//! What an ONNX file declares: its inputs, outputs, weights and scale.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{ModelProto, TensorProto, ValueInfoProto};

use crate::clip::error::ModelError;
use crate::clip::onnx::Graph;

/// Names of projected embeddings, beginning with the most particular.
const IMAGE_OUTPUTS: &[&str] = &["image_embeds", "image_features", "image_embedding", "image_embeddings"];
const TEXT_OUTPUTS: &[&str] = &["text_embeds", "text_features", "text_embedding", "text_embeddings"];
const ANY_OUTPUTS: &[&str] = &["embedding", "embeddings", "features", "output"];
/// Outputs that are no embedding in the space that both towers share.
const UNPROJECTED: &[&str] =
    &["pooler_output", "last_hidden_state", "logits_per_image", "logits_per_text", "logit_scale"];

const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;

/// An input or output.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    /// ONNX's number of the element type; 0 where it is not declared.
    kind: i32,
    /// Sizes, `None` where they are free; empty where no shape is declared.
    dims: Vec<Option<i64>>,
}

impl Port {
    fn new(info: &ValueInfoProto) -> Self {
        let tensor = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()).map(|Type::TensorType(tensor)| tensor);
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        let dims = shape.into_iter().flat_map(|shape| &shape.dim).map(|dim| match &dim.value {
            Some(Dimension::DimValue(value)) if *value > 0 => Some(*value),
            _ => None,
        });
        Self { name: info.name.clone(), kind: tensor.map_or(0, |tensor| tensor.elem_type), dims: dims.collect() }
    }

    /// The last size, if it is fixed.
    pub(super) fn last(&self) -> Option<usize> {
        self.dims.last().copied().flatten().map(|size| size as usize)
    }

    /// The side of a square picture, if it is fixed.
    pub(super) fn side(&self) -> Option<u32> {
        match self.dims.as_slice() {
            [_, _, Some(height), Some(width)] if height == width => u32::try_from(*width).ok(),
            _ => None,
        }
    }

    pub(super) fn is_int32(&self) -> bool {
        self.kind == INT32
    }

    fn is_integer(&self) -> bool {
        matches!(self.kind, INT32 | INT64)
    }

    fn shown(&self) -> String {
        let dims = self.dims.iter().map(|dim| dim.map_or("?".to_owned(), |size| size.to_string()));
        format!("{} [{}]", self.name, dims.collect::<Vec<_>>().join(", "))
    }
}

/// What one file declares.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    file: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// Files beside it that it takes weights from.
    beside: Vec<String>,
    scale: Option<f32>,
}

impl Sketch {
    pub(super) fn new(graph: &Graph) -> Self {
        let proto = graph.proto().graph.as_ref();
        let names = graph.inputs();
        let inputs = proto.iter().flat_map(|graph| &graph.input).filter(|input| names.contains(&input.name));
        let weights = proto.iter().flat_map(|graph| &graph.initializer);
        let scales = weights.map(|weight| weight.name.as_str()).filter(|name| name.ends_with("logit_scale"));
        let scale = std::iter::once("logit_scale").chain(scales).find_map(|name| graph.constant(name));
        // The parameter itself is the logarithm, at most ln 100; what cosines are multiplied with is far more.
        let scale = scale.map(|scale| if scale <= 10.0 { scale.exp() } else { scale });
        Self {
            file: graph.file().to_owned(),
            inputs: inputs.map(Port::new).collect(),
            outputs: proto.iter().flat_map(|graph| &graph.output).map(Port::new).collect(),
            beside: graph.beside().to_vec(),
            scale: graph.logit_scale().or(scale),
        }
    }

    fn fault(&self, problem: String) -> ModelError {
        ModelError::Graph { file: self.file.clone(), problem }
    }

    fn named<'a>(&self, ports: &'a [Port], name: &str, what: &str) -> Result<&'a Port, ModelError> {
        let shown = || ports.iter().map(Port::shown).collect::<Vec<_>>().join(", ");
        ports
            .iter()
            .find(|port| port.name == name)
            .ok_or_else(|| self.fault(format!("it has no {what} {name:?}; its {what}s: {}", shown())))
    }

    /// The input that takes pictures, `[batch, 3, side, side]` of 32-bit floats.
    pub(super) fn image_input(&self, given: Option<&str>) -> Result<Port, ModelError> {
        let usual = ["pixel_values", "image", "images", "input"];
        let port = match given {
            Some(name) => self.named(&self.inputs, name, "input")?,
            None => (self.inputs.iter().find(|port| port.dims.len() == 4))
                .or_else(|| self.inputs.iter().find(|port| !port.is_integer() && usual.contains(&port.name.as_str())))
                .ok_or_else(|| self.fault(self.unclear("input takes pictures", &self.inputs, "--image-input")))?,
        };
        if !matches!(port.kind, 0 | FLOAT) {
            let problem =
                format!("its input {:?} is not of 32-bit floats; take the export in full precision", port.name);
            return Err(self.fault(problem));
        }
        if let [_, Some(channels), ..] = port.dims.as_slice()
            && *channels != 3
        {
            return Err(self.fault(format!("its input {} should be [batch, 3, side, side]", port.shown())));
        }
        Ok(port.clone())
    }

    /// The input that takes token ids, `[batch, tokens]`.
    pub(super) fn text_input(&self, given: Option<&str>) -> Result<Port, ModelError> {
        let usual = ["input_ids", "text", "tokens", "input"];
        let by_name = |name: &&str| self.inputs.iter().find(|port| port.name == **name && port.dims.len() != 4);
        let other = |port: &&Port| port.is_integer() && !port.name.contains("mask") && !port.name.contains("position");
        let port = match given {
            Some(name) => Some(self.named(&self.inputs, name, "input")?),
            None => usual.iter().find_map(by_name).or_else(|| self.inputs.iter().find(other)),
        };
        port.cloned().ok_or_else(|| self.fault(self.unclear("input takes token ids", &self.inputs, "--text-input")))
    }

    pub(super) fn attention_mask(&self) -> Option<String> {
        self.inputs.iter().map(|port| &port.name).find(|name| *name == "attention_mask").cloned()
    }

    /// The output with a projected embedding of a picture (`tower` is `image`) or phrase (`text`).
    pub(super) fn output(&self, tower: &str, given: Option<&str>) -> Result<Port, ModelError> {
        if let Some(name) = given {
            return self.named(&self.outputs, name, "output").cloned();
        }
        let own = if tower == "image" { IMAGE_OUTPUTS } else { TEXT_OUTPUTS };
        let usual = own.iter().chain(ANY_OUTPUTS);
        if let Some(port) = usual.into_iter().find_map(|name| self.outputs.iter().find(|port| port.name == *name)) {
            return Ok(port.clone());
        }
        let able = |port: &&Port| matches!(port.dims.len(), 0 | 2) && !UNPROJECTED.contains(&port.name.as_str());
        match self.outputs.iter().filter(able).collect::<Vec<_>>().as_slice() {
            [one] => Ok((*one).clone()),
            _ => {
                let what = format!("output is the {tower} embedding in the space that both towers share");
                Err(self.fault(self.unclear(&what, &self.outputs, &format!("--{tower}-output"))))
            }
        }
    }

    fn unclear(&self, what: &str, ports: &[Port], flag: &str) -> String {
        let shown: Vec<String> = ports.iter().map(Port::shown).collect();
        format!("it is not clear which {what}: it has {}; say it with {flag}, if it is one of them", shown.join(", "))
    }

    /// What cosines are multiplied with, if the file holds it.
    pub(super) fn logit_scale(&self) -> Option<f32> {
        self.scale
    }

    /// The files that it takes weights from, within the export's folder; `own` is its own path there.
    pub(super) fn weights(&self, own: &str) -> Vec<String> {
        let parent = Path::new(own).parent().and_then(Path::to_str).filter(|parent| !parent.is_empty());
        let inner = |file: &String| parent.map_or_else(|| file.clone(), |parent| format!("{parent}/{file}"));
        self.beside.iter().map(inner).collect()
    }
}

/// What a tower is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anatomy {
    /// Numbers that were learnt.
    pub parameters: u64,
    /// Nodes of the graph.
    pub nodes: usize,
    /// Whether it multiplies integers: an export that was quantised.
    pub quantised: bool,
}

impl Anatomy {
    /// Of what leads to `output` in an ONNX file, whose weights are not read.
    ///
    /// # Errors
    /// If it cannot be read, or is no ONNX file.
    pub fn of(file: &Path, output: &str) -> Result<Self, ModelError> {
        Ok(Self::reach(Graph::open(file)?.proto(), output))
    }

    fn reach(proto: &ModelProto, output: &str) -> Self {
        let Some(graph) = &proto.graph else { return Self::default() };
        let makers: HashMap<&str, usize> = (graph.node.iter().enumerate())
            .flat_map(|(index, node)| node.output.iter().map(move |name| (name.as_str(), index)))
            .collect();
        let (mut names, mut wanted, mut nodes) = (HashSet::from([output]), vec![output], HashSet::new());
        let mut quantised = false;
        while let Some(node) = wanted.pop().map(|name| makers.get(name)) {
            let Some(index) = node.filter(|index| nodes.insert(**index)) else { continue };
            let node = &graph.node[*index];
            quantised |= node.op_type.contains("Integer") || node.op_type.contains("QLinear");
            wanted.extend(node.input.iter().map(String::as_str).filter(|name| names.insert(name)));
        }
        let learnt = graph.initializer.iter().filter(|weight| names.contains(weight.name.as_str()));
        let count = |weight: &TensorProto| weight.dims.iter().product::<i64>().max(0) as u64;
        // Shapes and indices are small tables of 64-bit integers.
        let parameters = learnt.filter(|weight| weight.data_type != INT64).map(count).sum();
        Self { parameters, nodes: nodes.len(), quantised }
    }
}
