//! `lookout eval`: what a model, prompts and settings are worth on pictures whose truth is known.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::eval_report::{self, Outcome, Shown};
use super::offline::{LookArgs, open_recording, recorded, small_frames};
use super::photo;
use super::timed::Timed;
use crate::clip::ImageEncoder;
use crate::config::settings::{CameraSettings, EventSettings};
use crate::eval::events::{self, Span};
use crate::eval::precision::{Found, Wanted};
use crate::eval::{Identity, Target, Truth, judge};
use crate::frame::{Frame, UnitBox};
use crate::heaps;
use crate::pipeline::{Sight, Watch};
use crate::prompts::PromptBank;
use crate::track::EventKind;

/// Arguments of `lookout eval`.
#[derive(clap::Args)]
pub struct EvalArgs {
    /// COCO annotations; for a video, one image a frame with `time_s`
    #[arg(long)]
    annotations: PathBuf,
    /// The folder of the annotated photos
    #[arg(long, conflicts_with = "video", required_unless_present = "video")]
    images: Option<PathBuf>,
    /// The annotated video
    #[arg(long)]
    video: Option<PathBuf>,
    /// What is asked, and what it is in the annotations (repeatable): "pedestrian=person",
    /// "a blue bicycle=bicycle:colour=blue", "a vehicle=car,bus,truck"
    #[arg(long = "prompt", required = true)]
    prompts: Vec<String>,
    #[command(flatten)]
    look: LookArgs,
    /// Write a page with curves and the worst mistakes as pictures here
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Weaker detections than this say nothing about a prompt.
const WEAKEST: f32 = 0.01;
/// A thing that can be seen for less is not asked for.
const SHORTEST_S: f64 = 2.0;
/// How far an event may reach beyond its thing.
const SLACK_S: f64 = 1.0;
/// A thing of which less can be seen is not asked for.
const VISIBLE: f64 = 0.5;

/// What one pass over the pictures gives.
#[derive(Default)]
struct Pass {
    /// By prompt.
    found: Vec<Vec<Found>>,
    /// By prompt; empty for photos.
    events: Vec<Vec<Span>>,
    /// By prompt; of photos nothing is in it.
    identity: Vec<Identity>,
    /// Indices of the pictures that were looked at.
    looked: Vec<usize>,
    tiles: usize,
    encoding: Duration,
    /// Of the video that was looked at; `None` for photos.
    length_s: Option<f64>,
}

struct Evaluation {
    truth: Truth,
    targets: Vec<Target>,
    camera: CameraSettings,
    bank: PromptBank,
    encoder: ImageEncoder,
}

pub(super) fn run(args: EvalArgs) -> anyhow::Result<()> {
    heaps::keep_few();
    let truth = Truth::read(&args.annotations)?;
    let targets: Vec<Target> = args.prompts.iter().map(|p| Target::parse(p, &truth)).collect::<Result<_, _>>()?;
    let phrases = targets.iter().map(|target| target.phrase.as_str());
    let camera = args.look.camera(phrases, EventSettings::default())?;
    let (encoder, bank) = args.look.load(&camera)?;
    let evaluation = Evaluation { truth, targets, camera, bank, encoder };
    let pass = match (&args.video, &args.images) {
        (Some(video), _) => evaluation.video(video)?,
        (None, Some(folder)) => evaluation.photos(folder)?,
        (None, None) => anyhow::bail!("neither --images nor --video is given"),
    };
    let outcomes = evaluation.outcomes(&pass, f64::from(args.look.threshold()));
    if args.look.json {
        println!("{}", eval_report::json(&outcomes, pass.looked.len(), pass.tiles, pass.encoding));
    } else {
        print!("{}", eval_report::table(&outcomes, pass.looked.len(), pass.tiles, pass.encoding));
    }
    if let Some(out) = &args.report {
        let frames = |needed: &[usize]| match (&args.video, &args.images) {
            (Some(video), _) => evaluation.frames_of(video, needed),
            (None, folder) => evaluation.photos_of(folder.as_deref().unwrap_or(Path::new("")), needed),
        };
        let page = eval_report::page(&outcomes, &evaluation.truth, frames)?;
        std::fs::write(out, page).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(())
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
        let identity = vec![Identity::default(); many];
        Pass { found: vec![Vec::new(); many], events: vec![Vec::new(); many], identity, ..Pass::default() }
    }

    /// Looks at one frame, and notes what was found on the picture of that index.
    fn look(&self, watch: &mut Watch, frame: &Frame, image: Option<usize>, pass: &mut Pass) -> anyhow::Result<Sight> {
        let encoder = Timed::new(&self.encoder);
        let sight = watch.look(frame, &encoder, usize::MAX)?;
        pass.encoding += encoder.spent();
        pass.tiles += sight.encoded;
        if let Some(image) = image {
            pass.looked.push(image);
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

    fn photos(&self, folder: &Path) -> anyhow::Result<Pass> {
        let mut pass = self.pass();
        let bar = bar(self.truth.images.len() as u64)?;
        for (index, image) in self.truth.images.iter().enumerate() {
            let frame = photo::read(&folder.join(&image.file))?;
            // A new watch for each: nothing is remembered from one photo to the next.
            self.look(&mut self.watch(), &frame, Some(index), &mut pass)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(pass)
    }

    fn video(&self, path: &Path) -> anyhow::Result<Pass> {
        let mut pass = self.pass();
        let mut watch = self.watch();
        let last = self.truth.images.iter().filter_map(|image| image.time_s).fold(0.0, f64::max);
        let bar = bar((last * self.camera.fps).ceil() as u64)?;
        let mut ids: Vec<(String, usize, usize)> = Vec::new();
        for item in self.recording(path)? {
            let (position, frame) = item?;
            let now = position.as_secs_f64();
            pass.length_s = Some(now);
            let image = self.image_at(now);
            let sight = self.look(&mut watch, &frame, image, &mut pass)?;
            image.iter().for_each(|image| self.identify(*image, &sight, &mut pass));
            for event in &sight.events {
                let age = |time: jiff::Timestamp| frame.captured.duration_since(time).as_secs_f64();
                let prompt = self.camera.prompts.iter().position(|p| p.name == event.prompt).unwrap_or_default();
                match ids.iter().find(|(id, ..)| *id == event.id) {
                    Some((_, prompt, at)) => pass.events[*prompt][*at].to = now - age(event.last_seen),
                    None if event.kind == EventKind::New => {
                        ids.push((event.id.clone(), prompt, pass.events[prompt].len()));
                        let (from, to) = (now - age(event.first_seen), now - age(event.last_seen));
                        pass.events[prompt].push(Span { from, to, told: now });
                    }
                    None => {}
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        anyhow::ensure!(
            !pass.looked.is_empty(),
            "no frame of {} has its truth in the annotations: is `time_s` of the images in seconds of this video?",
            path.display()
        );
        Ok(pass)
    }

    /// Holds the numbers of what is followed against the things on a picture.
    fn identify(&self, image: usize, sight: &Sight, pass: &mut Pass) {
        let (width, height) = self.truth.images[image].size;
        for ((target, present), identity) in self.targets.iter().zip(&sight.present).zip(&mut pass.identity) {
            let boxes = self.truth.boxes.iter().filter(|thing| thing.image == image && target.describes(thing));
            let things: Vec<_> = boxes.filter_map(|thing| Some((thing.track?, thing.area))).collect();
            let areas = present.things.iter().map(|thing| pixels(&thing.area, width, height));
            identity.see(&things, &present.tracks.iter().copied().zip(areas).collect::<Vec<_>>());
        }
    }

    fn recording(
        &self,
        path: &Path,
    ) -> anyhow::Result<impl Iterator<Item = anyhow::Result<(Duration, Frame)>> + use<>> {
        Ok(small_frames(open_recording(&recorded(path)?, self.camera.fps)?))
    }

    /// The annotated frame nearest to a position, within half a frame of 10 a second.
    fn image_at(&self, seconds: f64) -> Option<usize> {
        let away = |time: f64| (time - seconds).abs();
        let timed = self.truth.images.iter().enumerate().filter_map(|(index, image)| Some((index, image.time_s?)));
        let nearest = timed.min_by(|a, b| away(a.1).total_cmp(&away(b.1)))?;
        (away(nearest.1) <= 0.05).then_some(nearest.0)
    }

    fn outcomes(&self, pass: &Pass, threshold: f64) -> Vec<Outcome> {
        let outcome = |(prompt, target): (usize, &Target)| {
            let of_target = self.truth.boxes.iter().filter(|thing| target.describes(thing));
            let looked: std::collections::HashSet<usize> = pass.looked.iter().copied().collect();
            let wanted: Vec<Wanted> = of_target
                .clone()
                .filter(|thing| looked.contains(&thing.image))
                .map(|thing| Wanted {
                    image: thing.image,
                    area: thing.area,
                    crowd: thing.crowd || thing.visible < VISIBLE,
                })
                .collect();
            let found = pass.found[prompt].clone();
            let judged = judge(&found, &wanted);
            let events = pass.length_s.map(|length_s| {
                let things = self.truth.tracks(target, VISIBLE);
                (events::judge(&things, &pass.events[prompt], SHORTEST_S, SLACK_S), length_s)
            });
            let at = judged.at(&found, threshold);
            let (phrase, identity) = (target.phrase.clone(), pass.identity[prompt].clone());
            Outcome { phrase, at, best: judged.best(&found), judged, found, wanted, events, identity }
        };
        self.targets.iter().enumerate().map(outcome).collect()
    }

    fn photos_of(&self, folder: &Path, needed: &[usize]) -> anyhow::Result<Vec<Shown>> {
        let shown = |index: &usize| Ok((*index, photo::read(&folder.join(&self.truth.images[*index].file))?));
        needed.iter().map(shown).collect()
    }

    fn frames_of(&self, path: &Path, needed: &[usize]) -> anyhow::Result<Vec<Shown>> {
        let mut shown = Vec::new();
        for item in self.recording(path)? {
            let (position, frame) = item?;
            if let Some(index) = self.image_at(position.as_secs_f64()).filter(|index| needed.contains(index)) {
                shown.push((index, frame));
            }
        }
        Ok(shown)
    }
}

fn pixels(area: &UnitBox, width: f64, height: f64) -> [f64; 4] {
    let [x0, y0, x1, y1] = [area.x0, area.y0, area.x1, area.y1].map(f64::from);
    [x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height]
}
