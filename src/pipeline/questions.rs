//! Questions: what is asked of the tiles for prompts and for the anchors that their phrases name, and what of that stands as
//! the phrases say.

use jiff::Timestamp;

use super::Watch;
use crate::clip::Embedding;
use crate::detect::closer::anchors;
use crate::detect::confirm::shares_crop;
use crate::detect::{Detection, Followed, Part, Reference, Shows, closer, related};
use crate::frame::{Frame, UnitBox};
use crate::prompts::calibration::probability;
use crate::prompts::relation::Kind;
use crate::track::Tracker;

/// So many closer looks at most for one prompt: the looks that are remembered are for others too.
const CLOSER: usize = 28;
/// Pixels; of what is smaller, no model can tell what it is.
const SMALLEST: f32 = 24.0;
/// Anchors, and what sits on one or stands before it, are looked at from this share on of the score from which they are there.
const FAINT: f32 = 0.15;

impl Watch {
    /// By question, the score from which what is found is of use.
    pub(super) fn floors(&self) -> Vec<f32> {
        let anchors = self.bank.entries().iter().skip(self.trackers.len());
        let anchors = anchors.map(|anchor| anchor.prompt.threshold * self.camera.events.hysteresis);
        self.trackers.iter().map(Tracker::floor).chain(anchors).collect()
    }

    /// The score from which what tiles say of a question's thing is looked at: of anchors and what is a part of their
    /// picture, less than from which they are there. Tiles say little of what shares them with its neighbour.
    pub(super) fn candidates(&self, floors: &[f32]) -> Vec<f32> {
        let is_faint = |question: usize| match self.camera.prompts.get(question) {
            Some(prompt) => {
                let place = self.bank.anchor(question).and_then(|_| prompt.understood.place());
                matches!(place, Some(Kind::On | Kind::InFrontOf))
            }
            None => true,
        };
        floors.iter().enumerate().map(|(q, floor)| if is_faint(q) { FAINT * floor } else { *floor }).collect()
    }

    /// Whether a prompt that is looked out for has this question for its anchor.
    pub(super) fn is_anchor(&self, question: usize) -> bool {
        let mut prompts = self.camera.prompts.iter().enumerate();
        prompts.any(|(prompt, settings)| settings.enabled && self.bank.anchor(prompt) == Some(question))
    }

    /// What the tiles say is there on the frame of `now`, question by question.
    pub(super) fn find(&self, floors: &[f32], now: Timestamp) -> Vec<Vec<Detection>> {
        let trackers = self.trackers.iter().enumerate();
        let followed: Vec<Followed> = trackers.flat_map(|(prompt, tracker)| tracker.followed(prompt, now)).collect();
        let find = |(question, floor): (usize, &f32)| {
            let prompt = self.camera.prompts.get(question).filter(|prompt| prompt.enabled);
            let is_anchor = self.is_anchor(question);
            match prompt {
                None if !is_anchor => Vec::new(),
                None => self.looks.find(question, None, *floor),
                Some(prompt) => {
                    let found = self.looks.find(question, Some(prompt), floor.min(self.reports_from));
                    let mut found = self.looks.divide(found, &followed);
                    // Among others, what was none of the prompt's by itself is none; but for what is a thing with others.
                    let is_one = prompt.understood.names_one();
                    let is_it = |known: &Embedding| self.bank.score_beside(question, &[], known).probability >= *floor;
                    found.retain(|d| !is_one || d.part == Part::Located || d.known.as_ref().is_none_or(is_it));
                    // An anchor is one in any zone.
                    found.retain(|d| is_anchor || self.counts(question, d));
                    found
                }
            }
        };
        floors.iter().enumerate().map(find).collect()
    }

    /// The score from which a question's thing is there.
    fn threshold(&self, question: usize) -> f32 {
        match self.camera.prompts.get(question) {
            Some(prompt) => probability(self.looks.calibration().threshold(question, prompt)),
            None => self.bank.entries()[question].prompt.threshold,
        }
    }

    /// By question, the score from which a crop of its thing needs no other; `None` where one crop is all it gets: of those
    /// that ask for no place and no number and are nobody's anchor.
    pub(super) fn sure(&self) -> Vec<Option<f32>> {
        let is_related = |question: usize| {
            let prompt = self.camera.prompts.get(question);
            let asks = prompt.is_some_and(|prompt| prompt.understood.relation.is_some());
            asks || self.is_anchor(question)
        };
        let questions = 0..self.bank.entries().len();
        questions.map(|question| is_related(question).then(|| self.threshold(question))).collect()
    }

    /// Where the things of each question are, as far as is known before they are confirmed; of those questions only that ask
    /// for an anchor or are one.
    pub(super) fn beside(&self, found: &[Vec<Detection>], floors: &[f32], now: Timestamp) -> Vec<Vec<UnitBox>> {
        let areas = |(question, found): (usize, &Vec<Detection>)| -> Vec<UnitBox> {
            if self.bank.partners(question).next().is_none() {
                return Vec::new();
            }
            let strong = found.iter().filter(|thing| thing.score >= floors[question]).map(|thing| thing.area);
            strong.chain(self.relations.there(question, now)).collect()
        };
        found.iter().enumerate().map(areas).collect()
    }

    /// Notes where the anchors are.
    pub(super) fn see_anchors(&mut self, found: &[Vec<Detection>], floors: &[f32], frame: &Frame) {
        let anchors: Vec<usize> = (0..found.len()).filter(|question| self.is_anchor(*question)).collect();
        for question in anchors {
            let threshold = self.threshold(question);
            let strong = found[question].iter().filter(|thing| thing.score >= floors[question]);
            self.relations.see(question, strong, threshold, self.looks.complete(), frame.captured, &self.camera.events);
        }
    }

    /// Notes where the things are of prompts that ask for a place or a number, whether they stand so or not.
    pub(super) fn see_targets(&mut self, found: &mut [Vec<Detection>], floors: &[f32], frame: &Frame) {
        for prompt in 0..self.trackers.len() {
            if self.camera.prompts[prompt].enabled && self.camera.prompts[prompt].understood.relation.is_some() {
                let (threshold, complete) = (self.threshold(prompt), self.looks.complete());
                let (strong, weak): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut found[prompt]).into_iter().partition(|thing| thing.score >= floors[prompt]);
                let (now, events) = (frame.captured, &self.camera.events);
                found[prompt] = self.relations.see_targets(prompt, strong, threshold, complete, now, events);
                found[prompt].extend(weak);
            }
        }
    }

    /// Where closer looks may show anchors that tiles do not: of things that were found and stand to none that is known.
    pub(super) fn unseen_anchors(
        &self,
        found: &[Vec<Detection>],
        floors: &[f32],
        frame: &Frame,
    ) -> Vec<(Shows, Detection)> {
        let aspect = frame.width() as f32 / frame.height() as f32;
        let mut looks = Vec::new();
        for (index, prompt) in self.camera.prompts.iter().enumerate().filter(|(_, prompt)| prompt.enabled) {
            let (Some(relation), Some(anchor)) = (&prompt.understood.relation, self.bank.anchor(index)) else {
                continue;
            };
            let reference = self.relations.reference(relation, Some(anchor), &self.camera, frame.captured);
            let (Some(place), Reference::Things(_, known)) = (&relation.place, &reference) else { continue };
            // Who is near something that is known elsewhere would have to be looked at all the time.
            if place.kind == Kind::Near && !known.is_empty() {
                continue;
            }
            let strong: Vec<Detection> =
                found[index].iter().filter(|thing| thing.score >= floors[index]).cloned().collect();
            if related(strong.clone(), relation, &reference, floors[index], aspect).is_empty() {
                let seen = |area: &UnitBox| (area.x1 - area.x0) * frame.width() as f32 >= SMALLEST;
                let around = strong.iter().flat_map(|thing| {
                    let (shows, areas) = anchors(place.kind, &thing.area, aspect);
                    let look = move |area| (shows, Detection::new(anchor, area, thing.score));
                    areas.into_iter().filter(seen).map(look)
                });
                // Strongest things first.
                looks.extend(around.take(CLOSER));
            }
        }
        looks
    }

    /// Where a closer look may show what tiles do not: beside anchors that nothing was found to stand to.
    pub(super) fn closer(&self, found: &[Vec<Detection>], floors: &[f32], frame: &Frame) -> Vec<Detection> {
        let aspect = frame.width() as f32 / frame.height() as f32;
        let mut looks = Vec::new();
        for (index, prompt) in self.camera.prompts.iter().enumerate().filter(|(_, prompt)| prompt.enabled) {
            let Some(relation) = &prompt.understood.relation else { continue };
            let reference = self.relations.reference(relation, self.bank.anchor(index), &self.camera, frame.captured);
            let (Some(place), Reference::Things(_, anchors)) = (&relation.place, &reference) else { continue };
            let strong = found[index].iter().filter(|thing| thing.score >= floors[index]).cloned().collect();
            let size = (frame.width(), frame.height());
            // What would show there is known to stand elsewhere.
            let shown = |area: &UnitBox| {
                let mut known = found[index].iter().filter(|thing| thing.score >= floors[index]);
                known.any(|thing| shares_crop(area, &thing.area, size))
            };
            let seen = |area: &UnitBox| (area.y1 - area.y0) * size.1 as f32 >= SMALLEST;
            if related(strong, relation, &reference, floors[index], aspect).is_empty() {
                let areas = anchors.iter().flat_map(|anchor| closer(place.kind, anchor, aspect));
                let areas = areas.filter(|area| !shown(area) && seen(area)).take(CLOSER);
                // All of them are looked at, whatever the tiles said.
                looks.extend(areas.map(|area| Detection::new(index, area, 1.0)));
            }
        }
        looks
    }

    /// Of what was found, question by question, what stands as the prompts say, prompt by prompt.
    pub(super) fn relate(&self, mut found: Vec<Vec<Detection>>, floors: &[f32], frame: &Frame) -> Vec<Vec<Detection>> {
        found.truncate(self.camera.prompts.len());
        let aspect = frame.width() as f32 / frame.height() as f32;
        for (index, found) in found.iter_mut().enumerate() {
            let prompt = &self.camera.prompts[index];
            found.retain(|detection| prompt.enabled && self.counts(index, detection));
            if let Some(relation) = &prompt.understood.relation {
                let reference =
                    self.relations.reference(relation, self.bank.anchor(index), &self.camera, frame.captured);
                *found = related(std::mem::take(found), relation, &reference, floors[index], aspect);
            }
        }
        found
    }
}
