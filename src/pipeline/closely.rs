//! Looking closely: what wavers is looked at in other crops, and its box follows the one that shows it best; and beside an
//! anchor, things are looked for that are a part of its picture.

use super::looks::{Look, Looks};
use crate::clip::ModelError;
use crate::config::settings::PromptSettings;
use crate::detect::{Detection, around, confirm};
use crate::frame::UnitBox;
use crate::prompts::Score;
use crate::prompts::calibration::probability;
use crate::regions::patches::block_embeddings;

/// By how much, in log-odds, another crop must say more than the first: several are chances to be wrong.
const ONE_OF_SEVERAL: f32 = 1.0;
/// The same of the loudest block of patches in a crop, of dozens;
const ONE_OF_BLOCKS: f32 = 1.0;
/// and of a closer look, of which a dozen are taken beside an anchor where tiles have seen nothing: of its loudest block, and
/// of a whole crop, in which the anchor speaks too.
pub(super) const ONE_OF_MANY_BLOCKS: f32 = 2.0;
const ONE_OF_MANY: f32 = 2.5;

/// By question, what the block says of a closer look that speaks loudest.
pub(super) type Loudest = Vec<Score>;

impl Looks {
    /// Looks in other crops at what its own crop left below `sure`, the score by question; where that is `None`, one crop is
    /// enough. `beside` is as in [`Self::confirm`]. Returns how many crops it took, at most `most`, and how many are left to
    /// take.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn refine(
        &mut self,
        look: &Look<'_>,
        most: usize,
        prompts: &[PromptSettings],
        sure: &[Option<f32>],
        found: &mut [Vec<Detection>],
        beside: &[Vec<UnitBox>],
    ) -> Result<(usize, usize), ModelError> {
        let wavers = |d: &&mut Detection| d.embedding.is_some() && sure[d.prompt].is_some_and(|sure| d.score < sure);
        let mut wavering: Vec<&mut Detection> = found.iter_mut().flatten().filter(wavers).collect();
        let other = |d: &Detection, area: UnitBox| Detection { area, ..d.clone() };
        let others: Vec<Vec<Detection>> =
            wavering.iter().map(|d| around(&d.area).into_iter().map(|area| other(d, area)).collect()).collect();
        let (asked, wanted) = self.ask(others.iter().flatten(), most);
        self.look_at(look, &asked)?;
        for (detection, others) in wavering.iter_mut().zip(others) {
            let best = self.confirmed(look.bank, prompts, others, beside, ONE_OF_SEVERAL);
            let best = best.into_iter().max_by(|a, b| a.score.total_cmp(&b.score));
            if let Some(best) = best.filter(|best| best.score > detection.score) {
                **detection = best;
            }
        }
        // What stands before a thing hides so much of it that its crop shows the other; its own blocks do not.
        let hidden =
            |d: &Detection| d.score < sure[d.prompt].unwrap_or(0.0) && !self.beside(look.bank, d, beside).is_empty();
        let hidden: Vec<Detection> = wavering.iter().filter(|d| hidden(d)).map(|d| (**d).clone()).collect();
        let (shown, blocks, left) =
            self.look_closely(look, most - asked.len(), prompts, hidden, beside, ONE_OF_BLOCKS)?;
        for shown in shown {
            let same =
                |d: &&mut &mut Detection| (d.prompt, d.area) == (shown.prompt, shown.area) && d.score < shown.score;
            wavering.iter_mut().filter(same).for_each(|d| **d = shown.clone());
        }
        found.iter_mut().for_each(|found| found.sort_by(|a, b| b.score.total_cmp(&a.score)));
        Ok((asked.len() + blocks, wanted - asked.len() + left))
    }

    /// What these looks show, each at its box: where the model tells patches apart, by the block that speaks loudest, less a
    /// `handicap` in log-odds. Returns it with how many crops that took, at most `most`, and how many are left to take.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn look_closely(
        &mut self,
        look: &Look<'_>,
        most: usize,
        prompts: &[PromptSettings],
        looks: Vec<Detection>,
        beside: &[Vec<UnitBox>],
        handicap: f32,
    ) -> Result<(Vec<Detection>, usize, usize), ModelError> {
        let Some(rows) = self.patch_rows else {
            let (asked, wanted) = self.ask(looks.iter(), most);
            self.look_at(look, &asked)?;
            let found = self.confirmed(look.bank, prompts, looks, beside, ONE_OF_MANY);
            return Ok((found, asked.len(), wanted - asked.len()));
        };
        let (asked, wanted) =
            (self.closely.asked(looks.iter(), most), self.closely.asked(looks.iter(), usize::MAX).len());
        let crops: Vec<_> = asked.iter().map(|area| confirm::crop(area, self.size())).collect();
        for (area, patches) in asked.iter().zip(look.encoder.encode_patches(look.frame, &crops)?) {
            let blocks = block_embeddings(&patches, rows);
            let scores = blocks.iter().map(|block| look.bank.score(block));
            let louder = |a: Score, b: Score| if b.logit > a.logit { b } else { a };
            let loudest = scores.reduce(|a, b| a.into_iter().zip(b).map(|(a, b)| louder(a, b)).collect());
            self.closely.keep(*area, loudest.unwrap_or_default());
        }
        let found = looks.into_iter().filter_map(|d| {
            let Score { logit, margin, runner_up, .. } = *self.closely.of(&d.area)?.get(d.prompt)?;
            let usual = prompts.get(d.prompt).map_or(0.0, |prompt| self.handicap(d.prompt, &d.area, prompt));
            Some(Detection { score: probability(logit - usual - handicap), margin, runner_up, ..d })
        });
        Ok((found.collect(), asked.len(), wanted - asked.len()))
    }
}
