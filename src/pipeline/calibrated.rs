//! The watch's calibration as its surroundings see it: kept over a restart, explained, forgotten.

use super::Watch;
use crate::config::settings::{Name, PromptSettings};
use crate::prompts::Explained;

/// What was learnt for one prompt, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// Which prompt.
    pub prompt: Name,
    /// The best tries of the empty scene, as bytes.
    pub background: Vec<u8>,
    /// What each part of the picture usually scores, as bytes.
    pub usual: Vec<u8>,
}

impl Watch {
    /// What was learnt of the background so far.
    pub fn learnt(&self) -> Vec<Learnt> {
        let learnt = |(index, prompt): (usize, &PromptSettings)| {
            let (background, usual) = self.looks.calibration().to_bytes(index);
            Learnt { prompt: prompt.name.clone(), background, usual }
        };
        self.camera.prompts.iter().enumerate().map(learnt).collect()
    }

    /// Goes on from what was learnt before. Says of which prompts it could not be read; they begin anew.
    pub fn recall(&mut self, learnt: &[Learnt]) -> Vec<Name> {
        let mut broken = Vec::new();
        for Learnt { prompt, background, usual } in learnt {
            let Some(index) = self.camera.prompts.iter().position(|known| known.name == *prompt) else { continue };
            if !self.looks.calibration_mut().restore(index, background, usual) {
                broken.push(prompt.clone());
            }
        }
        broken
    }

    /// Forgets what was learnt for one prompt, or for all.
    pub fn reset_calibration(&mut self, prompt: Option<&Name>) {
        for (index, known) in self.camera.prompts.iter().enumerate() {
            if prompt.is_none_or(|prompt| *prompt == known.name) {
                self.looks.calibration_mut().reset(index);
            }
        }
    }

    /// Why each prompt's threshold is what it is.
    pub fn explained(&self) -> Vec<(Name, Explained)> {
        let explain = |(index, prompt): (usize, &PromptSettings)| {
            (prompt.name.clone(), self.looks.calibration().explain(index, prompt))
        };
        self.camera.prompts.iter().enumerate().map(explain).collect()
    }
}
