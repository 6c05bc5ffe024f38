//! The evidence map: what all tiles together say of each small cell of the frame.

use crate::frame::UnitBox;

/// Rows of the map; columns follow from the frame's aspect.
const ROWS: usize = 36;
/// How far evidence for a thing spreads around where it is strongest.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Sides of the tile, or block of patches, that it reaches beyond it.
    pub reach: f32,
    /// A cell belongs to the thing while its evidence is at least this share of the peak.
    pub edge: f32,
}

impl Spread {
    /// Of tiles: large ones say little of where, and two neighbours stay two.
    pub const TILES: Self = Self { reach: 0.5, edge: 0.7 };
    /// Of blocks of patches: each sees a part of the thing.
    pub const BLOCKS: Self = Self { reach: 6.0, edge: 0.5 };
}

/// Mean score of the tiles over each cell, small tiles counting more: they say more exactly where.
#[derive(Clone, Debug)]
pub struct EvidenceMap {
    columns: usize,
    cells: Vec<f32>,
}

impl EvidenceMap {
    /// A map from tiles (area, probability) of a frame whose width is `aspect` times its height.
    pub fn new(tiles: impl Iterator<Item = (UnitBox, f32)>, aspect: f32) -> Self {
        let columns = ((ROWS as f32 * aspect).round() as usize).clamp(4, 40 * ROWS);
        let mut sums = vec![(0.0, 0.0); columns * ROWS];
        for (area, probability) in tiles {
            let weight = 1.0 / area.area().max(1e-6);
            for cell in window(columns, &area) {
                sums[cell].0 += weight * probability;
                sums[cell].1 += weight;
            }
        }
        let cells = sums.into_iter().map(|(sum, weight)| if weight > 0.0 { sum / weight } else { 0.0 }).collect();
        Self { columns, cells }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.columns, ROWS)
    }

    /// The cells, row by row, each 0..1.
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// The box of the thing that `tile` speaks for: the cells that hang together around the strongest cell in the tile.
    /// It reaches no further than `spread` says, and not into what is `taken` by others.
    pub fn locate(&self, tile: &UnitBox, spread: Spread, taken: &[UnitBox]) -> UnitBox {
        let (w, h) = (spread.reach * (tile.x1 - tile.x0), spread.reach * (tile.y1 - tile.y0));
        let reach = UnitBox::new(tile.x0 - w, tile.y0 - h, tile.x1 + w, tile.y1 + h);
        let (cx, cy) = tile.centre();
        // Of equally strong cells the most central: evidence is flat where tiles are large.
        let off_centre = |cell: usize| {
            let (x, y) =
                ((cell % self.columns) as f32 / self.columns as f32, (cell / self.columns) as f32 / ROWS as f32);
            (x - cx).powi(2) + (y - cy).powi(2)
        };
        let mut free = vec![true; self.cells.len()];
        taken.iter().flat_map(|area| window(self.columns, area)).for_each(|cell| free[cell] = false);
        let Some(peak) = window(self.columns, tile)
            .filter(|cell| free[*cell])
            .max_by(|a, b| self.cells[*a].total_cmp(&self.cells[*b]).then(off_centre(*b).total_cmp(&off_centre(*a))))
        else {
            return *tile;
        };
        let floor = spread.edge * self.cells[peak];
        let mut allowed = vec![false; self.cells.len()];
        window(self.columns, &reach).for_each(|cell| allowed[cell] = free[cell] && self.cells[cell] >= floor);
        let (mut x0, mut x1, mut y0, mut y1) = (usize::MAX, 0, usize::MAX, 0);
        let mut open = vec![peak];
        allowed[peak] = false;
        while let Some(cell) = open.pop() {
            let (x, y) = (cell % self.columns, cell / self.columns);
            (x0, x1, y0, y1) = (x0.min(x), x1.max(x), y0.min(y), y1.max(y));
            let around = [
                (x > 0).then(|| cell - 1),
                (x + 1 < self.columns).then(|| cell + 1),
                (y > 0).then(|| cell - self.columns),
                (y + 1 < ROWS).then(|| cell + self.columns),
            ];
            for next in around.into_iter().flatten() {
                if std::mem::take(&mut allowed[next]) {
                    open.push(next);
                }
            }
        }
        let (columns, rows) = (self.columns as f32, ROWS as f32);
        UnitBox::new(x0 as f32 / columns, y0 as f32 / rows, (x1 + 1) as f32 / columns, (y1 + 1) as f32 / rows)
    }
}

/// The cells whose centre lies in the area.
fn window(columns: usize, area: &UnitBox) -> impl Iterator<Item = usize> {
    let range = |low: f32, high: f32, count: usize| {
        let first = (low * count as f32 - 0.5).ceil().max(0.0) as usize;
        let last = ((high * count as f32 - 0.5).floor() + 1.0).max(0.0) as usize;
        first..last.min(count)
    };
    let (xs, ys) = (range(area.x0, area.x1, columns), range(area.y0, area.y1, ROWS));
    ys.flat_map(move |y| xs.clone().map(move |x| y * columns + x))
}
