//! The data's way as code: a frame goes in, what it means comes out.

mod analyze;
mod calibrated;
mod closely;
mod follow;
mod looks;
mod objects;
mod questions;
mod regions;
mod relations;
mod sweep;

use jiff::Timestamp;

pub use calibrated::Learnt;
pub use looks::Try;
use looks::{Asked, Look, Looks, Spent};
use regions::Regions;
use relations::Relations;

use crate::annotate::{self, Mark};
use crate::clip::{ModelError, TileEncoder};
use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::detect::{Detection, confirm, joined};
use crate::frame::{Frame, UnitBox};
use crate::prompts::PromptBank;
use crate::prompts::calibration::probability;
use crate::regions::grid::hide_masked;
use crate::track::{Event, Parked, Tracker};

/// One in so many encoder passes of a limit is kept for confirming.
const CONFIRMING: usize = 4;

/// What one camera watches for, and what it remembers between frames.
pub struct Watch {
    camera: CameraSettings,
    bank: PromptBank,
    looks: Looks,
    regions: Regions,
    relations: Relations,
    trackers: Vec<Tracker>,
    reports_from: f32,
}

/// What was found on one frame.
struct Found {
    /// Prompt by prompt, strongest first.
    found: Vec<Vec<Detection>>,
    /// What closer looks showed beside anchors, whatever they scored.
    closer: Vec<Detection>,
    /// How many crops all of that took.
    crops: usize,
}

/// What one frame meant.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Messages of events that begin, go on or end with this frame.
    pub events: Vec<Event>,
    /// Everything that is there now, prompt by prompt, in the order of the settings.
    pub present: Vec<Presence>,
    /// What was found on this frame, prompt by prompt, strongest first: all that can continue a track, and weaker ones
    /// where [`Watch::reporting_from`] asks for them.
    pub detections: Vec<Vec<Detection>>,
    /// The ids of the events of which this frame gives the best picture so far.
    pub best: Vec<String>,
    /// Tiles that went through the encoder.
    pub encoded: usize,
    /// Tiles that should have, but for the limit, and closer looks.
    pub postponed: usize,
    /// What the background came up with as its best tries to be a prompt, at the end of a window.
    pub tries: Vec<Try>,
    /// The score that began a track on this frame, prompt by prompt.
    pub thresholds: Vec<f32>,
}

/// What is there of one prompt.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Which prompt.
    pub prompt: Name,
    /// How many are there, those among them that were not seen on this frame but have not gone yet.
    pub count: usize,
    /// Whether one is in each of the prompt's `zone_states`.
    pub zones: Vec<(Name, bool)>,
    /// Those that were seen on this frame.
    pub things: Vec<Detection>,
    /// Each of those by its track: the same thing has the same number on all frames.
    pub tracks: Vec<u64>,
}

impl Presence {
    /// The marks of what was seen, and thinly of what it stands beside. `phrase` is the prompt's, `colour` its index.
    pub fn marks(&self, phrase: &str, colour: usize) -> Vec<Mark> {
        let thing = |thing: &Detection| Mark {
            area: thing.area,
            label: annotate::label(phrase, thing.score),
            colour,
            thin: false,
        };
        let mut anchors: Vec<Mark> = Vec::new();
        for related in self.things.iter().filter_map(|thing| thing.related.as_ref()) {
            if let (Some(area), Some(label)) = (related.area, related.anchor.clone())
                && anchors.iter().all(|known| known.area != area)
            {
                anchors.push(Mark { area, label, colour, thin: true });
            }
        }
        anchors.into_iter().chain(self.things.iter().map(thing)).collect()
    }
}

impl Watch {
    /// A camera's watch over frames of the size that its settings say.
    pub fn new(camera: CameraSettings, bank: PromptBank) -> Self {
        let trackers = camera.prompts.iter().map(|prompt| Tracker::new(&camera, prompt)).collect();
        let looks = Looks::new(&camera, bank.entries().len());
        let (regions, relations) = (Regions::default(), Relations::default());
        Self { camera, bank, looks, regions, relations, trackers, reports_from: f32::INFINITY }
    }

    /// The same watch, which reports weaker detections too: those that score `floor` or more.
    pub fn reporting_from(self, floor: f32) -> Self {
        Self { reports_from: floor, ..self }
    }

    /// The camera that this watches.
    pub fn camera(&self) -> &CameraSettings {
        &self.camera
    }

    /// Looks at one frame, encoding at most `limit` tiles, those that confirm what was found among them.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn look(&mut self, frame: &Frame, encoder: &dyn TileEncoder, limit: usize) -> Result<Sight, ModelError> {
        self.looks.fit(&self.camera, frame, encoder);
        let frame = hide_masked(frame.clone(), &self.camera.masks);
        if encoder.refines_boxes() {
            return self.analyze(&frame, encoder, limit);
        }
        // A part of the limit is kept for confirming, so that overload makes the picture older and nothing slower.
        let kept = (limit / CONFIRMING).clamp(1, confirm::MOST);
        let rest = limit.saturating_sub(kept).max(1);
        let followed = self.followed(frame.captured);
        let mut spent = self.looks.see(&frame, encoder, &self.bank, rest, &followed)?;
        let thresholds = self.thresholds();
        self.trackers.iter_mut().zip(&thresholds).for_each(|(tracker, threshold)| tracker.count_from(*threshold));
        let Found { found, closer, crops: confirmed } = self.found(&frame, encoder, kept, &mut spent)?;
        let mut sight = self.follow(&frame, found);
        if self.looks.calibration_mut().frame(&frame) {
            let (left, followed) = (kept.saturating_sub(confirmed).max(1), self.followed(frame.captured));
            let (floors, sure) = (self.floors(), self.sure());
            let (prompts, look) = (&self.camera.prompts, Look { frame: &frame, encoder, bank: &self.bank });
            let asked = Asked { prompts, floors: &floors, sure: &sure, followed: &followed };
            let (tries, crops) = self.looks.try_background(&look, left, &asked, closer)?;
            sight.tries = tries;
            spent.encoded += crops;
        }
        sight.encoded = spent.encoded;
        sight.postponed = spent.postponed;
        sight.thresholds = thresholds;
        Ok(sight)
    }

    /// The score that begins a track, prompt by prompt.
    fn thresholds(&self) -> Vec<f32> {
        let calibration = self.looks.calibration();
        let threshold = |(prompt, settings)| probability(calibration.threshold(prompt, settings));
        self.camera.prompts.iter().enumerate().map(threshold).collect()
    }

    /// Where things are followed, prompt by prompt, and where things are that do not stand as their prompt says: none of
    /// them is background.
    fn followed(&self, now: Timestamp) -> Vec<Vec<UnitBox>> {
        let areas = |(prompt, tracker): (usize, &Tracker)| {
            let tracks = tracker.tracks().iter().map(|track| track.detection.area);
            tracks.chain(self.relations.targets(prompt, now)).collect()
        };
        self.trackers.iter().enumerate().map(areas).collect()
    }

    /// What is there, prompt by prompt: found by the tiles, confirmed by crops of their own, at most `kept` of them, and
    /// standing as the phrases say.
    fn found(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        kept: usize,
        spent: &mut Spent,
    ) -> Result<Found, ModelError> {
        let floors = self.floors();
        let candidates = self.candidates(&floors);
        let mut found = self.find(&candidates, frame.captured);
        let (prompts, look) = (&self.camera.prompts, Look { frame, encoder, bank: &self.bank });
        let beside = self.beside(&found, &floors, frame.captured);
        let confirmed = self.looks.confirm(&look, kept, prompts, &candidates, &mut found, &beside)?;
        let (sure, beside) = (self.sure(), self.beside(&found, &floors, frame.captured));
        let (prompts, look) = (&self.camera.prompts, Look { frame, encoder, bank: &self.bank });
        let (refined, left) = self.looks.refine(&look, kept - confirmed, prompts, &sure, &mut found, &beside)?;
        let confirmed = confirmed + refined;
        spent.postponed += left;
        self.see_anchors(&found, &floors, frame);
        let unseen = self.unseen_anchors(&found, &floors, frame);
        let look = Look { frame, encoder, bank: &self.bank };
        let (shown, taken, left) = self.looks.look_for_anchors(&look, kept - confirmed, unseen)?;
        let confirmed = confirmed + taken;
        spent.postponed += left;
        let mut anchors = vec![Vec::new(); found.len()];
        shown.into_iter().for_each(|d| anchors[d.prompt].push(d));
        self.see_anchors(&anchors, &floors, frame);
        let (closer, beside) = (self.closer(&found, &floors, frame), self.beside(&found, &floors, frame.captured));
        let (prompts, look) = (&self.camera.prompts, Look { frame, encoder, bank: &self.bank });
        let handicap = |d: &Detection| closely::one_of_many(prompts[d.prompt].understood.place());
        let (closer, closely, left) =
            self.looks.look_closely(&look, kept - confirmed, prompts, closer, &beside, handicap)?;
        spent.postponed += left;
        let mut more = vec![Vec::new(); found.len()];
        closer.iter().filter(|d| d.score >= floors[d.prompt]).for_each(|d| more[d.prompt].push(d.clone()));
        found.iter_mut().zip(more).for_each(|(found, more)| joined(found, more));
        spent.encoded += confirmed + closely;
        self.see_targets(&mut found, &floors, frame);
        Ok(Found { found: self.relate(found, &floors, frame), closer, crops: confirmed + closely })
    }

    /// Watches by other settings from now on, with a new bank where phrases are others. Gives the ends of the events of
    /// what is no longer looked out for, or described in other words; all other events go on.
    pub fn change(&mut self, camera: CameraSettings, bank: Option<PromptBank>) -> Vec<Event> {
        let goes_on = |old: &PromptSettings, new: &PromptSettings| {
            let described = |p: &PromptSettings| (p.name.clone(), p.phrases.clone(), p.understood.clone());
            described(old) == described(new) && old.examples == new.examples && old.enabled == new.enabled
        };
        let mut events = Vec::new();
        let mut before: Vec<Option<Tracker>> = Vec::new();
        for (prompt, mut tracker) in std::mem::take(&mut self.trackers).into_iter().enumerate() {
            let old = &self.camera.prompts[prompt];
            if camera.enabled && camera.prompts.iter().any(|new| goes_on(old, new)) {
                before.push(Some(tracker));
            } else {
                let ends = tracker.finish();
                events.extend(ends.into_iter().map(|change| self.event(prompt, change, self.looks.size())));
                before.push(None);
            }
        }
        let tracker = |new: &PromptSettings| {
            let same = self.camera.prompts.iter().position(|old| goes_on(old, new));
            let kept = same.and_then(|old| before[old].take());
            kept.map_or_else(|| Tracker::new(&camera, new), |tracker| tracker.by(&camera, new))
        };
        self.trackers = camera.prompts.iter().map(tracker).collect();
        let said = |new: &PromptSettings| {
            let olds = self.camera.prompts.iter();
            olds.zip(0..).find(|(old, _)| old.name == new.name && old.phrases == new.phrases).map(|(_, at)| at)
        };
        let kept: Vec<_> = camera.prompts.iter().map(said).collect();
        self.camera = camera;
        if let Some(bank) = bank {
            self.bank = bank;
            self.looks.forget(&kept, self.bank.entries().len());
            self.relations = Relations::default();
        }
        events
    }

    /// What a try was rather taken for.
    pub fn contender(&self, tried: &Try) -> &str {
        self.bank.entries()[tried.prompt].contenders().nth(tried.runner_up).unwrap_or_default()
    }

    /// What is there while no frame comes: the parked things that the last frames showed, or that were remembered.
    pub fn present(&self) -> Vec<Presence> {
        let prompts = self.camera.prompts.iter().zip(&self.trackers);
        let presence = |(prompt, tracker): (&PromptSettings, &Tracker)| Presence {
            prompt: prompt.name.clone(),
            count: tracker.count(),
            zones: self.zone_states(prompt, tracker),
            things: Vec::new(),
            tracks: Vec::new(),
        };
        prompts.map(presence).collect()
    }

    /// What stands still, to be given to [`Self::remember`] by the next watch over this camera.
    pub fn parked(&self) -> Vec<Parked> {
        self.trackers.iter().flat_map(Tracker::parked).collect()
    }

    /// Takes what stood still when it was last watched, so that it is no news. What is of no prompt here is left out.
    pub fn remember(&mut self, parked: Vec<Parked>) {
        for parked in parked {
            if let Some(prompt) = self.camera.prompts.iter().position(|prompt| prompt.name == parked.prompt) {
                self.trackers[prompt].remember(parked);
            }
        }
    }

    /// When the prompts that have a cooldown last alerted, to be given to [`Self::pause`] by the next watch over this camera.
    pub fn alerted(&self) -> Vec<(Name, Timestamp)> {
        let prompts = self.camera.prompts.iter().zip(&self.trackers);
        prompts.filter_map(|(prompt, tracker)| Some((prompt.name.clone(), tracker.alerted()?))).collect()
    }

    /// Lets cooldowns go on that began when it was last watched. What is of no prompt here is left out.
    pub fn pause(&mut self, alerted: Vec<(Name, Timestamp)>) {
        for (name, at) in alerted {
            if let Some(prompt) = self.camera.prompts.iter().position(|prompt| prompt.name == name) {
                self.trackers[prompt].pause_from(at);
            }
        }
    }

    /// Ends all events, as when the camera is taken away. `frame_size` is that of the last frame.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for prompt in 0..self.trackers.len() {
            for change in self.trackers[prompt].finish() {
                events.push(self.event(prompt, change, self.looks.size()));
            }
        }
        events
    }
}

/// How many tiles the encoder can do in the time of one frame, at least a few, so that a slow device still looks.
/// Overload makes the picture older, never the latency longer.
pub fn tile_limit(fps: f64, seconds_per_tile: Option<f64>) -> usize {
    const FEWEST: usize = 8;
    const SHARE: f64 = 0.9;
    match seconds_per_tile {
        Some(seconds) if seconds > 0.0 => ((SHARE / fps / seconds) as usize).max(FEWEST),
        _ => usize::MAX,
    }
}
