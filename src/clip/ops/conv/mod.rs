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
use std::ops::Range;
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
    /// So many layers are done with one picture before they begin with the next.
    apart: usize,
    /// Values of those, and inputs, that are read later.
    kept: Vec<usize>,
}

impl Eq for Network {}

/// Numbers of a picture that are much for a cache: layers up to the last that gives or reads so many are done picture by
/// picture. After it weights are more than that, and are read once for all pictures.
const MUCH: usize = 1 << 15;

#[derive(Default)]
struct Scratch {
    /// Of one picture, then of all of them.
    buffers: [Vec<Vec<f32>>; 2],
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
        let apart = layers.iter().rposition(|layer| layer.size.len() >= MUCH).map_or(0, |layer| layer + 1);
        // What reads much is done apart too.
        let apart = (apart + 1).min(layers.len());
        let kept = (0..inputs.len() + apart).filter(|value| last[*value] >= inputs.len() + apart).collect();
        Ok(Self { inputs, layers, outputs, places, buffers, apart, kept })
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

    /// Runs some of the layers on what the buffers hold of some pictures.
    fn run(&self, layers: Range<usize>, pictures: usize, buffers: &mut [Vec<f32>], rows: &mut Vec<f32>) {
        for (value, layer) in (self.inputs.len() + layers.start..).zip(&self.layers[layers]) {
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

    /// Inputs `[pictures, channels, rows, columns]` to the buffers that the outputs lie in, channels innermost.
    fn run_all<'a>(&self, inputs: &[&[f32]], pictures: usize, scratch: &'a mut Scratch) -> &'a [Vec<f32>] {
        let Scratch { buffers: [one, all], rows } = scratch;
        for buffers in [&mut *one, &mut *all] {
            buffers.resize_with(buffers.len().max(self.buffers), Vec::new);
        }
        let last = self.layers.len();
        for picture in 0..pictures {
            for ((input, size), place) in inputs.iter().zip(&self.inputs).zip(&self.places) {
                grow(&mut one[*place], size.len());
                let values = &input[picture * size.len()..(picture + 1) * size.len()];
                transpose(values, size.pixels(), &mut one[*place][..size.len()]);
            }
            if pictures == 1 {
                self.run(0..last, 1, one, rows);
                return one;
            }
            self.run(0..self.apart, 1, one, rows);
            for value in &self.kept {
                let (place, length) = (self.places[*value], self.size(*value).len());
                grow(&mut all[place], pictures * length);
                all[place][picture * length..(picture + 1) * length].copy_from_slice(&one[place][..length]);
            }
        }
        self.run(self.apart..last, pictures, all, rows);
        all
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
        let views = inputs.iter().map(|input| input.try_as_plain_ram()).collect::<TractResult<Vec<_>>>()?;
        let values = views.iter().map(|view| view.as_slice::<f32>()).collect::<TractResult<Vec<_>>>()?;
        let mut scratch = SCRATCH.take();
        let buffers = self.run_all(&values, pictures, &mut scratch);
        let mut outputs = tvec![];
        for value in &self.outputs {
            let size = self.size(*value);
            let mut output = Tensor::zero::<f32>(&self.shape(*value, pictures))?;
            let mut values = output.try_as_plain_ram_mut()?;
            let to = values.as_slice_mut::<f32>()?.chunks_exact_mut(size.len());
            for (from, to) in buffers[self.places[*value]].chunks_exact(size.len()).zip(to) {
                transpose(from, size.channels, to);
            }
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
