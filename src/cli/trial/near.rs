//! Near misses: moments at which a prompt scored highest without an event, so that a person sees what a lower threshold
//! would tell.

use crate::annotate::{self, Mark};
use crate::cli::offline::shrunk;
use crate::clip::{ModelError, TileEncoder};
use crate::detect::{Detection, confirm};
use crate::frame::{Frame, UnitBox};
use crate::prompts::PromptBank;

/// Seconds in which one moment is the highest.
const MOMENT_S: f64 = 5.0;
/// Moments that are kept of each prompt while a clip runs: events that begin meanwhile take some away.
const KEPT: usize = 16;
/// A lower score is no near miss.
const FAR: f32 = 0.03;
/// Longest side of a picture in a report, pixels.
const PICTURE: u32 = 480;
/// JPEG quality of a picture in a report.
const QUALITY: u8 = 70;

/// One such moment.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Near {
    /// Seconds since the first frame.
    pub(in crate::cli) time_s: f64,
    /// Probability, 0..1, of a crop of its own where one was looked at.
    pub(in crate::cli) score: f32,
    /// What it was before that look.
    pub(in crate::cli) first_look: f32,
    /// That which would have begun a track then.
    pub(in crate::cli) threshold: f32,
    pub(in crate::cli) area: UnitBox,
    /// The contender that came nearest: an index into the entry's contenders.
    pub(in crate::cli) runner_up: usize,
    /// JPEG with the box drawn.
    pub(in crate::cli) picture: Option<Vec<u8>>,
}

impl Near {
    /// Why it was no event.
    pub(in crate::cli) fn why(&self) -> &'static str {
        if self.score < self.threshold { "below the threshold" } else { "not seen often enough" }
    }
}

/// Collects those of one prompt.
pub(super) struct NearMisses {
    prompt: usize,
    phrase: String,
    pictures: bool,
    kept: Vec<Near>,
    open: Option<Open>,
}

/// The highest moment so far of the last seconds.
struct Open {
    since_s: f64,
    time_s: f64,
    threshold: f32,
    detection: Detection,
    frame: Frame,
}

/// What a moment is looked at with once more.
pub(super) struct SecondLook<'a> {
    pub(super) encoder: &'a dyn TileEncoder,
    pub(super) bank: &'a PromptBank,
}

impl NearMisses {
    pub(super) fn new(prompt: usize, phrase: &str, pictures: bool) -> Self {
        Self { prompt, phrase: phrase.to_owned(), pictures, kept: Vec::new(), open: None }
    }

    /// Takes the best of a frame on which nothing of the prompt is told. Gives the encoder passes it took.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn see(
        &mut self,
        time_s: f64,
        best: Option<&Detection>,
        threshold: f32,
        frame: &Frame,
        look: &SecondLook<'_>,
    ) -> Result<usize, ModelError> {
        let over = self.open.as_ref().is_some_and(|open| time_s - open.since_s >= MOMENT_S);
        let passes = if over { self.close(look)? } else { 0 };
        let Some(best) = best else { return Ok(passes) };
        let since_s = self.open.as_ref().map_or(time_s, |open| open.since_s);
        if self.open.as_ref().is_none_or(|open| best.score > open.detection.score) {
            self.open = Some(Open { since_s, time_s, threshold, detection: best.clone(), frame: frame.clone() });
        }
        Ok(passes)
    }

    /// An event has begun with what was seen first at that time: what came since is part of it.
    pub(super) fn told(&mut self, from_s: f64) {
        self.open.take_if(|open| open.time_s >= from_s);
    }

    /// Looks at the highest moment once more, as would have been done with a lower threshold.
    pub(super) fn close(&mut self, look: &SecondLook<'_>) -> Result<usize, ModelError> {
        let Some(open) = self.open.take() else { return Ok(0) };
        let first_look = open.detection.score;
        let (mut score, mut runner_up) = (first_look, open.detection.runner_up);
        let mut passes = 0;
        if open.detection.embedding.is_none() {
            let crop = confirm::crop(&open.detection.area, (open.frame.width(), open.frame.height()));
            if let Some(embedding) = look.encoder.encode(&open.frame, &[crop])?.first() {
                let second = look.bank.score(embedding)[self.prompt];
                (score, runner_up, passes) = (second.probability, second.runner_up, 1);
            }
        }
        let lowest = self.kept.iter().map(|near| near.score).fold(f32::INFINITY, f32::min);
        if self.kept.len() >= KEPT && score <= lowest {
            return Ok(passes);
        }
        if self.kept.len() >= KEPT {
            self.kept.retain(|near| near.score > lowest);
        }
        let area = open.detection.area;
        let picture = self.pictures.then(|| picture(&open.frame, &area, &self.phrase, score, self.prompt));
        self.kept.push(Near {
            time_s: open.time_s,
            score,
            first_look,
            threshold: open.threshold,
            area,
            runner_up,
            picture,
        });
        Ok(passes)
    }

    /// The highest `most`, strongest first, less those within the spans of events, and less those that are none by far
    /// unless they are the nearest of a prompt that gave no event.
    pub(super) fn finish(self, events: &[(f64, f64)], most: usize) -> Vec<Near> {
        let within = |near: &Near| events.iter().any(|(from, to)| (from - 1.0..=to + 1.0).contains(&near.time_s));
        let mut kept: Vec<Near> = self.kept.into_iter().filter(|near| !within(near)).collect();
        kept.sort_by(|a, b| b.score.total_cmp(&a.score));
        let far = kept.iter().position(|near| near.score < FAR).unwrap_or(kept.len());
        kept.truncate(far.max(usize::from(events.is_empty())).min(most));
        kept
    }
}

/// A small JPEG of a frame with the box of one thing on it.
pub(super) fn picture(frame: &Frame, area: &UnitBox, phrase: &str, score: f32, prompt: usize) -> Vec<u8> {
    let mark = Mark { area: *area, label: annotate::label(phrase, score), colour: prompt, thin: false };
    annotate::jpeg(&shrunk(frame.clone(), PICTURE), &[mark], QUALITY)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::clip::Embedding;
    use crate::config::settings::{Name, PromptSettings};
    use crate::frame::PixelRect;

    /// Every crop shows the same.
    struct Same(Embedding);

    impl TileEncoder for Same {
        fn encode(&self, _: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
            Ok(vec![self.0.clone(); tiles.len()])
        }

        fn encode_patches(&self, _: &Frame, _: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
            Ok(Vec::new())
        }

        fn patch_rows(&self) -> Option<usize> {
            None
        }

        fn width(&self) -> usize {
            2
        }
    }

    fn axis(x: f32, y: f32) -> Embedding {
        Embedding::new(vec![x, y]).expect("not zero")
    }

    #[test]
    fn each_moment_gives_its_highest_look_and_events_take_theirs_away() {
        let prompt = PromptSettings::new(Name::new("dog").expect("a name"), vec!["a dog".to_owned()]);
        let embed = |phrase: &str| Ok::<_, ()>(if phrase.contains("dog") { axis(1.0, 0.0) } else { axis(0.0, 1.0) });
        let bank = PromptBank::new(&[prompt], &["a wall".to_owned()], 1.0, embed).expect("embeds");
        let encoder = Same(axis(1.0, 1.0));
        let look = SecondLook { encoder: &encoder, bank: &bank };
        let frame = Frame::new(64, 36, vec![0; 64 * 36 * 3], 0, Timestamp::UNIX_EPOCH).expect("a frame");
        let mut near = NearMisses::new(0, "a dog", true);
        let area = UnitBox::new(0.1, 0.1, 0.4, 0.6);
        let seen = |score, embedding| Detection { embedding, ..Detection::new(0, area, score) };
        let confirmed = Some(axis(1.0, 0.0));
        for (time, score) in [(0.0, 0.2), (2.0, 0.55), (4.0, 0.3), (6.0, 0.58), (20.0, 0.4)] {
            near.see(time, Some(&seen(score, confirmed.clone())), 0.6, &frame, &look).expect("looks");
        }
        // The last was not looked at by itself: what a crop of it says counts.
        near.see(26.0, Some(&seen(0.59, None)), 0.6, &frame, &look).expect("looks");
        assert_eq!(near.close(&look).expect("looks"), 1);
        let found = near.finish(&[(6.5, 9.0)], 6);
        let times: Vec<(f64, f32)> = found.iter().map(|near| (near.time_s, near.score)).collect();
        assert_eq!(times, [(2.0, 0.55), (26.0, 0.5), (20.0, 0.4)]);
        assert!(found.iter().all(|near| near.picture.as_ref().is_some_and(|jpeg| jpeg.starts_with(b"\xff\xd8"))));
    }
}
