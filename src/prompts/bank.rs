//! The prompt bank: every prompt's embedding beside those of what it must be told apart from.

use super::calibration::probability;
use super::examples::{Examples, Likeness, together};
use super::phrase::{colourless, in_templates, other_colours, other_sizes, overlaps, plainer, same_words};
use super::phrase_space::PhraseSpace;
use super::relation::{Anchor, Place};
use super::understood::Understood;
use crate::clip::Embedding;
use crate::config::settings::PromptSettings;

/// Two phrases mean the same whose cosine is less from 1 than this share of what unlike phrases' is on the mean: a negative that
/// near to its prompt would argue against the prompt itself. In some models all phrases lie within a few hundredths.
const SAME_MEANING: f32 = 0.15;
/// Fewer shared negatives than these say nothing about how far phrases lie apart.
const FEWEST: usize = 4;
/// Then this is how far they are taken to: as in CLIP models of the usual sizes.
const USUALLY_APART: f32 = 0.33;

/// How one tile answers to one prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Probability of the prompt against everything that it is told apart from, 0..1.
    pub probability: f32,
    /// The same as log-odds.
    pub logit: f32,
    /// Cosine to the prompt less cosine to the nearest contender; where examples help, what would say as much by words alone.
    pub margin: f32,
    /// Which contender came nearest: an index into [`Entry::contenders`].
    pub runner_up: usize,
}

impl Score {
    /// Of a prompt that nothing describes.
    const NONE: Self = Self { probability: 0.0, logit: -20.0, margin: 0.0, runner_up: 0 };
}

/// One question with its embedding: a prompt's thing, or an anchor, which is asked for and never told.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As the settings say; of an anchor, its phrases and the defaults.
    pub prompt: PromptSettings,
    /// `None` where pictures alone say what is meant.
    embedding: Option<Embedding>,
    contenders: Vec<(String, Embedding)>,
    examples: Option<Examples>,
    /// What holds examples back; contenders behind the others.
    unlike: Vec<String>,
}

impl Entry {
    /// The phrases that it is told apart from, of at least one.
    pub fn contenders(&self) -> impl ExactSizeIterator<Item = &str> {
        let count = self.contenders.len();
        let at = move |index: usize| match self.contenders.get(index) {
            Some((phrase, _)) => phrase.as_str(),
            None => self.unlike[index - count].as_str(),
        };
        (0..count + self.unlike.len()).map(at)
    }
}

/// All questions of a camera: its prompts in the order of the settings, then the anchors that are no prompts themselves.
#[derive(Clone, Debug)]
pub struct PromptBank {
    entries: Vec<Entry>,
    /// By prompt.
    anchors: Vec<Option<usize>>,
    /// The logit scale that the model was trained with: cosines are multiplied by it before the softmax.
    logit_scale: f32,
}

/// All questions, and which of them is each prompt's anchor. Prompts that need the same anchor share it.
fn questions(prompts: &[PromptSettings]) -> (Vec<PromptSettings>, Vec<Option<usize>>) {
    let mut all = prompts.to_vec();
    let mut anchor = |prompt: &PromptSettings| {
        let place = prompt.understood.relation.as_ref()?.place.as_ref()?;
        let Place { anchor: Anchor::Thing(phrases), .. } = place else { return None };
        let same = |other: &PromptSettings| {
            let said = &other.understood.targets;
            said.len() == phrases.len() && said.iter().all(|said| phrases.iter().any(|own| same_words(own, said)))
        };
        Some(all.iter().position(same).unwrap_or_else(|| {
            // Its name is never told.
            let anchor = PromptSettings::new(prompt.name.clone(), phrases.clone());
            all.push(PromptSettings { understood: Understood::whole(phrases), ..anchor });
            all.len() - 1
        }))
    };
    let anchors = prompts.iter().map(&mut anchor).collect();
    (all, anchors)
}

impl PromptBank {
    /// Embeds all phrases with `encode` (a phrase to its embedding), each in every template. A template that `encode`
    /// refuses (it can grow too long for the model) is left out, so long as the bare phrase is taken.
    ///
    /// A prompt asks for its thing, whatever place or count its phrases say; the anchors of those places are questions too.
    /// A question's contenders are its own negatives, itself in other colours and sizes and without what it adds to its
    /// thing, the other questions and the shared `negatives`, less those that say the same.
    ///
    /// # Errors
    /// What `encode` says of a bare phrase, with the phrase's prompt.
    pub fn new<E>(
        prompts: &[PromptSettings],
        negatives: &[String],
        space: impl Into<PhraseSpace>,
        mut encode: impl FnMut(&str) -> Result<Embedding, E>,
    ) -> Result<Self, (String, E)> {
        let mut ensemble = |owner: &str, phrase: &str| -> Result<Embedding, (String, E)> {
            let bare = encode(phrase.trim()).map_err(|e| (owner.to_owned(), e))?;
            let rest = in_templates(phrase).skip(1).filter_map(|templated| encode(&templated).ok());
            let all: Vec<Embedding> = std::iter::once(bare.clone()).chain(rest).collect();
            Ok(Embedding::mean(&all).unwrap_or(bare))
        };
        let PhraseSpace { logit_scale, synonym_cosine } = space.into();
        let (prompts, anchors) = questions(prompts);
        let mut embedded = Vec::new();
        for prompt in &prompts {
            let owner = prompt.name.as_str();
            let mut phrases = Vec::new();
            for phrase in &prompt.understood.targets {
                phrases.push(ensemble(owner, phrase)?);
            }
            embedded.push(Embedding::mean(&phrases).or(phrases.pop()));
        }
        let mut shared = Vec::new();
        for phrase in negatives {
            shared.push((phrase.clone(), ensemble("negatives", phrase)?));
        }
        let synonym_cosine = synonym_cosine.unwrap_or_else(|| 1.0 - SAME_MEANING * apart(&shared));
        let mut entries = Vec::new();
        for (index, prompt) in prompts.iter().enumerate() {
            let owner = prompt.name.as_str();
            let unlike = named_counters(prompt);
            let Some(own) = embedded[index].clone() else {
                let prompt = prompt.clone();
                entries.push(Entry { prompt, embedding: None, contenders: Vec::new(), examples: None, unlike });
                continue;
            };
            let mut alike = vec![own.clone()];
            let mut contenders = Vec::new();
            let targets = &prompt.understood.targets;
            for phrase in targets {
                if let Some(colourless) = colourless(phrase) {
                    alike.push(ensemble(owner, &colourless)?);
                }
                for other in other_colours(phrase).into_iter().chain(other_sizes(phrase)).chain(plainer(phrase)) {
                    let embedding = ensemble(owner, &other)?;
                    contenders.push((other, embedding));
                }
            }
            let others = prompts.iter().zip(&embedded).enumerate().filter(|(other, _)| *other != index);
            let others = others.filter_map(|(_, (other, embedding))| {
                Some((other.understood.targets.first()?.clone(), embedding.clone()?))
            });
            let same = |(phrase, embedding): &(String, Embedding)| {
                targets.iter().any(|own| overlaps(own, phrase))
                    || alike.iter().any(|own| own.cosine(embedding) > synonym_cosine)
            };
            contenders.extend(others.chain(shared.iter().cloned()).filter(|contender| !same(contender)));
            for phrase in &prompt.negatives {
                contenders.push((phrase.clone(), ensemble(owner, phrase)?));
            }
            if contenders.is_empty() {
                // A softmax over the prompt alone would be 1 everywhere.
                contenders.push(("nothing".to_owned(), ensemble(owner, "nothing")?));
            }
            entries.push(Entry { prompt: prompt.clone(), embedding: Some(own), contenders, examples: None, unlike });
        }
        Ok(Self { entries, anchors, logit_scale })
    }

    /// The same bank, in which pictures help prompts: by prompt, what the model makes of its examples.
    pub fn with_examples(mut self, examples: Vec<Option<Examples>>) -> Self {
        self.entries.iter_mut().zip(examples).for_each(|(entry, examples)| entry.examples = examples);
        self
    }

    /// The same bank with the examples of another one for the same prompts.
    pub fn with_examples_of(self, other: &Self) -> Self {
        self.with_examples(other.entries.iter().map(|entry| entry.examples.clone()).collect())
    }

    /// All questions: the prompts in the order of the settings, then anchors.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The question that asks for a prompt's anchor; `None` where it has none, or a zone.
    pub fn anchor(&self, prompt: usize) -> Option<usize> {
        self.anchors.get(prompt).copied().flatten()
    }

    /// How a tile answers to each question, in the order of [`Self::entries`].
    pub fn score(&self, tile: &Embedding) -> Vec<Score> {
        self.entries.iter().map(|entry| self.score_one(entry, tile)).collect()
    }

    /// How a picture answers to one question where things of the questions `beside` are in it too, and so do not contend.
    pub fn score_beside(&self, question: usize, beside: &[usize], picture: &Embedding) -> Score {
        let there: Vec<&String> = beside.iter().flat_map(|q| &self.entries[*q].prompt.understood.targets).collect();
        let contends = |other: &str| !there.iter().any(|it| overlaps(it, other));
        let entry = &self.entries[question];
        // Told apart from nothing, everything would be it.
        let alone = !entry.contenders.iter().any(|(phrase, _)| contends(phrase));
        self.score_against(entry, |other| alone || contends(other), picture)
    }

    /// The questions whose things stand to those of this one: its anchor, and those that it is the anchor of.
    pub fn partners(&self, question: usize) -> impl Iterator<Item = usize> {
        let asking = self.anchors.iter().enumerate().filter(move |(_, anchor)| **anchor == Some(question));
        self.anchor(question).into_iter().chain(asking.map(|(prompt, _)| prompt))
    }

    fn score_one(&self, entry: &Entry, tile: &Embedding) -> Score {
        self.score_against(entry, |_| true, tile)
    }

    /// How a tile answers to an entry, told apart from those of its contenders that `contends` lets.
    fn score_against(&self, entry: &Entry, contends: impl Fn(&str) -> bool, tile: &Embedding) -> Score {
        let words = entry.embedding.as_ref().map(|own| self.words(own, &entry.contenders, contends, tile));
        let Some(examples) = &entry.examples else { return words.unwrap_or(Score::NONE) };
        let Likeness { logit, counter } = examples.likeness(tile);
        let unlike = entry.contenders.len() + counter.map_or(0, |counter| counter + 1);
        let (logit, runner_up) = match words {
            None => (logit, unlike),
            Some(said) => (together(said.logit, logit), if said.logit < logit { said.runner_up } else { unlike }),
        };
        Score { probability: probability(logit), logit, margin: logit / self.logit_scale, runner_up }
    }

    /// What words say of a tile.
    fn words(
        &self,
        own: &Embedding,
        contenders: &[(String, Embedding)],
        contends: impl Fn(&str) -> bool,
        tile: &Embedding,
    ) -> Score {
        let own = tile.cosine(own);
        let (mut runner_up, mut nearest, mut rest) = (0, f32::NEG_INFINITY, 0.0);
        for (index, (_, contender)) in contenders.iter().enumerate().filter(|(_, (phrase, _))| contends(phrase)) {
            let cosine = tile.cosine(contender);
            rest += (self.logit_scale * (cosine - own)).exp();
            if cosine > nearest {
                (runner_up, nearest) = (index, cosine);
            }
        }
        let logit = -rest.ln();
        Score { probability: probability(logit), logit, margin: own - nearest, runner_up }
    }
}

/// How far the cosine of unlike phrases is from 1, on the mean.
fn apart(phrases: &[(String, Embedding)]) -> f32 {
    if phrases.len() < FEWEST {
        return USUALLY_APART;
    }
    let pairs =
        phrases.iter().enumerate().flat_map(|(at, (_, a))| phrases[..at].iter().map(move |(_, b)| 1.0 - a.cosine(b)));
    let count = phrases.len() * (phrases.len() - 1) / 2;
    pairs.sum::<f32>() / count as f32
}

/// What can hold a prompt's examples back, in the order of [`Likeness::counter`].
fn named_counters(prompt: &PromptSettings) -> Vec<String> {
    if prompt.examples.is_empty() {
        return Vec::new();
    }
    let counters = prompt.counter_examples.iter().map(|counter| format!("the counter-example {counter}"));
    std::iter::once("anything unlike the examples".to_owned()).chain(counters).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::config::settings::Name;

    fn prompt(phrase: &str) -> PromptSettings {
        PromptSettings::new(Name::from_phrase(phrase).expect("a name"), vec![phrase.to_owned()])
    }

    /// A toy text tower: one axis for each word it knows.
    fn encode(phrase: &str) -> Result<Embedding, Infallible> {
        const WORDS: &[&str] = &["blue", "red", "bicycle", "car", "street"];
        let mut values = vec![0.01; WORDS.len()];
        for (axis, word) in WORDS.iter().enumerate() {
            values[axis] += if phrase.contains(word) { 1.0 } else { 0.0 };
        }
        Ok(Embedding::new(values).expect("not zero"))
    }

    fn bank(phrases: &[&str], negatives: &[&str]) -> PromptBank {
        let prompts: Vec<_> = phrases.iter().map(|p| prompt(p)).collect();
        let negatives: Vec<_> = negatives.iter().map(|n| (*n).to_owned()).collect();
        PromptBank::new(&prompts, &negatives, 50.0, encode).expect("the toy takes every phrase")
    }

    #[test]
    fn colour_and_noun_both_count() {
        let bank = bank(&["a blue bicycle"], &["an empty street", "a car"]);
        let probability = |text: &str| bank.score(&encode(text).expect("takes all"))[0].probability;
        assert!(probability("blue bicycle") > 0.9);
        for other in ["red bicycle", "blue car", "street"] {
            assert!(probability(other) < 0.5, "{other}: {}", probability(other));
        }
    }

    #[test]
    fn a_negative_that_says_the_same_is_left_out() {
        let bank = bank(&["a red car"], &["a car", "an empty street"]);
        let contenders: Vec<&str> = bank.entries()[0].contenders().collect();
        assert!(!contenders.contains(&"a car") && contenders.contains(&"an empty street"));
    }

    #[test]
    fn where_all_phrases_lie_near_each_other_unlike_ones_still_contend() {
        let squeezed = |phrase: &str| -> Result<Embedding, Infallible> {
            let mut values: Vec<f32> = encode(phrase)?.values().iter().map(|v| 0.2 * v).collect();
            values.push(1.0);
            Ok(Embedding::new(values).expect("not zero"))
        };
        let negatives = ["a bicycle", "an empty street", "something red", "something blue"].map(str::to_owned);
        let contenders = |encode: &dyn Fn(&str) -> Result<Embedding, Infallible>| -> Vec<String> {
            let bank =
                PromptBank::new(&[prompt("a car")], &negatives, 50.0, encode).expect("the toy takes every phrase");
            bank.entries()[0].contenders().map(str::to_owned).collect()
        };
        assert!(negatives.iter().all(|negative| contenders(&encode).contains(negative)));
        assert_eq!(contenders(&squeezed), contenders(&encode));
    }

    #[test]
    fn prompts_compete_with_each_other() {
        let bank = bank(&["a bicycle", "a car"], &[]);
        let scores = bank.score(&encode("car").expect("takes all"));
        assert!(scores[0].probability < 0.1 && scores[1].probability > 0.9);
        assert_eq!(bank.entries()[0].contenders().nth(scores[0].runner_up), Some("a car"));
    }

    #[test]
    fn an_anchor_in_the_same_picture_does_not_speak_against_a_thing() {
        let bank = bank(&["a car near a bicycle"], &["a street", "a red bicycle"]);
        assert_eq!((bank.partners(0).collect::<Vec<_>>(), bank.partners(1).collect::<Vec<_>>()), (vec![1], vec![0]));
        let both = encode("car bicycle").expect("takes all");
        for (question, other) in [(0, 1), (1, 0)] {
            let alone = bank.score_beside(question, &[], &both);
            assert_eq!(alone, bank.score(&both)[question]);
            assert!(alone.probability < 0.6, "{alone:?}");
            let beside = bank.score_beside(question, &[other], &both);
            assert!(beside.probability > 0.9, "{beside:?}");
            let contender = bank.entries()[question].contenders().nth(beside.runner_up);
            assert_eq!(contender, Some("a street"), "what is there is no runner-up");
            let street = bank.score_beside(question, &[other], &encode("street").expect("takes all"));
            assert!(street.probability < 0.1, "{street:?}");
        }
        let bare = self::bank(&["a car near a bicycle"], &[]);
        let scored = bare.score_beside(0, &[1], &both);
        assert_eq!(scored, bare.score(&both)[0], "with nothing else to tell it apart from, the anchor still is");
    }

    #[test]
    fn anchors_are_asked_for_behind_the_prompts_and_only_once() {
        let bank =
            bank(&["a red car left of a bicycle", "a car", "a car near the bicycle", "a bicycle near a car"], &[]);
        assert_eq!([0, 1, 2, 3].map(|prompt| bank.anchor(prompt)), [Some(3), None, Some(3), Some(1)]);
        assert_eq!(bank.entries().len(), 4, "the fourth prompt's thing is a bicycle");
        let bank = self::bank(&["a car near a bicycle", "a car without a bicycle"], &["a street"]);
        assert_eq!((bank.anchor(0), bank.anchor(1), bank.entries().len()), (Some(2), Some(2), 3));
        let scores = bank.score(&encode("bicycle").expect("takes all"));
        assert!(scores[2].probability > 0.9 && scores[0].probability < 0.1);
    }
}
