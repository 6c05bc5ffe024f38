//! The sweep: tiles of a pyramid, encoded in turn, and the score map that their patches make.

use jiff::Timestamp;

use super::looks::Looks;
use super::regions::Scene;
use crate::clip::{Crop, Embedding, ModelError};
use crate::frame::UnitBox;
use crate::prompts::PromptBank;
use crate::regions::patches::block_embeddings;

impl Looks {
    /// Tiles of the whole frame.
    pub(super) fn tile_count(&self) -> usize {
        self.tiles.len()
    }

    /// Encodes these tiles and puts what they show into the score map.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn encode_tiles(&mut self, scene: &Scene<'_>, tiles: &[usize]) -> Result<Vec<Crop>, ModelError> {
        let crops: Vec<_> = tiles.iter().map(|tile| self.tiles[*tile].crop).collect();
        let seen = scene.encoder.encode_crops(scene.frame, &crops)?;
        let rows = self.patch_rows;
        let embeddings = |crop: &Crop| match rows {
            Some(rows) => block_embeddings(&crop.patches, rows),
            None => vec![crop.embedding.clone()],
        };
        let embeddings: Vec<Vec<Embedding>> = seen.iter().map(embeddings).collect();
        self.record(tiles, &embeddings, scene.bank, scene.followed, scene.frame.captured);
        Ok(seen)
    }

    /// The strongest places of a tile for each question, none beside another, from a score of `floors` on: squares of
    /// `size` tile sides around them.
    pub(super) fn peaks(&self, tile: usize, floors: &[f32], most: usize, size: f32) -> Vec<(f32, UnitBox)> {
        let (w, h) = (self.size().0 as f32, self.size().1 as f32);
        let side = size * self.tiles[tile].crop.width as f32;
        let mut found = Vec::new();
        for (question, floor) in floors.iter().enumerate() {
            let scores = self.spots_of(tile).filter_map(|spot| Some((self.score_at(question, spot)?, spot)));
            let mut scores: Vec<(f32, usize)> = scores.filter(|(score, _)| score >= floor).collect();
            scores.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut peaks: Vec<&UnitBox> = Vec::new();
            for (score, spot) in scores {
                let area = self.spot(spot);
                if peaks.len() < most && peaks.iter().all(|other| other.intersection(area) == 0.0) {
                    peaks.push(area);
                    let (x, y) = area.centre();
                    let (dx, dy) = (side / w / 2.0, side / h / 2.0);
                    found.push((score, UnitBox::new(x - dx, y - dy, x + dx, y + dy)));
                }
            }
        }
        found
    }

    /// The place of the score map that is most like a prompt, of those that are free.
    pub(super) fn best_free_place(&self, prompt: usize, is_free: impl Fn(&UnitBox) -> bool) -> Option<UnitBox> {
        let spots = (0..self.spot_count()).filter(|spot| is_free(self.spot(*spot)));
        let scored = spots.filter_map(|spot| Some((self.score_at(prompt, spot)?, spot)));
        scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, spot)| *self.spot(spot))
    }

    /// Puts what the spots of some tiles show into the score map.
    pub(super) fn record(
        &mut self,
        tiles: &[usize],
        embeddings: &[Vec<Embedding>],
        bank: &PromptBank,
        followed: &[Vec<UnitBox>],
        now: Timestamp,
    ) {
        for (tile, embeddings) in tiles.iter().zip(embeddings) {
            for (spot, embedding) in self.spots_of(*tile).zip(embeddings) {
                for (question, score) in bank.score(embedding).into_iter().enumerate() {
                    self.scores[question][spot] = Some(score);
                    let area = &self.spots[spot];
                    // Anchors are followed by nobody, and what always stands there is what they are asked for.
                    if followed.get(question).is_some_and(|f| f.iter().all(|t| t.intersection(area) == 0.0)) {
                        self.calibration.learn(question, spot, score.logit, now);
                    }
                }
            }
        }
        self.complete = self.complete || self.scores.iter().all(|scores| scores.iter().all(Option::is_some));
    }

    /// What a question scores at a spot, 0..1.
    pub(super) fn score_at(&self, question: usize, spot: usize) -> Option<f32> {
        self.scores[question][spot].map(|score| score.probability)
    }

    /// What a spot of the score map speaks for.
    pub(super) fn spot(&self, spot: usize) -> &UnitBox {
        &self.spots[spot]
    }

    /// Spots of the score map.
    pub(super) fn spot_count(&self) -> usize {
        self.spots.len()
    }
}
