//! Patches: a picture cut into squares, each a row of numbers.

use tract_onnx::tract_core::internal::*;

/// `[N, C, H, W]` pictures to `[N, H / side * W / side, C * side * side]` rows, channel by channel, line by line: what a
/// convolution sees whose stride is its kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Of a square, in pixels.
    pub side: usize,
}

impl Patches {
    fn run(&self, input: &[f32], [channels, height, width]: [usize; 3], output: &mut [f32]) {
        let side = self.side;
        let columns = width / side;
        let picture = channels * height * width;
        let row = channels * side * side;
        for (input, output) in input.chunks_exact(picture).zip(output.chunks_exact_mut(picture)) {
            for (line, pixels) in input.chunks_exact(width).enumerate() {
                let (channel, y) = (line / height, line % height);
                let inside = (channel * side + y % side) * side;
                for (x, pixels) in pixels.chunks_exact(side).enumerate() {
                    let at = (y / side * columns + x) * row + inside;
                    output[at..at + side].copy_from_slice(pixels);
                }
            }
        }
    }
}

impl Op for Patches {
    fn name(&self) -> StaticName {
        "Patches".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Patches {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let [pictures, channels, height, width] = *input.shape() else { bail!("pictures have four dimensions") };
        let rows = (height / self.side) * (width / self.side);
        let mut output = Tensor::zero::<f32>(&[pictures, rows, channels * self.side * self.side])?;
        let pixels = input.try_as_plain_ram()?;
        let to = &mut output.try_as_plain_ram_mut()?;
        self.run(pixels.as_slice::<f32>()?, [channels, height, width], to.as_slice_mut::<f32>()?);
        Ok(tvec![output.into_tvalue()])
    }
}

impl TypedOp for Patches {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shape = &inputs[0].shape;
        let rows = (shape[2].clone() / self.side) * (shape[3].clone() / self.side);
        Ok(tvec![f32::fact([shape[0].clone(), rows, shape[1].clone() * (self.side * self.side)])])
    }
}
