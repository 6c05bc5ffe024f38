//! The tracker: detections of one prompt, frame after frame, become things that appear, stay and go.

use jiff::Timestamp;

use super::association::{Pair, associate};
use super::parked::{Memory, Parked};
use super::telling::Telling;
use super::track::Track;
use crate::config::settings::{CameraSettings, EventSettings, PromptSettings};
use crate::detect::{Detection, Followed};
use crate::elapsed::since;
use crate::frame::UnitBox;

/// A picture replaces the one before when it is better by this factor.
const BETTER: f32 = 1.1;

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
    events: EventSettings,
    threshold: f32,
    telling: Telling,
    tracks: Vec<Track>,
    memory: Memory,
    /// When an event began, or rose, that another is not to follow too soon.
    alerted: Option<Timestamp>,
    /// When this began to wait for parked things to be seen again.
    awaits: Option<Timestamp>,
    is_open: bool,
    next: u64,
}

impl Tracker {
    /// Starts with nothing there. The prompt's threshold begins a track; `threshold * hysteresis` continues one.
    pub fn new(camera: &CameraSettings, prompt: &PromptSettings) -> Self {
        Self {
            events: camera.events.clone(),
            threshold: prompt.threshold,
            telling: Telling::new(camera, prompt),
            tracks: Vec::new(),
            memory: Memory::default(),
            alerted: None,
            awaits: None,
            is_open: true,
            next: 0,
        }
    }

    /// Follows the same things from another threshold on.
    pub fn count_from(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// The same things followed, by other settings of the prompt.
    pub fn by(mut self, camera: &CameraSettings, prompt: &PromptSettings) -> Self {
        (self.threshold, self.telling) = (prompt.threshold, Telling::new(camera, prompt));
        // Lines can be others now.
        let lines = self.telling.lines.len();
        self.tracks.iter_mut().for_each(|track| track.sides = vec![Default::default(); lines]);
        self
    }

    /// The score from which a detection is of use: it can continue a track.
    pub fn floor(&self) -> f32 {
        self.threshold * self.events.hysteresis
    }

    /// The things that are there and not gone, told of or not.
    pub fn present(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|track| track.there)
    }

    /// How many things are there: those that are present, and those that stood still before the program or the camera
    /// was away, until it is clear that they do not any more.
    pub fn count(&self) -> usize {
        self.places().count()
    }

    /// Where each of those is, or stood when it was last seen.
    pub fn places(&self) -> impl Iterator<Item = &UnitBox> {
        let remembered = self.memory.iter().filter(|parked| parked.present && self.is_open);
        self.present().map(|track| &track.detection.area).chain(remembered.map(|parked| &parked.area))
    }

    /// The things, certain or not, of which it is clear enough where they are among others. `prompt` is this one's index.
    pub fn followed(&self, prompt: usize, now: Timestamp) -> impl Iterator<Item = Followed> {
        self.tracks.iter().filter_map(move |track| track.followed(prompt, now))
    }

    /// All tracks, those not yet certain among them.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The things that stand still, seen now or remembered.
    pub fn parked(&self) -> Vec<Parked> {
        let Telling { camera, prompt, .. } = &self.telling;
        let seen = self.tracks.iter().filter_map(|track| track.parked(camera, prompt));
        self.memory.iter().cloned().chain(seen).collect()
    }

    /// Remembers a thing that stood still before this began: it is no news when it is seen again.
    pub fn remember(&mut self, parked: Parked) {
        self.memory.keep(parked);
    }

    /// When an event of the prompt last began, or rose, that another is not to follow too soon: where a cooldown asks for it.
    pub fn alerted(&self) -> Option<Timestamp> {
        self.alerted.filter(|_| !self.telling.rules.cooldown.is_zero())
    }

    /// Goes on with the pause after an event that began before this did.
    pub fn pause_from(&mut self, alerted: Timestamp) {
        self.alerted = Some(alerted);
    }

    /// Takes one frame's detections.
    pub fn step(&mut self, mut detections: Vec<Detection>, now: Timestamp) -> Vec<Change> {
        self.memory.forget(self.events.parked_for, now);
        if since(*self.awaits.get_or_insert(now), now) >= self.events.stationary_gone_after {
            self.memory.give_up();
        }
        self.take(&mut detections, now);
        self.is_open = self.telling.is_open(now);
        let mut changes = Vec::new();
        for track in &mut self.tracks {
            track.frames += 1;
            if self.is_open {
                changes.extend(watch(track, &self.events, &self.telling, &mut self.memory, &mut self.alerted, now));
            } else {
                changes.extend(overlook(track, now));
            }
        }
        let gone = self.tracks.extract_if(.., |track| track.is_gone(&self.events, now)).collect();
        changes.extend(self.end(gone, false));
        changes
    }

    /// Ends everything, as when the program stops or the prompt is taken away. What stands still stays remembered.
    pub fn finish(&mut self) -> Vec<Change> {
        let all = std::mem::take(&mut self.tracks);
        self.awaits = None;
        self.end(all, true)
    }

    /// The tracks of which this frame, the newest, gives the best picture so far, with `quality` (0..1) of a detection.
    pub fn improved(&mut self, now: Timestamp, quality: impl Fn(&Detection) -> f32) -> Vec<&Track> {
        let mut improved = Vec::new();
        for track in self.tracks.iter_mut().filter(|track| track.open && track.last_seen == now) {
            let quality = quality(&track.detection);
            if quality > BETTER * track.best {
                track.best = quality;
                improved.push(&*track);
            }
        }
        improved
    }

    /// Gives each track its detection; strong ones that are left over begin tracks.
    fn take(&mut self, detections: &mut Vec<Detection>, now: Timestamp) {
        let pairs = associate(&self.tracks, detections, self.threshold, now);
        let mut left: Vec<Option<Detection>> = detections.drain(..).map(Some).collect();
        for Pair { track, detection, crowded } in pairs {
            let Some(detection) = left[detection].take() else { continue };
            let track = &mut self.tracks[track];
            track.strong_hits += u32::from(detection.score >= self.threshold);
            track.take(detection, crowded, &self.events, now);
            let crossings = self.telling.lines.iter().zip(&mut track.sides);
            track.crossed.extend(crossings.filter_map(|(line, side)| side.see(line, &track.detection.area)));
        }
        for detection in left.into_iter().flatten().filter(|detection| detection.score >= self.threshold) {
            let lines = &self.telling.lines;
            let mut track = Track::new(self.next, detection, self.telling.rules.severity, lines.len(), now);
            lines.iter().zip(&mut track.sides).for_each(|(line, side)| drop(side.see(line, &track.detection.area)));
            self.tracks.push(track);
            self.next += 1;
        }
    }

    /// Ends tracks; parked things among them are `present` for all that is known, or have not been seen for a while.
    fn end(&mut self, gone: Vec<Track>, present: bool) -> Vec<Change> {
        let Telling { camera, prompt, .. } = &self.telling;
        let mut changes = Vec::new();
        for mut track in gone {
            if track.open {
                changes.push(Change::End(track.clone()));
                track.told_times += 1;
            }
            if let Some(parked) = track.parked(camera, prompt) {
                self.memory.keep(Parked { present, ..parked });
            }
        }
        changes
    }
}

/// What is to be told of a track while its prompt is looked out for.
fn watch(
    track: &mut Track,
    events: &EventSettings,
    telling: &Telling,
    memory: &mut Memory,
    alerted: &mut Option<Timestamp>,
    now: Timestamp,
) -> Option<Change> {
    let fresh = track.last_seen == now;
    track.hushed &= track.rest.is_still();
    if fresh && !track.there && track.is_certain(events, events.min_seen.max(telling.rules.dwell)) {
        track.there = true;
        if !track.begun
            && let Some(parked) = memory.recognise(track)
        {
            track.resume(parked, now);
        }
    }
    if !fresh || !track.there {
        return None;
    }
    let raised = telling.raise(track, now);
    if track.open && !track.is_due(raised, events, now) {
        return None;
    }
    let begins = !track.begun;
    // A clock set back must not make a pause longer.
    let pausing = alerted.is_some_and(|at| at <= now && since(at, now) < telling.rules.cooldown);
    if begins && (pausing || track.hushed) {
        return None;
    }
    if (begins || raised) && track.severity == telling.highest() {
        *alerted = Some(now);
    }
    (track.begun, track.open) = (true, true);
    let told = track.tell(now);
    Some(if begins { Change::New(told) } else { Change::Update(told) })
}

/// What is to be told of a track while its prompt is not looked out for: at most that its event is over.
fn overlook(track: &mut Track, now: Timestamp) -> Option<Change> {
    track.there = false;
    track.hushed = track.rest.is_still();
    std::mem::take(&mut track.open).then(|| Change::End(track.tell(now)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::config::parse;
    use crate::frame::UnitBox;
    use crate::regions::Cutout;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("in range")
    }

    fn seen(x: f32, score: f32) -> Detection {
        Detection::new(0, UnitBox::new(x, 0.4, x + 0.1, 0.6), score)
    }

    fn tracker() -> Tracker {
        let text = "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\n\
                    [[camera.prompt]]\nname = \"dog\"\nphrases = \"a dog\"\nthreshold = 0.6";
        let camera = parse(text, "test", Path::new(""), false).expect("valid").cameras.remove(0);
        Tracker::new(&camera, &camera.prompts[0])
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
    fn two_that_turn_back_where_they_meet_keep_their_numbers() {
        let of = |x: f32, colour| {
            let cells = vec![Some(colour); 24];
            Detection { cutout: Some(Arc::new(Cutout::new(4, cells))), ..seen(x, 0.9) }
        };
        let numbers = |colours: [[f32; 3]; 2]| {
            let mut tracker = tracker();
            for step in 0..4u8 {
                let way = 0.05 * f32::from(step);
                let both = vec![of(0.2 + way, colours[0]), of(0.6 - way, colours[1])];
                tracker.step(both, at(500 * i64::from(step)));
            }
            // For a moment they are one behind the other.
            tracker.step(vec![], at(2000));
            tracker.step(vec![of(0.3, colours[0]), of(0.5, colours[1])], at(2500));
            let mut places: Vec<_> = tracker.present().map(|t| (t.number, t.detection.area.x0)).collect();
            places.sort_by(|a, b| a.1.total_cmp(&b.1));
            places.iter().map(|(number, _)| *number).collect::<Vec<_>>()
        };
        let (red, blue) = ([200.0, 40.0, 40.0], [40.0, 60.0, 200.0]);
        assert_eq!(numbers([red, blue]), [0, 1]);
        // Who looks the same went on as it did, for all that can be told.
        assert_eq!(numbers([red, red]), [1, 0]);
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
