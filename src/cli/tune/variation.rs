//! Variations: ways of asking for one thing that are tried on the footage.

use super::footage::{Crop, Finder, Footage};
use super::judge::{Scored, log_odds};
use super::moments::Moments;
use crate::cli::trial::Trial;
use crate::clip::phrases::Phrases;
use crate::config::settings::{CameraSettings, PromptSettings};
use crate::prompts::paraphrase::{COMMON, paraphrases};
use crate::prompts::phrase::{colourless, overlaps, plainer};
use crate::prompts::{PhraseSpace, PromptBank};

/// Negatives that are added at most.
const NEGATIVES: usize = 3;
/// Moments from which negatives are learnt, of each kind.
const LESSONS: usize = 40;
/// Seconds between two of them.
const APART_S: f64 = 2.0;
/// A negative must lower the mistakes' log-odds by so much on average.
const WORTH_ADDING: f32 = 0.2;
/// What it takes from the thing itself counts so many times.
const DEARER: f32 = 2.0;

/// One way of asking.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variation {
    pub(super) phrases: Vec<String>,
    /// All of the prompt's own.
    pub(super) negatives: Vec<String>,
}

/// What variations are made for and embedded with.
pub(super) struct Asking<'a> {
    pub(super) trial: &'a Trial,
    pub(super) text: &'a Phrases<'a>,
    /// Which prompt of the camera.
    pub(super) target: usize,
    /// Other ways that a person has thought of.
    pub(super) also: &'a [String],
}

impl Asking<'_> {
    /// As the settings ask.
    pub(super) fn present(&self) -> Variation {
        let prompt = &self.trial.camera.prompts[self.target];
        Variation { phrases: prompt.phrases.clone(), negatives: prompt.negatives.clone() }
    }

    fn camera(&self, variation: &Variation) -> CameraSettings {
        let mut camera = self.trial.camera.clone();
        let prompt = camera.prompts[self.target].clone();
        // A prompt that is asked for as it is keeps what its settings say of how that is meant.
        let same = prompt.phrases == variation.phrases;
        let prompt = if same { prompt } else { prompt.worded(variation.phrases.clone(), &camera.zones) };
        camera.prompts[self.target] = PromptSettings { negatives: variation.negatives.clone(), ..prompt };
        camera
    }

    /// The camera as it would run with a variation and a threshold.
    ///
    /// # Errors
    /// What the model says of a phrase.
    pub(super) fn running(&self, variation: &Variation, threshold: f32) -> anyhow::Result<Finder> {
        let mut camera = self.camera(variation);
        // As a threshold that is set in a file: it stays.
        let prompt = &mut camera.prompts[self.target];
        (prompt.threshold, prompt.false_alarms_per_day) = (threshold, None);
        Ok((camera, self.bank(variation)?))
    }

    /// # Errors
    /// What the model says of a phrase.
    pub(super) fn bank(&self, variation: &Variation) -> anyhow::Result<PromptBank> {
        let camera = self.camera(variation);
        let space = PhraseSpace::from(&self.trial.model.manifest().embedding);
        let bank = PromptBank::new(&camera.prompts, &camera.negatives, space, |phrase| self.text.encode(phrase))
            .map_err(|(prompt, error)| anyhow::anyhow!("prompt {prompt}: {error}"))?;
        Ok(bank.with_examples_of(&self.trial.bank))
    }

    /// What looks for the thing: as it is asked for now, in the person's other ways, and by less of it, so that what the
    /// present words miss is seen too.
    ///
    /// # Errors
    /// What the model says of a phrase.
    pub(super) fn finders(&self) -> anyhow::Result<Vec<Finder>> {
        let present = self.present();
        let less = present.phrases.iter().flat_map(|phrase| [colourless(phrase), plainer(phrase)]).flatten();
        let others =
            self.also.iter().cloned().chain(less).map(|phrase| Variation { phrases: vec![phrase], ..present.clone() });
        let all = std::iter::once(present.clone()).chain(others);
        all.map(|variation| Ok((self.camera(&variation), self.bank(&variation)?))).collect()
    }

    /// The present words, paraphrases of them and the person's, each alone and beside the present ones.
    pub(super) fn phrasings(&self) -> Vec<Variation> {
        let present = self.present();
        let manifest = self.trial.model.manifest();
        let known = |phrase: &String| manifest.unknown_words(phrase).is_empty();
        let said = present.phrases.iter().flat_map(|phrase| paraphrases(phrase)).filter(known);
        let mut all = vec![present.clone()];
        if present.phrases.len() > 1 {
            all.extend(
                present.phrases.iter().map(|phrase| Variation { phrases: vec![phrase.clone()], ..present.clone() }),
            );
        }
        for phrase in self.also.iter().cloned().chain(said) {
            let both = present.phrases.iter().cloned().chain([phrase.clone()]).collect();
            all.extend([vec![phrase], both].map(|phrases| Variation { phrases, ..present.clone() }));
        }
        all
    }

    /// The variation with one negative more, with two, and so on: those that best tell the footage's own mistakes from the
    /// marked thing. Nothing where none does.
    ///
    /// # Errors
    /// What the model says of a phrase.
    pub(super) fn with_negatives(
        &self,
        base: &Variation,
        scored: &Scored,
        footage: &Footage,
        moments: &Moments,
    ) -> anyhow::Result<Vec<Variation>> {
        let hard = strongest(footage, scored, |at| moments.is_false(at, at), APART_S);
        let good = strongest(footage, scored, |at| moments.is_marked(at), 0.0);
        if hard.is_empty() || good.is_empty() {
            return Ok(Vec::new());
        }
        let odds = |bank: &PromptBank, crops: &[&Crop]| -> f32 {
            let of = |crop: &&Crop| log_odds(bank.score(&crop.embedding)[self.target].probability).clamp(-6.0, 6.0);
            crops.iter().map(of).sum::<f32>() / crops.len() as f32
        };
        let mut all: Vec<Variation> = Vec::new();
        for _ in 0..NEGATIVES {
            let so_far = all.last().unwrap_or(base).clone();
            let bank = self.bank(&so_far)?;
            let (hard_odds, good_odds) = (odds(&bank, &hard), odds(&bank, &good));
            let asked: Vec<&str> = bank.entries()[self.target].contenders().collect();
            let new = |phrase: &&&str| {
                !asked.contains(*phrase)
                    && !base.phrases.iter().any(|own| overlaps(own, phrase))
                    && self.trial.model.manifest().unknown_words(phrase).is_empty()
            };
            let mut best: Option<(f32, Variation)> = None;
            for phrase in COMMON.iter().filter(new) {
                let mut with = so_far.clone();
                with.negatives.push((*phrase).to_owned());
                let bank = self.bank(&with)?;
                let worth = hard_odds - odds(&bank, &hard) - DEARER * (good_odds - odds(&bank, &good));
                if worth > WORTH_ADDING && best.as_ref().is_none_or(|(most, _)| worth > *most) {
                    best = Some((worth, with));
                }
            }
            let Some((_, with)) = best else { break };
            all.push(with);
        }
        Ok(all)
    }
}

/// The strongest crop of each of the strongest moments that fit.
fn strongest<'a>(footage: &'a Footage, scored: &Scored, fits: impl Fn(f64) -> bool, apart_s: f64) -> Vec<&'a Crop> {
    let best = |seen: &'a super::footage::Seen| {
        let crop = seen.crops.iter().max_by(|a, b| scored.of(a).total_cmp(&scored.of(b)))?;
        fits(seen.time_s).then_some((seen.time_s, scored.of(crop), crop))
    };
    let mut all: Vec<(f64, f32, &Crop)> = footage.frames.iter().filter_map(best).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut taken: Vec<(f64, &Crop)> = Vec::new();
    for (time_s, _, crop) in all {
        if taken.len() < LESSONS && taken.iter().all(|(other, _)| (other - time_s).abs() >= apart_s) {
            taken.push((time_s, crop));
        }
    }
    taken.into_iter().map(|(_, crop)| crop).collect()
}
