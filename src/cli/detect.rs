//! `lookout detect`: described things in a photo or a video file, once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};

use super::offline::{LookArgs, open_recording, recorded, small_frames};
use super::{photo, report};
use crate::annotate::{self, Mark};
use crate::capture::Recorder;
use crate::clip::TileEncoder;
use crate::config::settings::{CameraSettings, EventSettings};
use crate::frame::Frame;
use crate::heaps;
use crate::pipeline::{Presence, Sight, Watch};

/// Arguments of `lookout detect`.
#[derive(clap::Args)]
pub struct DetectArgs {
    /// A photo (JPEG, PNG, GIF, WebP) or a video file
    input: PathBuf,
    /// What to look for (repeatable)
    #[arg(long = "prompt", required = true)]
    prompts: Vec<String>,
    #[command(flatten)]
    look: LookArgs,
    /// Write the annotated picture (.jpg, .png, .webp) or video (.webm, .mkv, .mp4) here
    #[arg(long)]
    annotate: Option<PathBuf>,
}

/// How often a photo is looked at at most.
const PATIENCE: usize = 8;

struct Detector {
    encoder: Box<dyn TileEncoder>,
    watch: Watch,
    phrases: Vec<String>,
}

impl Detector {
    fn new(args: &DetectArgs, camera: CameraSettings) -> anyhow::Result<Self> {
        let (encoder, bank) = args.look.load(&camera)?;
        let phrases = camera.prompts.iter().map(|prompt| prompt.phrases[0].clone()).collect();
        Ok(Self { encoder: Box::new(encoder), watch: Watch::new(camera, bank), phrases })
    }

    fn look(&mut self, frame: &Frame) -> anyhow::Result<Sight> {
        Ok(self.watch.look(frame, self.encoder.as_ref(), usize::MAX)?)
    }

    fn marks(&self, sight: &Sight) -> Vec<Mark> {
        let marks = |(prompt, presence): (usize, &Presence)| presence.marks(&self.phrases[prompt], prompt);
        sight.present.iter().enumerate().flat_map(marks).collect()
    }
}

/// Every detection is told at once, and forgotten on the next frame. On a photo, what tiles see weakly is confirmed too, as
/// a camera would; in a video, that would let weak detections go on.
fn at_once(photo: bool) -> EventSettings {
    let gone_after = Duration::from_millis(1);
    let hysteresis = if photo { EventSettings::default().hysteresis } else { 1.0 };
    let (min_seen, update_every) = (Duration::ZERO, gone_after);
    EventSettings { min_hits: 1, min_seen, hysteresis, gone_after, update_every, ..EventSettings::default() }
}

pub(super) fn run(args: DetectArgs) -> anyhow::Result<()> {
    heaps::keep_few();
    recorded(&args.input)?;
    // The arguments' faults come before the input's: they are quicker to mend.
    let photo = photo::is_photo(&args.input) && !is_animation(&args.input);
    let camera = args.look.camera(args.prompts.iter().map(String::as_str), at_once(photo))?;
    if photo { on_photo(&args, camera) } else { on_video(&args, camera) }
}

/// A GIF of more than one picture is a video.
fn is_animation(path: &Path) -> bool {
    use image::AnimationDecoder;
    let gif = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gif"));
    let file = gif.then(|| std::fs::File::open(path).ok()).flatten();
    let decoder = file.and_then(|file| image::codecs::gif::GifDecoder::new(std::io::BufReader::new(file)).ok());
    decoder.is_some_and(|decoder| decoder.into_frames().take(2).count() == 2)
}

fn on_photo(args: &DetectArgs, camera: CameraSettings) -> anyhow::Result<()> {
    let frame = photo::read(&args.input)?;
    let mut detector = Detector::new(args, camera)?;
    let mut sight = detector.look(&frame)?;
    // A photo waits for closer looks, of which each frame of a camera takes a few.
    for _ in 0..PATIENCE {
        if sight.postponed > 0 {
            sight = detector.look(&frame)?;
        }
    }
    let found = report::findings(&sight, &detector.phrases, None, (frame.width(), frame.height()));
    print(args, &found);
    if let Some(out) = &args.annotate {
        let rgb = annotate::draw(&frame, &detector.marks(&sight));
        let picture = RgbImage::from_raw(frame.width(), frame.height(), rgb).context("the picture has its size")?;
        picture.save(out).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(())
}

fn on_video(args: &DetectArgs, camera: CameraSettings) -> anyhow::Result<()> {
    let recording = open_recording(&recorded(&args.input)?, args.look.fps())?;
    let mut detector = Detector::new(args, camera)?;
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    let mut recorder = None;
    let mut all = Vec::new();
    for frame in small_frames(recording) {
        let (position, frame) = frame?;
        let sight = detector.look(&frame)?;
        if let Some(out) = &args.annotate {
            if recorder.is_none() {
                recorder = Some(Recorder::start(out, frame.width(), frame.height())?);
            }
            if let Some(recorder) = &recorder {
                recorder.add(&annotate::draw(&frame, &detector.marks(&sight)), frame.width(), position)?;
            }
        }
        let found = report::findings(&sight, &detector.phrases, Some(position), (frame.width(), frame.height()));
        bar.set_message(format!("{:.1} s, {} found", position.as_secs_f64(), all.len() + found.len()));
        bar.tick();
        all.extend(found);
    }
    bar.finish_and_clear();
    print(args, &all);
    recorder.map_or(Ok(()), |recorder| Ok(recorder.finish()?))
}

fn print(args: &DetectArgs, found: &[report::Finding]) {
    if args.look.json {
        let all: Vec<_> = found.iter().map(report::Finding::json).collect();
        println!("{}", serde_json::json!({ "input": args.input.display().to_string(), "detections": all }));
        return;
    }
    if found.is_empty() {
        println!("nothing found");
        return;
    }
    println!("{}", report::HEADING);
    found.iter().for_each(|finding| println!("{}", finding.line()));
}
