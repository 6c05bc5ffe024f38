//! Cutouts: what a thing looked like where it stood out of the background, so that it is known again among others.

use super::Foreground;
use crate::frame::UnitBox;

/// Mean red, green and blue of a cell, 8-bit.
pub type Colour = [f32; 3];

/// Colours that are further apart than this in one of the three, 8-bit steps, are no more unlike for it.
const UNLIKE: f32 = 60.0;
/// Colours are the same that are this much alike.
const SAME: f32 = 0.5;
/// A thing's cells lie beside where they were by at most this many when it is next seen: it is not cut out alike each time.
const BESIDE: isize = 2;
/// One that has not grown has sides at most so many times as long,
const GROWN: f32 = 1.25;
/// and one that has not shrunk, legs together, at least so many times.
const SHRUNK: f32 = 0.6;
/// How far beside where it is expected a thing is looked for, in its widths, and in cells at least.
const ASTRAY: f32 = 0.8;
const LEAST_ASTRAY: isize = 3;
/// What a width beside counts against, as a share of the thing.
const STRAYED: f32 = 0.15;
/// What it counts for not to be hidden by others: where two places fit as well, it is not behind them.
const SHOWN: f32 = 0.2;
/// A box holds so much of what is looked for in it.
const HELD: f32 = 0.7;
/// So much of what is not hidden of a thing is seen where it is known again,
const KNOWN_AGAIN: f32 = 0.45;
/// and so much is not hidden.
const OPEN: f32 = 0.3;
/// So many cells say enough of a thing.
const ASKED: usize = 500;

/// The cells of a thing, row by row; `None` where the background shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Cutout {
    columns: usize,
    rows: usize,
    cells: Vec<Option<Colour>>,
}

/// Where a thing is that was cut out before.
#[derive(Clone, Debug)]
pub struct Located {
    /// May reach out of the frame.
    pub area: UnitBox,
    /// How much of what is not hidden of it is seen there, 0..1.
    pub seen: f32,
    /// Which of the frame's cells show it: column and row.
    pub cells: Vec<(usize, usize)>,
}

impl Cutout {
    /// Of so many columns, with all cells row by row.
    pub fn new(columns: usize, cells: Vec<Option<Colour>>) -> Self {
        Self { columns, rows: cells.len() / columns.max(1), cells }
    }

    /// How much of its box it fills, 0..1.
    pub fn share(&self) -> f32 {
        self.count() as f32 / self.cells.len().max(1) as f32
    }

    /// Whether it is about as wide and as high as it was: of what comes out from behind another, more is seen each time.
    pub fn is_as_large(&self, before: &Self) -> bool {
        let is_kept = |now: usize, before: usize| (SHRUNK..=GROWN).contains(&(now as f32 / before.max(1) as f32));
        is_kept(self.columns, before.columns) && is_kept(self.rows, before.rows)
    }

    /// Whether it has more cells than the other.
    pub fn is_more_than(&self, other: &Self) -> bool {
        self.count() > other.count()
    }

    fn count(&self) -> usize {
        self.cells.iter().flatten().count()
    }

    /// The thing's own cells: column, row and colour.
    fn cells(&self) -> impl Iterator<Item = (isize, isize, &Colour)> {
        let place = |i: usize| ((i % self.columns) as isize, (i / self.columns) as isize);
        let cells = self.cells.iter().enumerate();
        cells.filter_map(move |(i, cell)| cell.as_ref().map(|colour| (place(i).0, place(i).1, colour)))
    }

    /// Some of them, enough to say what it looks like.
    fn some_cells(&self) -> Vec<(isize, isize, &Colour)> {
        self.cells().step_by(self.count() / ASKED + 1).collect()
    }

    fn at(&self, x: isize, y: isize) -> Option<&Colour> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let at = (x < self.columns).then_some(y * self.columns + x)?;
        self.cells.get(at)?.as_ref()
    }

    /// How alike two are, 0..1: the mean over the cells of the smaller one, laid upon the other where it fits best.
    pub fn alike(&self, other: &Self) -> f32 {
        let (small, large) = if self.count() <= other.count() { (self, other) } else { (other, self) };
        let cells = small.some_cells();
        let shifts = |small: usize, large: usize| {
            let spare = large as isize - small as isize;
            (spare.min(0) - BESIDE)..=(spare.max(0) + BESIDE)
        };
        let columns = shifts(small.columns, large.columns);
        let laid = shifts(small.rows, large.rows).flat_map(|y| columns.clone().map(move |x| (x, y)));
        let sum = |(x, y): (isize, isize)| {
            let alike = |(column, row, colour): &(isize, isize, &Colour)| {
                large.at(column + x, row + y).map_or(0.0, |other| alike(colour, other))
            };
            cells.iter().map(alike).sum::<f32>()
        };
        laid.map(sum).fold(0.0, f32::max) / cells.len().max(1) as f32
    }

    /// Where it is now in the area `around`, if it is `expected` there (reaching out of the frame where it does). `taken` says
    /// of each of the frame's cells, row by row, whether it is another thing's. `None` where it is not to be seen well enough.
    pub fn locate(
        &self,
        foreground: &Foreground,
        expected: &UnitBox,
        around: &UnitBox,
        taken: &[bool],
    ) -> Option<Located> {
        let (columns, rows) = foreground.size();
        let cells = self.some_cells();
        let left = (expected.centre().0 * columns as f32 - self.columns as f32 / 2.0).round() as isize;
        let top = (expected.y1 * rows as f32).round() as isize - self.rows as isize;
        let reach = ((ASTRAY * self.columns as f32) as isize).max(LEAST_ASTRAY);
        // As large as it was, and no larger or smaller for all that is expected: what is hidden of it says nothing of its size.
        let moved = |x: isize, y: isize| {
            let (across, down) = (|x: isize| x as f32 / columns as f32, |y: isize| y as f32 / rows as f32);
            let (x, y, w, h) = (left + x, top + y, self.columns as isize, self.rows as isize);
            UnitBox { x0: across(x), y0: down(y), x1: across(x + w), y1: down(y + h) }
        };
        // The frame's own cell, if this one is in the frame and nobody else's.
        let open = |x: isize, y: isize| {
            let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
            let free = x < columns && y < rows && !taken.get(y * columns + x).is_some_and(|taken| *taken);
            free.then_some((x, y))
        };
        let fit = |(x, y): (isize, isize)| {
            let area = moved(x, y).inside();
            if area.area() <= 0.0 || area.intersection(around) < HELD * area.area() {
                return None;
            }
            let (mut alike_sum, mut open_cells) = (0.0, 0);
            for (column, row, colour) in &cells {
                let (column, row) = (left + x + column, top + y + row);
                if open(column, row).is_some() {
                    open_cells += 1;
                    alike_sum += foreground.colour(column, row).map_or(0.0, |seen| alike(colour, seen));
                }
            }
            let seen = alike_sum / open_cells.max(1) as f32;
            let strayed = x.unsigned_abs() as f32 / self.columns.max(1) as f32;
            let open = open_cells as f32 / cells.len().max(1) as f32;
            (open >= OPEN).then_some((seen + SHOWN * open - STRAYED * strayed, seen, x, y))
        };
        let places = (-reach..=reach).flat_map(|x| (-BESIDE..=BESIDE).map(move |y| (x, y)));
        let (_, seen, x, y) = places.filter_map(fit).max_by(|a, b| a.0.total_cmp(&b.0))?;
        let shows = |(column, row, colour): (isize, isize, &Colour)| {
            let (column, row) = (left + x + column, top + y + row);
            let is_same = foreground.colour(column, row).is_some_and(|seen| alike(colour, seen) > SAME);
            open(column, row).filter(|_| is_same)
        };
        (seen >= KNOWN_AGAIN).then(|| Located {
            area: moved(x, y),
            seen,
            cells: self.cells().filter_map(shows).collect(),
        })
    }
}

/// How alike two colours are, 0..1.
fn alike(a: &Colour, b: &Colour) -> f32 {
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    1.0 - (apart / UNLIKE).min(1.0)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::frame::Frame;

    const RED: [u8; 3] = [200, 40, 40];
    const BLUE: [u8; 3] = [40, 60, 200];
    const STREET: [u8; 3] = [110, 110, 110];

    /// A figure 24 wide and 48 high with its left side at `left`: a head, a coat of this colour and dark legs.
    fn figure(coat: [u8; 3], left: u32, x: u32, y: u32) -> Option<[u8; 3]> {
        let (x, y) = (x.checked_sub(left)?, y.checked_sub(16)?);
        match (x, y) {
            (8..16, 0..8) => Some([220, 180, 150]),
            (0..24, 8..32) => Some(coat),
            (4..20, 32..48) => Some([40, 40, 50]),
            _ => None,
        }
    }

    /// What stands out where these figures have come, the first ones before the others.
    fn foreground(figures: &[([u8; 3], u32)]) -> Foreground {
        let mut foreground = Foreground::default();
        for figures in [&[], figures] {
            let pixel = |i: u32| {
                let (x, y) = (i % 160, i / 160);
                figures.iter().find_map(|(coat, left)| figure(*coat, *left, x, y)).unwrap_or(STREET)
            };
            let rgb: Vec<u8> = (0..160 * 80).flat_map(pixel).collect();
            foreground.see(&Frame::new(160, 80, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame"));
        }
        foreground
    }

    fn at(left: f32) -> UnitBox {
        UnitBox { x0: left / 160.0, y0: 0.2, x1: (left + 24.0) / 160.0, y1: 0.8 }
    }

    fn cutout(coat: [u8; 3], left: u32) -> Cutout {
        foreground(&[(coat, left)]).cutout(&at(left as f32)).expect("stands out")
    }

    #[test]
    fn a_thing_is_like_itself_elsewhere_and_in_part_and_unlike_another() {
        let (red, blue) = (cutout(RED, 40), cutout(BLUE, 40));
        assert!(red.alike(&cutout(RED, 82)) > 0.8 && red.alike(&blue) < 0.6, "{}", red.alike(&blue));
        let half = foreground(&[(RED, 40)]).cutout(&UnitBox { x1: 52.0 / 160.0, ..at(40.0) }).expect("stands out");
        assert!(half.alike(&red) > 0.8 && red.alike(&half) > 0.8 && half.alike(&blue) < 0.6);
        assert_eq!(foreground(&[]).cutout(&at(40.0)), None);
        assert!(red.is_as_large(&cutout(BLUE, 82)) && !red.is_as_large(&half) && !half.is_as_large(&red));
    }

    #[test]
    fn a_thing_is_found_among_others_where_it_is() {
        let both = foreground(&[(BLUE, 60), (RED, 76)]);
        let around = UnitBox::new(60.0 / 160.0, 0.2, 100.0 / 160.0, 0.8);
        let find = |coat, expected: f32, taken: &[bool]| cutout(coat, 40).locate(&both, &at(expected), &around, taken);
        // Expected where the other is.
        let blue = find(BLUE, 72.0, &[]).expect("seen");
        assert!(blue.area.iou(&at(60.0)) > 0.99 && blue.seen > 0.9, "{blue:?}");
        let mut taken = vec![false; 40 * 20];
        blue.cells.iter().for_each(|(x, y)| taken[y * 40 + x] = true);
        let red = find(RED, 64.0, &taken).expect("seen");
        assert!(red.area.iou(&at(76.0)) > 0.99 && red.seen > 0.9, "{red:?}");
        assert!(find([240, 220, 30], 72.0, &[]).is_none(), "a yellow one is not there");
    }
}
