//! The motion gate: a tile is encoded again only when its picture has changed, or when its last look is old. The same picture
//! in other light has not changed, nor has one before which rain falls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::grid::Tile;
use super::light::{self, median};
use super::thumbnail::{Cell, Thumbnail, apart, lit};
use crate::frame::Frame;

/// Side of the square of pixels that one cell of the thumbnail averages.
const CELL: u32 = 8;
/// Smallest difference of a cell's mean brightness that counts as a change, in 8-bit steps,
const LEAST_STEP: f32 = 6.0;
/// and of its colour: cameras and codecs are less exact there.
const LEAST_COLOUR: f32 = 8.0;
/// A change must stand out of the frame's own flicker by this factor.
const ABOVE_NOISE: f32 = 4.0;
/// What is on most of so many frames did not only pass.
const NEWEST: usize = 3;
/// So many times as much as the weather does is a change.
const ABOVE_WEATHER: f32 = 3.0;
/// As is what differs on two frames running in more cells than by chance, and than this.
const LASTING: f32 = 2.0;
/// Where more than this share of the cells changes everywhere, it is no weather.
const MOST_WEATHER: f32 = 0.15;

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
    noise: Noise,
    /// Share of the cells that change where nothing does but the weather.
    weather: f32,
    /// The newest frames, the last one first.
    newest: VecDeque<Shot>,
    seen: Vec<Option<Seen>>,
}

/// How far cells differ that show the same, from frame to frame: the median, 8-bit.
#[derive(Clone, Copy, Debug, Default)]
struct Noise {
    brightness: f32,
    colour: f32,
}

impl Noise {
    /// Takes in how far each cell is from what it was.
    fn see(&mut self, steps: impl Iterator<Item = (f32, f32)>) {
        let (mut brightness, mut colour): (Vec<f32>, Vec<f32>) = steps.unzip();
        self.brightness += 0.2 * (median(&mut brightness) - self.brightness);
        self.colour += 0.2 * (median(&mut colour) - self.colour);
    }

    /// Whether that is a change.
    fn is_exceeded(&self, (brightness, colour): (f32, f32)) -> bool {
        brightness > LEAST_STEP.max(ABOVE_NOISE * self.brightness)
            || colour > LEAST_COLOUR.max(ABOVE_NOISE * self.colour)
    }
}

/// A frame as the gate sees it.
#[derive(Clone, Debug)]
struct Shot {
    picture: Arc<Thumbnail>,
    /// How bright the light was; that of the newest frame is 1.
    light: f32,
}

/// A tile when it was last encoded.
#[derive(Clone, Debug)]
struct Seen {
    shot: Shot,
    /// The same without what only passed: drops, say.
    steady: Arc<Thumbnail>,
    at: Timestamp,
}

impl Shot {
    /// A cell as it would be in another light.
    fn lit(&self, cell: usize, light: f32) -> Cell {
        lit(self.picture.cells[cell], light / self.light)
    }

    fn brightness(&self) -> impl ExactSizeIterator<Item = f32> {
        self.picture.cells.iter().map(|[luma, ..]| *luma)
    }
}

/// How a tile differs from what it was.
struct Change {
    /// Share of its cells, 0..1.
    share: f32,
    /// How many cells do so on two frames running, drops left out.
    lasting: f32,
}

impl Seen {
    /// How a tile differs now, and on the frame before.
    fn change(&mut self, tile: &Tile, now: &Shot, last: &Shot, noise: &Noise) -> Change {
        let (mut changed, mut lasting, mut all) = (0.0_f32, 0.0_f32, 0.0_f32);
        let mut stayed = Vec::new();
        for cell in now.picture.window(&tile.crop) {
            let differs = |before: Cell, shot: &Shot| noise.is_exceeded(apart(before, shot.lit(cell, now.light)));
            let steady = lit(self.steady.cells[cell], now.light / self.shot.light);
            let has_changed = differs(self.shot.lit(cell, now.light), now);
            all += 1.0;
            changed += f32::from(has_changed);
            if differs(steady, now) {
                lasting += f32::from(differs(steady, last));
                // What is still there was no drop.
                stayed.extend((!has_changed).then_some(cell));
            }
        }
        if !stayed.is_empty() {
            let steady = Arc::make_mut(&mut self.steady);
            stayed.into_iter().for_each(|cell| steady.cells[cell] = self.shot.picture.cells[cell]);
        }
        Change { share: changed / all.max(1.0), lasting }
    }
}

impl MotionGate {
    /// A gate for so many tiles, which lets each through at least once in `refresh`.
    pub fn new(tiles: usize, refresh: Duration) -> Self {
        Self { refresh, noise: Noise::default(), weather: 0.0, newest: VecDeque::new(), seen: vec![None; tiles] }
    }

    /// The tiles that should be encoded on this frame. Call [`Self::encoded`] for those that were.
    pub fn needs(&mut self, frame: &Frame, tiles: &[Tile]) -> Vec<Need> {
        let picture = Arc::new(Thumbnail::of(frame, CELL));
        self.newest.retain(|shot| shot.picture.cells.len() == picture.cells.len());
        let now = Shot { picture, light: 1.0 };
        if let Some(last) = self.newest.front() {
            let gain = light::gain(last.brightness(), now.brightness()).unwrap_or(1.0);
            // Most of a fixed camera's picture stands still.
            let step = |(cell, seen): (usize, &Cell)| apart(last.lit(cell, last.light * gain), *seen);
            self.noise.see(now.picture.cells.iter().enumerate().map(step));
            // A product over all frames would leave all numbers behind in some days.
            let seen = self.seen.iter_mut().flatten().map(|seen| &mut seen.shot);
            self.newest.iter_mut().chain(seen).for_each(|shot| shot.light /= gain);
        }
        let last = self.newest.front().cloned().unwrap_or_else(|| now.clone());
        self.newest.push_front(now.clone());
        self.newest.truncate(NEWEST);
        let (mut shares, mut needs) = (Vec::new(), Vec::new());
        for (index, (tile, seen)) in tiles.iter().zip(&mut self.seen).enumerate() {
            let Some(seen) = seen else {
                needs.push(Need { tile: index, change: 1.0, age: None });
                continue;
            };
            let age = frame.captured.duration_since(seen.at).unsigned_abs();
            let cells = now.picture.window(&tile.crop).count() as f32;
            let Change { share, lasting } = seen.change(tile, &now, &last, &self.noise);
            shares.push(share);
            // Drops are gone on the next frame, and by chance only another falls on the same cell.
            let chance = self.weather * self.weather * cells;
            let is_more = share > ABOVE_WEATHER * self.weather || lasting > ABOVE_WEATHER * chance + LASTING;
            let change = if is_more { share } else { 0.0 };
            if change > 0.0 || age >= self.refresh {
                needs.push(Need { tile: index, change, age: Some(age) });
            }
        }
        // Where least changes, only the weather does. If that is much, all of the picture moves.
        shares.sort_by(f32::total_cmp);
        let calmest = shares.get(shares.len() / 4).copied().filter(|share| *share < MOST_WEATHER);
        self.weather += 0.1 * (calmest.unwrap_or(0.0) - self.weather);
        needs
    }

    /// Notes that these tiles were encoded on the frame last given to [`Self::needs`].
    pub fn encoded(&mut self, tiles: impl IntoIterator<Item = usize>, at: Timestamp) {
        let Some(shot) = self.newest.front().cloned() else { return };
        let middle = |cell: usize, part: usize| {
            let mut values = [0.0; NEWEST];
            let seen = values.iter_mut().zip(&self.newest);
            seen.for_each(|(value, before)| *value = before.lit(cell, shot.light)[part]);
            median(&mut values[..self.newest.len()])
        };
        let steady = |cell: usize| [0, 1, 2].map(|part| middle(cell, part));
        let cells = (0..shot.picture.cells.len()).map(steady).collect();
        let steady = Arc::new(shot.picture.with(cells));
        for tile in tiles {
            self.seen[tile] = Some(Seen { shot: shot.clone(), steady: Arc::clone(&steady), at });
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

    #[test]
    fn what_has_the_backgrounds_brightness_is_seen_by_its_colour() {
        let tiles = grid(64, 64, &Grid { levels: vec![0.25], overlap: 0.0, context: 0.0 }, &[]);
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut gate = MotionGate::new(tiles.len(), Duration::from_secs(10));
        // The camera is less sure of colours than of brightness.
        let grey = |i: u32| [90, 90, 88 + (i * 7 % 5) as u8];
        let street = |comes: &dyn Fn(u32) -> Option<[u8; 3]>, second| {
            let rgb: Vec<u8> = (0..64 * 64).flat_map(|i| comes(i).unwrap_or(grey(i))).collect();
            Frame::new(64, 64, rgb, 0, at(second)).expect("a frame")
        };
        gate.needs(&street(&|_| None, 0), &tiles);
        gate.encoded(0..16, at(0));
        let red = |i: u32| (i % 64 < 16 && i / 64 < 16).then_some([202, 42, 40]);
        let asked: Vec<usize> = gate.needs(&street(&red, 1), &tiles).iter().map(|need| need.tile).collect();
        assert_eq!(asked, [0]);
        gate.encoded([0], at(1));
        // In other light it is as red as it was.
        let darker = |i: u32| Some(red(i).unwrap_or(grey(i)).map(|part| (f32::from(part) * 0.8) as u8));
        assert_eq!(gate.needs(&street(&darker, 2), &tiles), []);
    }

    #[test]
    fn rain_is_no_change_and_what_comes_in_it_is() {
        let tiles = grid(64, 64, &Grid { levels: vec![0.5], overlap: 0.0, context: 0.0 }, &[]);
        let mut gate = MotionGate::new(tiles.len(), Duration::from_secs(1000));
        let mut random = fastrand::Rng::with_seed(5);
        let mut asked = |seconds: std::ops::Range<i64>, thing: std::ops::Range<u32>| -> Vec<usize> {
            let mut asked = Vec::new();
            for second in seconds {
                let drops: Vec<(u32, u32)> = (0..2).map(|_| (random.u32(0..64), random.u32(0..56))).collect();
                let wet = |x: u32, y: u32| drops.iter().any(|(left, top)| x == *left && (*top..top + 8).contains(&y));
                let paint = |x, y| match (wet(x, y), thing.contains(&x) && thing.contains(&y)) {
                    (true, _) => 250,
                    (_, true) => 180,
                    _ => 90,
                };
                let needs = gate.needs(&frame(second, paint), &tiles);
                gate.encoded(needs.iter().map(|need| need.tile), Timestamp::from_second(second).expect("in range"));
                asked.push(needs.len());
            }
            asked
        };
        asked(0..60, 0..0);
        let rain: usize = asked(60..160, 0..0).iter().sum();
        assert!(rain < 60, "of 400 looks: {rain}");
        assert!(asked(160..163, 8..24)[0] > 0, "something has come");
        assert!(asked(163..166, 0..0)[0] > 0, "it has gone");
    }

    #[test]
    fn what_only_stands_in_other_light_has_not_changed() {
        let tiles = grid(64, 64, &Grid { levels: vec![0.25], overlap: 0.0, context: 0.0 }, &[]);
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut gate = MotionGate::new(tiles.len(), Duration::from_secs(10));
        // Bricks and windows.
        let wall = |x: u32, y: u32| if (x / 8 + y / 8).is_multiple_of(3) { 200.0 } else { 60.0 };
        let lit = |light: f32| move |x: u32, y: u32| (wall(x, y) * light) as u8;
        gate.needs(&frame(0, lit(1.0)), &tiles);
        gate.encoded(0..16, at(0));
        for (second, light) in [(1, 0.95), (2, 1.05), (3, 0.5), (4, 0.45), (5, 1.2)] {
            assert_eq!(gate.needs(&frame(second, lit(light)), &tiles), [], "in light of {light}");
        }
        // What comes meanwhile is seen, and the light of the last look at it counts.
        let comes = |light: f32| move |x: u32, y: u32| if x < 16 && y < 16 { 120 } else { lit(light)(x, y) };
        let asked = |needs: Vec<Need>| needs.iter().map(|need| need.tile).collect::<Vec<_>>();
        assert_eq!(asked(gate.needs(&frame(6, comes(0.5)), &tiles)), [0]);
        gate.encoded([0], at(6));
        assert_eq!(asked(gate.needs(&frame(7, lit(1.0)), &tiles)), [0]);
        assert_eq!(gate.newest[0].light, 1.0, "however long it runs");
    }
}
