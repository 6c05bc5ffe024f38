//! Analysing a frame with a model that refines boxes: objects, classified by the prompts, become detections.

use super::looks::{Spent, Try};
use super::regions::{Regions, Scene};
use super::{Sight, Watch};
use crate::clip::{ModelError, TileEncoder};
use crate::detect::Detection;
use crate::frame::{Frame, UnitBox};
use crate::prompts::Score;
use crate::prompts::calibration::logit;

/// Boxes of one prompt with a higher IoU are one detection.
const NMS_IOU: f32 = 0.5;
/// Of two boxes of one prompt, the weaker is a repetition too if the smaller lies within the larger by more than this share of
/// itself: box regression on a crop that shows half of a vehicle gives that half. On the campus road the rule costs 3 points of
/// AP50 (65.6 and 68.4 %) and leaves 2 false events instead of 6.
const CONTAINED: f32 = 0.85;

impl Watch {
    /// As [`Watch::look`], with proposals, crops and box regression instead of tiles and outlines.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn analyze(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        limit: usize,
    ) -> Result<Sight, ModelError> {
        let now = frame.captured;
        let thresholds = self.thresholds();
        self.trackers.iter_mut().zip(&thresholds).for_each(|(tracker, threshold)| tracker.count_from(*threshold));
        let (floors, followed) = (self.floors(), self.followed(now));
        let scene = Scene { frame, encoder, bank: &self.bank, floors: &floors, followed: &followed };
        let Spent { mut encoded, postponed } = self.regions.update(&scene, &mut self.looks, limit)?;
        let mut found = self.classify(&floors, frame);
        self.see_anchors(&found, &floors, frame);
        self.see_targets(&mut found, &floors, frame);
        let mut sight = self.follow(frame, self.relate(found, &floors, frame));
        if self.looks.calibration_mut().frame(frame) {
            let (tries, crops) = self.try_background(frame, encoder, &floors)?;
            (sight.tries, encoded) = (tries, encoded + crops);
        }
        (sight.encoded, sight.postponed, sight.thresholds) = (encoded, postponed, thresholds);
        Ok(sight)
    }

    /// The objects as detections of each question, strongest first, after non-maximum suppression.
    fn classify(&self, floors: &[f32], frame: &Frame) -> Vec<Vec<Detection>> {
        let mut found = vec![Vec::new(); floors.len()];
        for object in self.regions.objects().iter().filter(|object| Regions::is_current(object, frame.captured)) {
            for (question, score) in self.bank.score(&object.embedding).into_iter().enumerate() {
                let is_asked = self.camera.prompts.get(question).is_some_and(|prompt| prompt.enabled);
                if !is_asked && !self.is_anchor(question) {
                    continue;
                }
                let detection = Self::detection(question, &object.area, score, object.objectness);
                let floor = if is_asked { floors[question].min(self.reports_from) } else { floors[question] };
                if detection.score >= floor {
                    found[question].push(Detection { embedding: Some(object.embedding.clone()), ..detection });
                }
            }
        }
        found.into_iter().map(nms).collect()
    }

    /// What a crop with that score and objectness is of a question: both must be so. The score usual at a place is not taken off
    /// it: on a road, that is the score of the traffic.
    fn detection(question: usize, area: &UnitBox, score: Score, objectness: f32) -> Detection {
        let Score { margin, runner_up, probability, .. } = score;
        Detection { margin, runner_up, ..Detection::new(question, *area, probability * objectness) }
    }

    /// Lets the background try to be each prompt, once a window: the best object that is not followed, or the crop of the best
    /// place of the score map. Returns how many crops that took.
    fn try_background(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        floors: &[f32],
    ) -> Result<(Vec<Try>, usize), ModelError> {
        let followed = self.followed(frame.captured);
        let scene = Scene { frame, encoder, bank: &self.bank, floors, followed: &followed };
        let (mut tries, mut crops) = (Vec::new(), 0);
        for (prompt, taken) in followed.iter().enumerate() {
            let is_free = |area: &UnitBox| taken.iter().all(|other| other.intersection(area) == 0.0);
            let objects = self.regions.objects().iter().filter(|object| is_free(&object.area));
            let best = objects.map(|object| {
                let score = self.bank.score(&object.embedding)[prompt];
                Self::detection(prompt, &object.area, score, object.objectness)
            });
            let mut best = best.max_by(|a, b| a.score.total_cmp(&b.score));
            if best.is_none()
                && let Some(area) = self.looks.best_free_place(prompt, is_free)
                && let Some(crop) = self.regions.look_at(&scene, &area)?
            {
                crops += 1;
                let score = self.bank.score(&crop.embedding)[prompt];
                let refined = crop.refined.map_or((area, 1.0), |refined| (refined.area, refined.objectness));
                best = Some(Self::detection(prompt, &refined.0, score, refined.1));
            }
            if let Some(best) = best {
                let reached = logit(best.score);
                tries.push(Try { prompt, area: best.area, logit: reached, runner_up: best.runner_up });
            }
        }
        tries.iter().for_each(|tried| self.looks.calibration_mut().tried(tried.prompt, tried.logit));
        self.looks.calibration_mut().close(frame.captured);
        Ok((tries, crops))
    }
}

/// Non-maximum suppression: detections, strongest first, that overlap no stronger one and are no part of it.
fn nms(mut detections: Vec<Detection>) -> Vec<Detection> {
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut distinct: Vec<Detection> = Vec::with_capacity(detections.len());
    for detection in detections {
        let repeats = |other: &Detection| {
            let (a, b) = (&other.area, &detection.area);
            a.iou(b) > NMS_IOU || a.intersection(b) > CONTAINED * a.area().min(b.area())
        };
        if !distinct.iter().any(repeats) {
            distinct.push(detection);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_stronger_detection_is_suppressed_and_a_neighbour_is_not() {
        let at = |x0, x1, score| Detection::new(0, UnitBox::new(x0, 0.2, x1, 0.6), score);
        let (whole, half, beside) = (at(0.1, 0.3, 0.9), at(0.2, 0.3, 0.7), at(0.28, 0.48, 0.8));
        assert_eq!(nms(vec![half, whole.clone(), beside.clone()]), [whole, beside]);
    }
}
