//! A convolutional network: the convolutions of a graph and all that lies between them, as one operation that keeps channels
//! innermost.
//!
//! So a pointwise convolution is a matrix product with all pixels as its rows, and a depthwise one runs along the channels,
//! as wide as the machine's vectors are. Only at the network's ends do values lie as the graph has them, channels first.

mod depthwise;
mod find;
mod layer;
mod read;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;

use super::linear::Linear;
use depthwise::transpose;
pub use find::convolutions;
pub use layer::{Layer, Size};
use layer::{Value, grow};

/// A layer as it runs.
pub type Ready = Layer<Linear, Arc<Vec<f32>>>;

/// The network as an operation on `[N, channels, rows, columns]` tensors, one or several, which gives such tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    inputs: Vec<Size>,
    layers: Vec<Ready>,
    /// Values, by number.
    outputs: Vec<usize>,
    /// Of each value, the buffer that it lies in.
    places: Vec<usize>,
    buffers: usize,
}

impl Eq for Network {}

#[derive(Default)]
struct Scratch {
    buffers: Vec<Vec<f32>>,
    rows: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Network {
    /// Of layers in the order that they run in. A value's number counts inputs, then layers.
    ///
    /// # Errors
    /// That a layer reads what is not there yet.
    pub fn new(inputs: Vec<Size>, layers: Vec<Ready>, outputs: Vec<usize>) -> TractResult<Self> {
        let values = inputs.len() + layers.len();
        let mut last = vec![0; values];
        for (value, layer) in (inputs.len()..).zip(&layers) {
            for read in [Some(layer.from), layer.and].into_iter().flatten() {
                ensure!(read < value, "layer {value} reads value {read}");
                last[read] = value;
            }
        }
        for output in &outputs {
            *last.get_mut(*output).context("an output is missing")? = values;
        }
        let (mut places, mut buffers, mut free) = (Vec::with_capacity(values), 0, Vec::new());
        let mut take = |free: &mut Vec<usize>| {
            free.pop().unwrap_or_else(|| {
                buffers += 1;
                buffers - 1
            })
        };
        for _ in &inputs {
            places.push(take(&mut free));
        }
        for (value, layer) in (inputs.len()..).zip(&layers) {
            // A sum lies where what is added lay, if that is not read later.
            let over = layer.and.filter(|and| last[*and] == value && *and != layer.from);
            places.push(over.map_or_else(|| take(&mut free), |and| places[and]));
            for read in [Some(layer.from), layer.and.filter(|and| *and != layer.from)].into_iter().flatten() {
                if last[read] == value && over != Some(read) {
                    free.push(places[read]);
                }
            }
        }
        Ok(Self { inputs, layers, outputs, places, buffers })
    }

    /// Sizes of what goes in.
    pub fn inputs(&self) -> &[Size] {
        &self.inputs
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Ready] {
        &self.layers
    }

    /// The values that come out, by number.
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    fn size(&self, value: usize) -> Size {
        match value.checked_sub(self.inputs.len()) {
            Some(layer) => self.layers[layer].size,
            None => self.inputs[value],
        }
    }

    fn shape<D: DimLike>(&self, output: usize, pictures: D) -> TVec<D> {
        let Size { rows, columns, channels } = self.size(output);
        tvec![pictures, channels.into(), rows.into(), columns.into()]
    }

    /// Runs the layers on what the buffers of the inputs hold.
    fn run(&self, pictures: usize, Scratch { buffers, rows }: &mut Scratch) {
        for (value, layer) in (self.inputs.len()..).zip(&self.layers) {
            let place = self.places[value];
            let length = pictures * layer.size.len();
            // Taken out, so that it can be written while others are read.
            let mut output = std::mem::take(&mut buffers[place]);
            grow(&mut output, length);
            if let Some(and) = layer.and.map(|and| self.places[and]).filter(|and| *and != place) {
                output[..length].copy_from_slice(&buffers[and][..length]);
            }
            let size = self.size(layer.from);
            let data = &buffers[self.places[layer.from]][..pictures * size.len()];
            layer.run(Value { data, size }, &mut output[..length], rows);
            buffers[place] = output;
        }
    }
}

impl Op for Network {
    fn name(&self) -> StaticName {
        "Convolutions".into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{} layers in {} buffers", self.layers.len(), self.buffers)])
    }

    op_as_typed_op!();
}

impl EvalOp for Network {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let pictures = inputs.first().context("a network has an input")?.shape()[0];
        let mut scratch = SCRATCH.take();
        if scratch.buffers.len() < self.buffers {
            scratch.buffers.resize_with(self.buffers, Vec::new);
        }
        for ((input, size), place) in inputs.iter().zip(&self.inputs).zip(&self.places) {
            let values = input.try_as_plain_ram()?;
            let buffer = &mut scratch.buffers[*place];
            grow(buffer, pictures * size.len());
            let from = values.as_slice::<f32>()?.chunks_exact(size.len());
            for (from, to) in from.zip(buffer.chunks_exact_mut(size.len())) {
                transpose(from, size.pixels(), to);
            }
        }
        self.run(pictures, &mut scratch);
        let mut outputs = tvec![];
        for value in &self.outputs {
            let size = self.size(*value);
            let mut output = Tensor::zero::<f32>(&self.shape(*value, pictures))?;
            let mut values = output.try_as_plain_ram_mut()?;
            let to = values.as_slice_mut::<f32>()?.chunks_exact_mut(size.len());
            for (from, to) in scratch.buffers[self.places[*value]].chunks_exact(size.len()).zip(to) {
                transpose(from, size.channels, to);
            }
            drop(values);
            outputs.push(output.into_tvalue());
        }
        SCRATCH.set(scratch);
        Ok(outputs)
    }
}

impl TypedOp for Network {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let pictures = &inputs[0].shape[0];
        Ok(self.outputs.iter().map(|value| f32::fact(self.shape::<TDim>(*value, pictures.clone()))).collect())
    }
}
