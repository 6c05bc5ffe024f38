//! The usual: what each part of a camera's picture scores for a prompt when nothing of it is there. A post box that a model
//! takes for a person by half has to do better than usual before it counts.

use std::time::Duration;

use jiff::Timestamp;

/// A part of the picture is learnt from once in this time at most, however often it is looked at.
const EVERY: Duration = Duration::from_secs(10);
/// What a look moves the usual by, logits. A thing that passes moves it once; what stays for two minutes becomes usual, and
/// what is followed as a thing is not learnt from.
const STEP: f32 = 0.25;
/// Where all begin, and the least that is told apart, logits.
const LEAST: f32 = -4.0;
const MOST: f32 = 6.0;
/// By how many logits a part has to do better than usual.
const BETTER: f32 = 2.0;

/// The usual logits of all parts for one prompt: running medians.
#[derive(Clone, Debug, PartialEq)]
pub struct Usual {
    levels: Box<[f32]>,
    learnt: Box<[Option<Timestamp>]>,
}

impl Usual {
    /// Nothing known of so many parts.
    pub fn new(parts: usize) -> Self {
        Self { levels: vec![LEAST; parts].into(), learnt: vec![None; parts].into() }
    }

    /// Of how many parts it knows.
    pub fn parts(&self) -> usize {
        self.levels.len()
    }

    /// Takes in what a part scored while nothing was followed there.
    pub fn learn(&mut self, part: usize, logit: f32, now: Timestamp) {
        if self.learnt[part].is_some_and(|before| now.duration_since(before).unsigned_abs() < EVERY) {
            return;
        }
        self.learnt[part] = Some(now);
        let level = &mut self.levels[part];
        // A step at a time, whatever the size of the surprise: that is what makes it a median.
        *level = (*level + (logit - *level).clamp(-STEP, STEP)).clamp(LEAST, MOST);
    }

    /// What is taken off a part's logits, so that it has to do better than usual to reach `threshold`, a logit.
    pub fn handicap(&self, part: usize, threshold: f32) -> f32 {
        (self.levels[part] + BETTER - threshold).max(0.0)
    }

    /// The levels as bytes, for a store.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.levels.iter().flat_map(|level| level.to_le_bytes()).collect()
    }

    /// What [`Self::to_bytes`] gave of so many parts. `None` if it cannot have.
    pub fn from_bytes(bytes: &[u8], parts: usize) -> Option<Self> {
        let levels: Box<[f32]> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let sound = bytes.len() == 4 * parts && levels.iter().all(|level| (LEAST..=MOST).contains(level));
        sound.then(|| Self { levels, learnt: vec![None; parts].into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(looks: i64, logit: impl Fn(i64) -> f32) -> Usual {
        let mut usual = Usual::new(1);
        (0..looks).for_each(|i| usual.learn(0, logit(i), Timestamp::from_second(10 * i).expect("in range")));
        usual
    }

    #[test]
    fn what_always_looks_like_it_has_to_do_better() {
        assert_eq!(after(2, |_| 3.0).handicap(0, 0.4), 0.0);
        let post = after(60, |_| 0.5);
        assert!((post.handicap(0, 0.4) - 2.1).abs() < 0.1);
    }

    #[test]
    fn what_passes_now_and_then_changes_nothing() {
        assert_eq!(after(600, |i| if i % 4 == 0 { 5.0 } else { -6.0 }).handicap(0, 0.4), 0.0);
    }

    #[test]
    fn many_looks_in_a_moment_are_one() {
        let mut usual = Usual::new(1);
        (0..500).for_each(|i| usual.learn(0, 5.0, Timestamp::from_millisecond(i).expect("in range")));
        assert_eq!(usual.handicap(0, 0.4), 0.0);
        assert_eq!(Usual::from_bytes(&usual.to_bytes(), 1).map(|u| u.levels), Some(usual.levels.clone()));
        assert_eq!(Usual::from_bytes(&usual.to_bytes(), 2), None);
    }
}
