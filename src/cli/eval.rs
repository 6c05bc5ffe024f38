//! `lookout eval`: what a model, prompts and settings are worth on pictures whose truth is known.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::eval_page;
use super::eval_pass::Pass;
use super::eval_report::{self, Outcome, Totals};
use super::offline::LookArgs;
use crate::clip::ImageEncoder;
use crate::config::settings::{CameraSettings, EventSettings};
use crate::eval::precision::Wanted;
use crate::eval::sampling::Coverage;
use crate::eval::{Target, Timeline, Transform, Truth, bootstrap, events, judge};
use crate::heaps;
use crate::prompts::PromptBank;

/// Arguments of `lookout eval`.
#[derive(clap::Args)]
pub struct EvalArgs {
    /// COCO annotations; for a video, one image a judged frame with `time_s`
    #[arg(long)]
    annotations: PathBuf,
    /// The folder of the annotated photos
    #[arg(long, conflicts_with = "video", required_unless_present = "video")]
    images: Option<PathBuf>,
    /// The annotated video
    #[arg(long)]
    video: Option<PathBuf>,
    /// The phrase, and its categories in the annotations (repeatable): "pedestrian=person",
    /// "a blue bicycle=bicycle:colour=blue", "a vehicle=car,bus,truck"; "a dog=none" for a thing that does not occur
    #[arg(long = "prompt", required = true)]
    prompts: Vec<String>,
    #[command(flatten)]
    look: LookArgs,
    /// Begin at this position of the video, seconds
    #[arg(long, requires = "video", default_value_t = 0.0)]
    from: f64,
    /// Analyse this much of the video, seconds; without it, all of it
    #[arg(long, requires = "video")]
    seconds: Option<f64>,
    /// Analyse this many of the photos, the first of the annotations; without it, all of them
    #[arg(long, requires = "images")]
    photos: Option<usize>,
    /// Change the pictures, and their truth with them
    #[arg(long, value_enum)]
    transform: Option<Transform>,
    /// Write a page with curves and the worst mistakes as pictures here
    #[arg(long)]
    report: Option<PathBuf>,
}

/// A thing that is in view for less is not asked for, seconds.
const SHORTEST_S: f64 = 2.0;
/// A thing of which less can be seen is not judged, 0..1.
const VISIBLE: f64 = 0.5;

/// The truth, and everything that looks.
pub(super) struct Evaluation {
    pub(super) truth: Truth,
    pub(super) targets: Vec<Target>,
    pub(super) camera: CameraSettings,
    pub(super) bank: PromptBank,
    pub(super) encoder: ImageEncoder,
    pub(super) transform: Option<Transform>,
    /// From and to: the part of the video that is analysed, seconds.
    pub(super) part_s: (f64, f64),
}

pub(super) fn run(args: EvalArgs) -> anyhow::Result<()> {
    heaps::keep_few();
    let from_file = Truth::read(&args.annotations)?;
    let targets: Vec<Target> = args.prompts.iter().map(|p| Target::parse(p, &from_file)).collect::<Result<_, _>>()?;
    let part_s = (args.from, args.seconds.map_or(f64::INFINITY, |seconds| args.from + seconds));
    anyhow::ensure!(args.from >= 0.0, "--from is {}, should be 0 or more", args.from);
    anyhow::ensure!(part_s.1 > part_s.0, "--seconds is {}, should be above 0", args.seconds.unwrap_or_default());
    let mut truth = match (&args.video, args.photos) {
        (Some(_), _) => from_file.between(part_s.0, part_s.1),
        (None, Some(count)) => from_file.first(count),
        (None, None) => from_file,
    };
    if let Some(transform) = args.transform {
        truth = transform.truth(truth);
    }
    let phrases = targets.iter().map(|target| target.phrase.as_str());
    let camera = args.look.camera(phrases, EventSettings::default())?;
    let model = args.look.open(None)?;
    let (encoder, bank) = args.look.ready(&model, None, &camera)?;
    let evaluation = Evaluation { truth, targets, camera, bank, encoder, transform: args.transform, part_s };
    let pass = match (&args.video, &args.images) {
        (Some(video), _) => evaluation.video(video)?,
        (None, Some(folder)) => evaluation.photos(folder)?,
        (None, None) => anyhow::bail!("neither --images nor --video is given"),
    };
    let totals = evaluation.totals(&pass, model.manifest().name.clone());
    let outcomes = evaluation.outcomes(&pass, f64::from(args.look.threshold()));
    if let Some(warning) = totals.warning() {
        eprintln!("{warning}");
    }
    if args.look.json {
        println!("{}", eval_report::json(&outcomes, &totals));
    } else {
        print!("{}", eval_report::table(&outcomes, &totals));
    }
    if let Some(out) = &args.report {
        let frames = |needed: &[usize]| match (&args.video, &args.images) {
            (Some(video), _) => evaluation.frames_of(video, needed),
            (None, folder) => evaluation.photos_of(folder.as_deref().unwrap_or(Path::new("")), needed),
        };
        let page = eval_page::page(&outcomes, &evaluation.truth, frames)?;
        std::fs::write(out, page).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(())
}

impl Evaluation {
    fn totals(&self, pass: &Pass, model: String) -> Totals {
        let coverage = if pass.analysed.is_empty() {
            Coverage { judged: self.truth.images.len(), compared: pass.compared.len(), missed: 0 }
        } else {
            let judged: Vec<f64> = self.truth.images.iter().filter_map(|image| image.time_s).collect();
            Coverage::new(&judged, pass.compared.len(), &pass.analysed, self.camera.fps)
        };
        let Pass { frames, tiles, encoding, took, .. } = *pass;
        Totals { model, coverage, frames, tiles, encoding, took }
    }

    fn outcomes(&self, pass: &Pass, threshold: f64) -> Vec<Outcome> {
        let compared: std::collections::HashSet<usize> = pass.compared.iter().copied().collect();
        let outcome = |(prompt, target): (usize, &Target)| {
            let of_target = self.truth.boxes.iter().filter(|thing| target.describes(thing));
            let wanted: Vec<Wanted> = of_target
                .filter(|thing| compared.contains(&thing.image))
                .map(|thing| Wanted {
                    image: thing.image,
                    area: thing.area,
                    crowd: thing.crowd || thing.visible < VISIBLE,
                })
                .collect();
            let found = pass.found[prompt].clone();
            let judged = judge(&found, &wanted);
            Outcome {
                phrase: target.phrase.clone(),
                at: judged.at(&found, threshold),
                best: judged.best(&found),
                ap50_interval: bootstrap::ap50(&judged, &found, &wanted, &pass.compared),
                judged,
                found,
                wanted,
                events: self.events(target, pass, prompt),
                identity: pass.identity[prompt].clone(),
            }
        };
        self.targets.iter().enumerate().map(outcome).collect()
    }

    /// How the events of a target did. `None` for photos.
    fn events(&self, target: &Target, pass: &Pass, prompt: usize) -> Option<eval_report::Events> {
        let (first, last) = (*pass.analysed.first()?, *pass.analysed.last()?);
        let reach = 0.5 / self.camera.fps;
        let timeline = if target.is_absent() {
            Timeline::empty(first, last)
        } else {
            Timeline::new(&self.truth, target, VISIBLE, reach).between(first, last)
        };
        let score = events::judge(&timeline, &pass.told[prompt], SHORTEST_S, reach);
        let (recall_interval, false_interval) = bootstrap::events(&score);
        Some(eval_report::Events { score, recall_interval, false_interval })
    }
}
