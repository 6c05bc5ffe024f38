//! A thumbnail: a frame in coarse cells, in which change is told from noise.

use super::light;
use crate::frame::{Frame, PixelRect};

/// Brightness, and how blue and how red that is: luma, Cb and Cr of Rec. 601, 8-bit. Something red before a grey road can have
/// the road's brightness.
pub(super) type Cell = [f32; 3];

/// The means of a frame in square cells.
#[derive(Clone, Debug)]
pub(super) struct Thumbnail {
    /// Side of a cell in pixels.
    side: u32,
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// Row by row.
    pub(super) cells: Vec<Cell>,
}

impl Thumbnail {
    pub(super) fn of(frame: &Frame, side: u32) -> Self {
        let (columns, rows) = (frame.width().div_ceil(side), frame.height().div_ceil(side));
        let mut sums = vec![([0_u32; 3], 0_u32); (columns * rows) as usize];
        for (y, row) in frame.rgb().chunks_exact(frame.width() as usize * 3).enumerate() {
            let first = (y as u32 / side * columns) as usize;
            for (cell, pixels) in row.chunks(3 * side as usize).enumerate() {
                let (sum, count) = &mut sums[first + cell];
                for pixel in pixels.chunks_exact(3) {
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                    *count += 1;
                }
            }
        }
        let mean = |(sum, count): ([u32; 3], u32)| {
            let [red, green, blue] = sum.map(|sum| sum as f32 / count as f32);
            let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
            [luma, 0.564 * (blue - luma), 0.713 * (red - luma)]
        };
        Self { side, columns, rows, cells: sums.into_iter().map(mean).collect() }
    }

    /// One of the same shape with other cells.
    pub(super) fn with(&self, cells: Vec<Cell>) -> Self {
        Self { cells, ..*self }
    }

    pub(super) fn window(&self, rect: &PixelRect) -> impl Iterator<Item = usize> {
        let columns = rect.x / self.side..((rect.x + rect.width).div_ceil(self.side)).min(self.columns);
        let rows = rect.y / self.side..((rect.y + rect.height).div_ceil(self.side)).min(self.rows);
        let width = self.columns;
        rows.flat_map(move |row| columns.clone().map(move |column| (row * width + column) as usize))
    }
}

/// A cell as it would be in light that is so many times as bright.
pub(super) fn lit([luma, blue, red]: Cell, gain: f32) -> Cell {
    [light::lit(luma, gain), gain * blue, gain * red]
}

/// How far two cells are apart, in brightness and in colour.
pub(super) fn apart(a: Cell, b: Cell) -> (f32, f32) {
    let [luma, blue, red] = [0, 1, 2].map(|part| (a[part] - b[part]).abs());
    (luma, blue.max(red))
}
