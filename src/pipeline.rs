//! The data's way as code: a frame goes in, what it means comes out.

mod looks;
mod relations;

use looks::Looks;
use relations::Relations;

use crate::annotate::{self, Mark};
use crate::clip::{ModelError, TileEncoder};
use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::detect::{Detection, Reference, closer, confirm, joined, related};
use crate::frame::{Frame, UnitBox};
use crate::prompts::PromptBank;
use crate::regions::grid::hide_masked;
use crate::track::tracker::{Change, Track};
use crate::track::{Event, EventKind, Evidence, Tracker};

/// One in so many encoder passes of a limit is kept for confirming.
const CONFIRMING: usize = 4;

/// So many closer looks at most for one prompt: the looks that are remembered are for others too.
const CLOSER: usize = 28;

/// What one camera watches for, and what it remembers between frames.
pub struct Watch {
    camera: CameraSettings,
    bank: PromptBank,
    looks: Looks,
    relations: Relations,
    trackers: Vec<Tracker>,
    reports_from: f32,
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
    /// Tiles that went through the encoder.
    pub encoded: usize,
    /// Tiles that should have, but for the limit, and closer looks.
    pub postponed: usize,
}

/// What is there of one prompt.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Which prompt.
    pub prompt: Name,
    /// How many are there, those among them that were not seen on this frame but have not gone yet.
    pub count: usize,
    /// Those that were seen on this frame.
    pub things: Vec<Detection>,
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
        let trackers = camera.prompts.iter().map(|p| Tracker::new(camera.events.clone(), p.threshold)).collect();
        let looks = Looks::new(&camera, bank.entries().len());
        Self { camera, bank, looks, relations: Relations::default(), trackers, reports_from: f32::INFINITY }
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
        // A part of the limit is kept for confirming, so that overload makes the picture older and nothing slower.
        let kept = (limit / CONFIRMING).clamp(1, confirm::MOST);
        let tracked = |area: &UnitBox| {
            let mut tracks = self.trackers.iter().flat_map(Tracker::tracks);
            tracks.any(|track| track.detection.area.intersection(area) > 0.0)
        };
        let spent = self.looks.see(&frame, encoder, &self.bank, limit.saturating_sub(kept).max(1), tracked)?;
        let floors = self.floors();
        let mut found = self.find(&floors);
        let confirmed = self.looks.confirm(&frame, encoder, &self.bank, kept, &floors, &mut found)?;
        self.see_anchors(&found, &floors, &frame);
        let mut closer = self.closer(&found, &floors, &frame);
        let wanted = self.looks.unconfirmed(&closer);
        let closely = self.looks.confirm(&frame, encoder, &self.bank, kept - confirmed, &floors, &mut closer)?;
        for (question, more) in closer.into_iter().enumerate() {
            joined(&mut found[question], more.into_iter().filter(|d| d.score >= floors[question]).collect());
        }
        let found = self.relate(found, &floors, &frame);
        let mut sight = self.follow(&frame, found);
        sight.encoded = spent.encoded + confirmed + closely;
        sight.postponed = spent.postponed + wanted - closely;
        Ok(sight)
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
        for prompt in 0..self.trackers.len() {
            let mut tracker = std::mem::replace(&mut self.trackers[prompt], Tracker::new(camera.events.clone(), 1.0));
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
            let tracker = kept.unwrap_or_else(|| Tracker::new(camera.events.clone(), new.threshold));
            tracker.from_threshold(new.threshold)
        };
        self.trackers = camera.prompts.iter().map(tracker).collect();
        self.camera = camera;
        if let Some(bank) = bank {
            self.bank = bank;
            self.looks.forget(self.bank.entries().len());
            self.relations = Relations::default();
        }
        events
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

    /// By question, the score from which what is found is of use.
    fn floors(&self) -> Vec<f32> {
        let anchors = self.bank.entries().iter().skip(self.trackers.len());
        let anchors = anchors.map(|anchor| anchor.prompt.threshold * self.camera.events.hysteresis);
        self.trackers.iter().map(Tracker::floor).chain(anchors).collect()
    }

    /// Whether a prompt that is looked out for has this question for its anchor.
    fn is_anchor(&self, question: usize) -> bool {
        let mut prompts = self.camera.prompts.iter().enumerate();
        prompts.any(|(prompt, settings)| settings.enabled && self.bank.anchor(prompt) == Some(question))
    }

    /// What the tiles say is there, question by question.
    fn find(&self, floors: &[f32]) -> Vec<Vec<Detection>> {
        let find = |(question, floor): (usize, &f32)| {
            let prompt = self.camera.prompts.get(question).filter(|prompt| prompt.enabled);
            let is_anchor = self.is_anchor(question);
            match prompt {
                None if !is_anchor => Vec::new(),
                None => self.looks.find(question, *floor),
                Some(prompt) => {
                    let mut found = self.looks.find(question, floor.min(self.reports_from));
                    // An anchor is one in any zone.
                    found.retain(|d| is_anchor || self.counts(prompt, d));
                    found
                }
            }
        };
        floors.iter().enumerate().map(find).collect()
    }

    /// Whether a detection is where its prompt counts.
    fn counts(&self, prompt: &PromptSettings, detection: &Detection) -> bool {
        prompt.zones.is_empty() || self.zones(detection).iter().any(|zone| prompt.zones.contains(zone))
    }

    /// Notes where the anchors are.
    fn see_anchors(&mut self, found: &[Vec<Detection>], floors: &[f32], frame: &Frame) {
        let anchors: Vec<usize> = (0..found.len()).filter(|question| self.is_anchor(*question)).collect();
        for question in anchors {
            let settings = self.camera.prompts.get(question).unwrap_or(&self.bank.entries()[question].prompt);
            let threshold = settings.threshold;
            let strong = found[question].iter().filter(|thing| thing.score >= floors[question]);
            self.relations.see(question, strong, threshold, self.looks.complete(), frame.captured, &self.camera.events);
        }
    }

    /// By question, where a closer look may show what tiles do not: beside anchors that nothing was found to stand to.
    fn closer(&self, found: &[Vec<Detection>], floors: &[f32], frame: &Frame) -> Vec<Vec<Detection>> {
        let aspect = frame.width() as f32 / frame.height() as f32;
        let mut looks = vec![Vec::new(); found.len()];
        for (index, prompt) in self.camera.prompts.iter().enumerate().filter(|(_, prompt)| prompt.enabled) {
            let Some(relation) = &prompt.understood.relation else { continue };
            let reference = self.relations.reference(relation, self.bank.anchor(index), &self.camera, frame.captured);
            let (Some(place), Reference::Things(_, anchors)) = (&relation.place, &reference) else { continue };
            let strong = found[index].iter().filter(|thing| thing.score >= floors[index]).cloned().collect();
            if related(strong, relation, &reference, floors[index], aspect).is_empty() {
                let areas = anchors.iter().flat_map(|anchor| closer(place.kind, anchor, aspect)).take(CLOSER);
                // All of them are looked at, whatever the tiles said.
                looks[index] = areas.map(|area| Detection::new(index, area, 1.0)).collect();
            }
        }
        looks
    }

    /// Of what was found, question by question, what stands as the prompts say, prompt by prompt.
    fn relate(&self, mut found: Vec<Vec<Detection>>, floors: &[f32], frame: &Frame) -> Vec<Vec<Detection>> {
        found.truncate(self.camera.prompts.len());
        let aspect = frame.width() as f32 / frame.height() as f32;
        for (index, found) in found.iter_mut().enumerate() {
            let prompt = &self.camera.prompts[index];
            found.retain(|detection| prompt.enabled && self.counts(prompt, detection));
            if let Some(relation) = &prompt.understood.relation {
                let reference =
                    self.relations.reference(relation, self.bank.anchor(index), &self.camera, frame.captured);
                *found = related(std::mem::take(found), relation, &reference, floors[index], aspect);
            }
        }
        found
    }

    fn follow(&mut self, frame: &Frame, found: Vec<Vec<Detection>>) -> Sight {
        let size = (frame.width(), frame.height());
        let mut sight = Sight::default();
        for (prompt, found) in found.into_iter().enumerate() {
            let floor = self.trackers[prompt].floor();
            let followed = found.iter().filter(|d| d.score >= floor).cloned().collect();
            for change in self.trackers[prompt].step(followed, frame.captured) {
                sight.events.push(self.event(prompt, change, size));
            }
            sight.detections.push(found);
            let there = || self.trackers[prompt].present();
            let seen = there().filter(|track| track.last_seen == frame.captured);
            sight.present.push(Presence {
                prompt: self.camera.prompts[prompt].name.clone(),
                count: there().count(),
                things: seen.map(|track| track.detection.clone()).collect(),
            });
        }
        sight
    }

    fn zones(&self, detection: &Detection) -> Vec<Name> {
        let centre = detection.area.centre();
        self.camera.zones.iter().filter(|zone| zone.polygon.contains(centre)).map(|zone| zone.name.clone()).collect()
    }

    fn event(&self, prompt: usize, change: Change, frame_size: (u32, u32)) -> Event {
        let (kind, track) = match change {
            Change::New(track) => (EventKind::New, track),
            Change::Update(track) => (EventKind::Update, track),
            Change::End(track) => (EventKind::End, track),
        };
        let (entry, prompt) = (&self.bank.entries()[prompt], &self.camera.prompts[prompt]);
        let runner_up = entry.contenders().nth(track.detection.runner_up).unwrap_or_default().to_owned();
        Event {
            kind,
            id: event_id(&self.camera.name, &prompt.name, &track),
            sequence: track.told_times,
            camera: self.camera.name.clone(),
            prompt: prompt.name.clone(),
            phrase: prompt.phrases[0].clone(),
            score: track.detection.score,
            top_score: track.top_score,
            area: track.detection.area,
            frame_size,
            zones: self.zones(&track.detection),
            first_seen: track.first_seen,
            last_seen: track.last_seen,
            evidence: Evidence {
                threshold: prompt.threshold,
                runner_up,
                margin: track.detection.margin,
                tiles: track.detection.tiles,
                hits: track.hits,
                related: track.detection.related.map(|related| *related),
            },
        }
    }
}

/// Unique over restarts, since a thing's first moment is in it, and over cameras and prompts.
fn event_id(camera: &Name, prompt: &Name, track: &Track) -> String {
    format!("{camera}-{}-{prompt}-{}", track.first_seen.as_millisecond(), track.number)
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
