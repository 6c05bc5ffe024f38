//! The foreground: what stands out of a fixed camera's own background, so that a box can follow a thing's outline more
//! closely than tiles can.

use std::ops::Range;

use jiff::Timestamp;

use super::cutout::{Colour, Cutout};
use super::light;
use crate::frame::{Frame, UnitBox};

/// Side in pixels of the square that one cell averages.
const CELL: u32 = 4;
/// Smallest difference to the background in one of the colours that counts, in 8-bit steps.
const LEAST_STEP: f32 = 10.0;
/// How far the background follows the picture in one second, in 8-bit steps: a thing that stays becomes background.
const FOLLOWS: f32 = 1.8;
/// When more of the picture than this has changed, the light has, or the camera has moved: the background begins anew.
const ALL_CHANGED: f32 = 0.5;
/// A thing is looked for in its box grown by this share on each side.
const GROWN: f32 = 0.2;
/// Less than this share of the box standing out tells nothing of the thing.
const LEAST_SHARE: f32 = 0.04;
/// A group that fills this share of its own box is one thing, and is followed beyond the reach where it is cut off. Two
/// people side by side leave more room.
const SOLID: f32 = 0.6;
/// How often.
const REACHES: usize = 4;
/// A thing of whose box less than this share stands out is not cut out.
const CUT_OUT: f32 = 0.3;

/// A slowly following picture of the background, and which cells stand out of it now.
#[derive(Debug, Default)]
pub struct Foreground {
    /// Mean red, green and blue of each cell: a yellow bus before a grey wall has the wall's brightness.
    background: Vec<Colour>,
    /// The newest frame.
    picture: Vec<Colour>,
    /// When the newest frame was taken.
    seen: Timestamp,
    columns: usize,
    rows: usize,
    stands_out: Vec<bool>,
}

impl Foreground {
    /// Takes the next frame.
    pub fn see(&mut self, frame: &Frame) {
        let now = self.mosaic(frame);
        self.compare(frame, &now);
        self.picture = now;
    }

    fn compare(&mut self, frame: &Frame, now: &[Colour]) {
        let before = std::mem::replace(&mut self.seen, frame.captured);
        // After a gap, or with a clock that was set, no further than in a second.
        let follows = FOLLOWS * frame.captured.duration_since(before).as_secs_f32().clamp(0.0, 1.0);
        if self.background.len() != now.len() {
            self.stands_out = vec![false; now.len()];
            self.background = now.to_vec();
            return;
        }
        self.stands_out = standing_out(&self.background, now);
        let mut changed = share(&self.stands_out);
        if let Some(lit) = self.lit(now) {
            let stands_out = standing_out(&lit, now);
            // That the light has changed is believed if it explains more than it leaves to be explained.
            if 2.0 * share(&stands_out) < changed {
                (changed, self.stands_out, self.background) = (share(&stands_out), stands_out, lit);
            }
        }
        if changed > ALL_CHANGED {
            self.stands_out.fill(false);
            self.background = now.to_vec();
            return;
        }
        for (b, n) in self.background.iter_mut().flatten().zip(now.iter().flatten()) {
            *b += (n - *b).clamp(-follows, follows);
        }
    }

    /// The background in the light of now, if that can be told; each colour has its own, since light has a colour too.
    fn lit(&self, now: &[Colour]) -> Option<Vec<Colour>> {
        let of = |colour: usize| {
            let before = self.background.iter().map(move |cell| cell[colour]);
            light::gain(before, now.iter().map(move |cell| cell[colour]))
        };
        let gains = [of(0)?, of(1)?, of(2)?];
        let lit = |cell: &Colour| [0, 1, 2].map(|colour| light::lit(cell[colour], gains[colour]));
        Some(self.background.iter().map(lit).collect())
    }

    /// The mean colour of each cell, row by row.
    fn mosaic(&mut self, frame: &Frame) -> Vec<Colour> {
        (self.columns, self.rows) = (frame.width().div_ceil(CELL) as usize, frame.height().div_ceil(CELL) as usize);
        let mut cells = vec![[0.0; 3]; self.columns * self.rows];
        let mut counts = vec![0.0_f32; cells.len()];
        for (y, row) in frame.rgb().chunks_exact(frame.width() as usize * 3).enumerate() {
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let cell = y / CELL as usize * self.columns + x / CELL as usize;
                cells[cell].iter_mut().zip(pixel).for_each(|(sum, value)| *sum += f32::from(*value));
                counts[cell] += 1.0;
            }
        }
        cells.iter_mut().zip(counts).for_each(|(cell, count)| cell.iter_mut().for_each(|sum| *sum /= count));
        cells
    }

    /// The box drawn to the outline of what stands out in it and is not `taken` by another; `None` where too little does: a
    /// thing at rest is background.
    pub fn outline(&self, area: &UnitBox, taken: &[UnitBox]) -> Option<UnitBox> {
        if self.stands_out.is_empty() {
            return None;
        }
        let (w, h) = (GROWN * (area.x1 - area.x0), GROWN * (area.y1 - area.y0));
        let mut reach = UnitBox::new(area.x0 - w, area.y0 - h, area.x1 + w, area.y1 + h);
        let (mut found, mut cells) = self.largest(&reach, taken)?;
        let within = |b: &UnitBox| b.area() * (self.columns * self.rows) as f32;
        if (cells as f32) < LEAST_SHARE * within(area) {
            return None;
        }
        for _ in 0..REACHES {
            let further = further(&reach, &found);
            if further == reach || (cells as f32) < SOLID * within(&found) {
                break;
            }
            reach = further;
            (found, cells) = self.largest(&reach, taken).unwrap_or((found, cells));
        }
        Some(found)
    }

    /// How much of an area stands out and is not `taken`, 0..1.
    pub fn share(&self, area: &UnitBox, taken: &[UnitBox]) -> f32 {
        let (xs, ys) = self.cells(area);
        let all = (xs.len() * ys.len()).max(1);
        let stands_out = |(x, y)| self.stands_out.get(y * self.columns + x).is_some_and(|out| *out);
        let free = |(x, y)| !taken.iter().any(|other| other.contains(self.centre(x, y)));
        let cells = ys.flat_map(|y| xs.clone().map(move |x| (x, y)));
        cells.filter(|cell| stands_out(*cell) && free(*cell)).count() as f32 / all as f32
    }

    /// What stands out in an area; `None` where too little does.
    pub fn cutout(&self, area: &UnitBox) -> Option<Cutout> {
        let (xs, ys) = self.cells(area);
        let cells = ys.flat_map(|y| xs.clone().map(move |x| self.colour(x as isize, y as isize).copied()));
        let cutout = Cutout::new(xs.len(), cells.collect());
        (cutout.share() >= CUT_OUT).then_some(cutout)
    }

    /// Columns and rows of its cells.
    pub fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// The colour of a cell that stands out; `None` of others, and beyond the frame.
    pub fn colour(&self, x: isize, y: isize) -> Option<&Colour> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let at = (x < self.columns).then_some(y * self.columns + x)?;
        self.stands_out.get(at)?.then(|| &self.picture[at])
    }

    /// The box of what stands out in an area beside those that are `taken`; `None` where nothing does.
    pub fn rest(&self, area: &UnitBox, taken: &[UnitBox]) -> Option<UnitBox> {
        self.largest(area, taken).map(|(rest, _)| rest)
    }

    /// The same beside cells, of the frame's, row by row, that show a thing which is known.
    pub fn unlike(&self, area: &UnitBox, shown: &[bool]) -> Option<UnitBox> {
        self.largest_of(area, |x, y| !shown[y * self.columns + x]).map(|(rest, _)| rest)
    }

    /// Columns and rows of the cells that an area touches.
    fn cells(&self, area: &UnitBox) -> (Range<usize>, Range<usize>) {
        let range = |low: f32, high: f32, count: usize| {
            let first = (low * count as f32).floor().max(0.0) as usize;
            first..((high * count as f32).ceil().max(0.0) as usize).min(count)
        };
        (range(area.x0, area.x1, self.columns), range(area.y0, area.y1, self.rows))
    }

    fn centre(&self, x: usize, y: usize) -> (f32, f32) {
        ((x as f32 + 0.5) / self.columns as f32, (y as f32 + 0.5) / self.rows as f32)
    }

    /// The box of the largest group of cells within an area that hang together, over gaps of one cell, and its number of
    /// cells. Those in `taken` areas are others'.
    fn largest(&self, area: &UnitBox, taken: &[UnitBox]) -> Option<(UnitBox, usize)> {
        self.largest_of(area, |x, y| !taken.iter().any(|other| other.contains(self.centre(x, y))))
    }

    /// The same of the cells, by column and row, that are free.
    fn largest_of(&self, area: &UnitBox, is_free: impl Fn(usize, usize) -> bool) -> Option<(UnitBox, usize)> {
        let (xs, ys) = self.cells(area);
        let mut open = vec![false; self.stands_out.len()];
        for y in ys.clone() {
            for x in xs.clone() {
                open[y * self.columns + x] = is_free(x, y) && self.stands_out[y * self.columns + x];
            }
        }
        let mut best: Option<([usize; 4], usize)> = None;
        for y in ys.clone() {
            for x in xs.clone() {
                if open[y * self.columns + x] {
                    let group = self.group((x, y), &xs, &ys, &mut open);
                    if best.is_none_or(|(_, cells)| group.1 > cells) {
                        best = Some(group);
                    }
                }
            }
        }
        let ([x0, y0, x1, y1], cells) = best?;
        let (columns, rows) = (self.columns as f32, self.rows as f32);
        let unit = |v: usize, of: f32| v as f32 / of;
        Some((UnitBox::new(unit(x0, columns), unit(y0, rows), unit(x1 + 1, columns), unit(y1 + 1, rows)), cells))
    }

    /// Takes the group around a cell out of `open`: its corners and number of cells.
    fn group(
        &self,
        start: (usize, usize),
        xs: &Range<usize>,
        ys: &Range<usize>,
        open: &mut [bool],
    ) -> ([usize; 4], usize) {
        let mut corners = [start.0, start.1, start.0, start.1];
        let mut cells = 0;
        let mut stack = vec![start];
        open[start.1 * self.columns + start.0] = false;
        while let Some((x, y)) = stack.pop() {
            cells += 1;
            corners = [corners[0].min(x), corners[1].min(y), corners[2].max(x), corners[3].max(y)];
            for ny in y.saturating_sub(2).max(ys.start)..(y + 3).min(ys.end) {
                for nx in x.saturating_sub(2).max(xs.start)..(x + 3).min(xs.end) {
                    if std::mem::take(&mut open[ny * self.columns + nx]) {
                        stack.push((nx, ny));
                    }
                }
            }
        }
        (corners, cells)
    }
}

/// Which cells differ from the background.
fn standing_out(background: &[Colour], now: &[Colour]) -> Vec<bool> {
    let differ = |(b, n): (&Colour, &Colour)| b.iter().zip(n).any(|(b, n)| (b - n).abs() > LEAST_STEP);
    background.iter().zip(now).map(differ).collect()
}

/// How many of these, 0..1.
fn share(stands_out: &[bool]) -> f32 {
    stands_out.iter().filter(|out| **out).count() as f32 / stands_out.len().max(1) as f32
}

/// The reach extended by half, on the sides where it cuts off what was found.
fn further(reach: &UnitBox, found: &UnitBox) -> UnitBox {
    let (w, h) = ((reach.x1 - reach.x0) / 2.0, (reach.y1 - reach.y0) / 2.0);
    let low = |cut: f32, edge: f32, by: f32| if edge <= cut { cut - by } else { cut };
    let high = |cut: f32, edge: f32, by: f32| if edge >= cut { cut + by } else { cut };
    UnitBox::new(
        low(reach.x0, found.x0, w),
        low(reach.y0, found.y0, h),
        high(reach.x1, found.x1, w),
        high(reach.y1, found.y1, h),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(paint: impl Fn(u32, u32) -> u8) -> Frame {
        let rgb: Vec<u8> = (0..160 * 80).flat_map(|i| [paint(i % 160, i / 160); 3]).collect();
        Frame::new(160, 80, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame")
    }

    fn thing(x: u32, y: u32) -> bool {
        (40..60).contains(&x) && (20..60).contains(&y)
    }

    #[test]
    fn a_loose_box_is_drawn_to_what_has_come() {
        let mut foreground = Foreground::default();
        foreground.see(&frame(|_, _| 90));
        foreground.see(&frame(|x, y| if thing(x, y) { 200 } else { 90 }));
        let outline = foreground.outline(&UnitBox::new(0.2, 0.1, 0.45, 0.9), &[]).expect("stands out");
        assert!(outline.iou(&UnitBox::new(0.25, 0.25, 0.375, 0.75)) > 0.99, "{outline:?}");
        // A box that is full of the thing reaches out to its outline.
        let outline = foreground.outline(&UnitBox::new(0.26, 0.35, 0.36, 0.6), &[]).expect("stands out");
        assert!(outline.iou(&UnitBox::new(0.25, 0.25, 0.375, 0.75)) > 0.99, "{outline:?}");
    }

    #[test]
    fn where_nothing_stands_out_the_box_stays() {
        let mut foreground = Foreground::default();
        let area = UnitBox::new(0.2, 0.1, 0.45, 0.9);
        assert_eq!(foreground.outline(&area, &[]), None);
        foreground.see(&frame(|x, y| if thing(x, y) { 200 } else { 90 }));
        foreground.see(&frame(|x, y| if thing(x, y) { 200 } else { 90 }));
        assert_eq!(foreground.outline(&area, &[]), None);
        // The light goes on, and the camera is turned: everything differs, and nothing is told by it.
        foreground.see(&frame(|x, y| if thing(x, y) { 255 } else { 220 }));
        assert_eq!(foreground.outline(&area, &[]), None);
        foreground.see(&frame(|x, y| [220, 120, 30][((x / 8 + y / 8) % 3) as usize]));
        assert_eq!(foreground.outline(&area, &[]), None);
    }

    #[test]
    fn in_other_light_only_what_has_come_stands_out() {
        let mut foreground = Foreground::default();
        let street = |x: u32, y: u32| if y < 40 { 40 } else { 60 + (x % 32) as u8 * 4 };
        // A dark street, most of which other light changes by little, and a bright thing that stands there.
        let lit = |light: f32| move |x, y| (if thing(x, y) { 200.0 } else { f32::from(street(x, y)) } * light) as u8;
        foreground.see(&frame(lit(1.0)));
        let (there, comes) = (UnitBox::new(0.2, 0.1, 0.45, 0.9), UnitBox::new(0.75, 0.25, 0.875, 0.75));
        for light in [1.12, 0.9, 1.2, 0.6] {
            foreground.see(&frame(lit(light)));
            assert_eq!(foreground.outline(&there, &[]), None, "in light of {light}");
        }
        let other = |x: u32, y: u32| (120..140).contains(&x) && (20..60).contains(&y);
        foreground.see(&frame(|x, y| if other(x, y) { 250 } else { lit(0.7)(x, y) }));
        assert_eq!(foreground.outline(&there, &[]), None);
        let outline = foreground.outline(&UnitBox::new(0.7, 0.2, 0.9, 0.8), &[]).expect("stands out");
        assert!(outline.iou(&comes) > 0.99, "{outline:?}");
    }
}
