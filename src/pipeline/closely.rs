//! Looking closely: what wavers is looked at in other crops, and its box follows the one that shows it best; and beside an
//! anchor, things are looked for that are a part of its picture.

use super::looks::{Look, Looks};
use crate::clip::{Embedding, ModelError};
use crate::config::settings::PromptSettings;
use crate::detect::{Detection, Shows, around, confirm, same_thing};
use crate::frame::UnitBox;
use crate::prompts::calibration::probability;
use crate::prompts::relation::Kind;
use crate::prompts::{PromptBank, Score};
use crate::regions::patches::{block_areas, block_embeddings};

/// By how much, in log-odds, another crop must say more than the first: several are chances to be wrong.
const ONE_OF_SEVERAL: f32 = 1.0;
/// The same of the loudest block of patches in a crop, of dozens;
const ONE_OF_BLOCKS: f32 = 1.0;
/// and of a closer look, of which a dozen are taken beside an anchor where tiles have seen nothing: of its loudest block, less
/// where it is before an anchor, which empty anchors seldom look like, and of a whole crop, in which the anchor speaks too.
const ONE_OF_MANY_BLOCKS: f32 = 2.0;
const ONE_OF_MANY_BEFORE: f32 = 1.2;
const ONE_OF_MANY: f32 = 2.5;

/// What the blocks of a closer look say, by question.
#[derive(Debug, Default)]
pub(super) struct Loudest {
    /// The one that speaks loudest.
    anywhere: Vec<Score>,
    /// The loudest left of the middle, in it and right of it, of those in the box that was looked at. What can stand to the
    /// question's thing does not contend.
    across: Vec<[f32; 3]>,
}

impl Loudest {
    /// Of blocks and what each speaks for, in a look at `area`.
    fn new(bank: &PromptBank, blocks: &[Embedding], spots: &[UnitBox], area: &UnitBox) -> Self {
        let louder = |a: Score, b: Score| if b.logit > a.logit { b } else { a };
        let scores = blocks.iter().map(|block| bank.score(block));
        let anywhere = scores.reduce(|a, b| a.into_iter().zip(b).map(|(a, b)| louder(a, b)).collect());
        let inside: Vec<(&Embedding, f32, f32)> = blocks
            .iter()
            .zip(spots)
            .filter(|(_, spot)| (area.y0..=area.y1).contains(&spot.centre().1))
            .map(|(block, spot)| (block, spot.centre().0 - area.centre().0, spot.x1 - spot.x0))
            .collect();
        let across = |question: usize| {
            let partners: Vec<usize> = bank.partners(question).collect();
            let mut loudest = [f32::NEG_INFINITY; 3];
            if !partners.is_empty() {
                for (block, away, width) in &inside {
                    let logit = bank.score_beside(question, &partners, block).logit;
                    // Blocks overlap by half: a step is half a block.
                    let step = width / 2.0;
                    let sides = [*away < -step / 2.0, away.abs() < 1.5 * step, *away > step / 2.0];
                    loudest
                        .iter_mut()
                        .zip(sides)
                        .filter(|(_, is)| *is)
                        .for_each(|(loudest, _)| *loudest = loudest.max(logit));
                }
            }
            loudest
        };
        Self { anywhere: anywhere.unwrap_or_default(), across: (0..bank.entries().len()).map(across).collect() }
    }

    /// In log-odds, how much a question's thing shows there.
    fn shows(&self, question: usize, shows: Shows) -> Option<f32> {
        let [left, middle, right] = *self.across.get(question)?;
        Some(match shows {
            Shows::Sides => left.min(right),
            Shows::Middle => middle,
        })
    }
}

/// By how much, in log-odds, the loudest block of a closer look at what stands so to an anchor must say more.
pub(super) fn one_of_many(place: Option<Kind>) -> f32 {
    if place == Some(Kind::InFrontOf) { ONE_OF_MANY_BEFORE } else { ONE_OF_MANY_BLOCKS }
}

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
        let is_sure = |d: &Detection| sure[d.prompt].is_none_or(|sure| d.score >= sure);
        let (sound, wavering): (Vec<&mut Detection>, Vec<&mut Detection>) =
            found.iter_mut().flatten().filter(|d| d.embedding.is_some()).partition(|d| is_sure(d));
        let mut sound: Vec<(usize, UnitBox)> = sound.into_iter().map(|d| (d.prompt, d.area)).collect();
        let mut wavering = wavering;
        // In a crop moved its way, what is beside a thing would be that thing, which counts once.
        let is_free = |d: &Detection, sound: &[(usize, UnitBox)]| {
            !sound.iter().any(|(prompt, known)| *prompt == d.prompt && same_thing(known, &d.area))
        };
        let other = |d: &Detection, area: UnitBox| Detection { area, ..d.clone() };
        let others = |d: &Detection| -> Vec<Detection> {
            around(&d.area).into_iter().map(|area| other(d, area)).filter(|d| is_free(d, &sound)).collect()
        };
        let others: Vec<Vec<Detection>> = wavering.iter().map(|d| others(d)).collect();
        let (asked, wanted) = self.ask(others.iter().flatten(), most);
        self.look_at(look, &asked)?;
        for (detection, mut others) in wavering.iter_mut().zip(others) {
            others.retain(|d| is_free(d, &sound));
            let best = self.confirmed(look.bank, prompts, others, beside, ONE_OF_SEVERAL);
            let best = best.into_iter().max_by(|a, b| a.score.total_cmp(&b.score));
            if let Some(best) = best.filter(|best| best.score > detection.score) {
                if is_sure(&best) {
                    sound.push((best.prompt, best.area));
                }
                **detection = best;
            }
        }
        // What stands before a thing hides so much of it that its crop shows the other; its own blocks do not.
        let hidden =
            |d: &Detection| d.score < sure[d.prompt].unwrap_or(0.0) && !self.beside(look.bank, d, beside).is_empty();
        let hidden: Vec<Detection> = wavering.iter().filter(|d| hidden(d)).map(|d| (**d).clone()).collect();
        let (shown, blocks, left) =
            self.look_closely(look, most - asked.len(), prompts, hidden, beside, |_| ONE_OF_BLOCKS)?;
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
        handicap: impl Fn(&Detection) -> f32,
    ) -> Result<(Vec<Detection>, usize, usize), ModelError> {
        let Some(rows) = self.patch_rows else {
            let (asked, wanted) = self.ask(looks.iter(), most);
            self.look_at(look, &asked)?;
            let found = self.confirmed(look.bank, prompts, looks, beside, ONE_OF_MANY);
            return Ok((found, asked.len(), wanted - asked.len()));
        };
        let (taken, left) = self.take(look, rows, looks.iter(), most)?;
        let found = looks.into_iter().filter_map(|d| {
            let Score { logit, margin, runner_up, .. } = *self.closely.of(&d.area)?.anywhere.get(d.prompt)?;
            let usual = prompts.get(d.prompt).map_or(0.0, |prompt| self.handicap(d.prompt, &d.area, prompt));
            Some(Detection { score: probability(logit - usual - handicap(&d)), margin, runner_up, ..d })
        });
        Ok((found.collect(), taken, left))
    }

    /// Of looks at where anchors may be, what they show; nothing where the model does not tell patches apart. Otherwise as
    /// [`Self::look_closely`].
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn look_for_anchors(
        &mut self,
        look: &Look<'_>,
        most: usize,
        looks: Vec<(Shows, Detection)>,
    ) -> Result<(Vec<Detection>, usize, usize), ModelError> {
        let Some(rows) = self.patch_rows else { return Ok((Vec::new(), 0, 0)) };
        let (taken, left) = self.take(look, rows, looks.iter().map(|(_, d)| d), most)?;
        let found = looks.into_iter().filter_map(|(shows, d)| {
            let logit = self.closely.of(&d.area)?.shows(d.prompt, shows)?;
            Some(Detection { score: probability(logit - ONE_OF_BLOCKS), ..d })
        });
        Ok((found.collect(), taken, left))
    }

    /// Takes those of these looks that none holds for, at most `most`. Returns how many that were, and how many are left.
    fn take<'a>(
        &mut self,
        look: &Look<'_>,
        rows: usize,
        looks: impl Iterator<Item = &'a Detection> + Clone,
        most: usize,
    ) -> Result<(usize, usize), ModelError> {
        let (asked, wanted) = (self.closely.asked(looks.clone(), most), self.closely.asked(looks, usize::MAX).len());
        let crops: Vec<_> = asked.iter().map(|area| confirm::crop(area, self.size())).collect();
        let seen = look.encoder.encode_patches(look.frame, &crops)?;
        for ((area, crop), patches) in asked.iter().zip(&crops).zip(seen) {
            let (blocks, spots) = (block_embeddings(&patches, rows), block_areas(crop, rows, self.size()));
            self.closely.keep(*area, Loudest::new(look.bank, &blocks, &spots, area));
        }
        Ok((asked.len(), wanted - asked.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::path::Path;

    use super::*;

    const WORDS: [&str; 3] = ["dull", "lamp", "post"];

    fn embedding(words: &str) -> Embedding {
        let axis = |name: &str| if words.contains(name) { 1.0 } else { 0.05 };
        Embedding::new(WORDS.map(axis).to_vec()).expect("not zero")
    }

    /// How much of the anchor "a post" a look shows whose blocks, three rows of three, show these things.
    fn shows(blocks: [&str; 9], shows: Shows) -> f32 {
        let text = "[[camera]]\nname = \"gate\"\nsource = \"test://smpte\"\nnegatives = [\"dull\"]\n\
                    [[camera.prompt]]\nphrases = \"a lamp in front of a post\"\n";
        let camera = crate::config::parse(text, "test", Path::new(""), false).expect("valid").cameras.remove(0);
        let encode = |phrase: &str| Ok::<_, Infallible>(embedding(phrase));
        let bank = PromptBank::new(&camera.prompts, &camera.negatives, 50.0, encode).expect("embeds");
        let at = |n: usize| 0.25 * n as f32;
        let spots: Vec<UnitBox> =
            (0..9).map(|i| UnitBox::new(at(i % 3), at(i / 3), at(i % 3 + 2), at(i / 3 + 2))).collect();
        let area = UnitBox::new(0.125, 0.4, 0.875, 0.9);
        let anchor = bank.anchor(0).expect("an anchor");
        Loudest::new(&bank, &blocks.map(embedding), &spots, &area).shows(anchor, shows).expect("asked")
    }

    #[test]
    fn what_hides_the_middle_of_an_anchor_has_it_on_both_sides() {
        let rows = |middle: [&'static str; 3]| {
            let [a, b, c] = middle;
            ["dull", "dull", "dull", a, b, c, "dull", "dull", "dull"]
        };
        assert!(shows(rows(["post", "lamp", "post"]), Shows::Sides) > 3.0);
        assert!(shows(rows(["post", "lamp", "dull"]), Shows::Sides) < -3.0, "it is beside");
        assert!(shows(rows(["dull", "post", "dull"]), Shows::Sides) < -3.0, "it stands before nothing");
        // Above the box that is looked at, it is something else.
        assert!(shows(["post", "post", "post", "dull", "lamp", "dull", "dull", "dull", "dull"], Shows::Sides) < -3.0);
        assert!(shows(rows(["dull", "post", "dull"]), Shows::Middle) > 3.0);
    }
}
