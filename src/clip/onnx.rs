//! An ONNX graph, and one tower cut out of it.

use std::path::Path;
use std::sync::Arc;

use prost::Message;
use tract_onnx::model::ParseResult;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike, bail};

use super::error::ModelError;
use super::ops::{Coder, Floats, add_patches, fuse};
use super::quantised::restore;

/// A tower ready to run.
pub(super) type Plan = Arc<TypedRunnableModel>;

fn scalar(tensor: &TensorProto) -> Option<f32> {
    if tensor.dims.iter().product::<i64>() != 1 {
        return None;
    }
    let raw = <[u8; 4]>::try_from(tensor.raw_data.as_slice()).ok().map(f32::from_le_bytes);
    raw.or_else(|| tensor.float_data.first().copied())
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
}

impl Graph {
    /// Parses the bytes of a file.
    pub(super) fn read(bytes: &[u8], file: &str) -> Result<Self, ModelError> {
        let fault = |problem: String| ModelError::Graph { file: file.to_owned(), problem };
        // Not through tract's reader, which copies the bytes before: a model's size in memory.
        let mut proto = ModelProto::decode(bytes)
            .map_err(|e| fault(format!("its {} bytes are no complete ONNX file ({e})", bytes.len())))?;
        if proto.graph.as_ref().is_none_or(|graph| graph.node.is_empty()) {
            return Err(fault(format!("its {} bytes hold no graph", bytes.len())));
        }
        proto.graph.iter_mut().for_each(restore);
        Ok(Self { proto, file: file.to_owned() })
    }

    /// The file's name.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The file's content.
    pub(super) fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// Lets go of the weights, once towers have been cut out of it: they are most of a model's size.
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
        Ok((self.runnable(tower.model, &mut Floats, false)?, tower.shapes))
    }

    /// The tower's large operations in place of its small ones, in the arithmetic that `coder` says, ready to run. With
    /// `patches`, it has an output more: the embeddings of patches.
    pub(super) fn runnable(
        &self,
        mut model: TypedModel,
        coder: &mut dyn Coder,
        patches: bool,
    ) -> Result<Plan, ModelError> {
        let fault = |problem: String| ModelError::Graph { file: self.file.clone(), problem };
        let failed = |e: TractError| fault(format!("{e:#}"));
        fuse(&mut model, coder).map_err(failed)?;
        if patches && !add_patches(&mut model).map_err(failed)? {
            let problem = "it gives no embeddings of patches, and its last block is not built in a way that they can be \
                           taken from; camera.grid.dense = false looks at whole tiles";
            return Err(fault(problem.to_owned()));
        }
        model.into_optimized().and_then(|model| model.into_runnable()).map_err(failed)
    }

    /// Cuts out what leads from `inputs` to `outputs`, for inputs of those shapes.
    pub(super) fn cut(&self, inputs: &[Input], outputs: &[&str]) -> Result<Tower, ModelError> {
        let fault = |problem: String| ModelError::Graph { file: self.file.clone(), problem };
        for Input { name, .. } in inputs {
            if !self.inputs().iter().any(|input| input == name) {
                return Err(fault(format!("it has no input {name:?}; its inputs: {}", self.inputs().join(", "))));
            }
        }
        for output in outputs {
            if !self.outputs().iter().any(|name| name == output) {
                return Err(fault(format!("it has no output {output:?}; its outputs: {}", self.outputs().join(", "))));
            }
        }
        self.typed(inputs, outputs).map_err(|e| fault(format!("{e:#}")))
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

    fn misshapen(&self, output: &str, shape: &[usize], wanted: &str) -> ModelError {
        let problem = format!("its output {output:?} has the shape {shape:?} a batch entry, should be {wanted}");
        ModelError::Graph { file: self.file.clone(), problem }
    }

    fn typed(&self, inputs: &[Input], outputs: &[&str]) -> TractResult<Tower> {
        // Exports carry symbolic shapes that clash with fixed inputs, and no shape of theirs is needed.
        let reader = onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
        // Recent exporters keep the weights in a file beside the graph.
        let folder = Path::new(&self.file).parent().filter(|_| Path::new(&self.file).is_file()).and_then(Path::to_str);
        let ParseResult { mut model, unresolved_inputs, .. } = reader.parse(&self.proto, folder)?;
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
