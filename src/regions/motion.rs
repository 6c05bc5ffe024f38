//! The motion gate: a tile is encoded again only when its picture has changed, or when its last look is old.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::grid::Tile;
use super::thumbnail::Thumbnail;
use crate::frame::Frame;

/// Side of the square of pixels that one cell of the thumbnail averages.
const CELL: u32 = 8;
/// Smallest difference of a cell's mean that counts as a change, in 8-bit steps.
const LEAST_STEP: f32 = 6.0;
/// A change must stand out of the frame's own flicker by this factor.
const ABOVE_NOISE: f32 = 4.0;

/// Why a tile should be encoded now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// Which tile.
    pub tile: usize,
    /// How strongly it has changed: share of its cells, 0..1.
    pub change: f32,
    /// How long ago it was last encoded; `None` for never.
    pub age: Option<Duration>,
}

/// Remembers what each tile looked like when it was last encoded.
#[derive(Debug)]
pub struct MotionGate {
    refresh: Duration,
    noise: f32,
    previous: Option<Arc<Thumbnail>>,
    seen: Vec<Option<(Arc<Thumbnail>, Timestamp)>>,
}

impl MotionGate {
    /// A gate for so many tiles, which lets each through at least once in `refresh`.
    pub fn new(tiles: usize, refresh: Duration) -> Self {
        Self { refresh, noise: 0.0, previous: None, seen: vec![None; tiles] }
    }

    /// The tiles that should be encoded on this frame. Call [`Self::encoded`] for those that were.
    pub fn needs(&mut self, frame: &Frame, tiles: &[Tile]) -> Vec<Need> {
        let now = Arc::new(Thumbnail::of(frame, CELL));
        if let Some(previous) = self.previous.as_ref().filter(|p| p.cells.len() == now.cells.len()) {
            // The median difference between neighbouring frames is noise: most of a fixed camera's picture stands still.
            let mut steps: Vec<f32> = previous.cells.iter().zip(&now.cells).map(|(a, b)| (a - b).abs()).collect();
            let middle = steps.len() / 2;
            let (_, median, _) = steps.select_nth_unstable_by(middle, f32::total_cmp);
            self.noise += 0.2 * (*median - self.noise);
        }
        let step = LEAST_STEP.max(ABOVE_NOISE * self.noise);
        let need = |(index, tile): (usize, &Tile)| {
            let Some((reference, at)) = &self.seen[index] else {
                return Some(Need { tile: index, change: 1.0, age: None });
            };
            let age = frame.captured.duration_since(*at).unsigned_abs();
            let cells = now.window(&tile.crop);
            let (changed, all) = cells.fold((0_u32, 0_u32), |(changed, all), cell| {
                (changed + u32::from((reference.cells[cell] - now.cells[cell]).abs() > step), all + 1)
            });
            let change = changed as f32 / all.max(1) as f32;
            (changed > 0 || age >= self.refresh).then_some(Need { tile: index, change, age: Some(age) })
        };
        let needs = tiles.iter().enumerate().filter_map(need).collect();
        self.previous = Some(now);
        needs
    }

    /// Notes that these tiles were encoded on the frame last given to [`Self::needs`].
    pub fn encoded(&mut self, tiles: impl IntoIterator<Item = usize>, at: Timestamp) {
        let Some(now) = &self.previous else { return };
        for tile in tiles {
            self.seen[tile] = Some((Arc::clone(now), at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Grid;
    use crate::regions::grid::grid;

    fn frame(second: i64, paint: impl Fn(u32, u32) -> u8) -> Frame {
        let rgb: Vec<u8> = (0..64 * 64).flat_map(|i| [paint(i % 64, i / 64); 3]).collect();
        Frame::new(64, 64, rgb, 0, Timestamp::from_second(second).expect("in range")).expect("a frame")
    }

    #[test]
    fn only_what_changed_is_asked_for_until_it_is_old() {
        let tiles = grid(64, 64, &Grid { levels: vec![0.25], overlap: 0.0, context: 0.0 }, &[]);
        let mut gate = MotionGate::new(tiles.len(), Duration::from_secs(10));
        assert_eq!(gate.needs(&frame(0, |_, _| 90), &tiles).len(), 16);
        gate.encoded(0..16, Timestamp::from_second(0).expect("in range"));
        assert_eq!(gate.needs(&frame(1, |x, y| 90 + ((x * 7 + y * 13) % 3) as u8), &tiles), []);
        let moved = gate.needs(&frame(2, |x, y| if x < 16 && y < 16 { 200 } else { 90 }), &tiles);
        assert_eq!(moved.iter().map(|need| need.tile).collect::<Vec<_>>(), [0]);
        assert_eq!(gate.needs(&frame(10, |_, _| 90), &tiles).len(), 16);
    }
}
