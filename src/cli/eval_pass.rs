//! One pass over the pictures that `lookout eval` judges: detections, events and numbers, and the time that they took.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::eval::Evaluation;
use super::offline::{open_recording, recorded, small_frames};
use super::photo;
use super::timed::Timed;
use crate::eval::events::Told;
use crate::eval::precision::Found;
use crate::eval::sampling::{Sample, Sampler};
use crate::eval::timeline::lifetimes;
use crate::eval::{Identity, PixelBox, Target};
use crate::frame::{Frame, UnitBox};
use crate::pipeline::{Sight, Watch};
use crate::track::EventKind;

/// Weaker detections than this say nothing about a prompt.
const WEAKEST: f32 = 0.01;
/// Every frame of a video is decoded, so that the one nearest to a judged time can be chosen.
const DECODED_FPS: f64 = 60.0;

/// What one pass gives.
#[derive(Default)]
pub(super) struct Pass {
    /// By prompt.
    pub(super) found: Vec<Vec<Found>>,
    /// By prompt; empty for photos.
    pub(super) told: Vec<Vec<Told>>,
    /// By prompt; of photos nothing is in it.
    pub(super) identity: Vec<Identity>,
    /// Indices of the judged pictures that were compared.
    pub(super) compared: Vec<usize>,
    /// Positions of all analysed frames, seconds; empty for photos.
    pub(super) analysed: Vec<f64>,
    /// Pictures or frames that were analysed.
    pub(super) frames: usize,
    /// Tiles that went through the encoder.
    pub(super) tiles: usize,
    /// The time within the encoder.
    pub(super) encoding: Duration,
    /// The time that everything took, decoding too.
    pub(super) took: Duration,
    /// Which of `told` has which number of a track, by prompt.
    numbers: HashMap<(usize, u64), usize>,
    /// Which of `told` has which event's id.
    ids: HashMap<String, (usize, usize)>,
}

impl Pass {
    /// Notes where events are.
    fn follow(&mut self, now: f64, frame: &Frame, sight: &Sight) {
        for event in &sight.events {
            let age = |time: jiff::Timestamp| frame.captured.duration_since(time).as_secs_f64();
            let Some(prompt) = sight.present.iter().position(|present| present.prompt == event.prompt) else {
                continue;
            };
            let (prompt, at) = match self.ids.get(&event.id) {
                Some(known) => *known,
                None if event.kind == EventKind::New => {
                    let at = self.told[prompt].len();
                    self.told[prompt].push(Told { told_s: now, boxes: Vec::new() });
                    self.ids.insert(event.id.clone(), (prompt, at));
                    (prompt, at)
                }
                None => continue,
            };
            let present = &sight.present[prompt];
            match present.things.iter().position(|thing| thing.area == event.area) {
                // Its boxes on this and on later frames are those of the track.
                Some(thing) => drop(self.numbers.insert((prompt, present.tracks[thing]), at)),
                None => {
                    let boxes = &mut self.told[prompt][at].boxes;
                    let seen = now - age(event.last_seen);
                    // An end repeats the last box.
                    if boxes.last().is_none_or(|(time, _)| *time + 1e-3 < seen) {
                        boxes.push((seen, shares(&event.area)));
                    }
                }
            }
        }
        for (prompt, present) in sight.present.iter().enumerate() {
            for (thing, number) in present.things.iter().zip(&present.tracks) {
                if let Some(at) = self.numbers.get(&(prompt, *number)) {
                    self.told[prompt][*at].boxes.push((now, shares(&thing.area)));
                }
            }
        }
    }
}

fn bar(length: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pictures, {eta} left")?;
    Ok(ProgressBar::new(length).with_style(style))
}

impl Evaluation {
    fn watch(&self) -> Watch {
        Watch::new(self.camera.clone(), self.bank.clone()).reporting_from(WEAKEST)
    }

    fn pass(&self) -> Pass {
        let many = self.targets.len();
        let identity = vec![Identity::new(&lifetimes(&self.truth)); many];
        Pass { found: vec![Vec::new(); many], told: vec![Vec::new(); many], identity, ..Pass::default() }
    }

    /// Looks at one frame, and notes what was found on the picture of that index.
    fn look(&self, watch: &mut Watch, frame: &Frame, image: Option<usize>, pass: &mut Pass) -> anyhow::Result<Sight> {
        let encoder = Timed::new(&self.encoder);
        let sight = watch.look(frame, &encoder, usize::MAX)?;
        pass.encoding += encoder.spent();
        pass.tiles += sight.encoded;
        pass.frames += 1;
        if let Some(image) = image {
            pass.compared.push(image);
            let (width, height) = self.truth.images[image].size;
            for (prompt, detections) in sight.detections.iter().enumerate() {
                pass.found[prompt].extend(detections.iter().map(|d| Found {
                    image,
                    area: pixels(&d.area, width, height),
                    score: f64::from(d.score),
                }));
            }
        }
        Ok(sight)
    }

    /// The pass over a folder of photos.
    ///
    /// # Errors
    /// The photo that cannot be read.
    pub(super) fn photos(&self, folder: &Path) -> anyhow::Result<Pass> {
        let mut pass = self.pass();
        let bar = bar(self.truth.images.len() as u64)?;
        let started = Instant::now();
        for (index, image) in self.truth.images.iter().enumerate() {
            let frame = self.changed(photo::read(&folder.join(&image.file))?);
            // A new watch for each: nothing is remembered from one photo to the next.
            self.look(&mut self.watch(), &frame, Some(index), &mut pass)?;
            bar.inc(1);
        }
        pass.took = started.elapsed();
        bar.finish_and_clear();
        Ok(pass)
    }

    /// The pass over a video.
    ///
    /// # Errors
    /// That the video cannot be read, or that no judged frame is in it.
    pub(super) fn video(&self, path: &Path) -> anyhow::Result<Pass> {
        let mut pass = self.pass();
        let mut watch = self.watch();
        let last = self.truth.images.iter().filter_map(|image| image.time_s).fold(0.0, f64::max);
        let bar = bar(((last - self.part_s.0) * self.camera.fps).ceil().max(0.0) as u64)?;
        let started = Instant::now();
        self.sampled(path, |sample| {
            let Sample { time_s: now, frame, judged } = sample;
            let frame = self.changed(frame);
            pass.analysed.push(now);
            let sight = self.look(&mut watch, &frame, judged, &mut pass)?;
            judged.iter().for_each(|image| self.identify(*image, &sight, &mut pass));
            pass.follow(now, &frame, &sight);
            bar.inc(1);
            Ok(())
        })?;
        pass.took = started.elapsed();
        bar.finish_and_clear();
        let absent = self.targets.iter().all(Target::is_absent);
        anyhow::ensure!(!pass.analysed.is_empty(), "{} has no frame from {} s on", path.display(), self.part_s.0);
        anyhow::ensure!(
            absent || !pass.compared.is_empty(),
            "no frame of {} has its truth in the annotations: is `time_s` of the images in seconds of this video?",
            path.display()
        );
        Ok(pass)
    }

    /// Gives the analysed frames of a video, unchanged, one after the other.
    fn sampled(&self, path: &Path, mut take: impl FnMut(Sample<Frame>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let (from, to) = self.part_s;
        let judged = self.truth.images.iter().enumerate().filter_map(|(index, image)| Some((image.time_s?, index)));
        let mut sampler = Sampler::new(self.camera.fps, from, judged);
        for item in small_frames(open_recording(&recorded(path)?, DECODED_FPS)?) {
            let (position, frame) = item?;
            let position = position.as_secs_f64();
            if position > to {
                break;
            }
            if position >= from {
                sampler.offer(position, frame).into_iter().try_for_each(&mut take)?;
            }
        }
        sampler.finish().into_iter().try_for_each(take)
    }

    /// The frame as `--transform` says.
    fn changed(&self, frame: Frame) -> Frame {
        match self.transform {
            Some(transform) => transform.frame(&frame),
            None => frame,
        }
    }

    /// Holds the numbers of what is followed against the things on a picture.
    fn identify(&self, image: usize, sight: &Sight, pass: &mut Pass) {
        let (width, height) = self.truth.images[image].size;
        for ((target, present), identity) in self.targets.iter().zip(&sight.present).zip(&mut pass.identity) {
            let boxes = self.truth.boxes.iter().filter(|thing| thing.image == image && target.describes(thing));
            let (ignored, judged): (Vec<_>, Vec<_>) = boxes.partition(|thing| thing.crowd);
            let things: Vec<_> = judged.iter().filter_map(|thing| Some((thing.track?, thing.area))).collect();
            let ignored: Vec<_> = ignored.iter().map(|thing| thing.area).collect();
            let areas = present.things.iter().map(|thing| pixels(&thing.area, width, height));
            identity.see(&things, &ignored, &present.tracks.iter().copied().zip(areas).collect::<Vec<_>>());
        }
    }

    /// The pictures of these indices, for the report.
    ///
    /// # Errors
    /// The photo that cannot be read.
    pub(super) fn photos_of(&self, folder: &Path, needed: &[usize]) -> anyhow::Result<Vec<(usize, Frame)>> {
        let read = |index: &usize| {
            let frame = photo::read(&folder.join(&self.truth.images[*index].file))?;
            Ok((*index, self.changed(frame)))
        };
        needed.iter().map(read).collect()
    }

    /// The same of a video.
    ///
    /// # Errors
    /// That the video cannot be read.
    pub(super) fn frames_of(&self, path: &Path, needed: &[usize]) -> anyhow::Result<Vec<(usize, Frame)>> {
        let mut shown = Vec::new();
        self.sampled(path, |sample| {
            if let Some(index) = sample.judged.filter(|index| needed.contains(index)) {
                shown.push((index, self.changed(sample.frame)));
            }
            Ok(())
        })?;
        Ok(shown)
    }
}

fn pixels(area: &UnitBox, width: f64, height: f64) -> PixelBox {
    let [x, y, w, h] = shares(area);
    [x * width, y * height, w * width, h * height]
}

/// A box as `[x, y, width, height]` in shares of the picture.
fn shares(area: &UnitBox) -> PixelBox {
    let [x0, y0, x1, y1] = [area.x0, area.y0, area.x1, area.y1].map(f64::from);
    [x0, y0, x1 - x0, y1 - y0]
}
