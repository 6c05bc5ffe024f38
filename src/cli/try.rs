//! `lookout try`: what a camera would have told of recorded clips.

use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;

use super::offline::recorded;
use super::trial::clip::{Clip, Looking};
use super::trial::{Trial, TrialArgs, page, written};
use crate::heaps;

/// Arguments of `lookout try`.
#[derive(clap::Args)]
pub struct TryArgs {
    /// Recorded clips: files that GStreamer can read, or demo://street. Each is looked at by itself, as if the camera had
    /// just been switched on
    #[arg(required = true, value_name = "VIDEO")]
    videos: Vec<PathBuf>,
    #[command(flatten)]
    trial: TrialArgs,
    /// Take the clips as one recording, each going on where the one before ended
    #[arg(long)]
    joined: bool,
    /// When the (first) recording begins, for prompts that have hours: 2026-01-31T22:00:00Z; without it, now
    #[arg(long, value_name = "TIME")]
    starts: Option<Timestamp>,
    /// Write a page with pictures here
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) fn run(args: TryArgs) -> anyhow::Result<()> {
    heaps::keep_few();
    // What can be known before the model is loaded is said before.
    args.videos.iter().try_for_each(|video| recorded(video).map(drop))?;
    let trial = Trial::new(&args.trial)?;
    let looking = || Looking::new(&trial, args.starts, args.report.is_some());
    let clips: Vec<Clip> = if args.joined {
        let mut all = looking();
        args.videos.iter().try_for_each(|video| all.part(video.clone()))?;
        vec![all.finish()]
    } else {
        let alone = |video: &PathBuf| {
            let mut one = looking();
            one.part(video.clone()).map(|()| one.finish())
        };
        args.videos.iter().map(alone).collect::<anyhow::Result<_>>()?
    };
    if args.trial.look.json {
        println!("{}", written::json(&trial, &clips));
    } else {
        clips.iter().for_each(|clip| print!("{}", written::table(&trial, clip)));
    }
    if let Some(out) = &args.report {
        std::fs::write(out, page::page(&trial, &clips)).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(())
}
