//! Layer normalisation over the last dimension.

use std::sync::Arc;

use rten_simd::SimdOp;
use rten_vecmath::{Normalize, NormalizeOptions, Sum, SumSquareSub};
use tract_onnx::tract_core::internal::*;

/// `(x - mean) / sqrt(variance + epsilon) * scale + shift`, row by row.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// By column.
    pub scale: Arc<Vec<f32>>,
    /// By column.
    pub shift: Arc<Vec<f32>>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl PartialEq for LayerNorm {
    fn eq(&self, other: &Self) -> bool {
        self.scale == other.scale && self.shift == other.shift && self.epsilon.to_bits() == other.epsilon.to_bits()
    }
}

impl Eq for LayerNorm {}

impl LayerNorm {
    /// Normalises rows where they are.
    pub fn run(&self, values: &mut [f32]) {
        let width = self.scale.len();
        for row in values.chunks_exact_mut(width) {
            let mean = Sum::new(row).dispatch() / width as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / width as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: (variance + self.epsilon).sqrt().recip(),
                element_scale: Some(&self.scale),
                bias: 0.0,
                element_bias: Some(&self.shift),
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}

impl Op for LayerNorm {
    fn name(&self) -> StaticName {
        "LayerNorm".into()
    }

    op_as_typed_op!();
}

impl EvalOp for LayerNorm {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut values = args_1!(inputs).into_tensor();
        self.run(values.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
        Ok(tvec![values.into_tvalue()])
    }
}

impl TypedOp for LayerNorm {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![inputs[0].datum_type.fact(inputs[0].shape.clone())])
    }
}
