//! Attention: `softmax(scale · Q Kᵀ) V`, head by head, whatever order the dimensions are in.

use std::cell::RefCell;

use rayon::prelude::*;
use rten_gemm::{GemmInputA, GemmInputB, GemmOptions};
use rten_simd::SimdOp;
use rten_tensor::{Matrix, NdTensorView};
use rten_vecmath::Softmax;
use serde::{Deserialize, Serialize};
use tract_onnx::tract_core::internal::*;

use super::products::{most, multiply, multiply_bytes};
use super::rows::{Activation, Coded, Signed, decode};

/// With fewer tokens there is little to win by coding them.
const FEWEST: usize = 96;

/// A dimension that heads (or pictures) are told apart by: its place in the queries, keys, values and output.
pub type Batch = [usize; 4];

/// Attention as an operation on queries, keys and values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// What the products are multiplied with.
    pub scale: f32,
    /// All that heads and pictures are told apart by.
    pub batch: Vec<Batch>,
    /// The asking tokens: in the queries, in the output.
    pub asking: [usize; 2],
    /// The tokens that are asked: in the keys, in the values.
    pub asked: [usize; 2],
    /// What queries and keys are compared in: in the queries, in the keys.
    pub compared: [usize; 2],
    /// What is told: in the values, in the output.
    pub told: [usize; 2],
    /// Whether the products are done in 8 bits where that pays.
    pub int8: bool,
    /// Dimensions of the output; those not named above are 1.
    pub rank: usize,
}

impl Eq for Attention {}

fn strides(shape: &[usize]) -> TVec<usize> {
    let mut strides: TVec<usize> = tvec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    strides
}

#[derive(Default)]
struct Scratch {
    weights: Vec<f32>,
    told: Vec<f32>,
    coded: Coded,
    sums: Vec<i32>,
    signed: Signed,
    nothing: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Rows within a tensor: strides of rows and columns.
#[derive(Clone, Copy)]
struct View<'a, T> {
    data: &'a [T],
    strides: [usize; 2],
}

impl<'a, T> View<'a, T> {
    fn matrix(&self, shape: [usize; 2]) -> Matrix<'a, T> {
        NdTensorView::from_slice_with_strides(shape, self.data, self.strides).expect("within its tensor")
    }

    fn transposed(&self, shape: [usize; 2]) -> Matrix<'a, T> {
        let strides = [self.strides[1], self.strides[0]];
        NdTensorView::from_slice_with_strides(shape, self.data, strides).expect("within its tensor")
    }

    /// Rows whose values lie side by side.
    fn rows(&self, count: usize, width: usize) -> impl ExactSizeIterator<Item = &'a [T]> + Clone + use<'a, T> {
        let (data, stride) = (self.data, self.strides[0]);
        (0..count).map(move |row| &data[row * stride..row * stride + width])
    }
}

struct Sizes {
    asking: usize,
    asked: usize,
    compared: usize,
    told: usize,
}

impl Attention {
    fn output_shape<D: Clone>(&self, queries: &[D], values: &[D], one: D) -> TVec<D> {
        let mut shape: TVec<D> = tvec![one; self.rank];
        for [query, _, _, out] in &self.batch {
            shape[*out] = queries[*query].clone();
        }
        shape[self.asking[1]] = queries[self.asking[0]].clone();
        shape[self.told[1]] = values[self.told[0]].clone();
        shape
    }

    /// One head: `told` receives a row for each asking token.
    fn head(&self, views: [View<f32>; 3], sizes: &Sizes, scratch: &mut Scratch) {
        scratch.weights.resize(sizes.asking * sizes.asked, 0.0);
        scratch.told.resize(sizes.asking * sizes.told, 0.0);
        let rows_are_slices = views.iter().all(|view| view.strides[1] == 1);
        if self.int8 && rows_are_slices && sizes.asked >= FEWEST {
            self.head_in_bytes(views, sizes, scratch);
            return;
        }
        let [queries, keys, values] = views;
        let Scratch { weights, told, .. } = scratch;
        let a = GemmInputA::Unpacked(queries.matrix([sizes.asking, sizes.compared]));
        let b = GemmInputB::Unpacked(keys.transposed([sizes.compared, sizes.asked]));
        let options = GemmOptions { alpha: self.scale, ..GemmOptions::default() };
        multiply(weights, a, b, options);
        for row in weights.chunks_exact_mut(sizes.asked) {
            Softmax::new_mut(row).dispatch();
        }
        let a = GemmInputA::Unpacked(NdTensorView::from_data([sizes.asking, sizes.asked], &weights[..]));
        let b = GemmInputB::Unpacked(values.matrix([sizes.asked, sizes.told]));
        multiply(told, a, b, GemmOptions::default());
    }

    /// The same with both products in 8 bits: keys with a scale each, values with a scale a column.
    fn head_in_bytes(&self, [queries, keys, values]: [View<f32>; 3], sizes: &Sizes, scratch: &mut Scratch) {
        let Scratch { weights, told, coded, sums, signed, nothing } = scratch;
        nothing.resize(sizes.asked.max(sizes.told), 0.0);
        signed.by_row(keys.rows(sizes.asked, sizes.compared), sizes.compared, most());
        signed.scales.iter_mut().for_each(|scale| *scale *= self.scale);
        coded.code(queries.rows(sizes.asking, sizes.compared), sizes.compared);
        let a = GemmInputA::Unpacked(NdTensorView::from_data([sizes.asking, sizes.compared], &coded.bytes[..]));
        let keys = View { data: &signed.bytes[..], strides: [sizes.compared, 1] };
        sums.resize(sizes.asking * sizes.asked, 0);
        multiply_bytes(sums, a, GemmInputB::Unpacked(keys.transposed([sizes.compared, sizes.asked])));
        let columns = signed.columns(&nothing[..sizes.asked]);
        let rows = sums.chunks_exact(sizes.asked).zip(coded.codes()).zip(weights.chunks_exact_mut(sizes.asked));
        for ((sums, code), row) in rows {
            decode(sums, code, &columns, Activation::None, false, row);
            Softmax::new_mut(row).dispatch();
        }
        signed.by_column(values.rows(sizes.asked, sizes.told), sizes.told, most());
        coded.code(weights.chunks_exact(sizes.asked), sizes.asked);
        let a = GemmInputA::Unpacked(NdTensorView::from_data([sizes.asking, sizes.asked], &coded.bytes[..]));
        let b = GemmInputB::Unpacked(NdTensorView::from_data([sizes.asked, sizes.told], &signed.bytes[..]));
        let sums = &mut sums[..sizes.asking * sizes.told];
        multiply_bytes(sums, a, b);
        let columns = signed.columns(&nothing[..sizes.told]);
        let rows = sums.chunks_exact(sizes.told).zip(coded.codes()).zip(told.chunks_exact_mut(sizes.told));
        for ((sums, code), row) in rows {
            decode(sums, code, &columns, Activation::None, false, row);
        }
    }

    fn run(&self, inputs: [(&[f32], &[usize]); 3], output: &mut [f32], shape: &[usize]) {
        let [(queries, q_shape), (keys, k_shape), (values, v_shape)] = inputs;
        let [qs, ks, vs, os] = [q_shape, k_shape, v_shape, shape].map(strides);
        let sizes = Sizes {
            asking: q_shape[self.asking[0]],
            asked: k_shape[self.asked[0]],
            compared: q_shape[self.compared[0]],
            told: v_shape[self.told[0]],
        };
        let counts: Vec<usize> = self.batch.iter().map(|axes| q_shape[axes[0]]).collect();
        // Where each head begins in the queries, keys, values and output.
        let heads: Vec<[usize; 4]> = (0..counts.iter().product())
            .map(|mut index: usize| {
                let mut at = [0; 4];
                for (axes, count) in self.batch.iter().zip(&counts).rev() {
                    let place = index % count;
                    index /= count;
                    for (at, (axis, strides)) in at.iter_mut().zip(axes.iter().zip([&qs, &ks, &vs, &os])) {
                        *at += place * strides[*axis];
                    }
                }
                at
            })
            .collect();
        let views = |at: &[usize; 4]| {
            [
                View { data: &queries[at[0]..], strides: [qs[self.asking[0]], qs[self.compared[0]]] },
                View { data: &keys[at[1]..], strides: [ks[self.asked[0]], ks[self.compared[1]]] },
                View { data: &values[at[2]..], strides: [vs[self.asked[1]], vs[self.told[0]]] },
            ]
        };
        let (row, column) = (os[self.asking[1]], os[self.told[1]]);
        let mut write = |told: &[f32], at: usize| {
            for (index, told) in told.chunks_exact(sizes.told).enumerate() {
                let start = at + index * row;
                if column == 1 {
                    output[start..start + sizes.told].copy_from_slice(told);
                } else {
                    output[start..].iter_mut().step_by(column).zip(told).for_each(|(to, from)| *to = *from);
                }
            }
        };
        if rayon::current_num_threads() == 1 {
            let mut scratch = SCRATCH.take();
            for at in &heads {
                self.head(views(at), &sizes, &mut scratch);
                write(&scratch.told, at[3]);
            }
            SCRATCH.set(scratch);
        } else {
            let head = |at: &[usize; 4]| {
                let mut scratch = Scratch::default();
                self.head(views(at), &sizes, &mut scratch);
                scratch.told
            };
            let told: Vec<Vec<f32>> = heads.par_iter().map(head).collect();
            told.iter().zip(&heads).for_each(|(told, at)| write(told, at[3]));
        }
    }
}

impl Op for Attention {
    fn name(&self) -> StaticName {
        "Attention".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Attention {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (queries, keys, values) = args_3!(inputs);
        let shape = self.output_shape(queries.shape(), values.shape(), 1);
        let mut output = Tensor::zero::<f32>(&shape)?;
        let views = [&queries, &keys, &values].map(|tensor| tensor.try_as_plain_ram());
        let [q, k, v] = views;
        let (q, k, v) = (q?, k?, v?);
        let inputs = [
            (q.as_slice::<f32>()?, queries.shape()),
            (k.as_slice::<f32>()?, keys.shape()),
            (v.as_slice::<f32>()?, values.shape()),
        ];
        self.run(inputs, output.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?, &shape);
        Ok(tvec![output.into_tvalue()])
    }
}

impl TypedOp for Attention {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let [queries, values] = [0, 2].map(|input| inputs[input].shape.to_tvec());
        Ok(tvec![f32::fact(self.output_shape::<TDim>(&queries, &values, 1.to_dim()))])
    }
}
