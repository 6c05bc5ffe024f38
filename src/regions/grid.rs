//! The grid: a pyramid of overlapping square tiles over the frame.

use crate::config::settings::Grid;
use crate::frame::{Frame, PixelRect, Polygon, UnitBox};

/// A square of the frame, and the somewhat larger square that the encoder sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// Level of the pyramid, 0 the largest tiles.
    pub level: usize,
    /// What the tile speaks for, in fractions of the frame.
    pub area: UnitBox,
    /// What the encoder sees: the tile and its context, square, within the frame.
    pub crop: PixelRect,
}

/// Share of a tile that must be masked for the tile to be left out.
const MASKED: f32 = 0.8;

/// All tiles of a frame of `width`×`height` pixels, level by level, row by row. Each level covers the frame from edge
/// to edge: the overlap grows a little where the frame is no multiple of the stride.
pub fn grid(width: u32, height: u32, settings: &Grid, masks: &[Polygon]) -> Vec<Tile> {
    let shorter = width.min(height);
    let mut tiles = Vec::new();
    for (level, share) in settings.levels.iter().enumerate() {
        let side = ((shorter as f32 * share).round() as u32).clamp(1, shorter);
        for y in starts(height, side, settings.overlap) {
            for x in starts(width, side, settings.overlap) {
                let tile = tile(level, (x, y, side), (width, height), settings.context);
                if masked_share(&tile.area, masks) < MASKED {
                    tiles.push(tile);
                }
            }
        }
    }
    tiles
}

fn starts(length: u32, side: u32, overlap: f32) -> impl Iterator<Item = u32> + Clone {
    let stride = (side as f32 * (1.0 - overlap)).max(1.0);
    let gaps = ((length - side) as f32 / stride).ceil() as u32;
    (0..=gaps)
        .map(move |i| if gaps == 0 { 0 } else { ((length - side) as f32 * i as f32 / gaps as f32).round() as u32 })
}

fn tile(level: usize, (x, y, side): (u32, u32, u32), (width, height): (u32, u32), context: f32) -> Tile {
    let (w, h) = (width as f32, height as f32);
    let area = UnitBox::new(x as f32 / w, y as f32 / h, (x + side) as f32 / w, (y + side) as f32 / h);
    let margin = (side as f32 * context).round() as u32;
    let seen = (side + 2 * margin).min(width).min(height);
    let margin = (seen - side) / 2;
    // At the frame's edge the context is moved inwards, so that the encoder always sees a whole square.
    let crop = PixelRect {
        x: x.saturating_sub(margin).min(width - seen),
        y: y.saturating_sub(margin).min(height - seen),
        width: seen,
        height: seen,
    };
    Tile { level, area, crop }
}

fn masked_share(area: &UnitBox, masks: &[Polygon]) -> f32 {
    const STEPS: u32 = 8;
    if masks.is_empty() {
        return 0.0;
    }
    let at = |low: f32, high: f32, i: u32| low + (high - low) * (i as f32 + 0.5) / STEPS as f32;
    let points = (0..STEPS * STEPS).map(|i| (at(area.x0, area.x1, i % STEPS), at(area.y0, area.y1, i / STEPS)));
    let masked = points.filter(|point| masks.iter().any(|mask| mask.contains(*point))).count();
    masked as f32 / (STEPS * STEPS) as f32
}

/// The frame with its masked pixels painted grey, so that no crop's context shows them.
pub fn hide_masked(frame: Frame, masks: &[Polygon]) -> Frame {
    if masks.is_empty() {
        return frame;
    }
    let (width, height) = (frame.width(), frame.height());
    let mut rgb = frame.rgb().to_vec();
    for (index, pixel) in rgb.chunks_exact_mut(3).enumerate() {
        let (x, y) = (index as u32 % width, index as u32 / width);
        let point = ((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
        if masks.iter().any(|mask| mask.contains(point)) {
            pixel.fill(128);
        }
    }
    Frame::new(width, height, rgb, frame.sequence, frame.captured).unwrap_or(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(levels: &[f32]) -> Grid {
        Grid { levels: levels.to_vec(), overlap: 0.5, context: 0.1 }
    }

    #[test]
    fn every_level_reaches_all_edges() {
        for (width, height) in [(640, 360), (361, 640), (64, 64), (1001, 77)] {
            let tiles = grid(width, height, &settings(&[1.0, 0.5, 0.21]), &[]);
            for level in 0..3 {
                let of_level = || tiles.iter().filter(|t| t.level == level);
                assert!(of_level().any(|t| t.area.x0 == 0.0 && t.area.y0 == 0.0));
                assert!(of_level().any(|t| t.area.x1 > 0.999 && t.area.y1 > 0.999));
            }
            for tile in &tiles {
                assert_eq!(tile.crop.width, tile.crop.height);
                assert!(tile.crop.x + tile.crop.width <= width && tile.crop.y + tile.crop.height <= height);
            }
        }
    }

    #[test]
    fn tiles_overlap_by_at_least_what_was_asked() {
        let tiles = grid(640, 360, &settings(&[0.5]), &[]);
        let row: Vec<f32> = tiles.iter().filter(|t| t.area.y0 == 0.0).map(|t| t.area.x0 * 640.0).collect();
        assert!(row.windows(2).all(|pair| pair[1] - pair[0] <= 90.5), "{row:?}");
    }

    #[test]
    fn masked_tiles_are_left_out_and_masked_pixels_hidden() {
        let left = Polygon::new(vec![(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]).expect("a polygon");
        let tiles = grid(640, 360, &settings(&[0.25]), std::slice::from_ref(&left));
        assert!(!tiles.is_empty() && tiles.iter().all(|tile| tile.area.x1 > 0.5));
        let frame = Frame::new(4, 1, vec![7; 12], 0, jiff::Timestamp::UNIX_EPOCH).expect("a frame");
        assert_eq!(hide_masked(frame, &[left]).rgb(), [128, 128, 128, 128, 128, 128, 7, 7, 7, 7, 7, 7]);
    }
}
