//! A thumbnail: the brightness of a frame in coarse cells, in which change is told from noise.

use crate::frame::{Frame, PixelRect};

/// The brightness of a frame, in square cells.
#[derive(Clone, Debug)]
pub(super) struct Thumbnail {
    /// Side of a cell in pixels.
    side: u32,
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// Mean luma of each cell, row by row, 0..255.
    pub(super) cells: Vec<f32>,
}

impl Thumbnail {
    pub(super) fn of(frame: &Frame, side: u32) -> Self {
        let (columns, rows) = (frame.width().div_ceil(side), frame.height().div_ceil(side));
        let mut cells = vec![0.0; (columns * rows) as usize];
        let mut counts = vec![0.0_f32; cells.len()];
        for (y, row) in frame.rgb().chunks_exact(frame.width() as usize * 3).enumerate() {
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let cell = (y as u32 / side * columns + x as u32 / side) as usize;
                // Rec. 601 luma is enough to see that something has changed.
                cells[cell] += 0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
                counts[cell] += 1.0;
            }
        }
        cells.iter_mut().zip(counts).for_each(|(cell, count)| *cell /= count);
        Self { side, columns, rows, cells }
    }

    /// One of the same shape with other cells.
    pub(super) fn with(&self, cells: Vec<f32>) -> Self {
        Self { cells, ..*self }
    }

    pub(super) fn window(&self, rect: &PixelRect) -> impl Iterator<Item = usize> {
        let columns = rect.x / self.side..((rect.x + rect.width).div_ceil(self.side)).min(self.columns);
        let rows = rect.y / self.side..((rect.y + rect.height).div_ceil(self.side)).min(self.rows);
        let width = self.columns;
        rows.flat_map(move |row| columns.clone().map(move |column| (row * width + column) as usize))
    }
}
