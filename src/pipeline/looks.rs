//! Looks: what each part of a camera's frame showed when it was last encoded, and how that answered to the prompts.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::closely::Loudest;
use crate::clip::{Embedding, ModelError, TileEncoder};
use crate::config::settings::{CameraSettings, PromptSettings};
use crate::detect::company::accompany;
use crate::detect::{Confirmations, Detection, EvidenceMap, Followed, Spread, confirm, detections, divided};
use crate::frame::{Frame, UnitBox};
use crate::prompts::calibration::{logit, probability};
use crate::prompts::{Calibration, PromptBank, Score};
use crate::regions::grid::grid;
use crate::regions::patches::{block_areas, block_embeddings};
use crate::regions::{Foreground, MotionGate, Tile, schedule};

/// A tile whose picture stands still is looked at again after this long.
const REFRESH: Duration = Duration::from_secs(10);

/// The background's best try of a window to be a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// Which prompt: its index in the settings.
    pub prompt: usize,
    /// What part of the frame it was.
    pub area: UnitBox,
    /// How near it came, in log-odds.
    pub logit: f32,
    /// The contender that came nearest: an index into the entry's contenders.
    pub runner_up: usize,
}

/// A frame, and what looks at it.
pub(super) struct Look<'a> {
    pub(super) frame: &'a Frame,
    pub(super) encoder: &'a dyn TileEncoder,
    pub(super) bank: &'a PromptBank,
}

/// What is asked, by prompt or question.
pub(super) struct Asked<'a> {
    pub(super) prompts: &'a [PromptSettings],
    /// The score from which what is found is of use.
    pub(super) floors: &'a [f32],
    /// The score from which a crop needs no other; `None` where one is enough.
    pub(super) sure: &'a [Option<f32>],
    /// Where things are followed.
    pub(super) followed: &'a [Vec<UnitBox>],
}

/// How many tiles a frame asked for, and how many it got.
pub(super) struct Spent {
    pub(super) encoded: usize,
    pub(super) postponed: usize,
}

/// The newest look at every part of the frame.
pub(super) struct Looks {
    pub(super) tiles: Vec<Tile>,
    /// Size of the frames, pixels.
    size: (u32, u32),
    /// What scores speak for: the tiles, or, in a dense look, the blocks of each.
    pub(super) spots: Vec<UnitBox>,
    /// Rows of patches in a tile, in a dense look.
    pub(super) patch_rows: Option<usize>,
    /// Whether the tiles are those of a sweep, because the model refines boxes.
    sweeps: bool,
    gate: MotionGate,
    foreground: Foreground,
    /// By question and spot.
    pub(super) scores: Vec<Vec<Option<Score>>>,
    confirmations: Confirmations,
    pub(super) closely: Confirmations<Loudest>,
    pub(super) calibration: Calibration,
    /// Whether every part has been looked at once.
    pub(super) complete: bool,
}

impl Looks {
    /// Nothing seen yet, of frames of the size that the settings say, about so many questions.
    pub(super) fn new(camera: &CameraSettings, questions: usize) -> Self {
        let mut looks = Self {
            tiles: Vec::new(),
            size: camera.size,
            spots: Vec::new(),
            patch_rows: None,
            sweeps: false,
            gate: MotionGate::new(0, REFRESH),
            foreground: Foreground::default(),
            scores: vec![Vec::new(); questions],
            confirmations: Confirmations::default(),
            closely: Confirmations::default(),
            calibration: Calibration::new(camera.prompts.len(), 0),
            complete: false,
        };
        looks.lay(camera, camera.size, None, false);
        looks
    }

    /// Size of the frames, pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// A frame of another size than expected (a file's own size, say) needs another grid, the first dense look its blocks.
    pub(super) fn fit(&mut self, camera: &CameraSettings, frame: &Frame, encoder: &dyn TileEncoder) {
        let size = (frame.width(), frame.height());
        let rows = encoder.patch_rows().filter(|_| camera.grid.is_dense(true));
        let sweeps = encoder.refines_boxes();
        if (self.size, self.patch_rows, self.sweeps) != (size, rows, sweeps) {
            self.lay(camera, size, rows, sweeps);
        }
    }

    /// Cuts the frame into tiles, and those into what scores speak for: the blocks of patches in each tile, or the tiles
    /// themselves. Forgets all scores.
    fn lay(&mut self, camera: &CameraSettings, size: (u32, u32), patch_rows: Option<usize>, sweeps: bool) {
        let layout = if sweeps { camera.grid.sweep() } else { camera.grid.layout(patch_rows.is_some()) };
        self.tiles = grid(size.0, size.1, &layout, &camera.masks);
        (self.size, self.patch_rows, self.sweeps) = (size, patch_rows, sweeps);
        let blocks = |tile: &Tile| match patch_rows {
            Some(rows) => block_areas(&tile.crop, rows, size),
            None => vec![tile.area],
        };
        self.spots = self.tiles.iter().flat_map(blocks).collect();
        let all: Vec<_> = (0..camera.prompts.len()).map(Some).collect();
        self.forget(&all, self.scores.len());
    }

    /// Whether every part of the frame has been looked at since everything was forgotten.
    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// What the camera's background says, prompt by prompt.
    pub(super) fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    pub(super) fn calibration_mut(&mut self) -> &mut Calibration {
        &mut self.calibration
    }

    /// Forgets all scores: so many other questions are asked, and every tile is looked at anew. `kept` says which of the
    /// prompts so far each of the new ones is.
    pub(super) fn forget(&mut self, kept: &[Option<usize>], questions: usize) {
        self.calibration.relay(kept, self.spots.len());
        self.gate = MotionGate::new(self.tiles.len(), REFRESH);
        self.confirmations = Confirmations::default();
        self.closely = Confirmations::default();
        self.scores = vec![vec![None; self.spots.len()]; questions];
        self.complete = false;
    }

    /// Encodes and scores what the frame has changed or what is old, at most `limit` tiles, those first on which something is
    /// followed. `followed` holds the areas of the things that are, by prompt.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn see(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        bank: &PromptBank,
        limit: usize,
        followed: &[Vec<UnitBox>],
    ) -> Result<Spent, ModelError> {
        let needs = self.gate.needs(frame, &self.tiles);
        self.foreground.see(frame);
        let needed = needs.len();
        let changed: Vec<usize> = needs.iter().filter(|need| need.change > 0.0).map(|need| need.tile).collect();
        let tracked = |area: &UnitBox| followed.iter().flatten().any(|thing| thing.intersection(area) > 0.0);
        let chosen = schedule(needs, |tile| tracked(&self.tiles[tile].area), limit);
        // What a tile showed before it changed is no evidence of what it shows now.
        for tile in changed {
            let spots = self.spots_of(tile);
            self.scores.iter_mut().for_each(|scores| scores[spots.clone()].fill(None));
            self.forget_at(tile);
        }
        // Light that changes slowly is no change at any moment: what is refreshed is confirmed anew too.
        chosen.iter().for_each(|tile| self.forget_at(*tile));
        let crops: Vec<_> = chosen.iter().map(|tile| self.tiles[*tile].crop).collect();
        let embeddings: Vec<Vec<Embedding>> = match self.patch_rows {
            Some(rows) => {
                let patches = encoder.encode_patches(frame, &crops)?;
                patches.iter().map(|patches| block_embeddings(patches, rows)).collect()
            }
            None => encoder.encode(frame, &crops)?.into_iter().map(|embedding| vec![embedding]).collect(),
        };
        self.record(&chosen, &embeddings, bank, followed, frame.captured);
        self.gate.encoded(chosen.iter().copied(), frame.captured);
        Ok(Spent { encoded: chosen.len(), postponed: needed - chosen.len() })
    }

    /// Forgets what single crops showed where a tile is.
    fn forget_at(&mut self, tile: usize) {
        self.confirmations.forget(&self.tiles[tile].area);
        self.closely.forget(&self.tiles[tile].area);
    }

    pub(super) fn spots_of(&self, tile: usize) -> Range<usize> {
        let each = self.spots.len() / self.tiles.len();
        tile * each..(tile + 1) * each
    }

    /// What a spot's score is worth: under a prompt's bar it has to be better than usual there.
    fn worth(&self, question: usize, spot: usize, bar: Option<f32>) -> Option<Score> {
        let score = self.scores[question][spot]?;
        Some(bar.map_or(score, |bar| less(score, self.calibration.handicap(question, spot, bar))))
    }

    /// What a prompt's own crop has to be better by than it is: as the spots in it, on the mean.
    pub(super) fn handicap(&self, prompt: usize, area: &UnitBox, settings: &PromptSettings) -> f32 {
        let Some(bar) = self.calibration.bar(prompt, settings) else { return 0.0 };
        let inside = self.spots.iter().enumerate().filter(|(_, spot)| area.contains(spot.centre()));
        let handicaps = inside.map(|(spot, _)| self.calibration.handicap(prompt, spot, bar));
        let (sum, count) = handicaps.fold((0.0, 0), |(sum, count), handicap| (sum + handicap, count + 1));
        sum / count.max(1) as f32
    }

    /// What the spots say is there of one question's thing, from a score of `floor` on. `prompt` is the question's, if it
    /// is one's and no anchor's.
    pub(super) fn find(&self, question: usize, prompt: Option<&PromptSettings>, floor: f32) -> Vec<Detection> {
        let aspect = self.size.0 as f32 / self.size.1 as f32;
        let spread = if self.patch_rows.is_some() { Spread::BLOCKS } else { Spread::TILES };
        let bar = prompt.and_then(|prompt| self.calibration.bar(question, prompt));
        let scores: Vec<_> = (0..self.spots.len()).map(|spot| self.worth(question, spot, bar)).collect();
        detections(question, &self.spots, &scores, floor, aspect, spread, &self.foreground)
    }

    /// Detections of one prompt, those around several things cut up to them, each with what it looks like and whether that is
    /// in company.
    pub(super) fn divide(&self, found: Vec<Detection>, followed: &[Followed]) -> Vec<Detection> {
        let mut found = divided(found, followed, &self.foreground);
        accompany(&mut found, followed, self.size);
        found.iter_mut().for_each(|d| d.cutout = self.foreground.cutout(&d.area).map(Arc::new));
        found
    }

    /// What the spots say of one prompt everywhere.
    pub(super) fn evidence(&self, prompt: usize) -> EvidenceMap {
        let known = self.spots.iter().zip(&self.scores[prompt]);
        let known = known.filter_map(|(area, score)| score.map(|score| (*area, score.probability)));
        EvidenceMap::new(known, self.size.0 as f32 / self.size.1 as f32)
    }

    /// Encodes a crop of each of these areas, and keeps what it shows.
    pub(super) fn look_at(&mut self, look: &Look<'_>, areas: &[UnitBox]) -> Result<(), ModelError> {
        let crops: Vec<_> = areas.iter().map(|area| confirm::crop(area, self.size)).collect();
        for (area, embedding) in areas.iter().zip(look.encoder.encode(look.frame, &crops)?) {
            self.confirmations.keep(*area, embedding);
        }
        Ok(())
    }

    /// Looks once more at what was found and could go on a track (by question, from the score in `floors` on), and lets
    /// that look decide. `beside` says by question where its things are. Returns how many crops it took, at most `most`.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn confirm(
        &mut self,
        look: &Look<'_>,
        most: usize,
        prompts: &[PromptSettings],
        floors: &[f32],
        found: &mut [Vec<Detection>],
        beside: &[Vec<UnitBox>],
    ) -> Result<usize, ModelError> {
        let asked = self.confirmations.asked(found.iter().flatten().filter(|d| d.score >= floors[d.prompt]), most);
        self.look_at(look, &asked)?;
        for (found, floor) in found.iter_mut().zip(floors) {
            let (strong, weak): (Vec<_>, Vec<_>) = found.drain(..).partition(|d| d.score >= *floor);
            found.extend(self.confirmed(look.bank, prompts, strong, beside, 0.0));
            found.extend(weak);
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Ok(asked.len())
    }

    /// Of these, at most `most` areas that no look holds for, and how many there are.
    pub(super) fn ask<'a>(
        &self,
        found: impl Iterator<Item = &'a Detection> + Clone,
        most: usize,
    ) -> (Vec<UnitBox>, usize) {
        (self.confirmations.asked(found.clone(), most), self.confirmations.asked(found, usize::MAX).len())
    }

    /// Detections with what their crops say of them, less a handicap in log-odds; without those that none was made of.
    pub(super) fn confirmed(
        &self,
        bank: &PromptBank,
        prompts: &[PromptSettings],
        found: Vec<Detection>,
        beside: &[Vec<UnitBox>],
        handicap: f32,
    ) -> Vec<Detection> {
        let mut found = self.confirmations.confirm(found, |d, crop| self.score(bank, d, crop, beside));
        for detection in &mut found {
            let usual =
                prompts.get(detection.prompt).map_or(0.0, |p| self.handicap(detection.prompt, &detection.area, p));
            detection.score = probability(logit(detection.score) - usual - handicap);
        }
        found
    }

    /// What a thing's own crop says of it. Its anchor does not speak against it where the crop shows both.
    fn score(&self, bank: &PromptBank, found: &Detection, crop: &Embedding, beside: &[Vec<UnitBox>]) -> Score {
        bank.score_beside(found.prompt, &self.beside(bank, found, beside), crop)
    }

    /// The questions to whose things a thing can stand in a relation, and whose things its crop shows too.
    pub(super) fn beside(&self, bank: &PromptBank, found: &Detection, beside: &[Vec<UnitBox>]) -> Vec<usize> {
        let stands = |other: &UnitBox| {
            found.area.iou(other) <= confirm::ITSELF_IOU && confirm::shares_crop(&found.area, other, self.size)
        };
        bank.partners(found.prompt).filter(|other| beside[*other].iter().any(stands)).collect()
    }

    /// Lets the background try to be each prompt, once a window: the best part of the frame that no thing is followed on,
    /// looked at as a detection there would be, or what one of the `closer` looks showed, if that is more. Returns what they
    /// were, and how many crops it took, at most `most`.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn try_background(
        &mut self,
        look: &Look<'_>,
        most: usize,
        asked: &Asked<'_>,
        closer: Vec<Detection>,
    ) -> Result<(Vec<Try>, usize), ModelError> {
        let is_free =
            |prompt: usize, area: &UnitBox| asked.followed[prompt].iter().all(|thing| thing.intersection(area) == 0.0);
        // What each reaches at most, since it must be a candidate before it is looked at, and what stands there.
        let mut candidates: Vec<f32> = Vec::new();
        let mut tries: Vec<Vec<Detection>> = Vec::new();
        for (prompt, settings) in asked.prompts.iter().enumerate() {
            let spots = (0..self.spots.len()).filter(|spot| is_free(prompt, &self.spots[*spot]));
            let bar = self.calibration.bar(prompt, settings);
            let worth = spots.filter_map(|spot| self.worth(prompt, spot, bar));
            let best = worth.max_by(|a, b| a.logit.total_cmp(&b.logit));
            let found = best.map(|best| self.find(prompt, Some(settings), best.probability * 0.999));
            let found: Vec<Detection> =
                found.into_iter().flatten().find(|d| is_free(prompt, &d.area)).into_iter().collect();
            let threshold = self.calibration.threshold(prompt, settings);
            let reaches = |d: &Detection| logit(d.score) + threshold - logit(asked.floors[prompt]);
            candidates.push(found.first().map_or(f32::NEG_INFINITY, reaches));
            tries.push(found);
        }
        let none = vec![Vec::new(); asked.floors.len()];
        let all = vec![0.0; asked.floors.len()];
        let crops = self.confirm(look, most, asked.prompts, &all, &mut tries, &none)?;
        let (refined, _) = self.refine(look, most - crops, asked.prompts, asked.sure, &mut tries, &none)?;
        let mut tried = Vec::new();
        for (prompt, own) in tries.into_iter().enumerate() {
            let own = own.into_iter().map(|d| (logit(d.score).min(candidates[prompt]), d));
            // All of these are looked at, whatever the tiles say.
            let closer = closer
                .iter()
                .filter(|d| d.prompt == prompt && is_free(prompt, &d.area))
                .map(|d| (logit(d.score), d.clone()));
            if let Some((reached, best)) = own.chain(closer).max_by(|a, b| a.0.total_cmp(&b.0)) {
                self.calibration.tried(prompt, reached);
                tried.push(Try { prompt, area: best.area, logit: reached, runner_up: best.runner_up });
            }
        }
        self.calibration.close(look.frame.captured);
        Ok((tried, crops + refined))
    }
}

/// A score with a handicap.
fn less(score: Score, handicap: f32) -> Score {
    let logit = score.logit - handicap;
    Score { logit, probability: probability(logit), ..score }
}
