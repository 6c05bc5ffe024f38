//! Background subtraction with an adaptive Gaussian mixture model: which cells of a fixed camera's frame show something that
//! is not its background.
//!
//! Source: Z. Zivkovic, "Improved adaptive Gaussian mixture model for background subtraction", ICPR 2004, with its defaults
//! where nothing else is said; the shadow test is that of A. Prati et al., "Detecting moving shadows", PAMI 2003. What is
//! added is an exposure gain for each channel: cameras set their exposure and white balance anew all the time.

use jiff::Timestamp;

use super::light;
use crate::frame::{Frame, UnitBox};

/// Red, green and blue, 8-bit.
type Colour = [f32; 3];

/// Cells along the frame's longer side, at least half of which are used: a far car on a motorway is ten of them wide.
const CELLS: u32 = 320;
/// Gaussians of a cell at most.
const MODES: usize = 4;
/// Squared Mahalanobis distance up to which a colour is of the background.
const BACKGROUND_DISTANCE: f32 = 16.0;
/// Squared Mahalanobis distance up to which a colour is taken into a Gaussian.
const MATCH_DISTANCE: f32 = 9.0;
/// Variance of a new Gaussian and its bounds, squared 8-bit steps.
const INITIAL_VARIANCE: f32 = 15.0;
const VARIANCE: (f32, f32) = (4.0, 75.0);
/// Share of the time that the Gaussians of the background account for.
const BACKGROUND_SHARE: f32 = 0.9;
/// Evidence that a Gaussian needs to stay (the paper's complexity reduction).
const PRUNING: f32 = 0.05;
/// Time constant of learning, seconds: 500 frames at 5 a second. A thing that stops becomes background in a tenth of it.
const HISTORY_S: f32 = 100.0;
/// A shadow is at least so many times as bright as the background. 0.7 keeps grey cars on a grey road, which 0.5 takes for
/// their own shadows (recall of proposals on a motorway, 0.34 against 0.31).
const SHADOW: f32 = 0.7;
/// When more of the frame than this has changed, the light has, or the camera has moved: nothing is told of that frame, and
/// the background is learnt anew.
const ALL_CHANGED: f32 = 0.6;

/// One Gaussian of a cell, the same variance in each channel.
#[derive(Clone, Copy, Debug, Default)]
struct Gaussian {
    weight: f32,
    mean: Colour,
    variance: f32,
}

/// The background of a fixed camera, cell by cell, and the foreground mask of the newest frame.
#[derive(Debug, Default)]
pub struct BackgroundModel {
    /// Side of a cell, pixels.
    side: u32,
    columns: usize,
    rows: usize,
    /// By cell, the heaviest first; a weight of 0 is none.
    modes: Vec<[Gaussian; MODES]>,
    /// The newest frame, mean colour of each cell, in the light of the background.
    picture: Vec<Colour>,
    foreground: Vec<bool>,
    /// Frames since the background began.
    frames: u32,
    updated: Option<Timestamp>,
}

impl BackgroundModel {
    /// Takes the next frame.
    pub fn update(&mut self, frame: &Frame) {
        let longer = frame.width().max(frame.height());
        let side = longer.div_ceil(CELLS).max(2);
        let size = (frame.width().div_ceil(side) as usize, frame.height().div_ceil(side) as usize);
        if (self.side, self.columns, self.rows) != (side, size.0, size.1) {
            *self = Self { side, columns: size.0, rows: size.1, ..Self::default() };
            self.modes = vec![Default::default(); size.0 * size.1];
            self.foreground = vec![false; size.0 * size.1];
        }
        self.picture = downsample(frame, side, size);
        if self.frames > 0 {
            self.compensate_exposure();
        }
        let before = self.updated.replace(frame.captured).unwrap_or(frame.captured);
        let seconds = frame.captured.duration_since(before).as_secs_f32().clamp(0.02, 1.0);
        self.frames += 1;
        // The mean of the first frames, then an exponential one.
        let rate = (seconds / HISTORY_S).max(1.0 / (2.0 * self.frames as f32)).min(1.0);
        for ((modes, colour), foreground) in self.modes.iter_mut().zip(&self.picture).zip(&mut self.foreground) {
            *foreground = !observe(modes, colour, rate);
        }
        let changed = self.foreground.iter().filter(|cell| **cell).count() as f32;
        if self.frames == 1 || changed > ALL_CHANGED * self.foreground.len() as f32 {
            self.foreground.fill(false);
            self.frames = self.frames.min(1);
        }
    }

    /// Divides the newest frame by how much brighter each channel has become than the background, where that can be told.
    fn compensate_exposure(&mut self) {
        for channel in 0..3 {
            let background = self.modes.iter().map(|modes| modes[0].mean[channel]);
            if let Some(gain) = light::gain(background, self.picture.iter().map(|cell| cell[channel])) {
                self.picture.iter_mut().for_each(|cell| cell[channel] = (cell[channel] / gain).min(255.0));
            }
        }
    }

    /// The foreground mask, row by row, and its number of columns.
    pub fn mask(&self) -> (&[bool], usize) {
        (&self.foreground, self.columns)
    }

    /// Share of an area that is foreground, 0..1.
    pub fn share(&self, area: &UnitBox) -> f32 {
        let cells = self.cells(area);
        let count = cells.len();
        cells.into_iter().filter(|cell| self.foreground[*cell]).count() as f32 / count.max(1) as f32
    }

    /// The colours of an area in the newest frame, in the light of the background: what [`Self::changed`] compares with.
    pub fn colours(&self, area: &UnitBox) -> Vec<Colour> {
        self.cells(area).into_iter().map(|cell| self.picture[cell]).collect()
    }

    /// Share of an area's cells that look unlike they did, 0..1.
    pub fn changed(&self, area: &UnitBox, before: &[Colour]) -> f32 {
        /// 8-bit steps, above the noise of a compressed stream.
        const STEP: f32 = 14.0;
        let cells = self.cells(area);
        if cells.len() != before.len() || cells.is_empty() {
            return 1.0;
        }
        let differs = |(cell, before): (&usize, &Colour)| {
            self.picture[*cell].iter().zip(before).any(|(now, before)| (now - before).abs() > STEP)
        };
        cells.iter().zip(before).filter(|pair| differs(*pair)).count() as f32 / cells.len() as f32
    }

    /// Indices of the cells that an area touches.
    fn cells(&self, area: &UnitBox) -> Vec<usize> {
        let range = |low: f32, high: f32, count: usize| {
            let first = (low * count as f32).floor().max(0.0) as usize;
            first..((high * count as f32).ceil().max(0.0) as usize).min(count)
        };
        let (xs, ys) = (range(area.x0, area.x1, self.columns), range(area.y0, area.y1, self.rows));
        ys.flat_map(|y| xs.clone().map(move |x| y * self.columns + x)).collect()
    }
}

/// Takes a colour into a cell's mixture. Returns whether it is the background's, or that in a shadow.
fn observe(modes: &mut [Gaussian; MODES], colour: &Colour, rate: f32) -> bool {
    let prune = -rate * PRUNING;
    let (mut is_background, mut matched, mut total) = (false, false, 0.0);
    let mut count = modes.iter().take_while(|mode| mode.weight > 0.0).count();
    let mut at = 0;
    while at < count {
        let mut weight = (1.0 - rate) * modes[at].weight + prune;
        let mut place = at;
        if !matched {
            let mode = &mut modes[at];
            let off = distance(colour, &mode.mean);
            is_background |= total < BACKGROUND_SHARE && off < BACKGROUND_DISTANCE * mode.variance;
            if off < MATCH_DISTANCE * mode.variance {
                matched = true;
                weight += rate;
                let step = rate / weight;
                mode.mean.iter_mut().zip(colour).for_each(|(mean, value)| *mean += step * (value - *mean));
                mode.variance = (mode.variance + step * (off - mode.variance)).clamp(VARIANCE.0, VARIANCE.1);
                while place > 0 && weight >= modes[place - 1].weight {
                    modes.swap(place, place - 1);
                    place -= 1;
                }
            }
        }
        if weight < -prune {
            count -= 1;
            // Only the lightest can fall so low, but for ties.
            modes[at..].rotate_left(1);
            modes[count].weight = 0.0;
            continue;
        }
        modes[place].weight = weight;
        total += weight;
        at += 1;
    }
    if !is_background {
        is_background = is_shadow(&modes[..count], colour);
    }
    if total > 0.0 {
        modes[..count].iter_mut().for_each(|mode| mode.weight /= total);
    }
    if !matched {
        let new = if count == MODES { MODES - 1 } else { count };
        count = new + 1;
        modes[..new].iter_mut().for_each(|mode| mode.weight *= 1.0 - rate);
        let weight = if new == 0 { 1.0 } else { rate };
        modes[new] = Gaussian { weight, mean: *colour, variance: INITIAL_VARIANCE };
        let mut place = new;
        while place > 0 && modes[place].weight > modes[place - 1].weight {
            modes.swap(place, place - 1);
            place -= 1;
        }
    }
    let _ = count;
    is_background
}

/// Whether a colour is one of the background's in less light.
fn is_shadow(modes: &[Gaussian], colour: &Colour) -> bool {
    let mut total = 0.0;
    for mode in modes {
        let shared: f32 = colour.iter().zip(&mode.mean).map(|(a, b)| a * b).sum();
        let own: f32 = mode.mean.iter().map(|value| value * value).sum();
        if own <= 0.0 {
            return false;
        }
        let light = shared / own;
        if (SHADOW..=1.0).contains(&light) {
            let lit = mode.mean.map(|value| light * value);
            if distance(colour, &lit) < BACKGROUND_DISTANCE * mode.variance * light * light {
                return true;
            }
        }
        total += mode.weight;
        if total > BACKGROUND_SHARE {
            return false;
        }
    }
    false
}

fn distance(a: &Colour, b: &Colour) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The mean colour of each cell, row by row.
fn downsample(frame: &Frame, side: u32, (columns, rows): (usize, usize)) -> Vec<Colour> {
    let mut sums = vec![[0_u32; 3]; columns * rows];
    for (y, row) in frame.rgb().chunks_exact(frame.width() as usize * 3).enumerate() {
        let first = y / side as usize * columns;
        for (sum, pixels) in sums[first..first + columns].iter_mut().zip(row.chunks(3 * side as usize)) {
            for pixel in pixels.chunks_exact(3) {
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
            }
        }
    }
    let within = |at: usize, length: u32| side.min(length - at as u32 * side);
    let mean = |(index, sum): (usize, [u32; 3])| {
        let count = within(index % columns, frame.width()) * within(index / columns, frame.height());
        sum.map(|sum| sum as f32 / count as f32)
    };
    sums.into_iter().enumerate().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regions::components::components;

    fn frame(ms: i64, paint: impl Fn(u32, u32) -> [u8; 3]) -> Frame {
        let rgb: Vec<u8> = (0..320 * 160).flat_map(|i| paint(i % 320, i / 320)).collect();
        Frame::new(320, 160, rgb, 0, Timestamp::from_millisecond(ms).expect("in range")).expect("a frame")
    }

    fn street(x: u32, y: u32) -> [u8; 3] {
        let noise = ((x * 7 + y * 13) % 5) as u8;
        [100 + noise, 104 + noise, 98 + noise]
    }

    #[test]
    fn an_object_is_foreground_and_its_shadow_is_not() {
        let mut model = BackgroundModel::default();
        (0..20).for_each(|i| model.update(&frame(200 * i, street)));
        assert!(model.mask().0.iter().all(|cell| !cell));
        let shown = |x: u32, y: u32| match (x, y) {
            (100..130, 40..100) => [180, 40, 40],
            (130..160, 90..100) => street(x, y).map(|value| (f32::from(value) * 0.8) as u8),
            _ => street(x, y),
        };
        model.update(&frame(4000, shown));
        let (mask, columns) = model.mask();
        let found = components(mask, columns);
        assert_eq!(found.len(), 1, "{found:?}");
        let truth = UnitBox::new(100.0 / 320.0, 0.25, 130.0 / 320.0, 0.625);
        assert!(found[0].iou(&truth) > 0.9, "{found:?}");
    }

    #[test]
    fn another_exposure_is_no_change() {
        let mut model = BackgroundModel::default();
        (0..20).for_each(|i| model.update(&frame(200 * i, street)));
        model.update(&frame(4000, |x, y| street(x, y).map(|value| (f32::from(value) * 1.3) as u8)));
        assert!(model.mask().0.iter().filter(|cell| **cell).count() < 10);
    }
}
