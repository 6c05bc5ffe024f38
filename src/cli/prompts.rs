//! `lookout prompts`: what a running lookout has learnt of its cameras' backgrounds, and why its thresholds are what they
//! are.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::app;
use crate::config;
use crate::config::settings::{CameraSettings, PromptSettings};
use crate::prompts::calibration::probability;
use crate::prompts::{Calibration, Explained};
use crate::store::{Store, StoredCalibration, StoredTry};

/// Arguments of `lookout prompts`.
#[derive(clap::Args)]
pub struct PromptsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Tell what each camera's empty scene scores for each prompt, and the threshold that follows
    Explain(ExplainArgs),
}

#[derive(clap::Args)]
struct ExplainArgs {
    /// The configuration whose store is read
    #[arg(long, short)]
    config: PathBuf,
    /// Of this camera only
    #[arg(long)]
    camera: Option<String>,
    /// Write what came near to each prompt on the empty scene into this folder, as pictures
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One prompt of one camera.
struct Row<'a> {
    camera: &'a CameraSettings,
    prompt: &'a PromptSettings,
    explained: Explained,
    tries: Vec<&'a StoredTry>,
}

pub(super) fn run(args: PromptsArgs) -> anyhow::Result<()> {
    let Command::Explain(args) = args.command;
    let mut settings = config::load(Some(&args.config))?;
    let path = settings.store.path.clone().context("the store of this configuration is in memory; set `store.path`")?;
    anyhow::ensure!(path.is_file(), "there is no store {}; has lookout run with it?", path.display());
    let store = Store::open(&settings.store)?;
    settings.cameras = settings.written.cameras(&app::stored_changes(&store)?).cameras;
    if let Some(wanted) = &args.camera {
        let known: Vec<_> = settings.cameras.iter().map(|camera| camera.name.to_string()).collect();
        anyhow::ensure!(known.contains(wanted), "there is no camera {wanted}; cameras here: {}", known.join(", "));
        settings.cameras.retain(|camera| camera.name.as_str() == wanted);
    }
    let (learnt, tries) = (store.calibrations()?, store.tries()?);
    let rows: Vec<Row<'_>> = settings.cameras.iter().flat_map(|camera| rows(camera, &learnt, &tries)).collect();
    if let Some(folder) = &args.pictures {
        pictures(folder, &rows)?;
    }
    if args.json {
        println!("{}", Value::Array(rows.iter().map(told).collect()));
    } else {
        print!("{}", table(&rows));
    }
    Ok(())
}

fn rows<'a>(camera: &'a CameraSettings, learnt: &[StoredCalibration], tries: &'a [StoredTry]) -> Vec<Row<'a>> {
    let row = |prompt: &'a PromptSettings| {
        let (of_camera, of_prompt) = (camera.name.as_str(), prompt.name.as_str());
        // Learnt as other words, it says nothing of these; which model it was is for the lookout that runs to know.
        let subject = format!(": {}", prompt.phrases.join(" | "));
        let same =
            |l: &&StoredCalibration| l.camera == of_camera && l.prompt == of_prompt && l.subject.ends_with(&subject);
        let mut calibration = Calibration::new(1, 0);
        let stored = learnt.iter().find(same);
        if let Some(stored) = stored {
            calibration.restore(0, &stored.background, &stored.usual);
        }
        let of_this = |tried: &&StoredTry| tried.camera == of_camera && tried.prompt == of_prompt;
        let tries = tries.iter().filter(|tried| stored.is_some() && of_this(tried)).collect();
        Row { camera, prompt, explained: calibration.explain(0, prompt), tries }
    };
    camera.prompts.iter().map(row).collect()
}

fn state(explained: &Explained) -> &'static str {
    match (explained.fixed, explained.learning) {
        (true, _) => "fixed",
        (false, true) => "learning",
        (false, false) => "learnt",
    }
}

fn told(row: &Row<'_>) -> Value {
    let Row { camera, prompt, explained, tries } = row;
    let level = explained.level.map(|level| {
        json!({ "median": probability(level.median), "spread": level.spread, "windows": level.windows.round() })
    });
    let tries = tries
        .iter()
        .map(|tried| json!({ "score": tried.score, "taken_for": tried.runner_up, "time": tried.time.to_string() }));
    json!({
        "camera": camera.name.as_str(),
        "prompt": prompt.name.as_str(),
        "state": state(explained),
        "threshold": probability(explained.threshold),
        "false_alarms_per_day": prompt.false_alarms_per_day,
        "expected_per_day": explained.alarms_per_day,
        "background": level,
        "nearest": tries.collect::<Vec<_>>(),
    })
}

fn table(rows: &[Row<'_>]) -> String {
    let mut text = format!(
        "{:<14} {:<22} {:<9} {:>9} {:>11} {:>7} {:>8} {:>12} {:>9}\n",
        "camera", "prompt", "state", "threshold", "background", "spread", "windows", "expected/day", "accepted"
    );
    let number = |value: Option<f32>, digits: usize| value.map_or("–".to_owned(), |v| format!("{v:.digits$}"));
    for Row { camera, prompt, explained, .. } in rows {
        let level = explained.level;
        text += &format!(
            "{:<14} {:<22} {:<9} {:>9.2} {:>11} {:>7} {:>8} {:>12} {:>9}\n",
            camera.name.as_str(),
            prompt.name.as_str(),
            state(explained),
            probability(explained.threshold),
            number(level.map(|level| probability(level.median)), 3),
            number(level.map(|level| level.spread), 2),
            level.map_or(0.0, |level| level.windows).round(),
            number(explained.alarms_per_day, 2),
            number(prompt.false_alarms_per_day, 1),
        );
    }
    text += "\nbackground: the probability that half of the empty scene's best tries stay under, one try in 10 s; spread: how \
             much\nthey vary, in log-odds; expected/day: how often such tries reach the threshold.\n";
    let near: Vec<String> = rows.iter().flat_map(near).collect();
    if !near.is_empty() {
        text += "\nWhat came nearest on the empty scene, and could be said no to (`negatives`):\n";
        text += &near.concat();
    }
    text
}

fn near(row: &Row<'_>) -> Vec<String> {
    let line = |tried: &&StoredTry| {
        let time = tried.time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
        let (camera, prompt) = (&row.camera.name, &row.prompt.name);
        format!("  {camera}/{prompt}: {:.2} at {time}, next to it {:?}\n", tried.score, tried.runner_up)
    };
    row.tries.iter().map(line).collect()
}

fn pictures(folder: &Path, rows: &[Row<'_>]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("--pictures: cannot make {}", folder.display()))?;
    for row in rows {
        for (rank, tried) in row.tries.iter().enumerate() {
            let file = folder.join(format!("{}-{}-{}.jpg", row.camera.name, row.prompt.name, rank + 1));
            std::fs::write(&file, &tried.jpeg).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}
