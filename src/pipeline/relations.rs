//! What prompts refer to, over the frames: where anchors and zones are, and the things themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::settings::{CameraSettings, EventSettings};
use crate::detect::relation::pieced;
use crate::detect::{Detection, Reference, Whereabouts};
use crate::frame::UnitBox;
use crate::prompts::Relation;
use crate::prompts::relation::{Anchor, Kind};

/// What stands in relations, by the question that asks for it.
#[derive(Default)]
pub(super) struct Relations {
    anchors: BTreeMap<usize, Whereabouts>,
    /// Whether they stand as their prompts say or not.
    targets: BTreeMap<usize, Whereabouts>,
}

impl Relations {
    /// Takes in what a frame shows of a question's thing, which is an anchor; as [`Whereabouts::see`].
    pub(super) fn see<'a>(
        &mut self,
        question: usize,
        found: impl Iterator<Item = &'a Detection>,
        threshold: f32,
        complete: bool,
        now: Timestamp,
        events: &EventSettings,
    ) {
        self.anchors.entry(question).or_default().see(found, threshold, complete, now, events.gone_after);
    }

    /// Takes in what a frame shows of a prompt's things, wherever they stand, and gives it with those in one piece that have
    /// stood there as one.
    pub(super) fn see_targets(
        &mut self,
        prompt: usize,
        found: Vec<Detection>,
        threshold: f32,
        complete: bool,
        now: Timestamp,
        events: &EventSettings,
    ) -> Vec<Detection> {
        let targets = self.targets.entry(prompt).or_default();
        let found = targets.whole(found, now);
        targets.see(&found, threshold, complete, now, events.gone_after);
        found
    }

    /// Where the things of a prompt are that stand in a relation, or might.
    pub(super) fn targets(&self, prompt: usize, now: Timestamp) -> Vec<UnitBox> {
        self.targets.get(&prompt).map(|targets| targets.there(now)).unwrap_or_default()
    }

    /// Where the things of a question are that are an anchor.
    pub(super) fn there(&self, question: usize, now: Timestamp) -> Vec<UnitBox> {
        self.anchors.get(&question).map(|anchors| anchors.there(now)).unwrap_or_default()
    }

    /// What a relation refers to, where that is now. `anchor` is the question that asks for it.
    pub(super) fn reference<'a>(
        &self,
        relation: &'a Relation,
        anchor: Option<usize>,
        camera: &'a CameraSettings,
        now: Timestamp,
    ) -> Reference<'a> {
        let Some(place) = &relation.place else { return Reference::Nothing };
        match &place.anchor {
            Anchor::Zone(name) => {
                let zone = camera.zones.iter().find(|zone| zone.name == *name);
                zone.map_or(Reference::Unknown, |zone| Reference::Zone(&zone.name, &zone.polygon))
            }
            Anchor::Thing(phrases) => {
                let anchors = anchor.and_then(|question| self.anchors.get(&question));
                let there = match place.kind {
                    Kind::Without => anchors.and_then(|anchors| anchors.not_absent(now, camera.events.min_seen)),
                    Kind::On | Kind::InFrontOf => anchors.map(|anchors| pieced(anchors.there(now))),
                    _ => anchors.map(|anchors| anchors.there(now)),
                };
                there.map_or(Reference::Unknown, |areas| Reference::Things(&phrases[0], areas))
            }
        }
    }
}
