//! A frame: one camera picture at the analysis size, and the geometry that is measured on it.

use std::sync::Arc;

use jiff::Timestamp;

/// One RGB picture from a camera, tightly packed (no row padding), cheap to clone.
#[derive(Clone, Debug)]
pub struct Frame {
    width: u32,
    height: u32,
    rgb: Arc<[u8]>,
    /// Counts the frames of this camera from 0, dropped ones included.
    pub sequence: u64,
    /// When the picture was taken, as near as the source tells.
    pub captured: Timestamp,
}

impl Frame {
    /// Wraps `width * height * 3` bytes of RGB, row by row. `None` if the length differs or a side is zero.
    pub fn new(width: u32, height: u32, rgb: impl Into<Arc<[u8]>>, sequence: u64, captured: Timestamp) -> Option<Self> {
        let rgb = rgb.into();
        let expected = width as usize * height as usize * 3;
        (expected > 0 && rgb.len() == expected).then_some(Self { width, height, rgb, sequence, captured })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: `height` rows of `width` RGB triples.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// A part as a frame of its own. `None` where it reaches beyond this one.
    pub fn part(&self, part: &PixelRect) -> Option<Self> {
        let (width, stride) = (part.width as usize * 3, self.width as usize * 3);
        if part.x + part.width > self.width || part.y + part.height > self.height {
            return None;
        }
        let rows = self.rgb.chunks_exact(stride).skip(part.y as usize).take(part.height as usize);
        let rgb: Vec<u8> = rows.flat_map(|row| &row[part.x as usize * 3..][..width]).copied().collect();
        Self::new(part.width, part.height, rgb, self.sequence, self.captured)
    }
}

/// An axis-aligned box in fractions of the frame, `0.0 ≤ x0 < x1 ≤ 1.0`, origin at the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitBox {
    /// Left edge, 0..1.
    pub x0: f32,
    /// Top edge, 0..1.
    pub y0: f32,
    /// Right edge, 0..1.
    pub x1: f32,
    /// Bottom edge, 0..1.
    pub y1: f32,
}

impl UnitBox {
    /// A box from its edges, clamped to the frame.
    pub fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self { x0: x0.clamp(0.0, 1.0), y0: y0.clamp(0.0, 1.0), x1: x1.clamp(0.0, 1.0), y1: y1.clamp(0.0, 1.0) }
    }

    /// What of a box that may reach out of the frame is in it.
    pub fn inside(&self) -> Self {
        Self::new(self.x0, self.y0, self.x1, self.y1)
    }

    /// Area as a fraction of the frame.
    pub fn area(&self) -> f32 {
        (self.x1 - self.x0).max(0.0) * (self.y1 - self.y0).max(0.0)
    }

    /// Whether a point lies in it.
    pub fn contains(&self, (x, y): (f32, f32)) -> bool {
        (self.x0..self.x1).contains(&x) && (self.y0..self.y1).contains(&y)
    }

    /// Centre `(x, y)`, 0..1.
    pub fn centre(&self) -> (f32, f32) {
        ((self.x0 + self.x1) / 2.0, (self.y0 + self.y1) / 2.0)
    }

    /// Area shared with `other`, as a fraction of the frame.
    pub fn intersection(&self, other: &Self) -> f32 {
        let w = self.x1.min(other.x1) - self.x0.max(other.x0);
        let h = self.y1.min(other.y1) - self.y0.max(other.y0);
        w.max(0.0) * h.max(0.0)
    }

    /// Intersection over union, 0..1.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// `[x, y, width, height]` in whole pixels of a frame of the given size.
    pub fn to_pixels(&self, width: u32, height: u32) -> [u32; 4] {
        let (w, h) = (width as f32, height as f32);
        let (x0, y0) = ((self.x0 * w).round(), (self.y0 * h).round());
        [x0 as u32, y0 as u32, (self.x1 * w).round() as u32 - x0 as u32, (self.y1 * h).round() as u32 - y0 as u32]
    }
}

/// A window of a frame in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelRect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// A simple polygon in fractions of the frame, of at least three points.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon(Vec<(f32, f32)>);

impl Polygon {
    /// `None` unless there are at least three points, all within 0..1.
    pub fn new(points: Vec<(f32, f32)>) -> Option<Self> {
        let unit = 0.0..=1.0;
        let valid = points.len() >= 3 && points.iter().all(|(x, y)| unit.contains(x) && unit.contains(y));
        valid.then_some(Self(points))
    }

    /// The corners in order.
    pub fn points(&self) -> &[(f32, f32)] {
        &self.0
    }

    /// Whether the point lies inside (even-odd rule).
    pub fn contains(&self, (x, y): (f32, f32)) -> bool {
        let mut inside = false;
        let mut previous = self.0[self.0.len() - 1];
        for &corner in &self.0 {
            if (corner.1 > y) != (previous.1 > y) {
                let crossing = (previous.0 - corner.0) * (y - corner.1) / (previous.1 - corner.1) + corner.0;
                if x < crossing {
                    inside = !inside;
                }
            }
            previous = corner;
        }
        inside
    }
}
