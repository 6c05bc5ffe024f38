//! Following: which detections count, what they mean over time, and what is told of that.

use std::collections::BTreeSet;

use super::{Presence, Sight, Watch};
use crate::config::settings::{Name, PromptSettings};
use crate::detect::{Detection, HeatMap};
use crate::frame::{Frame, UnitBox};
use crate::prompts::calibration::{logit, probability};
use crate::track::event::Background;
use crate::track::tracker::{Change, Tracker};
use crate::track::{Event, EventKind, Evidence, best};

impl Watch {
    /// Whether a detection is where and of what size and shape the prompt's rules want it.
    pub(super) fn counts(&self, prompt: usize, detection: &Detection) -> bool {
        let prompt = &self.camera.prompts[prompt];
        let zones = self.zones(&detection.area);
        let within = |wanted: &[Name]| zones.iter().any(|zone| wanted.contains(zone));
        let (width, height) = self.looks.size();
        let (w, h) = (detection.area.x1 - detection.area.x0, detection.area.y1 - detection.area.y0);
        let aspect = w * width as f32 / (h * height as f32).max(1e-3);
        let rules = &prompt.rules;
        (prompt.zones.is_empty() || within(&prompt.zones))
            && !within(&rules.excluded_zones)
            && (rules.size.0..=rules.size.1).contains(&h)
            && (rules.aspect.0..=rules.aspect.1).contains(&aspect)
    }

    /// Gives what was found to the tracks, and tells what has become of them.
    pub(super) fn follow(&mut self, frame: &Frame, found: Vec<Vec<Detection>>) -> Sight {
        let size = (frame.width(), frame.height());
        let mut sight = Sight::default();
        for (prompt, found) in found.into_iter().enumerate() {
            let floor = self.trackers[prompt].floor();
            let followed = found.iter().filter(|d| d.score >= floor).cloned().collect();
            for change in self.trackers[prompt].step(followed, frame.captured) {
                sight.events.push(self.event(prompt, change, size));
            }
            sight.detections.push(found);
            let name = self.camera.prompts[prompt].name.clone();
            let improved = self.trackers[prompt].improved(frame.captured, |seen| best::quality(seen, frame));
            sight.best.extend(improved.into_iter().map(|track| track.event_id(&self.camera.name, &name)));
            let tracker = &self.trackers[prompt];
            let seen = || tracker.present().filter(|track| track.last_seen == frame.captured);
            sight.present.push(Presence {
                prompt: name,
                count: tracker.count(),
                zones: self.zone_states(&self.camera.prompts[prompt], tracker),
                things: seen().map(|track| track.detection.clone()).collect(),
                tracks: seen().map(|track| track.number).collect(),
            });
        }
        sight
    }

    /// Whether something is in each zone that the prompt asks about.
    pub(super) fn zone_states(&self, prompt: &PromptSettings, tracker: &Tracker) -> Vec<(Name, bool)> {
        let asked = &prompt.rules.zone_states;
        if asked.is_empty() {
            return Vec::new();
        }
        let occupied: BTreeSet<Name> = tracker.places().flat_map(|area| self.zones(area)).collect();
        asked.iter().map(|zone| (zone.clone(), occupied.contains(zone))).collect()
    }

    fn zones(&self, area: &UnitBox) -> Vec<Name> {
        let centre = area.centre();
        self.camera.zones.iter().filter(|zone| zone.polygon.contains(centre)).map(|zone| zone.name.clone()).collect()
    }

    /// A change of a track of that prompt as an event's message.
    pub(super) fn event(&self, prompt: usize, change: Change, frame_size: (u32, u32)) -> Event {
        let (kind, track) = match change {
            Change::New(track) => (EventKind::New, track),
            Change::Update(track) => (EventKind::Update, track),
            Change::End(track) => (EventKind::End, track),
        };
        let explained = self.looks.calibration().explain(prompt, &self.camera.prompts[prompt]);
        let (index, entry, prompt) = (prompt, &self.bank.entries()[prompt], &self.camera.prompts[prompt]);
        let runner_up = entry.contenders().nth(track.detection.runner_up).unwrap_or_default().to_owned();
        Event {
            kind,
            id: track.event_id(&self.camera.name, &prompt.name),
            sequence: track.told_times,
            camera: self.camera.name.clone(),
            prompt: prompt.name.clone(),
            phrase: prompt.phrases[0].clone(),
            score: track.detection.score,
            top_score: track.top_score,
            area: track.detection.area,
            frame_size,
            zones: self.zones(&track.detection.area),
            severity: track.severity,
            stationary: track.stationary(),
            crossed: track.crossed,
            first_seen: track.first_seen,
            last_seen: track.last_seen,
            evidence: Evidence {
                threshold: probability(explained.threshold),
                runner_up,
                margin: track.detection.margin,
                tiles: track.detection.tiles,
                hits: track.hits,
                background: explained.level.map(|level| Background {
                    median: probability(level.median),
                    above: (logit(track.detection.score) - level.median) / level.spread,
                    alarms_per_day: level.alarms_per_day(explained.threshold),
                    learning: explained.learning,
                }),
                related: track.detection.related.map(|related| *related),
                heat_map: (kind != EventKind::End).then(|| HeatMap::new(&self.looks.evidence(index))),
            },
        }
    }
}
