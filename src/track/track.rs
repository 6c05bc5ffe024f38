//! A track: one thing followed over time.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::crossing::{Crossing, Side};
use super::look::Look;
use super::motion::Motion;
use super::parked::Parked;
use super::picture::Picture;
use super::rest::Rest;
use crate::config::rules::Severity;
use crate::config::settings::{EventSettings, Name};
use crate::detect::{Detection, Followed, Part};
use crate::elapsed::since;
use crate::regions::Cutout;

/// Another thing is about: its box is so many times less exact.
const DOUBT: f32 = 5.0;
/// And only so many times where it was known again.
const LOCATED: f32 = 1.5;
/// A thing that was not seen for so long can be anywhere.
const LOST: Duration = Duration::from_millis(1500);
/// So long it is taken to be in one box with others.
const TOGETHER: Duration = Duration::from_secs(5);
/// And so long if it is known again there.
const KNOWN_TOGETHER: Duration = Duration::from_secs(15);
/// While a thing is stationary, there is little to tell.
const STILL_UPDATE: Duration = Duration::from_secs(60);

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
    /// How much its event matters, so far.
    pub severity: Severity,
    /// Lines that it has crossed since the last change was told.
    pub crossed: Vec<Crossing>,
    /// How good the best picture of it is, 0..1.
    pub(super) best: f32,
    /// Detections that would each have begun it.
    pub(super) strong_hits: u32,
    /// Frames since the first detection, that one counted.
    pub(super) frames: u32,
    /// It has been seen often enough.
    pub(super) there: bool,
    /// Its event has begun, perhaps before this track did.
    pub(super) begun: bool,
    /// Its event has begun and not ended.
    pub(super) open: bool,
    /// It stood there before it was looked out for: nothing is told until it moves.
    pub(super) hushed: bool,
    told: Timestamp,
    told_still: bool,
    /// When it was last seen in a box of its own.
    seen_apart: Timestamp,
    motion: Motion,
    /// What it looks like, whatever is beside it.
    pub(super) look: Look,
    /// What it looks like with nothing else in its crop.
    alone: Look,
    picture: Picture,
    pub(super) rest: Rest,
    pub(super) sides: Vec<Side>,
    /// The event that it goes on with.
    resumed: Option<String>,
}

impl Track {
    pub(super) fn new(number: u64, detection: Detection, severity: Severity, lines: usize, now: Timestamp) -> Self {
        let mut track = Self {
            number,
            top_score: detection.score,
            hits: 1,
            first_seen: now,
            last_seen: now,
            told_times: 0,
            severity,
            crossed: Vec::new(),
            best: 0.0,
            strong_hits: 1,
            frames: 0,
            there: false,
            begun: false,
            open: false,
            hushed: false,
            told: now,
            told_still: false,
            seen_apart: now,
            motion: Motion::new(&detection.area),
            look: Look::new(detection.embedding.clone()),
            alone: Look::new(detection.embedding.clone().filter(|_| !detection.accompanied)),
            picture: Picture::default(),
            rest: Rest::new(&detection.area, now),
            sides: vec![Side::default(); lines],
            resumed: None,
            detection: detection.clone(),
        };
        track.picture.see(&detection, now);
        track
    }

    /// Whether it has not moved for a while.
    pub fn stationary(&self) -> bool {
        self.rest.is_still()
    }

    /// Its event's id: unique over restarts, since a thing's first moment is in it, and over cameras and prompts.
    pub fn event_id(&self, camera: &Name, prompt: &Name) -> String {
        let made = || format!("{camera}-{}-{prompt}-{}", self.first_seen.as_millisecond(), self.number);
        self.resumed.clone().unwrap_or_else(made)
    }

    /// What it looked like when it was last seen by itself.
    pub(super) fn cutout(&self) -> Option<&Arc<Cutout>> {
        self.picture.cutout()
    }

    /// Where it should be by now, if it goes on as it did.
    pub(super) fn expected(&self, now: Timestamp) -> Motion {
        // A clock that was set back says nothing of how long it was.
        self.motion.after(now.duration_since(self.last_seen).as_secs_f32().max(0.0))
    }

    /// Takes in its detection on a new frame.
    pub(super) fn take(&mut self, detection: Detection, crowded: bool, events: &EventSettings, now: Timestamp) {
        let seconds = now.duration_since(self.last_seen).as_secs_f32();
        self.motion = self.expected(now);
        if !crowded && self.picture.is_cut() {
            self.motion.come_in(&detection.area);
        }
        let doubt = if detection.part == Part::Located { LOCATED } else { DOUBT };
        self.motion.correct(&detection.area, if crowded { doubt } else { 1.0 });
        if !crowded {
            self.rest.see(&detection.area, seconds, now, events.stationary_after);
            detection.embedding.iter().for_each(|embedding| self.look.see(embedding));
            detection.embedding.iter().filter(|_| !detection.accompanied).for_each(|seen| self.alone.see(seen));
            self.picture.see(&detection, now);
        }
        if self.rest.is_still() {
            self.motion.halt();
        }
        self.top_score = self.top_score.max(detection.score);
        if detection.part == Part::No {
            self.seen_apart = now;
        }
        self.detection = detection;
        self.hits += 1;
        self.last_seen = now;
    }

    /// The thing among others, while it is clear enough where it is.
    pub(super) fn followed(&self, prompt: usize, now: Timestamp) -> Option<Followed> {
        let expected = self.expected(now);
        (self.is_distinct(now) && !expected.has_left()).then(|| Followed {
            prompt,
            number: self.number,
            expected: expected.inside(),
            whole: expected.area(),
            heading: expected.heading(),
            seen: self.detection.area,
            look: self.alone.mean().cloned(),
            cutout: self.cutout().filter(|_| self.picture.is_most_of(&expected.area())).cloned(),
            is_cut: self.picture.is_cut(),
            entire: self.picture.is_entire(self.seen_apart),
            certain: self.there,
            together: since(self.seen_apart, now),
        })
    }

    /// Whether it was seen more than once, a moment ago, and of late apart from others.
    fn is_distinct(&self, now: Timestamp) -> bool {
        let together = if self.detection.part == Part::Located { KNOWN_TOGETHER } else { TOGETHER };
        self.hits > 1 && since(self.last_seen, now) < LOST && since(self.seen_apart, now) < together
    }

    /// Whether it has been seen often enough, over `least` or longer, to be there.
    pub(super) fn is_certain(&self, events: &EventSettings, least: Duration) -> bool {
        let seen_for = self.last_seen.duration_since(self.first_seen).unsigned_abs();
        // What is seen now and then only is a mistake that comes back.
        let often = 5 * self.strong_hits >= 2 * self.frames;
        often && self.strong_hits >= events.min_hits && seen_for >= least
    }

    /// Whether it is time for an update: something has happened that happens but once, or a while has passed.
    pub(super) fn is_due(&self, raised: bool, events: &EventSettings, now: Timestamp) -> bool {
        let still = self.rest.is_still();
        let pace = if still { events.update_every.max(STILL_UPDATE) } else { events.update_every };
        raised || still != self.told_still || !self.crossed.is_empty() || since(self.told, now) >= pace
    }

    /// Whether it has gone.
    pub(super) fn is_gone(&self, events: &EventSettings, now: Timestamp) -> bool {
        let still = self.rest.is_still();
        let after = if still { events.gone_after.max(events.stationary_gone_after) } else { events.gone_after };
        since(self.last_seen, now) >= after
    }

    /// A copy to be told, counted.
    pub(super) fn tell(&mut self, now: Timestamp) -> Self {
        let copy = self.clone();
        (self.told, self.told_still) = (now, self.rest.is_still());
        self.told_times += 1;
        self.crossed.clear();
        copy
    }

    /// What is to be remembered of a thing that stands still; `None` of others.
    pub(super) fn parked(&self, camera: &Name, prompt: &Name) -> Option<Parked> {
        (self.there && self.rest.is_still() && (self.begun || self.hushed)).then(|| Parked {
            prompt: prompt.clone(),
            event: self.event_id(camera, prompt),
            told: self.begun,
            present: true,
            sequence: self.told_times,
            severity: self.severity,
            top_score: self.top_score,
            area: *self.rest.place(),
            look: self.look.mean().cloned(),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
        })
    }

    /// Goes on as the thing that was remembered.
    pub(super) fn resume(&mut self, parked: Parked, now: Timestamp) {
        (self.begun, self.hushed) = (parked.told, !parked.told);
        self.resumed = Some(parked.event);
        self.told_times = parked.sequence;
        self.severity = self.severity.max(parked.severity);
        self.top_score = self.top_score.max(parked.top_score);
        self.first_seen = parked.first_seen;
        self.rest = Rest::known(&parked.area, now);
        self.motion.halt();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;
    use crate::frame::UnitBox;

    /// Whether a thing is known among others, of whose six sixths one comes into view in each fifth of a second; from the second
    /// on, its crop shows something else too, or not.
    fn is_known(accompanied: bool) -> bool {
        let text = "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\n[[camera.prompt]]\nphrases = \"a dog\"";
        let events = parse(text, "test", Path::new(""), false).expect("valid").cameras.remove(0).events;
        let at = |step: u8| Timestamp::from_millisecond(200 * i64::from(step)).expect("in range");
        let seen = |step: u8| {
            let cells = vec![Some([200.0, 40.0, 40.0]); 4 * usize::from(step + 1)];
            let area = UnitBox::new(0.0, 0.4, 0.05 * f32::from(step + 1), 0.6);
            let cutout = Some(Arc::new(Cutout::new(usize::from(step + 1), cells)));
            Detection { cutout, accompanied: accompanied && step > 0, ..Detection::new(0, area, 0.9) }
        };
        let mut track = Track::new(0, seen(0), Severity::Alert, 0, at(0));
        (1..6).for_each(|step| track.take(seen(step), false, &events, at(step)));
        track.followed(0, at(5)).expect("it is clear where it is").cutout.is_some()
    }

    #[test]
    fn a_small_part_of_what_has_come_in_is_nothing_to_know_it_by() {
        assert!(is_known(false));
        assert!(!is_known(true), "by itself only its first sixth was seen");
    }
}
