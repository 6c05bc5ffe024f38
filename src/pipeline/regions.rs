//! Region proposals and their crops, as in R-CNN (Girshick et al., 2014): foreground components, predictions of the objects
//! known so far and candidates of a slow sweep over the frame are cropped and encoded, and their boxes refined by regression.

use std::time::Duration;

use jiff::Timestamp;

use super::looks::{Looks, Spent};
use super::objects::{Object, Objects, Proposal};
use crate::clip::{Crop, ModelError, TileEncoder};
use crate::detect::confirm;
use crate::elapsed::since;
use crate::frame::{Frame, UnitBox};
use crate::prompts::PromptBank;
use crate::regions::BackgroundModel;
use crate::regions::components::components;

/// Encoder passes of a frame at most, those of the sweep among them. AP50 of people on the campus road is 52 % with 8 and 66 %
/// with 16: boxes that are regressed on every frame fit better than those that were moved on.
const PASSES: usize = 16;
/// Passes of the first frames, until the sweep has seen all of the frame once: what stands there is found now or late.
const FIRST_PASSES: usize = 64;
/// Tiles that the sweep encodes on each later frame.
const SWEPT: usize = 1;
/// Objectness from which what is in the middle of a tile is a candidate.
const TILE_OBJECTNESS: f32 = 0.4;
/// Candidates of the score map for each question and tile.
const PEAKS: usize = 2;
/// Share of a tile's side that an object takes that a block of patches speaks for: half way between one block and two.
const PEAK_SIZE: f32 = 0.5;
/// An object that a crop, a component or an unchanged picture has confirmed in this time is told as there.
const CURRENT: Duration = Duration::from_millis(400);

/// The proposals of one camera, frame after frame.
#[derive(Debug, Default)]
pub(super) struct Regions {
    background: BackgroundModel,
    objects: Objects,
    next_tile: usize,
    /// Candidates of the first sweep that there was no time for yet.
    waiting: Vec<UnitBox>,
    /// Whether those of the first sweep are among them.
    catches_up: bool,
}

/// What a frame is looked at with.
pub(super) struct Scene<'a> {
    pub(super) frame: &'a Frame,
    pub(super) encoder: &'a dyn TileEncoder,
    pub(super) bank: &'a PromptBank,
    /// By question, the score from which what is found is of use.
    pub(super) floors: &'a [f32],
    /// By prompt, where something is followed.
    pub(super) followed: &'a [Vec<UnitBox>],
}

impl Regions {
    /// What is there on the newest frame, whatever it is.
    pub(super) fn objects(&self) -> &[Object] {
        self.objects.live()
    }

    /// Takes the next frame, with at most `limit` encoder passes.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn update(&mut self, scene: &Scene<'_>, looks: &mut Looks, limit: usize) -> Result<Spent, ModelError> {
        let now = scene.frame.captured;
        self.background.update(scene.frame);
        let first = !looks.complete();
        // Half of a tight limit is left for crops, so that a slow device finds what it has swept so far.
        let swept = self.sweep(scene, looks, if first { limit.div_ceil(2) } else { SWEPT.min(limit) })?;
        let (mask, columns) = self.background.mask();
        let found = components(mask, columns);
        let wanted = |object: &Object| is_wanted(scene, object);
        let candidates = std::mem::take(&mut self.waiting);
        let mut objects = std::mem::take(&mut self.objects);
        let mut proposals = objects.propose(&self.background, &found, &candidates, wanted, now);
        self.objects = objects;
        let budget = if first || self.catches_up { FIRST_PASSES } else { PASSES - SWEPT };
        let budget = budget.min(limit.saturating_sub(swept)).max(1);
        let left = proposals.split_off(proposals.len().min(budget));
        self.catches_up = first;
        if first {
            self.waiting = left.iter().filter(|proposal| proposal.is_new()).map(|proposal| proposal.area).collect();
        }
        let mut encoded = self.encode(scene, &mut proposals)?;
        // Objects that are elsewhere than proposed get a crop that they are in the middle of.
        proposals.truncate(budget.saturating_sub(encoded));
        encoded += self.encode(scene, &mut proposals)?;
        self.objects.settle(now);
        Ok(Spent { encoded: encoded + swept, postponed: self.waiting.len() })
    }

    /// Encodes the next tiles in turn, at most `count`, and keeps what is worth a crop. Returns how many tiles it took.
    fn sweep(&mut self, scene: &Scene<'_>, looks: &mut Looks, count: usize) -> Result<usize, ModelError> {
        let tiles = looks.tile_count();
        let chosen: Vec<usize> = (0..count.min(tiles)).map(|step| (self.next_tile + step) % tiles).collect();
        self.next_tile = (self.next_tile + chosen.len()) % tiles.max(1);
        let seen = looks.encode_tiles(scene, &chosen)?;
        let mut candidates: Vec<(f32, UnitBox)> = Vec::new();
        for (tile, crop) in chosen.iter().zip(&seen) {
            candidates.extend(crop.refined.filter(|r| r.objectness >= TILE_OBJECTNESS).map(|r| (r.objectness, r.area)));
            candidates.extend(looks.peaks(*tile, scene.floors, PEAKS, PEAK_SIZE));
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.waiting.extend(candidates.into_iter().map(|(_, area)| area));
        Ok(seen.len())
    }

    /// Encodes proposals; what is left of them is to be encoded once more. Returns how many passes that took.
    fn encode(&mut self, scene: &Scene<'_>, proposals: &mut Vec<Proposal>) -> Result<usize, ModelError> {
        let asked = std::mem::take(proposals);
        let size = (scene.frame.width(), scene.frame.height());
        let crops: Vec<_> = asked.iter().map(|proposal| confirm::crop(&proposal.area, size)).collect();
        for (proposal, crop) in asked.iter().zip(scene.encoder.encode_crops(scene.frame, &crops)?) {
            proposals.extend(self.objects.take(proposal, crop, &self.background, scene.frame.captured));
        }
        Ok(asked.len())
    }

    /// What a crop of an area shows, as of a proposal.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn look_at(&self, scene: &Scene<'_>, area: &UnitBox) -> Result<Option<Crop>, ModelError> {
        let crop = confirm::crop(area, (scene.frame.width(), scene.frame.height()));
        Ok(scene.encoder.encode_crops(scene.frame, &[crop])?.pop())
    }

    /// Whether an object was seen on the frame of that time, by a crop or by where it moves.
    pub(super) fn is_current(object: &Object, now: Timestamp) -> bool {
        since(object.confirmed, now) <= CURRENT
    }
}

/// Whether a prompt or anchor may mean an object.
fn is_wanted(scene: &Scene<'_>, object: &Object) -> bool {
    let scores = scene.bank.score(&object.embedding);
    scores.iter().zip(scene.floors).any(|(score, floor)| score.probability >= 0.5 * floor)
}
