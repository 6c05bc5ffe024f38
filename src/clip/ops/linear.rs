//! A linear layer: `activation(x · W + b)` with constant weights, in 8 bits or in 32.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use rten_gemm::{BiasVector, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;
use serde::{Deserialize, Serialize};
use tract_onnx::tract_core::internal::*;

use super::products::{bytes, floats, most, multiply, multiply_bytes};
use super::rows::{Activation, Coded, Columns, activate, decode};

/// Rows that go through the layer at once: their sums stay in the second cache.
const BLOCK: usize = 56;

/// The weights of a layer of `inputs` × `outputs`, packed for this machine's kernel.
pub enum Weights {
    /// 32-bit.
    Float {
        /// As they are.
        packed: PackedBMatrix<f32>,
        /// Sees what goes in, while a tower is calibrated.
        watch: Option<Arc<Mutex<Watch>>>,
    },
    /// 8-bit, by output a scale, by input what it is divided by.
    Int8 {
        /// Whole numbers of a scale each.
        packed: PackedBMatrix<i8>,
        /// By output.
        scales: Vec<f32>,
        /// By output, of the whole numbers.
        totals: Vec<i32>,
        /// Inverses of what inputs are divided by before they are coded, if they are.
        inverse: Option<Vec<f32>>,
    },
}

/// What goes into a layer: how large each input gets, and some rows.
#[derive(Debug, Default)]
pub struct Watch {
    /// By input.
    pub largest: Vec<f32>,
    /// Rows, at most [`Watch::ROWS`] of them, spread over all that were seen.
    pub rows: Vec<f32>,
    seen: usize,
}

impl Watch {
    const ROWS: usize = 192;
    /// One in so many rows is kept, so that the kept ones come from many pictures.
    const EVERY: usize = 23;

    fn see(&mut self, input: &[f32], width: usize) {
        self.largest.resize(width, 0.0);
        for row in input.chunks_exact(width) {
            self.largest.iter_mut().zip(row).for_each(|(largest, value)| *largest = largest.max(value.abs()));
            if self.seen.is_multiple_of(Self::EVERY) && self.rows.len() < Self::ROWS * width {
                self.rows.extend_from_slice(row);
            }
            self.seen += 1;
        }
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Float { .. } => "f32",
            Self::Int8 { .. } => "int8",
        })
    }
}

/// Weights of a layer as they are kept and read: in whole numbers or not, row-major `[inputs, outputs]`, not packed.
#[derive(Clone, Debug)]
pub enum Plain<'a> {
    /// 32-bit.
    Float(Cow<'a, [f32]>),
    /// 8-bit.
    Int8 {
        /// Whole numbers of a scale each.
        coded: Vec<i8>,
        /// By output.
        scales: Vec<f32>,
        /// By input, of what it is divided by before it is coded, if it is.
        inverse: Option<Vec<f32>>,
    },
}

impl<'a> Plain<'a> {
    /// Codes row-major weights `[inputs, outputs]` in 8 bits, or 7 where this machine's kernel could overflow. Inputs are
    /// to be divided by `divisors`, one each, so that columns of very different sizes can share a scale.
    pub fn int8(values: &[f32], outputs: usize, divisors: Option<&[f32]>) -> Self {
        let most = most();
        let divisor = |input: usize| divisors.map_or(1.0, |divisors| divisors[input]);
        let mut scales = vec![0.0_f32; outputs];
        for (input, row) in values.chunks_exact(outputs).enumerate() {
            let divisor = divisor(input);
            scales.iter_mut().zip(row).for_each(|(scale, value)| *scale = scale.max((value * divisor).abs()));
        }
        scales.iter_mut().for_each(|scale| *scale = (*scale / most).max(1e-30));
        let mut coded = Vec::with_capacity(values.len());
        for (input, row) in values.chunks_exact(outputs).enumerate() {
            let divisor = divisor(input);
            coded.extend(
                row.iter().zip(&scales).map(|(value, scale)| (value * divisor / scale).round_ties_even() as i8),
            );
        }
        let inverse = divisors.map(|divisors| divisors.iter().map(|divisor| 1.0 / divisor).collect());
        Self::Int8 { coded, scales, inverse }
    }

    /// Packs them for this machine's kernel.
    pub fn packed(self, outputs: usize) -> Weights {
        match self {
            Self::Float(values) => Weights::float(&values, outputs, None),
            Self::Int8 { coded, scales, inverse } => {
                let mut totals = vec![0; outputs];
                for row in coded.chunks_exact(outputs) {
                    totals.iter_mut().zip(row).for_each(|(total, value)| *total += i32::from(*value));
                }
                let shape = [coded.len() / outputs, outputs];
                let packed = bytes(|gemm| gemm.prepack_b(NdTensorView::from_data(shape, &coded[..])));
                Weights::Int8 { packed, scales, totals, inverse }
            }
        }
    }
}

impl Weights {
    /// Packs row-major weights `[inputs, outputs]` as they are.
    pub fn float(values: &[f32], outputs: usize, watch: Option<Arc<Mutex<Watch>>>) -> Self {
        let shape = [values.len() / outputs, outputs];
        Self::Float { packed: floats(|gemm| gemm.prepack_b(NdTensorView::from_data(shape, values))), watch }
    }

    /// Codes row-major weights as [`Plain::int8`] does, and packs them.
    pub fn int8(values: &[f32], outputs: usize, divisors: Option<&[f32]>) -> Self {
        Plain::int8(values, outputs, divisors).packed(outputs)
    }

    fn inputs(&self) -> usize {
        match self {
            Self::Float { packed, .. } => packed.rows(),
            Self::Int8 { packed, .. } => packed.rows(),
        }
    }

    fn outputs(&self) -> usize {
        match self {
            Self::Float { packed, .. } => packed.cols(),
            Self::Int8 { packed, .. } => packed.cols(),
        }
    }
}

/// Where a dimension of the output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dimension {
    /// That of the input.
    Input(usize),
    /// The layer's outputs, or a part of them where they are several dimensions.
    Outputs(usize),
    /// Just one.
    One,
}

/// The layer as an operation on the graph. Its input ends in the dimensions that are summed over; a second input, if there
/// is one, is added to what comes out.
#[derive(Clone, Debug)]
pub struct Linear {
    /// A layer that the input goes through before, block by block, so that what is between them never leaves the cache.
    pub before: Option<Arc<Linear>>,
    /// Shared by all copies.
    pub weights: Arc<Weights>,
    /// By output.
    pub bias: Arc<Vec<f32>>,
    /// Of what comes out.
    pub activation: Activation,
    /// The shape of what comes out.
    pub shape: Vec<Dimension>,
}

impl PartialEq for Linear {
    fn eq(&self, other: &Self) -> bool {
        self.before == other.before
            && Arc::ptr_eq(&self.weights, &other.weights)
            && Arc::ptr_eq(&self.bias, &other.bias)
            && self.activation == other.activation
            && self.shape == other.shape
    }
}

impl Eq for Linear {}

#[derive(Default)]
struct Scratch {
    coded: Coded,
    row: Vec<f32>,
    sums: Vec<i32>,
    hidden: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Linear {
    fn inputs(&self) -> usize {
        self.before.as_ref().map_or(self.weights.inputs(), |before| before.inputs())
    }

    /// A layer alone, without bias or activation.
    pub fn plain(weights: Weights) -> Self {
        let bias = Arc::new(vec![0.0; weights.outputs()]);
        let (weights, activation) = (Arc::new(weights), Activation::None);
        Self { before: None, weights, bias, activation, shape: Vec::new() }
    }

    /// Rows of inputs to rows of outputs, which replace what is there or are added to it.
    pub fn run(&self, input: &[f32], output: &mut [f32], add: bool) {
        let (inputs, outputs) = (self.inputs(), self.weights.outputs());
        if rayon::current_num_threads() == 1 {
            for (input, output) in input.chunks(BLOCK * inputs).zip(output.chunks_mut(BLOCK * outputs)) {
                self.chain(input, output, add);
            }
        } else {
            // At least one block for each thread.
            let rows = input.len() / inputs;
            let block = rows.div_ceil(rayon::current_num_threads()).clamp(1, BLOCK);
            let parts = input.par_chunks(block * inputs).zip(output.par_chunks_mut(block * outputs));
            parts.for_each(|(input, output)| self.chain(input, output, add));
        }
    }

    fn chain(&self, input: &[f32], output: &mut [f32], add: bool) {
        // Taken, not borrowed: a thread that waits within a product may take up another block.
        let mut scratch = SCRATCH.take();
        match &self.before {
            Some(before) => {
                let mut hidden = std::mem::take(&mut scratch.hidden);
                hidden.resize(input.len() / before.inputs() * before.weights.outputs(), 0.0);
                before.block(input, &mut hidden, false, &mut scratch);
                self.block(&hidden, output, add, &mut scratch);
                scratch.hidden = hidden;
            }
            None => self.block(input, output, add, &mut scratch),
        }
        SCRATCH.set(scratch);
    }

    fn block(&self, input: &[f32], output: &mut [f32], add: bool, scratch: &mut Scratch) {
        let (inputs, outputs) = (self.weights.inputs(), self.weights.outputs());
        let rows = input.len() / inputs;
        let Scratch { coded, row, sums, .. } = scratch;
        match &*self.weights {
            Weights::Float { packed, watch } => {
                if let Some(watch) = watch {
                    watch.lock().unwrap_or_else(PoisonError::into_inner).see(input, inputs);
                }
                let a = GemmInputA::Unpacked(NdTensorView::from_data([rows, inputs], input));
                let (bias, beta) = (Some(BiasVector::Row(&self.bias[..])), if add { 1.0 } else { 0.0 });
                let options = GemmOptions { bias, beta, ..GemmOptions::default() };
                multiply(output, a, GemmInputB::Packed(packed), options);
                activate(output, self.activation);
            }
            Weights::Int8 { packed, scales, totals, inverse } => {
                match inverse {
                    Some(inverse) => coded.code_divided(input, inputs, inverse, row),
                    None => coded.code(input.chunks_exact(inputs), inputs),
                }
                sums.resize(rows * outputs, 0);
                let a = GemmInputA::Unpacked(NdTensorView::from_data([rows, inputs], &coded.bytes[..]));
                // Zeros are taken off by `decode`: the product knows of one for all rows only.
                multiply_bytes(sums, a, GemmInputB::Packed(packed));
                let columns = Columns { scales, totals, bias: &self.bias };
                let sums = sums.chunks_exact(outputs).zip(coded.codes());
                for ((sums, code), output) in sums.zip(output.chunks_exact_mut(outputs)) {
                    decode(sums, code, &columns, self.activation, add, output);
                }
            }
        }
    }

    fn output_shape<D: Clone>(&self, input: &[D], count: impl Fn(usize) -> D) -> TVec<D> {
        let dimension = |dimension: &Dimension| match dimension {
            Dimension::Input(axis) => input[*axis].clone(),
            Dimension::Outputs(outputs) => count(*outputs),
            Dimension::One => count(1),
        };
        self.shape.iter().map(dimension).collect()
    }
}

impl Op for Linear {
    fn name(&self) -> StaticName {
        "Linear".into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        let (inputs, outputs) = (self.weights.inputs(), self.weights.outputs());
        Ok(vec![format!("{inputs} x {outputs} {:?} {:?}", self.weights, self.activation)])
    }

    op_as_typed_op!();
}

impl EvalOp for Linear {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut inputs = inputs.into_iter();
        let (Some(input), sum) = (inputs.next(), inputs.next()) else { bail!("a linear layer has an input") };
        let add = sum.is_some();
        let mut output = match sum {
            Some(sum) => sum.into_tensor(),
            None => Tensor::zero::<f32>(&self.output_shape(input.shape(), |count| count))?,
        };
        let values = input.try_as_plain_ram()?;
        self.run(values.as_slice::<f32>()?, output.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?, add);
        Ok(tvec![output.into_tvalue()])
    }
}

impl TypedOp for Linear {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(self.output_shape::<TDim>(&inputs[0].shape.to_tvec(), |count| count.to_dim()))])
    }
}
