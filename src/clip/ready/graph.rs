//! The graph of a prepared tower: in NNEF, as tract writes it, with a number in place of each operation of ours. What these
//! are is told apart from it, as weights and rows of numbers that lie elsewhere in the file.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tract_nnef::ast::{RValue, TypeName};
use tract_nnef::framework::Nnef;
use tract_nnef::internal::*;
use tract_nnef::resource::Resource;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::nn::gelu_exact::GeluExact;

use crate::clip::ops::{
    Activation, Attention, ConvLayer, Dimension, LayerNorm, Linear, Network, Patches, Size, Weights,
};

/// What the invocation of an operation of ours is called, and the registry that knows it.
const NAME: &str = "lookout_part";
const REGISTRY: &str = "lookout";

/// Numbers among all rows.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    at: usize,
    count: usize,
}

impl Row {
    fn of(self, rows: &[f32]) -> TractResult<Arc<Vec<f32>>> {
        let end = self.at.checked_add(self.count);
        let row = end.and_then(|end| rows.get(self.at..end)).context("a row is missing")?;
        Ok(Arc::new(row.to_vec()))
    }
}

/// An operation of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Part {
    /// [`Linear`].
    Linear(Layer),
    /// [`Attention`].
    Attention(Attention),
    /// [`LayerNorm`].
    Norm { scale: Row, shift: Row, epsilon: f32 },
    /// [`Patches`].
    Patches { side: usize },
    /// [`Network`].
    Network { inputs: Vec<Size>, layers: Vec<ConvLayer<Layer, Row>>, outputs: Vec<usize> },
}

/// A linear layer; its weights by number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Layer {
    before: Option<Box<Layer>>,
    weights: usize,
    bias: Row,
    activation: Activation,
    shape: Vec<Dimension>,
}

impl Layer {
    fn op(&self, weights: &[Arc<Weights>], rows: &[f32]) -> TractResult<Linear> {
        let before = self.before.as_ref().map(|before| before.op(weights, rows)).transpose()?;
        Ok(Linear {
            before: before.map(Arc::new),
            weights: Arc::clone(weights.get(self.weights).context("weights are missing")?),
            bias: self.bias.of(rows)?,
            activation: self.activation,
            shape: self.shape.clone(),
        })
    }
}

impl Part {
    fn op(&self, weights: &[Arc<Weights>], rows: &[f32]) -> TractResult<Box<dyn TypedOp>> {
        Ok(match self {
            Self::Linear(layer) => layer.op(weights, rows)?.into(),
            Self::Attention(attention) => attention.clone().into(),
            Self::Norm { scale, shift, epsilon } => {
                LayerNorm { scale: scale.of(rows)?, shift: shift.of(rows)?, epsilon: *epsilon }.into()
            }
            Self::Patches { side } => Patches { side: *side }.into(),
            Self::Network { inputs, layers, outputs } => {
                let layers = layers.iter().map(|layer| layer.map(|l| l.op(weights, rows), |row| row.of(rows)));
                Network::new(inputs.clone(), layers.collect::<TractResult<_>>()?, outputs.clone())?.into()
            }
        })
    }
}

/// What a graph is written as.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// In NNEF.
    pub(super) graph: Vec<u8>,
    /// By number.
    pub(super) parts: Vec<Part>,
    /// Of all parts.
    pub(super) rows: Vec<f32>,
}

/// Parts as they are come upon.
struct Found {
    weights: Vec<Arc<Weights>>,
    written: Written,
}

impl Found {
    fn row(&mut self, values: &[f32]) -> Row {
        let rows = &mut self.written.rows;
        let row = Row { at: rows.len(), count: values.len() };
        rows.extend_from_slice(values);
        row
    }

    fn layer(&mut self, op: &Linear) -> TractResult<Layer> {
        let before = op.before.as_ref().map(|before| self.layer(before)).transpose()?;
        let number = self.weights.iter().position(|weights| Arc::ptr_eq(weights, &op.weights));
        Ok(Layer {
            before: before.map(Box::new),
            weights: number.context("weights of a layer are not kept")?,
            bias: self.row(&op.bias),
            activation: op.activation,
            shape: op.shape.clone(),
        })
    }

    fn convolution(&mut self, layer: &ConvLayer<Linear, Arc<Vec<f32>>>) -> TractResult<ConvLayer<Layer, Row>> {
        let found = RefCell::new(self);
        layer.map(|linear| found.borrow_mut().layer(linear), |row| Ok(found.borrow_mut().row(row)))
    }

    fn part(&mut self, node: &TypedNode) -> TractResult<Part> {
        if let Some(op) = node.op_as::<Linear>() {
            Ok(Part::Linear(self.layer(op)?))
        } else if let Some(op) = node.op_as::<Attention>() {
            Ok(Part::Attention(op.clone()))
        } else if let Some(op) = node.op_as::<LayerNorm>() {
            Ok(Part::Norm { scale: self.row(&op.scale), shift: self.row(&op.shift), epsilon: op.epsilon })
        } else if let Some(op) = node.op_as::<Patches>() {
            Ok(Part::Patches { side: op.side })
        } else if let Some(op) = node.op_as::<Network>() {
            let layers = op.layers().iter().map(|layer| self.convolution(layer)).collect::<TractResult<_>>()?;
            Ok(Part::Network { inputs: op.inputs().to_vec(), layers, outputs: op.outputs().to_vec() })
        } else {
            bail!("{node} is no operation of ours")
        }
    }
}

/// Writes a fused tower whose layers have these weights.
///
/// # Errors
/// That it holds something that cannot be written.
pub(super) fn write(model: &TypedModel, weights: &[Arc<Weights>]) -> TractResult<Written> {
    let mut model = model.clone();
    // Names and notes of exporters may hold anything, and are of no use any more.
    for node in &mut model.nodes {
        node.name = format!("n{}", node.id);
    }
    model.outlet_labels.clear();
    model.properties.clear();
    let found = Arc::new(Mutex::new(Found { weights: weights.to_vec(), written: Written::default() }));
    let mut registry = registry();
    let kinds = [
        TypeId::of::<Linear>(),
        TypeId::of::<Attention>(),
        TypeId::of::<LayerNorm>(),
        TypeId::of::<Patches>(),
        TypeId::of::<Network>(),
    ];
    for kind in kinds {
        let found = Arc::clone(&found);
        let dump = move |ast: &mut IntoAst, node: &TypedNode| {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let part = found.part(node)?;
            found.written.parts.push(part);
            let inputs: Vec<RValue> = node.inputs.iter().map(|input| ast.mapping[input].as_ref().clone()).collect();
            let index = found.written.parts.len() - 1;
            Ok(Some(invocation(NAME, &[RValue::Array(inputs).into()], &[("index", numeric(index))])))
        };
        registry.from_tract.insert(kind, Box::new(dump));
    }
    let nnef = Nnef::default().with_registry(registry);
    let graph = nnef.write_to_tar_with_config(&model, Vec::new(), false, true)?;
    drop(nnef);
    let found = Arc::into_inner(found).context("nobody else has it")?;
    let written = found.into_inner().unwrap_or_else(PoisonError::into_inner).written;
    Ok(Written { graph, ..written })
}

/// A tower as it was before it was written.
///
/// # Errors
/// That it holds something that cannot be read, or refers to what is not there.
pub(super) fn read(graph: &[u8], parts: &[Part], weights: &[Arc<Weights>], rows: &[f32]) -> TractResult<TypedModel> {
    let ops = parts.iter().map(|part| part.op(weights, rows)).collect::<TractResult<_>>()?;
    let nnef = Nnef::default().with_registry(registry());
    let mut proto = nnef.proto_model_for_read(&mut &graph[..])?;
    proto.resources.insert(NAME.to_owned(), Arc::new(Ops(ops)));
    nnef.model_for_proto_model(&proto)
}

/// Bytes of the numbers that a tower holds besides the weights of its layers.
pub(super) fn constants(model: &TypedModel) -> usize {
    let size = |node: &TypedNode| node.op_as::<Const>().map(|op| op.val().len() * op.val().datum_type().size_of());
    model.nodes.iter().filter_map(size).sum()
}

/// Operations by number, for [`wire`].
#[derive(Debug)]
struct Ops(Vec<Box<dyn TypedOp>>);

impl Resource for Ops {}

fn registry() -> Registry {
    let mut registry = Registry::new(REGISTRY);
    let parameters = [TypeName::Scalar.tensor().array().named("inputs"), TypeName::Integer.named("index")];
    registry.register_primitive(NAME, &parameters, &[("output", TypeName::Scalar.tensor())], wire);
    // What tract cannot write by itself.
    registry.register_unit_element_wise("lookout_gelu", &GeluExact {});
    registry
}

fn wire(builder: &mut ModelBuilder, invocation: &ResolvedInvocation) -> TractResult<Value> {
    let inputs: TVec<OutletId> = invocation.named_arg_as(builder, "inputs")?;
    let index: usize = invocation.named_arg_as(builder, "index")?;
    let ops = builder.proto_model.resources.get(NAME).and_then(|ops| ops.downcast_ref::<Ops>());
    let op = ops.and_then(|ops| ops.0.get(index)).context("an operation is missing")?.clone();
    builder.wire(op, &inputs)
}
