//! Loops over rows of numbers, on the widest vectors that the machine has.

use rten_simd::ops::{BitOps, FloatOps, NarrowSaturate, NumOps, ToFloat};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::{ApproxGelu, Gelu, Swish};
use serde::{Deserialize, Serialize};

/// What a linear layer's sums go through on their way out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// Nothing.
    None,
    /// The Gaussian error linear unit, by the error function.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// `x * sigmoid(alpha * x)`: CLIP's "quick GELU" at 1.702, SiLU at 1.
    Swish(f32),
    /// Between the least and the most that it lets through: ReLU up to the largest number, ReLU6 up to 6.
    Clamp(f32, f32),
}

/// A block of rows in 8 bits: `value = scale * (byte - zero)`, with a scale and a zero for each row.
#[derive(Debug, Default)]
pub struct Coded {
    /// Row by row.
    pub bytes: Vec<u8>,
    /// What stands for nothing, by row.
    pub zeros: Vec<u8>,
    /// Of one step, by row.
    pub scales: Vec<f32>,
}

impl Coded {
    /// Codes rows of `width` values, each divided before by its column's divisor: `inverse` holds their inverses.
    pub fn code_divided(&mut self, rows: &[f32], width: usize, inverse: &[f32], scratch: &mut Vec<f32>) {
        scratch.resize(rows.len(), 0.0);
        for (row, divided) in rows.chunks_exact(width).zip(scratch.chunks_exact_mut(width)) {
            Product { a: row, b: inverse, out: divided }.dispatch();
        }
        self.code(scratch.chunks_exact(width), width);
    }

    /// Codes rows of `width` values.
    pub fn code<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [f32]>, width: usize) {
        self.bytes.resize(rows.len() * width, 0);
        self.zeros.clear();
        self.scales.clear();
        for (row, bytes) in rows.zip(self.bytes.chunks_exact_mut(width)) {
            let (scale, zero) = Code { row, bytes }.dispatch();
            self.zeros.push(zero);
            self.scales.push(scale);
        }
    }

    /// Scale and zero of every row.
    pub fn codes(&self) -> impl Iterator<Item = (u8, f32)> {
        self.zeros.iter().copied().zip(self.scales.iter().copied())
    }
}

/// Writes a row in bytes; gives its scale and zero.
struct Code<'a> {
    row: &'a [f32],
    bytes: &'a mut [u8],
}

impl SimdOp for Code<'_> {
    type Output = (f32, u8);

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> (f32, u8) {
        let (ops, ints, shorts, bytes) = (isa.f32(), isa.i32(), isa.i16(), isa.u8());
        let step = ops.len();
        let many = 4 * step;
        // The range always includes 0: what is nothing stays nothing.
        let (mut low, mut high) = ([ops.zero(); 4], [ops.zero(); 4]);
        let mut at = 0;
        while at + many <= self.row.len() {
            let values = ops.load_many::<4>(&self.row[at..at + many]);
            for lane in 0..4 {
                low[lane] = ops.min(low[lane], values[lane]);
                high[lane] = ops.max(high[lane], values[lane]);
            }
            at += many;
        }
        let low = ops.min(ops.min(low[0], low[1]), ops.min(low[2], low[3]));
        let high = ops.max(ops.max(high[0], high[1]), ops.max(high[2], high[3]));
        let rest = &self.row[at..];
        let low = ops.fold_splat(low, 0.0, f32::min);
        let high = ops.fold_splat(high, 0.0, f32::max);
        let (low, high) = (low.to_array().as_ref()[0], high.to_array().as_ref()[0]);
        let (low, high) = rest.iter().fold((low, high), |(low, high), value| (low.min(*value), high.max(*value)));
        let scale = ((high - low) / 255.0).max(1e-30);
        let inverse = 1.0 / scale;
        let zero = (-low * inverse).round_ties_even();
        let (by, plus) = (ops.splat(inverse), ints.splat(zero as i32));
        let mut at = 0;
        while at + many <= self.row.len() {
            let values = ops.load_many::<4>(&self.row[at..at + many]);
            let a = ints.add(ops.to_int_round(ops.mul(values[0], by)), plus);
            let b = ints.add(ops.to_int_round(ops.mul(values[1], by)), plus);
            let c = ints.add(ops.to_int_round(ops.mul(values[2], by)), plus);
            let d = ints.add(ops.to_int_round(ops.mul(values[3], by)), plus);
            let packed = shorts.narrow_saturate(ints.narrow_saturate(a, b), ints.narrow_saturate(c, d));
            bytes.store(packed, &mut self.bytes[at..at + many]);
            at += many;
        }
        for (value, byte) in self.row[at..].iter().zip(&mut self.bytes[at..]) {
            *byte = ((value * inverse).round_ties_even() + zero) as u8;
        }
        (scale, zero as u8)
    }
}

struct Product<'a> {
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
}

impl SimdOp for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let step = ops.len();
        let mut at = 0;
        while at + step <= self.out.len() {
            let product = ops.mul(ops.load(&self.a[at..at + step]), ops.load(&self.b[at..at + step]));
            ops.store(product, &mut self.out[at..at + step]);
            at += step;
        }
        for at in at..self.out.len() {
            self.out[at] = self.a[at] * self.b[at];
        }
    }
}

/// A matrix in 8 bits with a sign, made anew for every product.
#[derive(Debug, Default)]
pub struct Signed {
    /// Row by row.
    pub bytes: Vec<i8>,
    /// Of one step, by row or by column.
    pub scales: Vec<f32>,
    /// Sums of the whole numbers, by row or by column.
    pub totals: Vec<i32>,
    inverse: Vec<f32>,
}

impl Signed {
    /// Codes rows of `width` values with a scale for each row, up to `most`.
    pub fn by_row<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [f32]>, width: usize, most: f32) {
        self.bytes.resize(rows.len() * width, 0);
        self.scales.clear();
        self.totals.clear();
        for (row, bytes) in rows.zip(self.bytes.chunks_exact_mut(width)) {
            let (scale, total) = CodeSigned { row, most, bytes }.dispatch();
            self.scales.push(scale);
            self.totals.push(total);
        }
    }

    /// Codes rows of `width` values with a scale for each column, up to `most`.
    pub fn by_column<'a>(&mut self, rows: impl ExactSizeIterator<Item = &'a [f32]> + Clone, width: usize, most: f32) {
        self.bytes.resize(rows.len() * width, 0);
        self.scales.clear();
        self.totals.clear();
        self.scales.resize(width, 0.0);
        self.totals.resize(width, 0);
        for row in rows.clone() {
            Largest { row, largest: &mut self.scales }.dispatch();
        }
        self.scales.iter_mut().for_each(|scale| *scale = (*scale / most).max(1e-30));
        self.inverse.clear();
        self.inverse.extend(self.scales.iter().map(|scale| 1.0 / scale));
        for (row, bytes) in rows.zip(self.bytes.chunks_exact_mut(width)) {
            CodeColumns { row, inverse: &self.inverse, bytes, totals: &mut self.totals }.dispatch();
        }
    }

    /// What sums with this matrix become values with.
    pub fn columns<'a>(&'a self, bias: &'a [f32]) -> Columns<'a> {
        Columns { scales: &self.scales, totals: &self.totals, bias }
    }
}

/// A whole number near 0 by the float that has it in its lowest bits: the nearest, half to even.
#[inline(always)]
fn nearest(value: f32) -> i8 {
    (value + 12_582_912.0).to_bits() as i8
}

struct CodeSigned<'a> {
    row: &'a [f32],
    most: f32,
    bytes: &'a mut [i8],
}

impl SimdOp for CodeSigned<'_> {
    type Output = (f32, i32);

    // Plain loops, which the compiler turns into those of the instruction set that this is inlined into.
    #[inline(always)]
    fn eval<I: Isa>(self, _: I) -> (f32, i32) {
        let mut largest = [0.0_f32; 16];
        let chunks = self.row.chunks_exact(16);
        let rest = chunks.remainder();
        for chunk in chunks {
            for lane in 0..16 {
                let size = chunk[lane].abs();
                largest[lane] = if size > largest[lane] { size } else { largest[lane] };
            }
        }
        let largest = largest.iter().chain(rest).fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = (largest / self.most).max(1e-30);
        let inverse = 1.0 / scale;
        let mut total = 0;
        for (value, byte) in self.row.iter().zip(self.bytes) {
            *byte = nearest(value * inverse);
            total += i32::from(*byte);
        }
        (scale, total)
    }
}

struct Largest<'a> {
    row: &'a [f32],
    largest: &'a mut [f32],
}

impl SimdOp for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        for (value, largest) in self.row.iter().zip(self.largest) {
            let size = value.abs();
            *largest = if size > *largest { size } else { *largest };
        }
    }
}

struct CodeColumns<'a> {
    row: &'a [f32],
    inverse: &'a [f32],
    bytes: &'a mut [i8],
    totals: &'a mut [i32],
}

impl SimdOp for CodeColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let values = self.row.iter().zip(self.inverse);
        for ((value, inverse), (byte, total)) in values.zip(self.bytes.iter_mut().zip(self.totals)) {
            *byte = nearest(value * inverse);
            *total += i32::from(*byte);
        }
    }
}

/// What the sums of a layer become values with, by output.
#[derive(Debug)]
pub struct Columns<'a> {
    /// Of one step of the weights.
    pub scales: &'a [f32],
    /// Of the weights as they are coded: what one step of the input's zero adds to a sum.
    pub totals: &'a [i32],
    /// Added at the end.
    pub bias: &'a [f32],
}

/// Sums of a row of bytes with coded weights become values:
/// `activation((sum - zero * total) * row_scale * scale + bias)`, which replace what is in `out` or are added to it.
pub fn decode(
    sums: &[i32],
    (zero, row_scale): (u8, f32),
    columns: &Columns,
    activation: Activation,
    add: bool,
    out: &mut [f32],
) {
    let parts = Decode { sums, zero: zero.into(), row_scale, columns, add, out };
    match activation {
        Activation::None => With(parts, Same).dispatch(),
        Activation::Gelu => With(parts, Gelu {}).dispatch(),
        Activation::GeluTanh => With(parts, ApproxGelu {}).dispatch(),
        Activation::Swish(alpha) => With(parts, Swish { alpha }).dispatch(),
        Activation::Clamp(low, high) => With(parts, Clamp(low, high)).dispatch(),
    }
}

/// The activation of values where they are.
pub fn activate(values: &mut [f32], activation: Activation) {
    match activation {
        Activation::None => {}
        Activation::Gelu => Gelu {}.map_mut(values),
        Activation::GeluTanh => ApproxGelu {}.map_mut(values),
        Activation::Swish(alpha) => Swish { alpha }.map_mut(values),
        Activation::Clamp(low, high) => Clamp(low, high).map_mut(values),
    }
}

struct Same;

impl SimdUnaryOp<f32> for Same {
    #[inline(always)]
    fn eval<I: Isa>(&self, _: I, x: I::F32) -> I::F32 {
        x
    }
}

struct Clamp(f32, f32);

impl SimdUnaryOp<f32> for Clamp {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        ops.min(ops.max(x, ops.splat(self.0)), ops.splat(self.1))
    }
}

struct Decode<'a> {
    sums: &'a [i32],
    zero: i32,
    row_scale: f32,
    columns: &'a Columns<'a>,
    add: bool,
    out: &'a mut [f32],
}

struct With<'a, F>(Decode<'a>, F);

impl<F: SimdUnaryOp<f32>> SimdOp for With<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self(Decode { sums, zero, row_scale, columns, add, out }, activation) = self;
        let (ops, ints) = (isa.f32(), isa.i32());
        let row = (ops.splat(row_scale), ints.splat(zero));
        let step = ops.len();
        let mut at = 0;
        while at + step <= out.len() {
            let part = at..at + step;
            let (sum, total) = (ints.load(&sums[part.clone()]), ints.load(&columns.totals[part.clone()]));
            let (scale, bias) = (ops.load(&columns.scales[part.clone()]), ops.load(&columns.bias[part.clone()]));
            let mut found = value(isa, &activation, row, (sum, total), (scale, bias));
            if add {
                found = ops.add(found, ops.load(&out[part.clone()]));
            }
            ops.store(found, &mut out[part]);
            at += step;
        }
        if at < out.len() {
            let (sum, total) = (ints.load_pad(&sums[at..]).0, ints.load_pad(&columns.totals[at..]).0);
            let (scale, bias) = (ops.load_pad(&columns.scales[at..]).0, ops.load_pad(&columns.bias[at..]).0);
            // There is no safe store of a part: through a buffer of the widest vector there is.
            let mut buffer = [0.0; 64];
            ops.store(value(isa, &activation, row, (sum, total), (scale, bias)), &mut buffer[..step]);
            for (out, found) in out[at..].iter_mut().zip(buffer) {
                *out = if add { *out + found } else { found };
            }
        }
    }
}

#[inline(always)]
fn value<I: Isa>(
    isa: I,
    activation: &impl SimdUnaryOp<f32>,
    (row_scale, zero): (I::F32, I::I32),
    (sum, total): (I::I32, I::I32),
    (scale, bias): (I::F32, I::F32),
) -> I::F32 {
    let (ops, ints) = (isa.f32(), isa.i32());
    let sum = ints.to_float(ints.sub(sum, ints.mul(zero, total)));
    activation.eval(isa, ops.mul_add(sum, ops.mul(row_scale, scale), bias))
}
