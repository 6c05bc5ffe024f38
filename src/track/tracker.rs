//! The tracker: detections of one prompt, frame after frame, become things that appear, stay and go.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::settings::EventSettings;
use crate::detect::Detection;
use crate::frame::UnitBox;

/// One thing followed over time.
#[derive(Clone, Debug)]
pub struct Track {
    /// Counts the tracks of this tracker.
    pub number: u64,
    /// Its newest detection.
    pub detection: Detection,
    /// Highest score so far.
    pub top_score: f32,
    /// Detections so far.
    pub hits: u32,
    /// First detection.
    pub first_seen: Timestamp,
    /// Newest detection.
    pub last_seen: Timestamp,
    /// Changes told before this one.
    pub told_times: u32,
    /// Detections that would each have begun it.
    strong_hits: u32,
    /// Frames since the first detection, that one counted.
    frames: u32,
    announced: bool,
    told: Timestamp,
    speed: (f32, f32),
}

impl Track {
    /// Whether its event has begun.
    pub fn announced(&self) -> bool {
        self.announced
    }

    /// Where it should be by now, if it moves on as it did.
    fn expected(&self, now: Timestamp) -> UnitBox {
        // Beyond a second, a guess from two boxes is worth less than the last place.
        let ahead = (now.duration_since(self.last_seen).as_secs_f32()).min(1.0);
        let (dx, dy) = (self.speed.0 * ahead, self.speed.1 * ahead);
        let b = self.detection.area;
        UnitBox { x0: b.x0 + dx, y0: b.y0 + dy, x1: b.x1 + dx, y1: b.y1 + dy }
    }

    /// A copy to be told, counted.
    fn tell(&mut self, now: Timestamp) -> Self {
        let copy = self.clone();
        self.told = now;
        self.told_times += 1;
        copy
    }

    fn take(&mut self, detection: Detection, threshold: f32, now: Timestamp) {
        let seconds = now.duration_since(self.last_seen).as_secs_f32();
        if seconds > 0.0 {
            let (from, to) = (self.detection.area.centre(), detection.area.centre());
            let blend = |old: f32, new: f32| 0.5 * old + 0.5 * new;
            self.speed =
                (blend(self.speed.0, (to.0 - from.0) / seconds), blend(self.speed.1, (to.1 - from.1) / seconds));
        }
        self.top_score = self.top_score.max(detection.score);
        self.strong_hits += u32::from(detection.score >= threshold);
        self.detection = detection;
        self.hits += 1;
        self.last_seen = now;
    }
}

/// What has become of a track on a frame.
#[derive(Clone, Debug)]
pub enum Change {
    /// It has been seen often enough: it is there.
    New(Track),
    /// It is still there, and it is time to say so.
    Update(Track),
    /// It has not been seen for long enough: it is gone.
    End(Track),
}

/// Follows the things of one prompt.
#[derive(Debug)]
pub struct Tracker {
    settings: EventSettings,
    threshold: f32,
    tracks: Vec<Track>,
    next: u64,
}

impl Tracker {
    /// Starts with nothing there. `threshold` begins a track; `threshold * hysteresis` continues one.
    pub fn new(settings: EventSettings, threshold: f32) -> Self {
        Self { settings, threshold, tracks: Vec::new(), next: 0 }
    }

    /// Follows the same things from another threshold on.
    pub fn count_from(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// The score from which a detection is of use: it can continue a track.
    pub fn floor(&self) -> f32 {
        self.threshold * self.settings.hysteresis
    }

    /// The things that are there: announced and not gone.
    pub fn present(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|track| track.announced)
    }

    /// All tracks, those not yet announced among them.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Takes one frame's detections.
    pub fn step(&mut self, detections: Vec<Detection>, now: Timestamp) -> Vec<Change> {
        self.associate(detections, now);
        let mut changes = Vec::new();
        for track in &mut self.tracks {
            track.frames += 1;
            let fresh = track.last_seen == now;
            let seen_for = track.last_seen.duration_since(track.first_seen).unsigned_abs();
            // What is seen now and then only is a mistake that comes back.
            let often = 5 * track.strong_hits >= 2 * track.frames;
            let enough = often && track.strong_hits >= self.settings.min_hits && seen_for >= self.settings.min_seen;
            if fresh && !track.announced && enough {
                track.announced = true;
                changes.push(Change::New(track.tell(now)));
            } else if fresh && track.announced && since(track.told, now) >= self.settings.update_every {
                changes.push(Change::Update(track.tell(now)));
            }
        }
        let gone_after = self.settings.gone_after;
        let (gone, kept) =
            std::mem::take(&mut self.tracks).into_iter().partition(|track| since(track.last_seen, now) >= gone_after);
        self.tracks = kept;
        changes.extend(announced(gone).map(Change::End));
        changes
    }

    /// Ends everything, as when the program stops or the prompt is taken away.
    pub fn finish(&mut self) -> Vec<Change> {
        announced(std::mem::take(&mut self.tracks)).map(Change::End).collect()
    }

    /// Nearest pairs first; what is left over begins a track if it is strong enough.
    fn associate(&mut self, detections: Vec<Detection>, now: Timestamp) {
        let mut pairs = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            let expected = track.expected(now);
            for (d, detection) in detections.iter().enumerate() {
                let likeness =
                    likeness(&expected, &detection.area).max(likeness(&track.detection.area, &detection.area));
                if likeness > 0.0 {
                    pairs.push((likeness, t, d));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut taken_tracks = vec![false; self.tracks.len()];
        let mut left: Vec<Option<Detection>> = detections.into_iter().map(Some).collect();
        for (_, t, d) in pairs {
            if !taken_tracks[t]
                && let Some(detection) = left[d].take()
            {
                taken_tracks[t] = true;
                self.tracks[t].take(detection, self.threshold, now);
            }
        }
        for detection in left.into_iter().flatten().filter(|detection| detection.score >= self.threshold) {
            self.tracks.push(Track {
                number: self.next,
                top_score: detection.score,
                detection,
                hits: 1,
                strong_hits: 1,
                frames: 0,
                first_seen: now,
                last_seen: now,
                told_times: 0,
                announced: false,
                told: now,
                speed: (0.0, 0.0),
            });
            self.next += 1;
        }
    }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    // A clock that was set back must not end every track.
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}

fn announced(tracks: Vec<Track>) -> impl Iterator<Item = Track> {
    tracks.into_iter().filter(|track| track.announced)
}

/// How well two boxes could be one thing a moment apart: overlap when each is grown by half its size. 0 is impossible.
fn likeness(a: &UnitBox, b: &UnitBox) -> f32 {
    let grown = |b: &UnitBox| {
        let (w, h) = ((b.x1 - b.x0) / 2.0, (b.y1 - b.y0) / 2.0);
        UnitBox { x0: b.x0 - w, y0: b.y0 - h, x1: b.x1 + w, y1: b.y1 + h }
    };
    grown(a).iou(&grown(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("in range")
    }

    fn seen(x: f32, score: f32) -> Detection {
        Detection::new(0, UnitBox::new(x, 0.4, x + 0.1, 0.6), score)
    }

    fn tracker() -> Tracker {
        Tracker::new(EventSettings { min_hits: 2, ..EventSettings::default() }, 0.6)
    }

    fn kinds(changes: &[Change]) -> Vec<(&'static str, u64)> {
        let kind = |change: &Change| match change {
            Change::New(t) => ("new", t.number),
            Change::Update(t) => ("update", t.number),
            Change::End(t) => ("end", t.number),
        };
        changes.iter().map(kind).collect()
    }

    #[test]
    fn a_thing_is_announced_once_updated_and_ended() {
        let mut tracker = tracker();
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.8)], at(0))), []);
        assert_eq!(kinds(&tracker.step(vec![seen(0.12, 0.9)], at(500))), [("new", 0)]);
        assert_eq!(kinds(&tracker.step(vec![seen(0.14, 0.9)], at(1000))), []);
        assert_eq!(kinds(&tracker.step(vec![seen(0.16, 0.9)], at(1500))), [("update", 0)]);
        assert_eq!(kinds(&tracker.step(vec![], at(4400))), []);
        assert_eq!(kinds(&tracker.step(vec![], at(4500))), [("end", 0)]);
    }

    #[test]
    fn a_single_flash_is_no_event() {
        let mut tracker = tracker();
        tracker.step(vec![seen(0.1, 0.99)], at(0));
        for ms in (500..6000).step_by(500) {
            assert_eq!(kinds(&tracker.step(vec![], at(ms))), []);
        }
    }

    #[test]
    fn two_quick_frames_are_a_moment_and_no_event() {
        let mut tracker = tracker();
        tracker.step(vec![seen(0.1, 0.9)], at(0));
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.9)], at(200))), []);
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.9)], at(400))), []);
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.9)], at(600))), [("new", 0)]);
    }

    #[test]
    fn what_is_seen_now_and_then_is_no_event() {
        let mut tracker = tracker();
        for frame in 0..21 {
            let found = if frame % 5 == 0 { vec![seen(0.1, 0.9)] } else { vec![] };
            assert_eq!(kinds(&tracker.step(found, at(500 * frame))), []);
        }
    }

    #[test]
    fn a_weak_detection_continues_a_track_but_neither_starts_nor_announces_one() {
        let mut tracker = tracker();
        tracker.step(vec![seen(0.1, 0.8), seen(0.8, 0.5)], at(0));
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.5), seen(0.8, 0.5)], at(500))), []);
        assert_eq!(tracker.tracks().len(), 1);
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.6)], at(1000))), [("new", 0)]);
    }

    #[test]
    fn two_things_keep_their_numbers() {
        let mut tracker = tracker();
        for ms in [0, 500, 1000] {
            let shift = ms as f32 / 10_000.0;
            tracker.step(vec![seen(0.6 - shift, 0.9), seen(0.1 + shift, 0.9)], at(ms));
        }
        let mut places: Vec<(u64, f32)> = tracker.present().map(|t| (t.number, t.detection.area.x0)).collect();
        places.sort_by_key(|(number, _)| *number);
        assert!(places.len() == 2 && places[0].1 > 0.4 && places[1].1 < 0.3, "{places:?}");
    }

    #[test]
    fn a_clock_set_back_ends_nothing() {
        let mut tracker = tracker();
        tracker.step(vec![seen(0.1, 0.8)], at(100_000));
        tracker.step(vec![seen(0.1, 0.8)], at(100_500));
        assert_eq!(kinds(&tracker.step(vec![seen(0.1, 0.8)], at(1_000))), []);
    }

    #[test]
    fn stopping_ends_what_was_announced() {
        let mut tracker = tracker();
        tracker.step(vec![seen(0.1, 0.8)], at(0));
        tracker.step(vec![seen(0.1, 0.8), seen(0.8, 0.8)], at(500));
        assert_eq!(kinds(&tracker.finish()), [("end", 0)]);
    }
}
