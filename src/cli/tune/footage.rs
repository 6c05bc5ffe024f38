//! Footage: a recording looked at once, kept as what the encoder made of everything on it that could be the thing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cli::offline::recorded;
use crate::cli::trial::Trial;
use crate::cli::trial::clip::Progress;
use crate::clip::{self, Embedding, ModelError, TileEncoder};
use crate::config::settings::{CameraSettings, Name};
use crate::frame::{Frame, PixelRect, UnitBox};
use crate::pipeline::Watch;
use crate::prompts::PromptBank;
use crate::track::Event;

/// Whatever scores this much is looked at in a crop of its own: other words may make more of it.
const FINDING: f32 = 0.1;
/// Crops that are kept of one frame, the strongest.
const A_FRAME: usize = 24;
/// Crops that are kept in all. When there are more, the weaker go.
const IN_ALL: usize = 60_000;
/// Crops of one frame that overlap by more than this are one.
const SAME_IOU: f32 = 0.8;

/// What could be the thing.
pub(super) struct Crop {
    pub(super) area: UnitBox,
    /// Shared by the frames over which nothing changed there.
    pub(super) embedding: Rc<Embedding>,
    /// What it scored when it was found.
    strength: f32,
}

/// One frame without its pixels.
pub(super) struct Seen {
    pub(super) captured: Timestamp,
    /// Where in the recording, seconds.
    pub(super) time_s: f64,
    pub(super) crops: Vec<Crop>,
}

/// A recording.
pub(super) struct Footage {
    pub(super) frames: Vec<Seen>,
    pub(super) length_s: f64,
    /// What the camera as it is would have told.
    pub(super) told: Told,
    pub(super) passes: usize,
    /// How many seconds of it were looked at in one second.
    pub(super) speed: f64,
}

/// What looks for the thing in one way of saying it.
pub(super) type Finder = (CameraSettings, PromptBank);

/// Events from first to last seen, seconds.
pub(super) type Told = Vec<(f64, f64)>;

/// A camera as it would run, and what it tells of one prompt.
struct AsItRuns {
    watch: Watch,
    prompt: Name,
    start: Option<Timestamp>,
    told: BTreeMap<String, (f64, f64)>,
}

impl AsItRuns {
    fn new((camera, bank): Finder, target: usize) -> Self {
        let prompt = camera.prompts[target].name.clone();
        Self { watch: Watch::new(camera, bank), prompt, start: None, told: BTreeMap::new() }
    }

    fn look(&mut self, at: Duration, frame: &Frame, encoder: &dyn TileEncoder) -> Result<(), ModelError> {
        self.start.get_or_insert(frame.captured - at);
        let events = self.watch.look(frame, encoder, usize::MAX)?.events;
        self.take(events);
        Ok(())
    }

    fn take(&mut self, events: Vec<Event>) {
        let at = |time: Timestamp| self.start.map_or(0.0, |start| time.duration_since(start).as_secs_f64());
        for event in events.into_iter().filter(|event| event.prompt == self.prompt) {
            self.told.insert(event.id, (at(event.first_seen), at(event.last_seen)));
        }
    }

    fn finish(mut self) -> Told {
        let last = self.watch.finish();
        self.take(last);
        self.told.into_values().collect()
    }
}

/// What a camera would tell of prompt `target`, looking at a recording just as it runs.
///
/// # Errors
/// That it cannot be read, or what the encoder says.
pub(super) fn told(trial: &Trial, file: &Path, target: usize, camera: Finder) -> anyhow::Result<Told> {
    let began = Instant::now();
    let mut recording = trial.open(&recorded(file)?)?;
    let mut running = AsItRuns::new(camera, target);
    let bar = Progress::new("once more");
    let mut frames = 0;
    while let Some(item) = recording.next() {
        let (position, frame) = item?;
        running.look(position, &trial.fitted(frame), &trial.encoder)?;
        frames += 1;
        bar.at(position, recording.length(), began, frames, "");
    }
    bar.finish();
    Ok(running.finish())
}

impl Footage {
    /// Looks at a recording with all finders at once; what each finds of prompt `target` is kept. The first is the camera as
    /// it is.
    ///
    /// # Errors
    /// That it cannot be read, or what the encoder says.
    pub(super) fn of(trial: &Trial, file: &Path, target: usize, finders: Vec<Finder>) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut recording = trial.open(&recorded(file)?)?;
        let watch = |(mut camera, bank): Finder| {
            camera.prompts[target].threshold = FINDING;
            // What else the camera looks out for is a contender only.
            camera.prompts.iter_mut().enumerate().for_each(|(index, prompt)| prompt.enabled = index == target);
            Watch::new(camera, bank)
        };
        let mut running = finders.first().cloned().map(|finder| AsItRuns::new(finder, target));
        let mut watches: Vec<Watch> = finders.into_iter().map(watch).collect();
        let mut footage = Self { frames: Vec::new(), length_s: 0.0, told: Told::new(), passes: 0, speed: 0.0 };
        let (bar, mut kept) = (Progress::new(&file.display().to_string()), 0);
        while let Some(item) = recording.next() {
            let (position, frame) = item?;
            let frame = trial.fitted(frame);
            let encoder = Shared::new(&trial.encoder);
            let mut seen = Seen { captured: frame.captured, time_s: position.as_secs_f64(), crops: Vec::new() };
            if let Some(running) = &mut running {
                running.look(position, &frame, &encoder)?;
            }
            for watch in &mut watches {
                let sight = watch.look(&frame, &encoder, usize::MAX)?;
                for found in &sight.detections[target] {
                    seen.keep(found.area, found.score, found.embedding.as_ref(), footage.frames.last());
                }
            }
            seen.crops.sort_by(|a, b| b.strength.total_cmp(&a.strength));
            seen.crops.truncate(A_FRAME);
            footage.passes += encoder.passes();
            footage.length_s = position.as_secs_f64() + 1.0 / trial.camera.fps;
            kept += seen.crops.len();
            footage.frames.push(seen);
            if kept > IN_ALL {
                kept = footage.thin();
            }
            bar.at(position, recording.length(), began, footage.frames.len(), "");
        }
        bar.finish();
        footage.told = running.map(AsItRuns::finish).unwrap_or_default();
        footage.speed = footage.length_s / began.elapsed().as_secs_f64().max(1e-6);
        Ok(footage)
    }

    /// Lets the weaker half of all crops go, but for the strongest of each frame. Returns how many are left.
    fn thin(&mut self) -> usize {
        let mut all: Vec<f32> = self.frames.iter().flat_map(|seen| &seen.crops).map(|crop| crop.strength).collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable_by(middle, f32::total_cmp);
        let median = *median;
        for seen in &mut self.frames {
            let strong = seen.crops.iter().filter(|crop| crop.strength > median).count();
            seen.crops.truncate(strong.max(1));
        }
        self.frames.iter().map(|seen| seen.crops.len()).sum()
    }
}

impl Seen {
    fn keep(&mut self, area: UnitBox, strength: f32, embedding: Option<&Embedding>, before: Option<&Self>) {
        let Some(embedding) = embedding else { return };
        if let Some(same) = self.crops.iter_mut().find(|crop| crop.area.iou(&area) > SAME_IOU) {
            same.strength = same.strength.max(strength);
            return;
        }
        let known = before.and_then(|before| before.crops.iter().find(|crop| *crop.embedding == *embedding));
        let embedding = known.map_or_else(|| Rc::new(embedding.clone()), |known| Rc::clone(&known.embedding));
        self.crops.push(Crop { area, embedding, strength });
    }
}

/// An encoder that several watches share on one frame: what one has asked for, the next gets for nothing.
struct Shared<'a> {
    encoder: &'a dyn TileEncoder,
    crops: Mutex<HashMap<PixelRect, Embedding>>,
    patches: Mutex<HashMap<PixelRect, Vec<Embedding>>>,
    whole: Mutex<HashMap<PixelRect, clip::Crop>>,
}

impl<'a> Shared<'a> {
    fn new(encoder: &'a dyn TileEncoder) -> Self {
        Self { encoder, crops: Mutex::default(), patches: Mutex::default(), whole: Mutex::default() }
    }

    fn passes(&self) -> usize {
        let crops = self.crops.lock().unwrap_or_else(PoisonError::into_inner).len();
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner).len();
        crops + whole + self.patches.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn shared<T: Clone>(
    known: &Mutex<HashMap<PixelRect, T>>,
    tiles: &[PixelRect],
    encode: impl FnOnce(&[PixelRect]) -> Result<Vec<T>, ModelError>,
) -> Result<Vec<T>, ModelError> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let mut new: Vec<PixelRect> = tiles.iter().filter(|tile| !known.contains_key(tile)).copied().collect();
    new.dedup();
    let made = if new.is_empty() { Vec::new() } else { encode(&new)? };
    known.extend(new.into_iter().zip(made));
    Ok(tiles.iter().filter_map(|tile| known.get(tile).cloned()).collect())
}

impl TileEncoder for Shared<'_> {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        shared(&self.crops, tiles, |new| self.encoder.encode(frame, new))
    }

    fn encode_patches(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        shared(&self.patches, tiles, |new| self.encoder.encode_patches(frame, new))
    }

    fn encode_crops(&self, frame: &Frame, crops: &[PixelRect]) -> Result<Vec<clip::Crop>, ModelError> {
        shared(&self.whole, crops, |new| self.encoder.encode_crops(frame, new))
    }

    fn refines_boxes(&self) -> bool {
        self.encoder.refines_boxes()
    }

    fn patch_rows(&self) -> Option<usize> {
        self.encoder.patch_rows()
    }

    fn width(&self) -> usize {
        self.encoder.width()
    }
}
