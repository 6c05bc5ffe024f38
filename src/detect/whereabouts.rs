//! Whereabouts: where the things are that stand in a relation to each other, over the last moments.
//!
//! An anchor is mostly something that stands: a traffic light, a bench, a parked car. It need not be found anew on every
//! frame to be there, and that it was not found on one does not mean that it has gone. Nor does what stood there as one
//! fall apart at once, if noise or other light cuts its box up.

use std::time::Duration;

use jiff::Timestamp;

use super::Detection;
use crate::elapsed::since;
use crate::frame::UnitBox;

/// What has not moved for so long stands still.
const STILL: Duration = Duration::from_secs(5);
/// What stands still is taken to be there for so long after it was last found, as when something passes before it.
const STANDS_FOR: Duration = Duration::from_secs(10);
/// What moves is elsewhere soon.
const MOVES_FOR: Duration = Duration::from_secs(1);
/// Of things of one kind, so many are remembered.
const MOST: usize = 64;
/// A box that overlaps an earlier one by more than this is the same thing.
const SAME_IOU: f32 = 0.3;
/// And this much, in the same place.
const SAME_PLACE_IOU: f32 = 0.5;

/// A box is a part of a thing that lies in the thing's by more than this.
const PART_WITHIN: f32 = 0.6;

/// A thing that was found, and since when it has been in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Where it was found last.
    pub area: UnitBox,
    place: UnitBox,
    since: Timestamp,
    last: Timestamp,
    /// Since when it was found in parts.
    parted: Option<Timestamp>,
}

/// Where the things of one question are.
#[derive(Debug, Default)]
pub struct Whereabouts {
    known: Vec<Known>,
    /// When the whole frame had been looked at for the first time.
    looked: Option<Timestamp>,
}

impl Whereabouts {
    /// Takes in what was found on a frame. What scores `threshold` is there; less continues what is. `complete` says
    /// whether all of the frame has been looked at by now, `gone_after` how long what was seen counts as not absent.
    pub fn see<'a>(
        &mut self,
        found: impl IntoIterator<Item = &'a Detection>,
        threshold: f32,
        complete: bool,
        now: Timestamp,
        gone_after: Duration,
    ) {
        if complete && self.looked.is_none() {
            self.looked = Some(now);
        }
        for Detection { area, score, .. } in found {
            let overlaps = self.known.iter().enumerate().map(|(at, known)| (at, known.area.iou(area)));
            let same = overlaps.filter(|(_, iou)| *iou > SAME_IOU).max_by(|a, b| a.1.total_cmp(&b.1));
            match same {
                Some((at, _)) => {
                    let known = &mut self.known[at];
                    if known.place.iou(area) <= SAME_PLACE_IOU {
                        (known.place, known.since) = (*area, now);
                    }
                    (known.area, known.last) = (*area, now);
                }
                None if *score >= threshold && self.known.len() < MOST => {
                    self.known.push(Known { area: *area, place: *area, since: now, last: now, parted: None });
                }
                None => {}
            }
        }
        self.known.retain(|known| since(known.last, now) <= known.stays().max(gone_after));
    }

    /// Of what was found on a frame, strongest first, the parts of what has stood in its place as one are that one again: the
    /// strongest of them, in its box. What stays in parts for as long has fallen apart.
    pub fn whole(&mut self, mut found: Vec<Detection>, now: Timestamp) -> Vec<Detection> {
        for known in self.known.iter_mut().filter(|known| known.is_still()) {
            let is_part = |d: &Detection| d.area.intersection(&known.area) > PART_WITHIN * d.area.area();
            let mut parts = found.iter_mut().filter(|d| is_part(d));
            let (Some(first), Some(_)) = (parts.next(), parts.next()) else {
                known.parted = None;
                continue;
            };
            if since(*known.parted.get_or_insert(now), now) < STILL {
                first.area = known.area;
                let mut seen = 0;
                found.retain(|d| {
                    seen += u32::from(is_part(d));
                    !is_part(d) || seen == 1
                });
            }
        }
        found
    }

    /// Where they are: those just found, and those that are taken to be there still.
    pub fn there(&self, now: Timestamp) -> Vec<UnitBox> {
        self.known.iter().filter(|known| since(known.last, now) <= known.stays()).map(|known| known.area).collect()
    }

    /// Where they are, or just were: what must be empty for them to be absent. `None` while that is not known yet, since the
    /// frame has not been looked at for as long as `moment`.
    pub fn not_absent(&self, now: Timestamp, moment: Duration) -> Option<Vec<UnitBox>> {
        let known = self.looked.is_some_and(|looked| since(looked, now) >= moment);
        known.then(|| self.known.iter().map(|known| known.area).collect())
    }
}

impl Known {
    fn is_still(&self) -> bool {
        since(self.since, self.last) >= STILL
    }

    fn stays(&self) -> Duration {
        if self.is_still() { STANDS_FOR } else { MOVES_FOR }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: Duration = Duration::from_secs(3);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("in range")
    }

    fn found(x: f32, score: f32) -> Vec<Detection> {
        let area = UnitBox::new(x, 0.4, x + 0.1, 0.6);
        vec![Detection::new(0, area, score)]
    }

    #[test]
    fn what_stands_is_remembered_longer_than_what_moves() {
        let (mut stands, mut moves) = (Whereabouts::default(), Whereabouts::default());
        for step in 0..=10u8 {
            let now = at(600 * i64::from(step));
            stands.see(&found(0.5, 0.9), 0.6, true, now, GONE);
            moves.see(&found(0.02 * f32::from(step), 0.9), 0.6, true, now, GONE);
        }
        for (ms, standing, moving) in [(6_900, 1, 1), (7_500, 1, 0), (15_900, 1, 0), (16_100, 0, 0)] {
            stands.see(&[], 0.6, true, at(ms), GONE);
            moves.see(&[], 0.6, true, at(ms), GONE);
            assert_eq!((stands.there(at(ms)).len(), moves.there(at(ms)).len()), (standing, moving), "{ms}");
        }
    }

    #[test]
    fn a_weak_find_keeps_an_anchor_but_makes_none() {
        let mut anchors = Whereabouts::default();
        anchors.see(&found(0.5, 0.5), 0.6, true, at(0), GONE);
        assert!(anchors.there(at(0)).is_empty());
        anchors.see(&found(0.5, 0.7), 0.6, true, at(500), GONE);
        anchors.see(&found(0.5, 0.5), 0.6, true, at(1400), GONE);
        anchors.see(&[], 0.6, true, at(2000), GONE);
        assert_eq!(anchors.there(at(2000)).len(), 1);
    }

    #[test]
    fn what_stood_as_one_does_not_fall_apart_at_once() {
        let of = |x0: f32, x1: f32, score| Detection::new(0, UnitBox::new(x0, 0.4, x1, 0.6), score);
        let mut cars = Whereabouts::default();
        let mut counts = |found: Vec<Detection>, ms| {
            let found = cars.whole(found, at(ms));
            cars.see(&found, 0.6, true, at(ms), GONE);
            found
        };
        let (one, parts) = (of(0.2, 0.4, 0.9), || vec![of(0.31, 0.4, 0.9), of(0.2, 0.3, 0.8)]);
        assert_eq!(counts(parts(), 0).len(), 2, "it was never seen as one");
        for ms in (1_000..=7_000).step_by(500) {
            assert_eq!(counts(vec![one.clone()], ms).len(), 1);
        }
        let found = counts(parts(), 7_500);
        assert_eq!((found.len(), found[0].area, found[0].score), (1, one.area, 0.9));
        // Another that comes beside it is another.
        assert_eq!(counts(vec![one.clone(), of(0.36, 0.5, 0.7)], 8_000).len(), 2);
        let lengths: Vec<usize> = (9_000..=15_000).step_by(1_000).map(|ms| counts(parts(), ms).len()).collect();
        assert_eq!(lengths, [1, 1, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn not_yet_found_is_not_absent() {
        let mut anchors = Whereabouts::default();
        let moment = Duration::from_millis(450);
        anchors.see(&[], 0.6, false, at(0), GONE);
        assert_eq!(anchors.not_absent(at(5000), moment), None, "parts of the frame were never looked at");
        anchors.see(&[], 0.6, true, at(5000), GONE);
        assert_eq!(anchors.not_absent(at(5400), moment), None);
        assert_eq!(anchors.not_absent(at(5500), moment), Some(Vec::new()));
        anchors.see(&found(0.5, 0.9), 0.6, true, at(6000), GONE);
        anchors.see(&[], 0.6, true, at(8900), GONE);
        assert!(anchors.there(at(8900)).is_empty(), "it may have moved");
        assert_eq!(
            anchors.not_absent(at(8900), moment).map(|boxes| boxes.len()),
            Some(1),
            "but it has not gone for long"
        );
        anchors.see(&[], 0.6, true, at(9100), GONE);
        assert_eq!(anchors.not_absent(at(9100), moment), Some(Vec::new()));
    }
}
