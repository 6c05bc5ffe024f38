//! The background: what an empty scene scores for one prompt at its best, window after window, and the threshold that
//! follows from how many false alarms a day are accepted.
//!
//! A window's best tries are extremes, and their distribution is Gumbel's (Gumbel 1935; Coles, *An Introduction to
//! Statistical Modeling of Extreme Values*, chapter 3). It is fitted to two low quantiles, so that real things that were
//! there in up to a third of the windows do not move it.

use std::time::Duration;

/// One best try is kept of each window of this length.
pub const WINDOW: Duration = Duration::from_secs(10);
/// Windows in a day.
const PER_DAY: f32 = 8640.0;
/// After so many windows half of what a window said is forgotten.
const HALF_LIFE: f32 = PER_DAY;
/// From so many windows on, what was seen counts for more than what is assumed.
const ENOUGH: f32 = 60.0;
/// The quantiles that the distribution is fitted to.
const LOW: f32 = 0.1;
const HIGH: f32 = 0.5;
/// Logits of the histogram, from and to, and how many of its bins make one.
const RANGE: (f32, f32) = (-16.0, 8.0);
const BINS_PER_LOGIT: f32 = 4.0;
const BINS: usize = 96;
/// The least spread that is believed: neighbouring windows of an empty scene are all but the same.
const LEAST_SPREAD: f32 = 0.2;
/// Where a prompt starts, and how far the background may lower or raise that, in logits: 0.6, 0.5 and 0.95.
pub const PRIOR: f32 = 0.405;
const BOUNDS: (f32, f32) = (0.0, 2.944);

/// How bright the scene is: what it looks like by night says little of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// A mean brightness under a quarter of white.
    Dark,
    /// More.
    Bright,
}

/// The best tries of an empty scene, in logits, by light.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Background {
    lights: [Histogram; 2],
}

#[derive(Clone, Debug, PartialEq)]
struct Histogram {
    bins: Box<[f32]>,
}

/// What is known of a prompt's background in one light, in logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Windows that speak, the older for less.
    pub windows: f32,
    /// Half of the windows had a better try than this.
    pub median: f32,
    /// Gumbel's scale: how much the tries vary.
    pub spread: f32,
    /// Gumbel's location.
    location: f32,
}

impl Level {
    /// False alarms a day that are to be expected from this logit on.
    pub fn alarms_per_day(&self, logit: f32) -> f32 {
        let reached = 1.0 - (-(-(logit - self.location) / self.spread).exp()).exp();
        PER_DAY * reached
    }

    /// The logit that an empty scene reaches `per_day` times a day.
    fn reached(&self, per_day: f32) -> f32 {
        let share = (1.0 - (per_day / PER_DAY).clamp(1e-7, 0.5)).ln();
        self.location - self.spread * (-share).ln()
    }

    /// Whether there are too few windows to go by.
    pub fn learning(&self) -> bool {
        self.windows < ENOUGH
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { bins: vec![0.0; BINS].into() }
    }
}

impl Histogram {
    fn add(&mut self, logit: f32) {
        let keep = 0.5_f32.powf(1.0 / HALF_LIFE);
        self.bins.iter_mut().for_each(|bin| *bin *= keep);
        let bin = ((logit.clamp(RANGE.0, RANGE.1) - RANGE.0) * BINS_PER_LOGIT) as usize;
        self.bins[bin.min(BINS - 1)] += 1.0;
    }

    fn total(&self) -> f32 {
        self.bins.iter().sum()
    }

    fn quantile(&self, share: f32) -> f32 {
        let mut left = share * self.total();
        for (index, bin) in self.bins.iter().enumerate() {
            if *bin > 0.0 && left <= *bin {
                return RANGE.0 + (index as f32 + left / bin) / BINS_PER_LOGIT;
            }
            left -= bin;
        }
        RANGE.1
    }

    fn level(&self) -> Option<Level> {
        let windows = self.total();
        if windows < 1.0 {
            return None;
        }
        let reduced = |share: f32| -(-share.ln()).ln();
        let (low, high) = (self.quantile(LOW), self.quantile(HIGH));
        let spread = ((high - low) / (reduced(HIGH) - reduced(LOW))).max(LEAST_SPREAD);
        let median = self.quantile(0.5);
        Some(Level { windows, median, spread, location: median - spread * reduced(0.5) })
    }
}

impl Background {
    /// Takes in a window's best try.
    pub fn add(&mut self, light: Light, logit: f32) {
        self.lights[light as usize].add(logit);
    }

    /// What is known in this light; before it was seen for long enough, what is known in the other. `None` at first.
    pub fn level(&self, light: Light) -> Option<Level> {
        let own = self.lights[light as usize].level();
        let other = self.lights[1 - light as usize].level();
        match (own, other) {
            (Some(own), Some(other)) if own.learning() && other.windows > own.windows => Some(other),
            (Some(own), _) => Some(own),
            (None, other) => other,
        }
    }

    /// The logit from which a prompt counts, so that an empty scene passes it `per_day` times a day: what is assumed at
    /// first, the more windows were seen the more what they say, within what a model's scores can mean.
    pub fn threshold(&self, light: Light, per_day: f32) -> f32 {
        let Some(level) = self.level(light) else { return PRIOR };
        let trust = level.windows / (level.windows + ENOUGH);
        let seen = level.reached(per_day).clamp(BOUNDS.0, BOUNDS.1);
        PRIOR + trust * (seen - PRIOR)
    }

    /// The histograms as bytes, for a store.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lights.iter().flat_map(|light| light.bins.iter().flat_map(|bin| bin.to_le_bytes())).collect()
    }

    /// What [`Self::to_bytes`] gave. `None` if it cannot have.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let sound = bytes.len() == 2 * BINS * 4 && values.iter().all(|v| v.is_finite() && (0.0..1e6).contains(v));
        let light = |at: usize| Histogram { bins: values[at * BINS..(at + 1) * BINS].into() };
        sound.then(|| Self { lights: [light(0), light(1)] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gumbel's distribution, drawn.
    fn draw(random: &mut fastrand::Rng, location: f32, spread: f32) -> f32 {
        location - spread * (-random.f32().max(1e-6).ln()).ln()
    }

    fn seen(windows: usize, location: f32, spread: f32, real: f32) -> Background {
        let mut random = fastrand::Rng::with_seed(7);
        let mut background = Background::default();
        for _ in 0..windows {
            let thing = random.f32() < real;
            background.add(Light::Bright, if thing { 5.0 } else { draw(&mut random, location, spread) });
        }
        background
    }

    #[test]
    fn the_tail_is_foretold() {
        let level = seen(8000, -2.0, 0.5, 0.0).level(Light::Bright).expect("seen");
        let true_alarms = 8640.0 * (1.0 - (-(-(1.0_f32 + 2.0) / 0.5).exp()).exp());
        let said = level.alarms_per_day(1.0);
        assert!((0.4..2.5).contains(&(said / true_alarms)), "{said} {true_alarms}");
        assert!((level.reached(level.alarms_per_day(0.5)) - 0.5).abs() < 0.02);
    }

    #[test]
    fn things_that_were_there_a_fifth_of_the_time_do_not_poison_it() {
        let (clean, poisoned) = (seen(2000, -3.0, 0.4, 0.0), seen(2000, -3.0, 0.4, 0.2));
        let at = |b: &Background| b.level(Light::Bright).expect("seen").reached(1.0);
        assert!(at(&poisoned) - at(&clean) < 1.2, "{} {}", at(&clean), at(&poisoned));
    }

    #[test]
    fn a_loud_scene_raises_the_threshold_and_a_quiet_one_lowers_it_within_bounds() {
        assert_eq!(Background::default().threshold(Light::Bright, 1.0), PRIOR);
        let loud = seen(2000, -1.5, 0.4, 0.0);
        assert!(loud.threshold(Light::Bright, 1.0) > loud.threshold(Light::Bright, 10.0));
        assert!(loud.threshold(Light::Bright, 1.0) > PRIOR + 0.8);
        assert!(seen(2000, 4.0, 0.4, 0.0).threshold(Light::Bright, 1.0) < BOUNDS.1);
        let quiet = seen(2000, -9.0, 0.3, 0.0).threshold(Light::Bright, 1.0);
        assert!(quiet < 0.05 && quiet >= BOUNDS.0, "{quiet}");
        // A few windows say little.
        assert!((seen(3, 4.0, 0.4, 0.0).threshold(Light::Bright, 1.0) - PRIOR).abs() < 0.2);
    }

    #[test]
    fn night_has_its_own_figures_once_it_is_known() {
        let mut background = seen(500, -5.0, 0.3, 0.0);
        assert_eq!(background.level(Light::Dark), background.level(Light::Bright));
        (0..100).for_each(|_| background.add(Light::Dark, 0.0));
        assert!(background.threshold(Light::Dark, 1.0) > background.threshold(Light::Bright, 1.0) + 0.5);
    }

    #[test]
    fn it_survives_a_store_and_nothing_else_passes_for_it() {
        let background = seen(50, -2.0, 0.5, 0.0);
        let bytes = background.to_bytes();
        assert_eq!(Background::from_bytes(&bytes), Some(background));
        assert_eq!(Background::from_bytes(&bytes[1..]), None);
        assert_eq!(Background::from_bytes(&vec![255; bytes.len()]), None);
    }
}
