//! Objects: what the frame holds by the box regression, whatever it is, from frame to frame. Each has the embedding of its
//! own crop, which serves until its period is over or, where nothing moves, until the picture changes there: a crop cache
//! that moves with the objects.

use std::time::Duration;

use jiff::Timestamp;

use crate::clip::{Crop, Embedding, RefinedBox};
use crate::elapsed::since;
use crate::frame::UnitBox;
use crate::regions::BackgroundModel;
use crate::track::motion::Motion;

/// Objectness from which a crop shows an object, and from which one that is known is still there. On the footage, nine of ten
/// true boxes have 0.77 or more by day and 0.2 at night, and nine of ten random crops of the background 0.12 or less.
const NEW_OBJECTNESS: f32 = 0.5;
const KEPT_OBJECTNESS: f32 = 0.25;
/// Two boxes with a higher IoU are one object.
const SAME_IOU: f32 = 0.6;
/// A refined box further off than this from where the object was expected is another's.
const OTHER_IOU: f32 = 0.2;
/// A component that overlaps a prediction by this agrees with it.
const SUPPORT_IOU: f32 = 0.6;
/// A proposal that overlaps a prediction by this is explained by it.
const EXPLAINED_IOU: f32 = 0.5;
/// From this share of changed cells on, an object's crop is another one.
const CHANGED: f32 = 0.1;
/// How long an embedding serves while the object moves: of one that some prompt may mean, and of any other.
const WANTED_PERIOD: Duration = Duration::from_millis(400);
const OTHER_PERIOD: Duration = Duration::from_millis(1200);
/// How long it serves while nothing changes there.
const STILL_PERIOD: Duration = Duration::from_secs(10);
/// A proposal that showed no object is not looked at again for this long.
const REJECTED_FOR: Duration = Duration::from_millis(1500);
/// An object that nothing has confirmed for this long is gone.
const GONE_AFTER: Duration = Duration::from_millis(900);
/// Crops that an object's embedding averages over.
const AVERAGED: f32 = 4.0;
/// How much less exact than a tile's box a component is, and how much more a refined box (1: as exact).
const COMPONENT_DOUBT: f32 = 2.0;
const BOX_DOUBT: f32 = 0.5;

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    motion: Motion,
    /// Where it is on the newest frame, inside the frame.
    pub(super) area: UnitBox,
    /// Average of its last crops.
    pub(super) embedding: Embedding,
    crops: f32,
    /// Probability that it is an object, 0..1, by its last crop.
    pub(super) objectness: f32,
    /// The cells of its box when it was encoded.
    colours: Vec<[f32; 3]>,
    encoded_area: UnitBox,
    encoded: Timestamp,
    /// When [`Self::motion`] was corrected last.
    moved: Timestamp,
    /// When a crop, a component or an unchanged picture last said that it is there.
    pub(super) confirmed: Timestamp,
}

/// A box to be cropped and encoded.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub(super) area: UnitBox,
    /// The higher, the sooner.
    priority: f32,
    /// Index of the object that it is expected to show.
    object: Option<usize>,
}

/// The objects of a frame, and the proposals that showed none.
#[derive(Debug, Default)]
pub(super) struct Objects {
    live: Vec<Object>,
    rejected: Vec<(UnitBox, Timestamp)>,
}

impl Proposal {
    /// Whether it shows no object that is known.
    pub(super) fn is_new(&self) -> bool {
        self.object.is_none()
    }
}

impl Objects {
    /// Those that are there on the newest frame.
    pub(super) fn live(&self) -> &[Object] {
        &self.live
    }

    /// Moves all objects on to the newest frame and gives what should be encoded of it, first things first: objects whose
    /// embedding has served its time, `components` that no object explains, and `candidates` of the sweep. `wanted` says
    /// whether a prompt may mean an object.
    pub(super) fn propose(
        &mut self,
        background: &BackgroundModel,
        components: &[UnitBox],
        candidates: &[UnitBox],
        wanted: impl Fn(&Object) -> bool,
        now: Timestamp,
    ) -> Vec<Proposal> {
        self.rejected.retain(|(_, at)| since(*at, now) < REJECTED_FOR);
        let mut proposals = Vec::new();
        for (index, object) in self.live.iter_mut().enumerate() {
            let age = since(object.encoded, now);
            let (period, supported) = if background.changed(&object.encoded_area, &object.colours) < CHANGED {
                object.area = object.encoded_area;
                object.motion.halt();
                object.confirmed = now;
                (STILL_PERIOD, true)
            } else {
                let supported = object.advance(components, now);
                (if wanted(object) { WANTED_PERIOD } else { OTHER_PERIOD }, supported)
            };
            let served = age.as_secs_f32() / period.as_secs_f32();
            if served >= 0.99 || !supported {
                let priority = served + if supported { 0.0 } else { 0.5 };
                proposals.push(Proposal { area: object.area, priority, object: Some(index) });
            }
        }
        let mut others: Vec<(f32, UnitBox)> = components.iter().map(|area| (1.6, *area)).collect();
        others.extend(candidates.iter().map(|area| (1.3, *area)));
        let mut new: Vec<UnitBox> = Vec::new();
        for (priority, area) in others {
            let explained = self.live.iter().any(|object| object.area.iou(&area) >= EXPLAINED_IOU)
                || self.rejected.iter().any(|(other, _)| other.iou(&area) >= SAME_IOU)
                || new.iter().any(|other| other.iou(&area) >= SAME_IOU);
            if !explained {
                new.push(area);
                // Of several, the larger: a piece of an object is smaller than the object.
                let priority = priority + 0.2 * area.area().sqrt();
                proposals.push(Proposal { area, priority, object: None });
            }
        }
        proposals.sort_by(|a, b| b.priority.total_cmp(&a.priority));
        proposals
    }

    /// Takes in what a proposal's crop shows. Gives the box to crop once more where the object is elsewhere in the crop than
    /// the proposal said.
    pub(super) fn take(
        &mut self,
        proposal: &Proposal,
        crop: Crop,
        background: &BackgroundModel,
        now: Timestamp,
    ) -> Option<Proposal> {
        let RefinedBox { area, objectness } = crop.refined?;
        let off = area.iou(&proposal.area);
        let seen = Seen { area, objectness, embedding: crop.embedding, now };
        if let Some(object) = proposal.object.and_then(|index| self.live.get_mut(index)) {
            if objectness >= KEPT_OBJECTNESS && off >= OTHER_IOU {
                object.see(seen, background);
            } else {
                // Encoded in vain: not again at once, and gone unless something else confirms it.
                object.objectness *= 0.5;
                object.encoded = now;
            }
            return None;
        }
        if objectness < NEW_OBJECTNESS || area.area() <= 0.0 {
            self.rejected.push((proposal.area, now));
            return None;
        }
        let same = self.live.iter_mut().map(|object| (object.area.iou(&area), object));
        match same.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(iou, _)| *iou >= SAME_IOU) {
            Some((_, object)) => {
                self.rejected.push((proposal.area, now));
                if since(object.encoded, now) > Duration::ZERO {
                    object.see(seen, background);
                }
                None
            }
            None => {
                self.live.push(Object::new(seen, background));
                let again = Proposal { area, priority: 1.0, object: Some(self.live.len() - 1) };
                (off < EXPLAINED_IOU).then_some(again)
            }
        }
    }

    /// Lets go of what has left or was not confirmed, and of the weaker of two boxes of one object.
    pub(super) fn settle(&mut self, now: Timestamp) {
        self.live.retain(|object| {
            let lost = since(object.confirmed, now) > GONE_AFTER || object.objectness < KEPT_OBJECTNESS;
            !lost && object.area.area() > 0.0 && !object.motion.has_left()
        });
        self.live.sort_by(|a, b| b.objectness.total_cmp(&a.objectness));
        let mut kept: Vec<Object> = Vec::with_capacity(self.live.len());
        for object in self.live.drain(..) {
            if kept.iter().all(|other| other.area.iou(&object.area) < SAME_IOU) {
                kept.push(object);
            }
        }
        self.live = kept;
    }
}

/// What a crop shows of an object.
struct Seen {
    area: UnitBox,
    objectness: f32,
    embedding: Embedding,
    now: Timestamp,
}

impl Object {
    fn new(seen: Seen, background: &BackgroundModel) -> Self {
        Self {
            motion: Motion::new(&seen.area),
            area: seen.area,
            colours: background.colours(&seen.area),
            encoded_area: seen.area,
            embedding: seen.embedding,
            crops: 1.0,
            objectness: seen.objectness,
            encoded: seen.now,
            moved: seen.now,
            confirmed: seen.now,
        }
    }

    /// Predicts where it is by now, and corrects that by the component that agrees best; says whether one does.
    fn advance(&mut self, components: &[UnitBox], now: Timestamp) -> bool {
        let seconds = now.duration_since(self.moved).as_secs_f32().max(0.0);
        let mut expected = self.motion.after(seconds);
        let predicted = expected.inside();
        let overlaps = components.iter().map(|area| (area.iou(&predicted), area));
        let best = overlaps.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(iou, _)| *iou >= SUPPORT_IOU);
        if let Some((_, area)) = best {
            // A component says where the object is better than how large it is: shadows, gaps.
            let ((x, y), (w, h)) = (area.centre(), (predicted.x1 - predicted.x0, predicted.y1 - predicted.y0));
            let moved = UnitBox { x0: x - w / 2.0, y0: y - h / 2.0, x1: x + w / 2.0, y1: y + h / 2.0 };
            expected.correct(&moved, COMPONENT_DOUBT);
            self.confirmed = now;
        }
        (self.motion, self.moved) = (expected, now);
        self.area = self.motion.inside();
        best.is_some()
    }

    /// Takes in its crop on the newest frame.
    fn see(&mut self, seen: Seen, background: &BackgroundModel) {
        let seconds = seen.now.duration_since(self.moved).as_secs_f32().max(0.0);
        self.motion = self.motion.after(seconds);
        self.motion.correct(&seen.area, BOX_DOUBT);
        self.area = seen.area;
        (self.encoded_area, self.colours) = (seen.area, background.colours(&seen.area));
        let weight = self.crops / (self.crops + 1.0);
        let values = self.embedding.values().iter().zip(seen.embedding.values());
        let mean: Vec<f32> = values.map(|(old, new)| weight * old + (1.0 - weight) * new).collect();
        self.embedding = Embedding::new(mean).unwrap_or(seen.embedding);
        self.crops = (self.crops + 1.0).min(AVERAGED);
        self.objectness = seen.objectness;
        (self.encoded, self.moved, self.confirmed) = (seen.now, seen.now, seen.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("in range")
    }

    /// A grey frame with a bright square of 40 pixels at this left edge.
    fn frame(ms: i64, left: u32) -> Frame {
        let shown = |x: u32, y: u32| (left..left + 40).contains(&x) && (60..100).contains(&y);
        let rgb: Vec<u8> = (0..320 * 160).flat_map(|i| [if shown(i % 320, i / 320) { 200 } else { 90 }; 3]).collect();
        Frame::new(320, 160, rgb, 0, at(ms)).expect("a frame")
    }

    fn square(left: f32) -> UnitBox {
        UnitBox::new(left / 320.0, 0.375, (left + 40.0) / 320.0, 0.625)
    }

    fn crop(area: UnitBox, objectness: f32) -> Crop {
        let embedding = Embedding::new(vec![1.0, 0.0]).expect("not zero");
        Crop { embedding, patches: Vec::new(), refined: Some(RefinedBox { area, objectness }) }
    }

    /// How many crops a square takes in two seconds at 5 frames a second that moves by so many pixels a frame, and where
    /// it is found last.
    fn followed(step: u32) -> (usize, UnitBox) {
        let (mut background, mut objects, mut crops) = (BackgroundModel::default(), Objects::default(), 0);
        let mut candidates = vec![square(40.0)];
        for index in 0..11 {
            let (ms, left) = (200 * i64::from(index), 40 + step * index);
            background.update(&frame(ms, left));
            let seen = square(left as f32);
            let components = if step > 0 && index > 0 { vec![seen] } else { Vec::new() };
            let asked = objects.propose(&background, &components, &std::mem::take(&mut candidates), |_| true, at(ms));
            for proposal in &asked {
                crops += 1;
                objects.take(proposal, crop(seen, 0.9), &background, at(ms));
            }
            objects.settle(at(ms));
            assert_eq!(objects.live().len(), 1, "at {ms} ms");
        }
        (crops, objects.live()[0].area)
    }

    #[test]
    fn a_crop_serves_until_its_period_is_over_or_for_long_where_nothing_changes() {
        assert_eq!(followed(0), (1, square(40.0)));
        let (crops, area) = followed(4);
        assert!((4..=8).contains(&crops), "{crops} crops of 11 frames");
        assert!(area.iou(&square(80.0)) > 0.8, "{area:?}");
    }

    #[test]
    fn a_proposal_without_an_object_is_not_asked_for_again_at_once() {
        let (mut background, mut objects) = (BackgroundModel::default(), Objects::default());
        background.update(&frame(0, 40));
        let propose = |objects: &mut Objects, ms| {
            let asked = objects.propose(&background, &[square(40.0)], &[], |_| true, at(ms));
            asked.iter().for_each(|proposal| {
                objects.take(proposal, crop(square(40.0), 0.1), &background, at(ms));
            });
            asked.len()
        };
        let asked: Vec<usize> = [0, 200, 1000, 2000].map(|ms| propose(&mut objects, ms)).to_vec();
        assert_eq!(asked, [1, 0, 0, 1]);
        assert!(objects.live().is_empty());
    }
}
