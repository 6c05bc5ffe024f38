//! The loops of a convolution over pictures whose channels lie innermost: `[rows, columns, channels]`.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::layer::{Size, Window};

/// A depthwise convolution of one picture: each channel with a kernel of its own.
pub(super) struct Depthwise<'a> {
    /// `[rows, columns, channels]`.
    pub(super) input: &'a [f32],
    /// Of the input.
    pub(super) from: Size,
    /// `[rows, columns, channels]`.
    pub(super) output: &'a mut [f32],
    /// Of the output.
    pub(super) to: Size,
    /// What it sees at once.
    pub(super) window: &'a Window,
    /// `[rows of the window, columns of the window, channels]`.
    pub(super) weights: &'a [f32],
    /// By channel.
    pub(super) bias: &'a [f32],
    /// The least and the most that comes out.
    pub(super) clamp: (f32, f32),
}

/// A pixel of the output: where it reads the input, and which part of the window lies within the picture.
struct Pixel {
    /// Of the first channel of the first pixel read.
    input: usize,
    /// Of the first channel of the weights for that.
    weights: usize,
    /// Rows and columns of the window.
    taps: [usize; 2],
}

impl Depthwise<'_> {
    /// The sums of `N` vectors of channels from `channel` on.
    #[inline(always)]
    fn sums<I: Isa, const N: usize>(&self, isa: I, pixel: &Pixel, channel: usize) -> [I::F32; N] {
        let ops = isa.f32();
        let channels = self.from.channels;
        let (line, row) = (self.from.columns * channels, self.window.kernel[1] * channels);
        let mut sums = ops.load_many::<N>(&self.bias[channel..]);
        for y in 0..pixel.taps[0] {
            let input = &self.input[pixel.input + y * line + channel..];
            let weights = &self.weights[pixel.weights + y * row + channel..];
            for x in 0..pixel.taps[1] {
                let values = ops.load_many::<N>(&input[x * channels..]);
                let by = ops.load_many::<N>(&weights[x * channels..]);
                for at in 0..N {
                    sums[at] = ops.mul_add(values[at], by[at], sums[at]);
                }
            }
        }
        let (low, high) = (ops.splat(self.clamp.0), ops.splat(self.clamp.1));
        sums.map(|sum| ops.min(ops.max(sum, low), high))
    }

    /// The same for one channel.
    fn sum(&self, pixel: &Pixel, channel: usize) -> f32 {
        let channels = self.from.channels;
        let mut sum = self.bias[channel];
        for y in 0..pixel.taps[0] {
            for x in 0..pixel.taps[1] {
                let input = pixel.input + (y * self.from.columns + x) * channels + channel;
                let weight = pixel.weights + (y * self.window.kernel[1] + x) * channels + channel;
                sum += self.input[input] * self.weights[weight];
            }
        }
        sum.max(self.clamp.0).min(self.clamp.1)
    }

    #[inline(always)]
    fn pixel<I: Isa>(&mut self, isa: I, pixel: &Pixel, out: usize) {
        let step = isa.f32().len();
        let channels = self.from.channels;
        let mut at = 0;
        while at + 4 * step <= channels {
            let sums = self.sums::<I, 4>(isa, pixel, at);
            self.store(isa, &sums, out + at);
            at += 4 * step;
        }
        while at + 2 * step <= channels {
            let sums = self.sums::<I, 2>(isa, pixel, at);
            self.store(isa, &sums, out + at);
            at += 2 * step;
        }
        while at + step <= channels {
            let sums = self.sums::<I, 1>(isa, pixel, at);
            self.store(isa, &sums, out + at);
            at += step;
        }
        for at in at..channels {
            self.output[out + at] = self.sum(pixel, at);
        }
    }

    #[inline(always)]
    fn store<I: Isa>(&mut self, isa: I, sums: &[I::F32], at: usize) {
        let ops = isa.f32();
        let out = &mut self.output[at..at + sums.len() * ops.len()];
        for (sum, out) in sums.iter().zip(out.chunks_exact_mut(ops.len())) {
            ops.store(*sum, out);
        }
    }
}

impl SimdOp for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let (from, to, channels) = (self.from, self.to, self.from.channels);
        for y in 0..to.rows {
            let (first_y, skipped_y, taps_y) = self.window.within(0, y, from.rows);
            for x in 0..to.columns {
                let (first_x, skipped_x, taps_x) = self.window.within(1, x, from.columns);
                let pixel = Pixel {
                    input: (first_y * from.columns + first_x) * channels,
                    weights: (skipped_y * self.window.kernel[1] + skipped_x) * channels,
                    taps: [taps_y, taps_x],
                };
                self.pixel(isa, &pixel, (y * to.columns + x) * channels);
            }
        }
    }
}

/// What each pixel of the output sees of one picture, as a row: `[pixels, rows of the window * columns * channels]`. What
/// lies outside is 0.
pub(super) fn unfold(input: &[f32], from: Size, to: Size, window: &Window, rows: &mut [f32]) {
    let channels = from.channels;
    let line = window.kernel[1] * channels;
    let mut out = rows.chunks_exact_mut(window.kernel[0] * line);
    for y in 0..to.rows {
        let (first_y, skipped_y, taps_y) = window.within(0, y, from.rows);
        for x in 0..to.columns {
            let Some(out) = out.next() else { return };
            let (first_x, skipped_x, taps_x) = window.within(1, x, from.columns);
            if taps_y * taps_x < window.kernel[0] * window.kernel[1] {
                out.fill(0.0);
            }
            for tap in 0..taps_y {
                let at = ((first_y + tap) * from.columns + first_x) * channels;
                let to = (skipped_y + tap) * line + skipped_x * channels;
                out[to..to + taps_x * channels].copy_from_slice(&input[at..at + taps_x * channels]);
            }
        }
    }
}

/// A matrix the other way round: `[rows, columns]` to `[columns, rows]`.
pub(super) fn transpose(input: &[f32], columns: usize, output: &mut [f32]) {
    /// Lines of a cache hold so many.
    const TILE: usize = 16;
    let rows = input.len() / columns;
    for first in (0..rows).step_by(TILE) {
        let last = rows.min(first + TILE);
        for (column, out) in output.chunks_exact_mut(rows).enumerate() {
            for (row, out) in (first..last).zip(&mut out[first..last]) {
                *out = input[row * columns + column];
            }
        }
    }
}
