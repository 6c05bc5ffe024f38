//! Confirmation: what was found is looked at once more, in a crop of its own.
//!
//! Of many tiles, one that holds a piece of a thing can take it for another thing. A crop with the whole thing in its
//! middle is what the encoder knows best, and it has the last word.

use super::Detection;
use crate::clip::Embedding;
use crate::frame::{PixelRect, UnitBox};
use crate::prompts::Score;

/// At most so many things are looked at anew on one frame, however much time there is.
pub const MOST: usize = 12;
/// Of looks at what never changes, so many are kept, the newest.
const KEPT: usize = 128;
/// A look at a box serves for another that overlaps it by more than this.
const SAME_IOU: f32 = 0.8;
/// Share of the crop's side that the thing's longer side takes.
const FILLED: f32 = 0.75;
/// A crop shows a thing of which it holds this part, or which is this part of it.
const SHOWN: f32 = 0.25;
/// Two boxes that overlap by more than this can be one thing, which does not stand beside itself.
pub const ITSELF_IOU: f32 = 0.3;

/// The looks at single things that still hold, and what each showed: nothing has changed there since.
#[derive(Debug)]
pub struct Confirmations<T = Embedding> {
    known: Vec<(UnitBox, T)>,
}

impl<T> Default for Confirmations<T> {
    fn default() -> Self {
        Self { known: Vec::new() }
    }
}

impl<T> Confirmations<T> {
    /// Forgets the looks at what lies in a part of the frame that has changed.
    pub fn forget(&mut self, changed: &UnitBox) {
        self.known.retain(|(area, _)| area.intersection(changed) == 0.0);
    }

    /// What should be looked at: one box of each thing found, strongest first, that no look holds for; at most `most`.
    pub fn asked<'a>(&self, found: impl Iterator<Item = &'a Detection>, most: usize) -> Vec<UnitBox> {
        let mut found: Vec<&Detection> = found.filter(|detection| self.of(&detection.area).is_none()).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut asked: Vec<UnitBox> = Vec::new();
        for detection in found {
            if asked.len() < most && asked.iter().all(|area| area.iou(&detection.area) <= SAME_IOU) {
                asked.push(detection.area);
            }
        }
        asked
    }

    /// Keeps what a box's [`crop`] showed.
    pub fn keep(&mut self, area: UnitBox, shown: T) {
        if self.known.len() == KEPT {
            self.known.remove(0);
        }
        self.known.push((area, shown));
    }

    /// What the look showed that holds for a box.
    pub fn of(&self, area: &UnitBox) -> Option<&T> {
        let near = self.known.iter().map(|(known, shown)| (known.iou(area), shown));
        near.filter(|(iou, _)| *iou > SAME_IOU).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, shown)| shown)
    }
}

impl Confirmations {
    /// The detections with what `score` makes of their own crops. Those that none was made of are left out.
    pub fn confirm(
        &self,
        detections: Vec<Detection>,
        score: impl Fn(&Detection, &Embedding) -> Score,
    ) -> Vec<Detection> {
        let confirmed = |detection: Detection| {
            let embedding = self.of(&detection.area)?;
            let shown = score(&detection, embedding);
            // What was known again is what it was, whatever its crop shows beside it.
            let known = detection.known.as_ref().map(|known| score(&detection, known));
            let best = known.into_iter().fold(shown, |a, b| if b.probability > a.probability { b } else { a });
            let Score { probability, margin, runner_up, .. } = best;
            let embedding = Some(embedding.clone());
            Some(Detection { score: probability, margin, runner_up, embedding, ..detection })
        };
        detections.into_iter().filter_map(confirmed).collect()
    }
}

/// Whether the [`crop`] of a thing holds enough of another one to show that too.
pub fn shares_crop(thing: &UnitBox, other: &UnitBox, size: (u32, u32)) -> bool {
    let seen = crop(thing, size);
    let (w, h) = (size.0 as f32, size.1 as f32);
    let [x, y, width, height] = [seen.x, seen.y, seen.width, seen.height].map(|pixels| pixels as f32);
    let seen = UnitBox::new(x / w, y / h, (x + width) / w, (y + height) / h);
    seen.intersection(other) >= SHOWN * seen.area().min(other.area())
}

/// The square around a box, with room for its surroundings, moved inwards at the frame's edge.
pub fn crop(area: &UnitBox, (width, height): (u32, u32)) -> PixelRect {
    let (w, h) = (width as f32, height as f32);
    let longer = ((area.x1 - area.x0) * w).max((area.y1 - area.y0) * h);
    let side = ((longer / FILLED).round() as u32).clamp(1, width.min(height));
    let (x, y) = area.centre();
    let start = |middle: f32, length: u32| ((middle - side as f32 / 2.0).round().max(0.0) as u32).min(length - side);
    PixelRect { x: start(x * w, width), y: start(y * h, height), width: side, height: side }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_is_a_square_around_the_thing_within_the_frame() {
        let middle = crop(&UnitBox::new(0.4, 0.4, 0.5, 0.6), (640, 360));
        assert_eq!((middle.width, middle.height, middle.x, middle.y), (96, 96, 240, 132));
        let corner = crop(&UnitBox::new(0.95, 0.9, 1.0, 1.0), (640, 360));
        assert_eq!((corner.x + corner.width, corner.y + corner.height), (640, 360));
        let all = crop(&UnitBox::new(0.0, 0.0, 1.0, 1.0), (640, 360));
        assert_eq!((all.x, all.y, all.width, all.height), (140, 0, 360, 360));
    }

    #[test]
    fn one_look_serves_all_that_found_the_same_thing_until_it_changes() {
        let found = |prompt, x0: f32, score| Detection::new(prompt, UnitBox::new(x0, 0.2, x0 + 0.2, 0.6), score);
        let all = [found(0, 0.1, 0.7), found(1, 0.105, 0.9), found(0, 0.6, 0.8)];
        let mut looks = Confirmations::default();
        assert_eq!(looks.asked(all.iter(), 12), [all[1].area, all[2].area]);
        assert_eq!(looks.asked(all.iter(), 1), [all[1].area]);
        for area in looks.asked(all.iter(), 12) {
            looks.keep(area, Embedding::new(vec![1.0]).expect("not zero"));
        }
        assert_eq!(looks.asked(all.iter(), 12), []);
        looks.forget(&UnitBox::new(0.0, 0.0, 0.2, 0.3));
        assert_eq!(looks.asked(all.iter(), 12), [all[1].area]);
    }

    #[test]
    fn what_is_known_again_counts_as_the_better_of_its_crop_and_of_what_it_was() {
        let embedding = |first| Embedding::new(vec![first, 1.0]);
        let found = |known| Detection { known, ..Detection::new(0, UnitBox::new(0.1, 0.2, 0.3, 0.6), 0.1) };
        let score = |_: &Detection, shown: &Embedding| {
            let probability = shown.values()[0];
            Score { probability, logit: 0.0, margin: probability, runner_up: 0 }
        };
        let mut looks = Confirmations::default();
        assert_eq!(looks.confirm(vec![found(embedding(1.0))], score), [], "its crop was not looked at yet");
        let crop = embedding(0.5).expect("not zero");
        looks.keep(found(None).area, crop.clone());
        for (known, as_crop) in [(None, true), (embedding(0.1), true), (embedding(1.0), false)] {
            let best = if as_crop { &crop } else { known.as_ref().expect("not zero") };
            let [confirmed] = &looks.confirm(vec![found(known.clone())], score)[..] else { panic!("it is one") };
            assert_eq!((confirmed.score, confirmed.margin), (best.values()[0], best.values()[0]));
            assert_eq!(confirmed.embedding.as_ref(), Some(&crop), "what it looks like now");
        }
    }
}
