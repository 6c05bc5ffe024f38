//! Layers of a convolutional network, each on values that lie as `[pictures, rows, columns, channels]`.

use std::sync::Arc;

use rten_simd::SimdOp;
use serde::{Deserialize, Serialize};

use super::super::linear::Linear;
use super::super::rows::{Activation, activate};
use super::depthwise::{Depthwise, unfold};

/// The size of a picture, or of what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels from top to bottom.
    pub rows: usize,
    /// Pixels from left to right.
    pub columns: usize,
    /// Numbers a pixel.
    pub channels: usize,
}

impl Size {
    /// Pixels.
    pub fn pixels(self) -> usize {
        self.rows * self.columns
    }

    /// Numbers a picture.
    pub fn len(self) -> usize {
        self.pixels() * self.channels
    }
}

/// What a convolution sees at once: of rows, then of columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Pixels.
    pub kernel: [usize; 2],
    /// Pixels of the input from one of the output to the next.
    pub stride: [usize; 2],
    /// Pixels by which the first one begins before the picture.
    pub before: [usize; 2],
}

impl Window {
    /// Whether it sees one pixel, and each of them.
    pub fn is_pixel(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0]
    }

    /// Along an axis that is `length` pixels long, for the pixel at `place` of the output: the first pixel of the input within
    /// the window, taps of the window that lie before the picture, and taps within it.
    pub(super) fn within(&self, axis: usize, place: usize, length: usize) -> (usize, usize, usize) {
        let (start, before) = (place * self.stride[axis], self.before[axis]);
        let (first, skipped) = (start.saturating_sub(before), before.saturating_sub(start));
        let end = (start + self.kernel[axis]).saturating_sub(before).min(length);
        (first.min(length), skipped, end.saturating_sub(first))
    }
}

/// What a layer does. `L` is a linear layer and `R` a row of numbers: themselves, or where they are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step<L, R> {
    /// A convolution over all channels: a linear layer on what each pixel sees. What the layer's second value holds is added.
    Dense {
        /// What a pixel sees.
        window: Window,
        /// On rows of the window's rows, columns and channels.
        layer: L,
    },
    /// A convolution of each channel by itself.
    Depthwise {
        /// What a pixel sees.
        window: Window,
        /// `[rows of the window, columns of the window, channels]`.
        weights: R,
        /// By channel.
        bias: R,
    },
    /// The sum of both values.
    Add,
    /// `value * scale + shift` by channel.
    Scale {
        /// By channel.
        scale: R,
        /// By channel.
        shift: R,
    },
    /// Each pixel so many times as large.
    Enlarge([usize; 2]),
    /// Nothing but the activation.
    Same,
}

/// A layer, and what goes through it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer<L, R> {
    /// What it does.
    pub step: Step<L, R>,
    /// The value that it reads: a number among the network's inputs and, after them, what its layers give.
    pub from: usize,
    /// Another one, which is added.
    pub and: Option<usize>,
    /// Of what comes out.
    pub size: Size,
    /// Of what comes out.
    pub activation: Activation,
}

impl<L, R> Layer<L, R> {
    /// The same layer with its step kept, or read, in another way.
    ///
    /// # Errors
    /// What `linear` and `row` give.
    pub fn map<M, S, E>(
        &self,
        linear: impl FnMut(&L) -> Result<M, E>,
        row: impl FnMut(&R) -> Result<S, E>,
    ) -> Result<Layer<M, S>, E> {
        let Self { from, and, size, activation, .. } = *self;
        Ok(Layer { step: self.step.map(linear, row)?, from, and, size, activation })
    }
}

impl<L, R> Step<L, R> {
    fn map<M, S, E>(
        &self,
        mut linear: impl FnMut(&L) -> Result<M, E>,
        mut row: impl FnMut(&R) -> Result<S, E>,
    ) -> Result<Step<M, S>, E> {
        Ok(match self {
            Self::Dense { window, layer } => Step::Dense { window: window.clone(), layer: linear(layer)? },
            Self::Depthwise { window, weights, bias } => {
                Step::Depthwise { window: window.clone(), weights: row(weights)?, bias: row(bias)? }
            }
            Self::Add => Step::Add,
            Self::Scale { scale, shift } => Step::Scale { scale: row(scale)?, shift: row(shift)? },
            Self::Enlarge(by) => Step::Enlarge(*by),
            Self::Same => Step::Same,
        })
    }
}

/// A value of some pictures.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) data: &'a [f32],
    pub(super) size: Size,
}

impl Layer<Linear, Arc<Vec<f32>>> {
    /// Runs it; where there is another value to be added, `output` holds it already. `rows` is scratch.
    pub(super) fn run(&self, input: Value, output: &mut [f32], rows: &mut Vec<f32>) {
        let Value { data, size: from } = input;
        let to = self.size;
        let pictures = data.chunks_exact(from.len()).zip(output.chunks_exact_mut(to.len()));
        match &self.step {
            Step::Dense { window, layer } if window.is_pixel() => layer.run(data, output, self.and.is_some()),
            Step::Dense { window, layer } => {
                let length = to.pixels() * window.kernel[0] * window.kernel[1] * from.channels;
                grow(rows, length);
                for (input, output) in pictures {
                    unfold(input, from, to, window, &mut rows[..length]);
                    layer.run(&rows[..length], output, self.and.is_some());
                }
            }
            Step::Depthwise { window, weights, bias } => {
                let clamp = match self.activation {
                    Activation::Clamp(low, high) => (low, high),
                    _ => (f32::MIN, f32::MAX),
                };
                for (input, output) in pictures {
                    Depthwise { input, from, output, to, window, weights, bias, clamp }.dispatch();
                    if !matches!(self.activation, Activation::Clamp(..)) {
                        activate(output, self.activation);
                    }
                }
            }
            Step::Add => {
                output.iter_mut().zip(data).for_each(|(sum, value)| *sum += value);
                activate(output, self.activation);
            }
            Step::Scale { scale, shift } => {
                let rows = output.chunks_exact_mut(to.channels).zip(data.chunks_exact(to.channels));
                for (output, input) in rows {
                    for (((out, value), scale), shift) in output.iter_mut().zip(input).zip(&scale[..]).zip(&shift[..]) {
                        *out = value * scale + shift;
                    }
                }
                activate(output, self.activation);
            }
            Step::Enlarge(by) => {
                for (input, output) in pictures {
                    for (place, out) in output.chunks_exact_mut(to.channels).enumerate() {
                        let (y, x) = (place / to.columns / by[0], place % to.columns / by[1]);
                        let at = (y * from.columns + x) * to.channels;
                        out.copy_from_slice(&input[at..at + to.channels]);
                    }
                }
                activate(output, self.activation);
            }
            Step::Same => {
                output.copy_from_slice(data);
                activate(output, self.activation);
            }
        }
    }
}

/// Makes a buffer at least so long; what it holds is whatever it held.
pub(super) fn grow(buffer: &mut Vec<f32>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
}
