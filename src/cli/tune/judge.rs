//! Judging: what one way of asking would have told of the footage, held against the marked moments.

use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;

use super::footage::{Crop, Footage, Told};
use super::moments::Moments;
use crate::cli::page::Point;
use crate::clip::Embedding;
use crate::config::settings::CameraSettings;
use crate::detect::{Detection, distinct};
use crate::prompts::{PromptBank, Score};
use crate::track::Tracker;
use crate::track::tracker::Change;

/// With fewer marked moments none can be held out.
pub(super) const ENOUGH: usize = 4;
/// Thresholds that are tried.
const STEPS: usize = 36;

/// The thresholds that are tried, evenly spread in log-odds: probabilities crowd at both ends.
fn thresholds() -> impl Iterator<Item = f32> {
    let odds = |step: usize| -3.4 + 7.2 * step as f32 / (STEPS - 1) as f32;
    (0..STEPS).map(move |step| 1.0 / (1.0 + (-odds(step)).exp()))
}

pub(super) fn log_odds(probability: f32) -> f32 {
    let p = probability.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// The detections of each frame, as one bank scores them.
pub(super) struct Scored {
    frames: Vec<(Timestamp, f64, Vec<Detection>)>,
    /// One crop can be on many frames.
    known: HashMap<*const Embedding, Score>,
}

impl Scored {
    pub(super) fn new(footage: &Footage, bank: &PromptBank, target: usize) -> Self {
        let mut known: HashMap<*const Embedding, Score> = HashMap::new();
        let frames = footage.frames.iter().map(|seen| {
            let detection = |crop: &Crop| {
                let entry = known.entry(Rc::as_ptr(&crop.embedding));
                let score = *entry.or_insert_with(|| bank.score(&crop.embedding).swap_remove(target));
                let (area, Score { probability: score, margin, runner_up }) = (crop.area, score);
                Detection { prompt: target, area, score, margin, runner_up, tiles: 1, embedding: None }
            };
            (seen.captured, seen.time_s, distinct(seen.crops.iter().map(detection).collect()))
        });
        let frames = frames.collect();
        Self { frames, known }
    }

    /// How a crop of the footage was scored.
    pub(super) fn of(&self, crop: &Crop) -> f32 {
        self.known.get(&Rc::as_ptr(&crop.embedding)).map_or(0.0, |score| score.probability)
    }

    /// Of each frame its time, best score and the threshold.
    pub(super) fn curve(&self, threshold: f32) -> Vec<Point> {
        let best = |found: &[Detection]| found.first().map_or(0.0, |best| best.score);
        self.frames
            .iter()
            .map(|(_, time_s, found)| Point { time_s: *time_s as f32, best: best(found), threshold })
            .collect()
    }

    /// The events of a threshold, by the very tracker of a live camera.
    pub(super) fn told(&self, camera: &CameraSettings, threshold: f32) -> Told {
        let mut tracker = Tracker::new(camera.events.clone(), threshold);
        let Some((start, start_s, _)) = self.frames.first() else { return Told::new() };
        let at = |time: Timestamp| start_s + time.duration_since(*start).as_secs_f64();
        let mut told: HashMap<u64, (f64, f64)> = HashMap::new();
        let mut take = |changes: Vec<Change>| {
            for Change::New(track) | Change::Update(track) | Change::End(track) in changes {
                told.insert(track.number, (at(track.first_seen), at(track.last_seen)));
            }
        };
        for (captured, _, found) in &self.frames {
            let floor = tracker.floor();
            take(tracker.step(found.iter().filter(|d| d.score >= floor).cloned().collect(), *captured));
        }
        take(tracker.finish());
        let mut told: Told = told.into_values().collect();
        told.sort_by(|a, b| a.0.total_cmp(&b.0));
        told
    }
}

/// How a threshold did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// Marked moments that were asked for.
    pub(super) marks: usize,
    /// Those that an event tells of.
    pub(super) found: usize,
    /// Events when the thing is not there.
    pub(super) false_events: usize,
}

impl Outcome {
    /// What is right less what is wrong.
    pub(super) fn worth(&self) -> i64 {
        self.found as i64 - self.false_events as i64
    }

    fn and(self, other: Self) -> Self {
        Self {
            marks: self.marks + other.marks,
            found: self.found + other.found,
            false_events: self.false_events + other.false_events,
        }
    }
}

/// Judges events by the moments of one half, or of both.
fn outcome(told: &Told, moments: &Moments, half: Option<usize>) -> Outcome {
    let of_half = |index: usize| half.is_none_or(|half| index % 2 == half);
    let mut found = vec![false; moments.marks.len()];
    told.iter().for_each(|(from, to)| moments.told_by(*from, *to).for_each(|index| found[index] = true));
    let wrong =
        |(from, to): &&(f64, f64)| moments.is_false(*from, *to) && half.is_none_or(|half| moments.half(*from) == half);
    Outcome {
        marks: (0..found.len()).filter(|index| of_half(*index)).count(),
        found: found.iter().enumerate().filter(|(index, found)| **found && of_half(*index)).count(),
        false_events: told.iter().filter(wrong).count(),
    }
}

/// How a way of asking did.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// The threshold in the middle of the best.
    pub(super) threshold: f32,
    /// All thresholds between these do as well.
    pub(super) room: (f32, f32),
    /// With that threshold on all moments: it was chosen by them.
    pub(super) seen: Outcome,
    /// With a threshold that was chosen by the other half of the moments. `None` with too few of them.
    pub(super) held_out: Option<Outcome>,
}

impl Judged {
    /// What to go by.
    pub(super) fn outcome(&self) -> Outcome {
        self.held_out.unwrap_or(self.seen)
    }

    /// How much the threshold may be off, in log-odds.
    pub(super) fn room_odds(&self) -> f32 {
        log_odds(self.room.1) - log_odds(self.room.0)
    }
}

/// Judges a way of asking with the threshold that suits it.
pub(super) fn judge(scored: &Scored, camera: &CameraSettings, moments: &Moments) -> Judged {
    let all: Vec<(f32, Told)> = thresholds().map(|at| (at, scored.told(camera, at))).collect();
    let best = |half: Option<usize>| {
        let worth: Vec<i64> = all.iter().map(|(_, told)| outcome(told, moments, half).worth()).collect();
        widest(&worth)
    };
    let (first, last) = best(None);
    let room = (all[first].0, all[last].0);
    let middle = |(first, last): (usize, usize)| (first + last) / 2;
    let held_out = (moments.marks.len() >= ENOUGH).then(|| {
        let by_other = |half: usize| outcome(&all[middle(best(Some(1 - half)))].1, moments, Some(half));
        by_other(0).and(by_other(1))
    });
    let threshold = ((log_odds(room.0) + log_odds(room.1)) / 2.0).exp();
    let threshold = ((threshold / (1.0 + threshold)).clamp(0.05, 0.95) * 100.0).round() / 100.0;
    let seen = outcome(&scored.told(camera, threshold), moments, None);
    Judged { threshold, room, seen, held_out }
}

/// Judges what was told by all moments.
pub(super) fn judge_told(told: &Told, moments: &Moments) -> Outcome {
    outcome(told, moments, None)
}

/// The first and last of the longest run of the highest value.
fn widest(worth: &[i64]) -> (usize, usize) {
    let highest = worth.iter().copied().max().unwrap_or_default();
    let mut best = (0, 0);
    let mut first = None;
    for (index, value) in worth.iter().enumerate() {
        if *value < highest {
            first = None;
            continue;
        }
        let from = *first.get_or_insert(index);
        if worth[best.0] < highest || index - from > best.1 - best.0 {
            best = (from, index);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_lies_in_the_middle_of_the_widest_best() {
        assert_eq!(widest(&[0, 2, 1, 2, 2, 2, 0]), (3, 5));
        assert_eq!(widest(&[3, 1, 0]), (0, 0));
        assert_eq!(widest(&[1, 1, 1]), (0, 2));
        let all: Vec<f32> = thresholds().collect();
        assert!(all.len() == STEPS && all[0] < 0.04 && all[STEPS - 1] > 0.97 && all.is_sorted());
    }

    #[test]
    fn halves_share_the_moments_and_the_mistakes() {
        let moments = ["10", "30", "50", "70"].map(|text| text.parse().expect("a moment")).to_vec();
        let moments = Moments::new(moments, Vec::new(), 80.0).expect("fits");
        let told = vec![(9.0, 11.0), (20.0, 22.0), (50.0, 51.0), (62.0, 63.0)];
        let all = outcome(&told, &moments, None);
        assert_eq!(all, Outcome { marks: 4, found: 2, false_events: 2 });
        assert_eq!(outcome(&told, &moments, Some(0)).and(outcome(&told, &moments, Some(1))), all);
    }
}
