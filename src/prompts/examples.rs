//! Examples: pictures of what a prompt means, where words do not say it, and of what it does not mean.
//!
//! Pictures lie in another part of the embedding space than words (the modality gap: Liang et al., 2022), so that they are
//! held against pictures only, as in prototypical networks (Snell et al., 2017): a tile's cosine to the mean of the
//! examples against a boundary that follows from how alike they are, and against its cosine to each counter-example. Only
//! logits meet those of words, as in Tip-Adapter (Zhang et al., 2022). A linear probe between examples and backgrounds,
//! which is the usual choice for more of them, took with four examples every thing of their kind or colour for one of them.

use crate::clip::Embedding;

/// How a model sees pictures of one thing.
#[derive(Clone, Debug)]
pub struct Examples {
    prototype: Embedding,
    /// The cosine to the prototype from which a tile is rather one of them than not.
    boundary: f32,
    /// Logits for a cosine.
    slope: f32,
    counters: Vec<Embedding>,
}

/// The logit that one example has, by the others: nine to one.
const LIKE_THEM: f32 = 2.2;
/// A boundary has this many times the distance from the prototype that the examples have.
const FARTHER: f32 = 2.0;
/// Of the pictures around the examples, so many may look like them: another one can be among them.
const AROUND: f32 = 0.9;
/// Examples nearer to each other than this are the same picture twice, which tells nothing of how alike they are.
const NEAREST: f32 = 0.02;
/// The words, or the pictures, never say more than this: neither can overrule the other when that is sure.
const SURE: f32 = 4.0;

/// What an [`Examples`] says of a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Above 0, it is rather one of them than not.
    pub logit: f32,
    /// The counter-example that holds it back; `None` is that it is not like them.
    pub counter: Option<usize>,
}

impl Examples {
    /// From at least one example, counter-examples, and what is around the examples in their pictures. `None` where a single
    /// example stands against nothing: how alike others must be is then not to be known.
    pub fn new(shown: &[Embedding], counters: &[Embedding], around: &[Embedding]) -> Option<Self> {
        let prototype = Embedding::mean(shown)?;
        let alone = |index: usize| {
            let others = shown.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other);
            Some(Embedding::mean(others)?.cosine(&shown[index]))
        };
        let alike: Vec<f32> = (0..shown.len()).filter_map(alone).collect();
        let mut against: Vec<f32> = counters.iter().chain(around).map(|other| prototype.cosine(other)).collect();
        against.sort_by(f32::total_cmp);
        // A single counter-example counts, one of many pictures around does not.
        let nearest = against.get(((against.len() as f32 - 1.0) * AROUND).round().max(0.0) as usize).copied();
        let expected = match (alike.is_empty(), nearest) {
            (false, _) => alike.iter().sum::<f32>() / alike.len() as f32,
            // With one example, half of the way to what it is not.
            (true, Some(nearest)) => (1.0 + nearest) / 2.0,
            (true, None) => return None,
        };
        let expected = expected.min(1.0 - NEAREST);
        let far = 1.0 - FARTHER * (1.0 - expected);
        let boundary = nearest.map_or(far, |nearest| far.max((expected + nearest) / 2.0)).min(expected - NEAREST / 2.0);
        Some(Self { prototype, boundary, slope: LIKE_THEM / (expected - boundary), counters: counters.to_vec() })
    }

    /// How like the examples a tile is.
    pub fn likeness(&self, tile: &Embedding) -> Likeness {
        let own = tile.cosine(&self.prototype);
        let beyond = own - self.boundary;
        let counters = self.counters.iter().map(|counter| own - tile.cosine(counter)).enumerate();
        match counters.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, before)| *before < beyond) {
            Some((counter, before)) => Likeness { logit: self.slope * before, counter: Some(counter) },
            None => Likeness { logit: self.slope * beyond, counter: None },
        }
    }
}

/// What words and pictures say together.
pub fn together(words: f32, pictures: f32) -> f32 {
    words.clamp(-SURE, SURE) + pictures.clamp(-SURE, SURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, y: f32) -> Embedding {
        Embedding::new(vec![1.0, x, y]).expect("not zero")
    }

    #[test]
    fn what_is_as_alike_as_the_examples_are_to_each_other_is_one_of_them() {
        let examples =
            Examples::new(&[at(0.1, 0.0), at(-0.1, 0.1), at(0.0, -0.1)], &[], &[at(2.0, 2.0)]).expect("enough");
        for (x, y, like) in [(0.0, 0.0, true), (0.15, 0.0, true), (0.6, 0.0, false), (2.0, 2.0, false)] {
            assert_eq!(examples.likeness(&at(x, y)).logit > 0.4, like, "{x} {y}");
        }
    }

    #[test]
    fn a_counter_example_holds_back_what_is_more_like_it() {
        let shown = [at(0.1, 0.1), at(0.1, -0.1)];
        let without = Examples::new(&shown, &[], &[]).expect("enough");
        let with = Examples::new(&shown, &[at(-0.15, 0.0)], &[]).expect("enough");
        let near = at(-0.05, 0.0);
        assert!(without.likeness(&near).logit > with.likeness(&near).logit);
        assert_eq!(with.likeness(&near).counter, Some(0));
        assert!(with.likeness(&at(0.1, 0.0)).logit > 1.0);
    }

    #[test]
    fn one_example_needs_something_to_stand_against() {
        assert!(Examples::new(&[at(0.0, 0.0)], &[], &[]).is_none());
        let one = Examples::new(&[at(0.0, 0.0)], &[], &[at(1.0, 1.0), at(1.0, 0.5)]).expect("has surroundings");
        assert!(one.likeness(&at(0.1, 0.0)).logit > 0.4 && one.likeness(&at(1.0, 0.8)).logit < -1.0);
    }

    #[test]
    fn neither_words_nor_pictures_overrule_what_the_other_is_sure_of() {
        assert!(together(10.0, -10.0) <= 0.0 && together(-10.0, 10.0) <= 0.0);
        assert!(together(4.0, 0.5) > 4.0);
    }
}
