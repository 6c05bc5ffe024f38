//! What prompts refer to beside their things, over the frames: where anchors and zones are.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::settings::{CameraSettings, EventSettings};
use crate::detect::relation::pieced;
use crate::detect::{Anchors, Detection, Reference};
use crate::frame::UnitBox;
use crate::prompts::Relation;
use crate::prompts::relation::{Anchor, Kind};

/// The anchors, by the question that asks for them.
#[derive(Default)]
pub(super) struct Relations(BTreeMap<usize, Anchors>);

impl Relations {
    /// Takes in what a frame shows of a question's thing; as [`Anchors::see`].
    pub(super) fn see<'a>(
        &mut self,
        question: usize,
        found: impl Iterator<Item = &'a Detection>,
        threshold: f32,
        complete: bool,
        now: Timestamp,
        events: &EventSettings,
    ) {
        self.0.entry(question).or_default().see(found, threshold, complete, now, events.gone_after);
    }

    /// Where the things of a question are that are an anchor.
    pub(super) fn there(&self, question: usize, now: Timestamp) -> Vec<UnitBox> {
        self.0.get(&question).map(|anchors| anchors.there(now)).unwrap_or_default()
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
                let anchors = anchor.and_then(|question| self.0.get(&question));
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
