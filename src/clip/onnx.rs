//! An ONNX graph, and one tower cut out of it.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use prost::Message;
use tract_onnx::data_resolver::FopenDataResolver;
use tract_onnx::model::ParseResult;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike, bail};

use super::error::ModelError;
use super::library::is_inner;
use super::ops::{Coder, Floats, add_patches, fuse};
use super::quantised::restore;
use super::skeleton;

/// A tower ready to run.
pub(super) type Plan = Arc<TypedRunnableModel>;

fn scalar(tensor: &TensorProto) -> Option<f32> {
    if tensor.dims.iter().product::<i64>() != 1 {
        return None;
    }
    let raw = <[u8; 4]>::try_from(tensor.raw_data.as_slice()).ok().map(f32::from_le_bytes);
    raw.or_else(|| tensor.float_data.first().copied())
}

/// The file that a weight lies in, if it does not lie in the graph.
fn location(weight: &mut TensorProto) -> Option<&mut String> {
    const EXTERNAL: i32 = 1;
    let outside = weight.data_location == Some(EXTERNAL);
    let place = weight.external_data.iter_mut().find(|entry| entry.key == "location" && outside)?;
    Some(&mut place.value)
}

/// A whole path as it leads on from the root: as a weight can be said to lie there.
fn from_root(whole: &Path) -> Option<&str> {
    whole.strip_prefix("/").ok()?.to_str()
}

fn incomplete(file: &str, length: u64, error: &dyn std::fmt::Display) -> ModelError {
    let problem = format!("its {length} bytes are no complete ONNX file ({error})");
    ModelError::Graph { file: file.to_owned(), problem }
}

/// Takes out of a graph what does not lead to these outputs.
fn retain(graph: &mut GraphProto, outputs: &[&str]) {
    let mut wanted: Vec<String> = outputs.iter().map(|name| (*name).to_owned()).collect();
    let (mut names, mut nodes) = (HashSet::new(), vec![false; graph.node.len()]);
    let makers: HashMap<&str, usize> = (graph.node.iter().enumerate())
        .flat_map(|(index, node)| node.output.iter().map(move |name| (name.as_str(), index)))
        .collect();
    while let Some(name) = wanted.pop() {
        let maker = makers.get(name.as_str()).copied().filter(|index| !nodes[*index]);
        names.insert(name);
        let Some(index) = maker else { continue };
        nodes[index] = true;
        let mut inner = vec![&graph.node[index]];
        while let Some(node) = inner.pop() {
            wanted.extend(node.input.iter().filter(|name| !names.contains(*name)).cloned());
            // What is in a branch may read anything around it.
            inner.extend(node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).flat_map(|g| &g.node));
        }
    }
    let mut wanted = nodes.into_iter();
    graph.node.retain(|_| wanted.next() == Some(true));
    graph.initializer.retain(|weight| names.contains(&weight.name));
    graph.output.retain(|output| outputs.contains(&output.name.as_str()));
}

/// A tower with its large operations, ready to run.
pub(super) fn plan(model: TypedModel) -> TractResult<Plan> {
    model.into_optimized()?.into_runnable()
}

/// An input of a tower.
pub(super) struct Input<'a> {
    /// Its name in the file.
    pub(super) name: &'a str,
    /// What it holds.
    pub(super) of: DatumType,
    /// Its shape; `None` is the size of the batch, which is known only when the tower runs.
    pub(super) shape: Vec<Option<usize>>,
}

/// A tower as it is in the file.
pub(super) struct Tower {
    /// Simplified, nothing of ours in it.
    pub(super) model: TypedModel,
    /// Of the outputs, batch left out.
    pub(super) shapes: Vec<Vec<usize>>,
}

/// A parsed ONNX file.
pub(super) struct Graph {
    proto: ModelProto,
    file: String,
    /// Files that it takes weights from.
    beside: Vec<String>,
}

impl Graph {
    /// Parses the bytes of a file.
    pub(super) fn read(bytes: &[u8], file: &str) -> Result<Self, ModelError> {
        // Not through tract's reader, which copies the bytes before.
        let incomplete = |e: &dyn std::fmt::Display| incomplete(file, bytes.len() as u64, e);
        Self::new(ModelProto::decode(bytes).map_err(|e| incomplete(&e))?, file, bytes.len() as u64)
    }

    /// Parses a file, all but its large tensors: those are read when a tower is cut out of it, one after the other.
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let file = path.display().to_string();
        let unreadable = |e: std::io::Error| ModelError::File { file: file.clone(), problem: e.to_string() };
        let length = path.metadata().map_err(unreadable)?.len();
        let whole = path.canonicalize().map_err(unreadable)?;
        let bytes = match from_root(&whole) {
            Some(place) => skeleton::read(path, place).map_err(|e| match e.kind() {
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof => incomplete(&file, length, &e),
                _ => unreadable(e),
            })?,
            // ONNX has no way to name such a file.
            None => std::fs::read(path).map_err(unreadable)?,
        };
        let proto = ModelProto::decode(&bytes[..]).map_err(|e| incomplete(&file, length, &e))?;
        let mut graph = Self::new(proto, &file, length)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        graph.find_beside(&folder.canonicalize().map_err(unreadable)?, from_root(&whole));
        Ok(graph)
    }

    /// Notes which files beside it weights are taken from, and says of all weights where they are from the root: a file
    /// may be a link to where nothing lies beside it.
    fn find_beside(&mut self, folder: &Path, own: Option<&str>) {
        let graph = self.proto.graph.iter_mut();
        let weights = graph.flat_map(|graph| {
            let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
            graph.initializer.iter_mut().chain(attributes.filter_map(|attribute| attribute.t.as_mut()))
        });
        let mut beside = Vec::new();
        for place in weights.filter_map(location).filter(|place| own != Some(place.as_str())) {
            let name = place.trim_start_matches("./").to_owned();
            if let Some(whole) = from_root(&folder.join(&name)).filter(|_| is_inner(&name)) {
                *place = whole.to_owned();
            }
            beside.push(name);
        }
        beside.sort();
        beside.dedup();
        self.beside = beside;
    }

    fn new(proto: ModelProto, file: &str, length: u64) -> Result<Self, ModelError> {
        if proto.graph.as_ref().is_none_or(|graph| graph.node.is_empty()) {
            let problem = format!("its {length} bytes hold no graph");
            return Err(ModelError::Graph { file: file.to_owned(), problem });
        }
        Ok(Self { proto, file: file.to_owned(), beside: Vec::new() })
    }

    /// Only what leads to these outputs, in numbers again where somebody else has quantised it: ready to be cut.
    ///
    /// # Errors
    /// That it has no such output.
    pub(super) fn towards(mut self, outputs: &[&str]) -> Result<Self, ModelError> {
        for output in outputs {
            if !self.outputs().iter().any(|name| name == output) {
                let problem = format!("it has no output {output:?}; its outputs: {}", self.outputs().join(", "));
                return Err(ModelError::Graph { file: self.file, problem });
            }
        }
        if let Some(graph) = &mut self.proto.graph {
            retain(graph, outputs);
            restore(graph);
        }
        Ok(self)
    }

    /// The files beside it that it takes weights from, as it names them.
    pub(super) fn beside(&self) -> &[String] {
        &self.beside
    }

    /// The file's name.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The file's content.
    pub(super) fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// Lets go of the weights that are not in a file, once towers have been cut out of it.
    pub(super) fn forget_weights(&mut self) {
        self.proto.graph.iter_mut().for_each(|graph| graph.initializer.clear());
    }

    fn initializers(&self) -> impl Iterator<Item = &TensorProto> {
        self.proto.graph.iter().flat_map(|graph| &graph.initializer)
    }

    /// Names of its inputs, weights left out.
    pub(super) fn inputs(&self) -> Vec<String> {
        let graph = self.proto.graph.iter().flat_map(|graph| &graph.input);
        graph.map(|input| input.name.clone()).filter(|name| self.initializers().all(|i| &i.name != name)).collect()
    }

    /// Names of its outputs.
    pub(super) fn outputs(&self) -> Vec<String> {
        self.proto.graph.iter().flat_map(|graph| &graph.output).map(|output| output.name.clone()).collect()
    }

    /// What cosines are multiplied with on the way to the logits, if the graph goes that far. It is a scalar beside the
    /// matrix product, as a weight or folded, with or without its exponential.
    pub(super) fn logit_scale(&self) -> Option<f32> {
        let mut name =
            ["logits_per_text", "logits_per_image"].into_iter().find(|name| self.producer(name).is_some())?;
        for _ in 0..4 {
            let node = self.producer(name)?;
            match node.op_type.as_str() {
                "Transpose" | "Identity" | "Cast" => name = node.input.first()?,
                "Mul" => return node.input.iter().find_map(|input| self.constant(input)),
                _ => return None,
            }
        }
        None
    }

    fn producer(&self, name: &str) -> Option<&NodeProto> {
        self.proto
            .graph
            .iter()
            .flat_map(|graph| &graph.node)
            .find(|node| node.output.iter().any(|output| output == name))
    }

    /// The value of a scalar that does not depend on the graph's inputs.
    pub(super) fn constant(&self, name: &str) -> Option<f32> {
        if let Some(weight) = self.initializers().find(|tensor| tensor.name == name) {
            return scalar(weight);
        }
        let node = self.producer(name)?;
        match node.op_type.as_str() {
            "Constant" => node.attribute.iter().find_map(|attribute| attribute.t.as_ref()).and_then(scalar),
            "Cast" | "Identity" => self.constant(node.input.first()?),
            "Exp" => self.constant(node.input.first()?).map(f32::exp),
            _ => None,
        }
    }

    /// Rows of the table of token embeddings, if one is named as exporters name it.
    pub(super) fn token_rows(&self) -> Option<usize> {
        let table = self.initializers().find(|t| t.name.contains("token_embedding") && t.dims.len() == 2)?;
        Some(table.dims[0] as usize)
    }

    /// What [`Graph::cut`] gives for one entry a batch, in 32 bits and ready to run, with the outputs' shapes.
    pub(super) fn tower(&self, inputs: &[Input], outputs: &[&str]) -> Result<(Plan, Vec<Vec<usize>>), ModelError> {
        let tower = self.cut(inputs, outputs)?;
        Ok((self.runnable(tower.model, &mut Floats)?, tower.shapes))
    }

    /// The tower's large operations in place of its small ones, in the arithmetic that `coder` says, ready to run.
    pub(super) fn runnable(&self, model: TypedModel, coder: &mut dyn Coder) -> Result<Plan, ModelError> {
        self.plan(self.fused(model, coder, false)?)
    }

    /// The tower's large operations in place of its small ones, in the arithmetic that `coder` says. With `patches`, it has
    /// an output more: the embeddings of patches.
    pub(super) fn fused(
        &self,
        mut model: TypedModel,
        coder: &mut dyn Coder,
        patches: bool,
    ) -> Result<TypedModel, ModelError> {
        fuse(&mut model, coder).map_err(|e| self.fault(format!("{e:#}")))?;
        if patches && !add_patches(&mut model).map_err(|e| self.fault(format!("{e:#}")))? {
            let problem = "it gives no embeddings of patches, and its last block is not built in a way that they can be \
                           taken from; camera.grid.dense = false looks at whole tiles";
            return Err(self.fault(problem.to_owned()));
        }
        Ok(model)
    }

    /// A tower with its large operations, ready to run.
    pub(super) fn plan(&self, model: TypedModel) -> Result<Plan, ModelError> {
        plan(model).map_err(|e| self.fault(format!("{e:#}")))
    }

    fn fault(&self, problem: String) -> ModelError {
        ModelError::Graph { file: self.file.clone(), problem }
    }

    /// Cuts out what leads from `inputs` to `outputs`, for inputs of those shapes.
    pub(super) fn cut(&self, inputs: &[Input], outputs: &[&str]) -> Result<Tower, ModelError> {
        for Input { name, .. } in inputs {
            if !self.inputs().iter().any(|input| input == name) {
                return Err(self.fault(format!("it has no input {name:?}; its inputs: {}", self.inputs().join(", "))));
            }
        }
        self.typed(inputs, outputs).map_err(|e| self.fault(format!("{e:#}")))
    }

    /// The width of an output that has one embedding a picture or phrase: `[batch, width]`.
    pub(super) fn embeddings(&self, output: &str, shape: &[usize]) -> Result<usize, ModelError> {
        let [width] = shape else { return Err(self.misshapen(output, shape, "[batch, width]")) };
        Ok(*width)
    }

    /// The rows and the width of an output that has one embedding a patch: `[batch, rows × rows, width]`.
    pub(super) fn patches(&self, output: &str, shape: &[usize]) -> Result<(usize, usize), ModelError> {
        let wanted = "[batch, patches, width] with as many rows as columns";
        let [patches, width] = shape else { return Err(self.misshapen(output, shape, wanted)) };
        let rows = patches.isqrt();
        if rows == 0 || rows * rows != *patches {
            return Err(self.misshapen(output, shape, wanted));
        }
        Ok((rows, *width))
    }

    /// Checks an output that has one box and its probability a picture: `[batch, 5]`.
    pub(super) fn boxes(&self, output: &str, shape: &[usize]) -> Result<(), ModelError> {
        if shape == [5] { Ok(()) } else { Err(self.misshapen(output, shape, "[batch, 5]")) }
    }

    fn misshapen(&self, output: &str, shape: &[usize], wanted: &str) -> ModelError {
        let problem = format!("its output {output:?} has the shape {shape:?} a batch entry, should be {wanted}");
        self.fault(problem)
    }

    fn typed(&self, inputs: &[Input], outputs: &[&str]) -> TractResult<Tower> {
        // Exports carry symbolic shapes that clash with fixed inputs, and no shape of theirs is needed.
        let mut reader = onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
        // Not mapped: what is read of a file is then no part of the memory in use.
        reader.provider = Arc::new(FopenDataResolver);
        // All places of weights are told from there.
        let root = Some("/");
        let ParseResult { mut model, unresolved_inputs, .. } = reader.parse(&self.proto, root)?;
        if !unresolved_inputs.is_empty() {
            bail!("it uses values that nothing gives: {}", unresolved_inputs.join(", "));
        }
        model.select_outputs_by_name(outputs)?;
        let outlets: Vec<OutletId> = inputs
            .iter()
            .map(|input| model.node_id_by_name(input.name).map(OutletId::from))
            .collect::<TractResult<_>>()?;
        model.set_input_outlets(&outlets)?;
        // Facts are set on what is left: the other tower's inputs are gone after this.
        let mut model = model.into_compact()?;
        let any = model.symbols.sym("N").to_dim();
        for (index, input) in inputs.iter().enumerate() {
            let shape = input.shape.iter().map(|size| size.map_or_else(|| any.clone(), |size| size.to_dim()));
            model.set_input_fact(index, InferenceFact::dt_shape(input.of, shape.collect::<TVec<TDim>>()))?;
        }
        let model = model.into_typed()?.into_decluttered()?;
        let shape = |index: usize| -> TractResult<Vec<usize>> {
            model.output_fact(index)?.shape.iter().skip(1).map(|dimension| Ok(dimension.to_usize()?)).collect()
        };
        let shapes = (0..outputs.len()).map(shape).collect::<TractResult<_>>()?;
        Ok(Tower { model, shapes })
    }
}
