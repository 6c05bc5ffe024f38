//! The data's way as code: a frame goes in, what it means comes out.

use std::ops::Range;
use std::time::Duration;

use crate::clip::{Embedding, ModelError, TileEncoder};
use crate::config::settings::{CameraSettings, Name, PromptSettings};
use crate::detect::{Confirmations, Detection, Spread, confirm, detections, outlined};
use crate::frame::{Frame, UnitBox};
use crate::prompts::{PromptBank, Score};
use crate::regions::grid::{grid, hide_masked};
use crate::regions::patches::{block_areas, block_embeddings};
use crate::regions::{Foreground, MotionGate, Tile, schedule};
use crate::track::tracker::{Change, Track};
use crate::track::{Event, EventKind, Evidence, Tracker};

/// A tile whose picture stands still is looked at again after this long.
const REFRESH: Duration = Duration::from_secs(10);

/// One in so many encoder passes of a limit is kept for confirming.
const CONFIRMING: usize = 4;

/// What one camera watches for, and what it remembers between frames.
pub struct Watch {
    camera: CameraSettings,
    bank: PromptBank,
    tiles: Vec<Tile>,
    tiles_for: (u32, u32),
    /// What scores speak for: the tiles, or, in a dense look, the blocks of each.
    spots: Vec<UnitBox>,
    /// Rows of patches in a tile, in a dense look.
    patch_rows: Option<usize>,
    gate: MotionGate,
    foreground: Foreground,
    /// By prompt and spot.
    scores: Vec<Vec<Option<Score>>>,
    confirmations: Confirmations,
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
    /// Tiles that should have, but for the limit.
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

impl Watch {
    /// A camera's watch over frames of the size that its settings say.
    pub fn new(camera: CameraSettings, bank: PromptBank) -> Self {
        let trackers = camera.prompts.iter().map(|p| Tracker::new(camera.events.clone(), p.threshold)).collect();
        let tiles_for = camera.size;
        let tiles = grid(tiles_for.0, tiles_for.1, &camera.grid.layout(false), &camera.masks);
        let gate = MotionGate::new(tiles.len(), REFRESH);
        let scores = vec![Vec::new(); camera.prompts.len()];
        let mut watch = Self {
            camera,
            bank,
            tiles,
            tiles_for,
            spots: Vec::new(),
            patch_rows: None,
            gate,
            foreground: Foreground::default(),
            scores,
            confirmations: Confirmations::default(),
            trackers,
            reports_from: f32::INFINITY,
        };
        watch.mark_spots();
        watch
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
        self.fit(frame, encoder);
        let frame = hide_masked(frame.clone(), &self.camera.masks);
        let needs = self.gate.needs(&frame, &self.tiles);
        self.foreground.see(&frame);
        let needed = needs.len();
        let changed: Vec<usize> = needs.iter().filter(|need| need.change > 0.0).map(|need| need.tile).collect();
        // A part of the limit is kept for confirming, so that overload makes the picture older and nothing slower.
        let kept = (limit / CONFIRMING).clamp(1, confirm::MOST);
        let chosen = schedule(needs, |tile| self.tracked(tile), limit.saturating_sub(kept).max(1));
        // What a tile showed before it changed is no evidence of what it shows now.
        for tile in changed {
            let spots = self.spots_of(tile);
            self.scores.iter_mut().for_each(|scores| scores[spots.clone()].fill(None));
            self.confirmations.forget(&self.tiles[tile].area);
        }
        // Light that changes slowly is no change at any moment: what is refreshed is confirmed anew too.
        chosen.iter().for_each(|tile| self.confirmations.forget(&self.tiles[*tile].area));
        let crops: Vec<_> = chosen.iter().map(|tile| self.tiles[*tile].crop).collect();
        let embeddings: Vec<Vec<Embedding>> = match self.patch_rows {
            Some(rows) => {
                let patches = encoder.encode_patches(&frame, &crops)?;
                patches.iter().map(|patches| block_embeddings(patches, rows)).collect()
            }
            None => encoder.encode(&frame, &crops)?.into_iter().map(|embedding| vec![embedding]).collect(),
        };
        self.score(&chosen, &embeddings);
        self.gate.encoded(chosen.iter().copied(), frame.captured);
        let mut found = self.find();
        let confirmed = self.confirm(&frame, encoder, kept, &mut found)?;
        let mut sight = self.follow(&frame, found);
        sight.encoded = chosen.len() + confirmed;
        sight.postponed = needed - chosen.len();
        Ok(sight)
    }

    /// Watches by other settings from now on, with a new bank where phrases are others. Gives the ends of the events of
    /// what is no longer looked out for, or described in other words; all other events go on.
    pub fn change(&mut self, camera: CameraSettings, bank: Option<PromptBank>) -> Vec<Event> {
        let goes_on = |old: &PromptSettings, new: &PromptSettings| {
            old.name == new.name && old.phrases == new.phrases && old.enabled == new.enabled
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
                events.extend(ends.into_iter().map(|change| self.event(prompt, change, self.tiles_for)));
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
            // The old scores answer other questions; every tile is looked at anew.
            self.scores = vec![Vec::new(); self.camera.prompts.len()];
            self.gate = MotionGate::new(self.tiles.len(), REFRESH);
            self.mark_spots();
        }
        events
    }

    /// Ends all events, as when the camera is taken away. `frame_size` is that of the last frame.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for prompt in 0..self.trackers.len() {
            for change in self.trackers[prompt].finish() {
                events.push(self.event(prompt, change, self.tiles_for));
            }
        }
        events
    }

    /// A frame of another size than expected (a file's own size, say) needs another grid, the first dense look its blocks.
    fn fit(&mut self, frame: &Frame, encoder: &dyn TileEncoder) {
        let size = (frame.width(), frame.height());
        let rows = encoder.patch_rows().filter(|_| self.camera.grid.is_dense(true));
        if (self.tiles_for, self.patch_rows) != (size, rows) {
            self.tiles = grid(size.0, size.1, &self.camera.grid.layout(rows.is_some()), &self.camera.masks);
            (self.tiles_for, self.patch_rows) = (size, rows);
            self.gate = MotionGate::new(self.tiles.len(), REFRESH);
            self.mark_spots();
        }
    }

    /// Lays out what scores speak for: the blocks of patches in each tile, or the tiles themselves. Forgets all scores.
    fn mark_spots(&mut self) {
        let blocks = |tile: &Tile| match self.patch_rows {
            Some(rows) => block_areas(&tile.crop, rows, self.tiles_for),
            None => vec![tile.area],
        };
        self.spots = self.tiles.iter().flat_map(blocks).collect();
        self.confirmations = Confirmations::default();
        self.scores.iter_mut().for_each(|scores| *scores = vec![None; self.spots.len()]);
    }

    fn spots_of(&self, tile: usize) -> Range<usize> {
        let each = self.spots.len() / self.tiles.len();
        tile * each..(tile + 1) * each
    }

    fn tracked(&self, tile: usize) -> bool {
        let area = self.tiles[tile].area;
        let mut tracks = self.trackers.iter().flat_map(Tracker::tracks);
        tracks.any(|track| track.detection.area.intersection(&area) > 0.0)
    }

    fn score(&mut self, chosen: &[usize], embeddings: &[Vec<Embedding>]) {
        for (tile, embeddings) in chosen.iter().zip(embeddings) {
            for (spot, embedding) in self.spots_of(*tile).zip(embeddings) {
                for (prompt, score) in self.bank.score(embedding).into_iter().enumerate() {
                    self.scores[prompt][spot] = Some(score);
                }
            }
        }
    }

    /// What the tiles say is there, prompt by prompt.
    fn find(&self) -> Vec<Vec<Detection>> {
        let aspect = self.tiles_for.0 as f32 / self.tiles_for.1 as f32;
        let spread = if self.patch_rows.is_some() { Spread::BLOCKS } else { Spread::TILES };
        let find = |(prompt, tracker): (usize, &Tracker)| {
            if !self.camera.prompts[prompt].enabled {
                return Vec::new();
            }
            let lowest = tracker.floor().min(self.reports_from);
            let rough = detections(prompt, &self.spots, &self.scores[prompt], lowest, aspect, spread);
            let mut found = outlined(rough, &self.foreground);
            let wanted = &self.camera.prompts[prompt].zones;
            found.retain(|d| wanted.is_empty() || self.zones(d).iter().any(|zone| wanted.contains(zone)));
            found
        };
        self.trackers.iter().enumerate().map(find).collect()
    }

    /// Looks once more at what could go on a track, and lets that look decide. Returns how many crops it took.
    fn confirm(
        &mut self,
        frame: &Frame,
        encoder: &dyn TileEncoder,
        most: usize,
        found: &mut [Vec<Detection>],
    ) -> Result<usize, ModelError> {
        let floors: Vec<f32> = self.trackers.iter().map(Tracker::floor).collect();
        let asked = self.confirmations.asked(found.iter().flatten().filter(|d| d.score >= floors[d.prompt]), most);
        let crops: Vec<_> = asked.iter().map(|area| confirm::crop(area, self.tiles_for)).collect();
        for (area, embedding) in asked.iter().zip(encoder.encode(frame, &crops)?) {
            self.confirmations.keep(*area, embedding);
        }
        for (found, floor) in found.iter_mut().zip(floors) {
            let (strong, weak): (Vec<_>, Vec<_>) = found.drain(..).partition(|d| d.score >= floor);
            found.extend(self.confirmations.confirm(strong, &self.bank));
            found.extend(weak);
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Ok(asked.len())
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
