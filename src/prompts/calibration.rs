//! The calibration: what one camera's own background has to do with its prompts, and the thresholds that follow.

use jiff::Timestamp;

use super::background::{Background, Level, Light, PRIOR, WINDOW};
use super::usual::Usual;
use crate::config::settings::PromptSettings;
use crate::frame::Frame;

/// A frame is dark below this mean brightness and bright above that, 0..255; between, it is what it was.
const DARK: f32 = 50.0;
const BRIGHT: f32 = 70.0;

/// What was learnt of one camera, by prompt.
#[derive(Clone, Debug)]
pub struct Calibration {
    prompts: Vec<Learnt>,
    light: Light,
    /// When the present window began.
    since: Option<Timestamp>,
}

/// What was learnt for one prompt.
#[derive(Clone, Debug)]
struct Learnt {
    background: Background,
    usual: Usual,
    /// What was usual of so many parts as are not laid out yet, as bytes.
    kept: Vec<u8>,
    /// The best try of the present window, a logit.
    best: Option<f32>,
}

impl Learnt {
    fn new(parts: usize) -> Self {
        Self { background: Background::default(), usual: Usual::new(parts), kept: Vec::new(), best: None }
    }
}

/// Why a prompt's threshold is what it is. Logits, but for what says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explained {
    /// From here on it counts.
    pub threshold: f32,
    /// Whether the threshold was set, and does not follow.
    pub fixed: bool,
    /// Of the background, in the light that it is; `None` before the first window.
    pub level: Option<Level>,
    /// Whether too little was seen yet to go by.
    pub learning: bool,
    /// False alarms a day that the background makes expect from the threshold on.
    pub alarms_per_day: Option<f32>,
}

/// A probability as log-odds.
pub fn logit(probability: f32) -> f32 {
    let p = probability.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// Log-odds as a probability, 0..1.
pub fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

impl Calibration {
    /// Nothing learnt, for so many prompts over so many parts of the picture.
    pub fn new(prompts: usize, parts: usize) -> Self {
        Self { prompts: vec![Learnt::new(parts); prompts], light: Light::Bright, since: None }
    }

    /// Other parts speak from now on, or other prompts are asked: what they usually say is not known. What is still asked,
    /// by `kept` (an index into the prompts so far for each of the new), keeps its background.
    pub fn relay(&mut self, kept: &[Option<usize>], parts: usize) {
        let learnt = |old: &Option<usize>| {
            let Some(old) = old.map(|old| &self.prompts[old]) else { return Learnt::new(parts) };
            let usual = Usual::from_bytes(&old.kept, parts).unwrap_or_else(|| Usual::new(parts));
            Learnt { background: old.background.clone(), usual, ..Learnt::new(parts) }
        };
        self.prompts = kept.iter().map(learnt).collect();
    }

    /// Forgets what was learnt for a prompt.
    pub fn reset(&mut self, prompt: usize) {
        let learnt = &mut self.prompts[prompt];
        *learnt = Learnt::new(learnt.usual.parts());
    }

    /// Looks how bright it is, and says whether a window has come to its end.
    pub fn frame(&mut self, frame: &Frame) -> bool {
        let pixels = frame.rgb().iter().step_by(97);
        let mean = pixels.clone().map(|v| f32::from(*v)).sum::<f32>() / pixels.len().max(1) as f32;
        self.light = match self.light {
            Light::Dark if mean > BRIGHT => Light::Bright,
            Light::Bright if mean < DARK => Light::Dark,
            same => same,
        };
        let since = *self.since.get_or_insert(frame.captured);
        frame.captured.duration_since(since).unsigned_abs() >= WINDOW
    }

    /// Takes in what a part of the picture scored while nothing of the prompt was followed there.
    pub fn learn(&mut self, prompt: usize, part: usize, logit: f32, now: Timestamp) {
        self.prompts[prompt].usual.learn(part, logit, now);
    }

    /// Takes in what the background scored at a try to be the prompt.
    pub fn tried(&mut self, prompt: usize, logit: f32) {
        let best = &mut self.prompts[prompt].best;
        *best = Some(best.map_or(logit, |best| best.max(logit)));
    }

    /// Ends the window.
    pub fn close(&mut self, now: Timestamp) {
        self.since = Some(now);
        for learnt in &mut self.prompts {
            if let Some(best) = learnt.best.take() {
                learnt.background.add(self.light, best);
            }
        }
    }

    /// The logit from which a prompt counts.
    pub fn threshold(&self, prompt: usize, settings: &PromptSettings) -> f32 {
        let start = logit(settings.threshold);
        match settings.false_alarms_per_day {
            None => start,
            // What the user starts from shifts all, as far as it is not where all start.
            Some(per_day) => self.prompts[prompt].background.threshold(self.light, per_day) + start - PRIOR,
        }
    }

    /// The logit that a prompt's parts are to reach only by doing better than usual; `None` where it is not calibrated.
    pub fn bar(&self, prompt: usize, settings: &PromptSettings) -> Option<f32> {
        settings.false_alarms_per_day.map(|_| self.threshold(prompt, settings))
    }

    /// What is taken off a part's logits under such a bar.
    pub fn handicap(&self, prompt: usize, part: usize, bar: f32) -> f32 {
        self.prompts[prompt].usual.handicap(part, bar)
    }

    /// Why a prompt's threshold is what it is.
    pub fn explain(&self, prompt: usize, settings: &PromptSettings) -> Explained {
        let threshold = self.threshold(prompt, settings);
        let level = self.prompts[prompt].background.level(self.light);
        Explained {
            threshold,
            fixed: settings.false_alarms_per_day.is_none(),
            level,
            learning: level.is_none_or(|level| level.learning()),
            alarms_per_day: level.map(|level| level.alarms_per_day(threshold)),
        }
    }

    /// What was learnt for a prompt, as bytes for a store: the background, then what is usual.
    pub fn to_bytes(&self, prompt: usize) -> (Vec<u8>, Vec<u8>) {
        let learnt = &self.prompts[prompt];
        (learnt.background.to_bytes(), learnt.usual.to_bytes())
    }

    /// Takes back what [`Self::to_bytes`] gave. What is usual is taken once the parts are as many as they were. Says whether
    /// the background was sound.
    pub fn restore(&mut self, prompt: usize, background: &[u8], usual: &[u8]) -> bool {
        let learnt = &mut self.prompts[prompt];
        let parts = learnt.usual.parts();
        match Usual::from_bytes(usual, parts) {
            Some(usual) => learnt.usual = usual,
            None => learnt.kept = usual.to_vec(),
        }
        let sound = Background::from_bytes(background);
        let is_sound = sound.is_some();
        learnt.background = sound.unwrap_or_default();
        is_sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Name;

    fn prompt(per_day: Option<f32>) -> PromptSettings {
        let name = Name::new("dog").expect("a name");
        PromptSettings { false_alarms_per_day: per_day, ..PromptSettings::new(name, vec!["a dog".to_owned()]) }
    }

    fn frame(second: i64, level: u8) -> Frame {
        Frame::new(8, 8, vec![level; 192], 0, Timestamp::from_second(second).expect("in range")).expect("a frame")
    }

    #[test]
    fn a_window_ends_after_its_time_and_keeps_the_best_try() {
        let mut calibration = Calibration::new(1, 4);
        assert!(!calibration.frame(&frame(0, 100)) && !calibration.frame(&frame(9, 100)));
        assert!(calibration.frame(&frame(10, 100)));
        calibration.tried(0, -3.0);
        calibration.tried(0, -1.0);
        calibration.close(Timestamp::from_second(10).expect("in range"));
        let explained = calibration.explain(0, &prompt(Some(1.0)));
        assert!(explained.learning && (explained.level.expect("seen").median + 1.0).abs() < 0.25);
        assert!(!calibration.frame(&frame(11, 100)));
    }

    #[test]
    fn a_set_threshold_is_left_alone() {
        let mut calibration = Calibration::new(1, 1);
        for second in 0..2000 {
            calibration.tried(0, 2.0);
            calibration.learn(0, 0, 3.0, Timestamp::from_second(10 * second).expect("in range"));
            calibration.close(Timestamp::from_second(10 * second).expect("in range"));
        }
        let fixed = PromptSettings { threshold: 0.3, ..prompt(None) };
        assert!((probability(calibration.threshold(0, &fixed)) - 0.3).abs() < 1e-4);
        assert_eq!(calibration.bar(0, &fixed), None);
        let free = prompt(Some(1.0));
        assert!(
            calibration.threshold(0, &free) > 2.0 && calibration.handicap(0, 0, calibration.threshold(0, &free)) > 1.0
        );
    }

    #[test]
    fn what_was_learnt_comes_back_and_can_be_forgotten() {
        let mut calibration = Calibration::new(2, 1);
        for second in 0..100 {
            calibration.tried(1, 1.5);
            calibration.close(Timestamp::from_second(10 * second).expect("in range"));
        }
        let (background, usual) = calibration.to_bytes(1);
        let mut other = Calibration::new(1, 1);
        assert!(other.restore(0, &background, &usual));
        let free = prompt(Some(1.0));
        assert_eq!(other.threshold(0, &free), calibration.threshold(1, &free));
        assert!(!other.restore(0, b"something else", &usual));
        calibration.relay(&[Some(1), None], 9);
        assert!(calibration.threshold(0, &free) > calibration.threshold(1, &free));
        calibration.reset(0);
        assert!((calibration.threshold(0, &free) - PRIOR).abs() < 1e-3);
    }
}
