//! Looks: what each part of a camera's frame showed when it was last encoded, and how that answered to the prompts.

use std::ops::Range;
use std::time::Duration;

use crate::clip::{Embedding, ModelError, TileEncoder};
use crate::config::settings::CameraSettings;
use crate::detect::{Confirmations, Detection, Spread, confirm, detections, outlined};
use crate::frame::{Frame, UnitBox};
use crate::prompts::{PromptBank, Score};
use crate::regions::grid::grid;
use crate::regions::patches::{block_areas, block_embeddings};
use crate::regions::{Foreground, MotionGate, Tile, schedule};

/// A tile whose picture stands still is looked at again after this long.
const REFRESH: Duration = Duration::from_secs(10);

/// How many tiles a frame asked for, and how many it got.
pub(super) struct Spent {
    pub(super) encoded: usize,
    pub(super) postponed: usize,
}

/// The newest look at every part of the frame.
pub(super) struct Looks {
    tiles: Vec<Tile>,
    /// Size of the frames, pixels.
    size: (u32, u32),
    /// What scores speak for: the tiles, or, in a dense look, the blocks of each.
    spots: Vec<UnitBox>,
    /// Rows of patches in a tile, in a dense look.
    patch_rows: Option<usize>,
    gate: MotionGate,
    foreground: Foreground,
    /// By question and spot.
    scores: Vec<Vec<Option<Score>>>,
    confirmations: Confirmations,
    /// Whether every part has been looked at once.
    complete: bool,
}

impl Looks {
    /// Nothing seen yet, of frames of the size that the settings say, about so many questions.
    pub(super) fn new(camera: &CameraSettings, questions: usize) -> Self {
        let mut looks = Self {
            tiles: Vec::new(),
            size: camera.size,
            spots: Vec::new(),
            patch_rows: None,
            gate: MotionGate::new(0, REFRESH),
            foreground: Foreground::default(),
            scores: vec![Vec::new(); questions],
            confirmations: Confirmations::default(),
            complete: false,
        };
        looks.lay(camera, camera.size, None);
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
        if (self.size, self.patch_rows) != (size, rows) {
            self.lay(camera, size, rows);
        }
    }

    /// Cuts the frame into tiles, and those into what scores speak for: the blocks of patches in each tile, or the tiles
    /// themselves. Forgets all scores.
    fn lay(&mut self, camera: &CameraSettings, size: (u32, u32), patch_rows: Option<usize>) {
        self.tiles = grid(size.0, size.1, &camera.grid.layout(patch_rows.is_some()), &camera.masks);
        (self.size, self.patch_rows) = (size, patch_rows);
        let blocks = |tile: &Tile| match patch_rows {
            Some(rows) => block_areas(&tile.crop, rows, size),
            None => vec![tile.area],
        };
        self.spots = self.tiles.iter().flat_map(blocks).collect();
        self.forget(self.scores.len());
    }

    /// Whether every part of the frame has been looked at since everything was forgotten.
    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// Forgets all scores: other prompts ask other questions, and every tile is looked at anew.
    pub(super) fn forget(&mut self, questions: usize) {
        self.gate = MotionGate::new(self.tiles.len(), REFRESH);
        self.confirmations = Confirmations::default();
        self.scores = vec![vec![None; self.spots.len()]; questions];
        self.complete = false;
    }

    /// Encodes and scores what the frame has changed or what is old, at most `limit` tiles, those first on which `tracked`
    /// says that something is.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn see(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        bank: &PromptBank,
        limit: usize,
        tracked: impl Fn(&UnitBox) -> bool,
    ) -> Result<Spent, ModelError> {
        let needs = self.gate.needs(frame, &self.tiles);
        self.foreground.see(frame);
        let needed = needs.len();
        let changed: Vec<usize> = needs.iter().filter(|need| need.change > 0.0).map(|need| need.tile).collect();
        let chosen = schedule(needs, |tile| tracked(&self.tiles[tile].area), limit);
        // What a tile showed before it changed is no evidence of what it shows now.
        for tile in changed {
            let spots = self.spots_of(tile);
            self.scores.iter_mut().for_each(|scores| scores[spots.clone()].fill(None));
            self.confirmations.forget(&self.tiles[tile].area);
        }
        // Light that changes slowly is no change at any moment: what is refreshed is confirmed anew too.
        chosen.iter().for_each(|tile| self.confirmations.forget(&self.tiles[*tile].area));
        let crops: Vec<_> = chosen.iter().map(|tile| self.tiles[*tile].crop).collect();
        let embeddings: Vec<Vec<Embedding>> = match self.patch_rows {
            Some(rows) => {
                let patches = encoder.encode_patches(frame, &crops)?;
                patches.iter().map(|patches| block_embeddings(patches, rows)).collect()
            }
            None => encoder.encode(frame, &crops)?.into_iter().map(|embedding| vec![embedding]).collect(),
        };
        for (tile, embeddings) in chosen.iter().zip(&embeddings) {
            for (spot, embedding) in self.spots_of(*tile).zip(embeddings) {
                for (question, score) in bank.score(embedding).into_iter().enumerate() {
                    self.scores[question][spot] = Some(score);
                }
            }
        }
        self.gate.encoded(chosen.iter().copied(), frame.captured);
        self.complete = self.complete || self.scores.iter().all(|scores| scores.iter().all(Option::is_some));
        Ok(Spent { encoded: chosen.len(), postponed: needed - chosen.len() })
    }

    fn spots_of(&self, tile: usize) -> Range<usize> {
        let each = self.spots.len() / self.tiles.len();
        tile * each..(tile + 1) * each
    }

    /// What the spots say is there of one question's thing, from a score of `floor` on.
    pub(super) fn find(&self, question: usize, floor: f32) -> Vec<Detection> {
        let aspect = self.size.0 as f32 / self.size.1 as f32;
        let spread = if self.patch_rows.is_some() { Spread::BLOCKS } else { Spread::TILES };
        let rough = detections(question, &self.spots, &self.scores[question], floor, aspect, spread);
        outlined(rough, &self.foreground)
    }

    /// How many crops [`Self::confirm`] would take for what was found, were there no limit.
    pub(super) fn unconfirmed(&self, found: &[Vec<Detection>]) -> usize {
        self.confirmations.asked(found.iter().flatten(), usize::MAX).len()
    }

    /// Looks once more at what was found and could go on a track (by question, from the score in `floors` on), and lets
    /// that look decide. Returns how many crops it took, at most `most`.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn confirm(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        bank: &PromptBank,
        most: usize,
        floors: &[f32],
        found: &mut [Vec<Detection>],
    ) -> Result<usize, ModelError> {
        let asked = self.confirmations.asked(found.iter().flatten().filter(|d| d.score >= floors[d.prompt]), most);
        let crops: Vec<_> = asked.iter().map(|area| confirm::crop(area, self.size)).collect();
        for (area, embedding) in asked.iter().zip(encoder.encode(frame, &crops)?) {
            self.confirmations.keep(*area, embedding);
        }
        for (found, floor) in found.iter_mut().zip(floors) {
            let (strong, weak): (Vec<_>, Vec<_>) = found.drain(..).partition(|d| d.score >= *floor);
            found.extend(self.confirmations.confirm(strong, bank));
            found.extend(weak);
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Ok(asked.len())
    }
}
