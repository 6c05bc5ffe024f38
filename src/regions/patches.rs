//! Patches: what one dense look at a tile tells, block by block.

use crate::clip::Embedding;
use crate::frame::{PixelRect, UnitBox};

/// Patches along the side of a block: one alone sees too little of a thing to be trusted.
const BLOCK: usize = 2;

/// The corners (row, column) of all blocks of a tile with `rows`×`rows` patches, row by row. They overlap by half.
fn corners(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let last = (rows + 1).saturating_sub(BLOCK.min(rows));
    (0..last).flat_map(move |row| (0..last).map(move |column| (row, column)))
}

/// What each block speaks for, in fractions of a frame of that size; `seen` is what the encoder saw of it.
pub fn block_areas(seen: &PixelRect, rows: usize, (width, height): (u32, u32)) -> Vec<UnitBox> {
    let side = BLOCK.min(rows) as f32;
    let x = |column: f32| (seen.x as f32 + seen.width as f32 * column / rows as f32) / width as f32;
    let y = |row: f32| (seen.y as f32 + seen.height as f32 * row / rows as f32) / height as f32;
    let area = |(row, column): (usize, usize)| {
        let (row, column) = (row as f32, column as f32);
        UnitBox::new(x(column), y(row), x(column + side), y(row + side))
    };
    corners(rows).map(area).collect()
}

/// Each block's mean embedding, in the order of [`block_areas`], from those of a tile's patches, row by row. A block whose
/// patches cancel out speaks with its first patch.
pub fn block_embeddings(patches: &[Embedding], rows: usize) -> Vec<Embedding> {
    let side = BLOCK.min(rows);
    let mean = |(row, column): (usize, usize)| {
        let within = (row..row + side).flat_map(|r| (column..column + side).map(move |c| r * rows + c));
        Embedding::mean(within.map(|index| &patches[index])).unwrap_or_else(|| patches[row * rows + column].clone())
    };
    corners(rows).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_tile_and_average_their_own_patches() {
        let seen = PixelRect { x: 100, y: 50, width: 80, height: 80 };
        let areas = block_areas(&seen, 4, (200, 200));
        assert_eq!(areas.len(), 9);
        assert_eq!(areas[0], UnitBox::new(0.5, 0.25, 0.7, 0.45));
        assert_eq!(areas[8], UnitBox::new(0.7, 0.45, 0.9, 0.65));
        let axis = |index: usize| Embedding::new((0..16).map(|i| f32::from(i == index)).collect::<Vec<f32>>());
        let patches: Vec<_> = (0..16).map(|index| axis(index).expect("not zero")).collect();
        let blocks = block_embeddings(&patches, 4);
        let shares = |block: &Embedding| -> Vec<usize> { (0..16).filter(|i| block.values()[*i] > 0.4).collect() };
        assert_eq!(shares(&blocks[0]), [0, 1, 4, 5]);
        assert_eq!(shares(&blocks[8]), [10, 11, 14, 15]);
        assert_eq!(block_areas(&seen, 1, (200, 200)).len(), block_embeddings(&patches[..1], 1).len());
    }
}
