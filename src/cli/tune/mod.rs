//! `lookout tune`: phrases, negatives and a threshold that suit a camera, proposed from a clip and a few marked moments.

mod footage;
mod judge;
mod moments;
mod variation;
mod written;

use std::path::PathBuf;

use anyhow::Context;

use super::offline::recorded;
use super::trial::{Trial, TrialArgs};
use crate::heaps;
use crate::prompts::PromptBank;
use footage::{Footage, Told};
use judge::{ENOUGH, Judged, Outcome, Scored, judge, judge_told};
use moments::{Moment, Moments};
use variation::{Asking, Variation};

/// Phrasings that are tried with more negatives.
const BEST_PHRASINGS: usize = 2;
/// Proposals that are told.
const TOLD: usize = 5;

/// Arguments of `lookout tune`.
#[derive(clap::Args)]
pub struct TuneArgs {
    /// A recorded clip: a file that GStreamer can read, or demo://street
    video: PathBuf,
    /// A moment at which the thing is there, or a span: 12.5, 1:02, 40-55 (repeatable)
    #[arg(long = "mark", required = true, value_name = "SECONDS")]
    marks: Vec<Moment>,
    /// A span in which it is not (repeatable); without any, it is not where nothing is marked
    #[arg(long = "not", value_name = "SECONDS")]
    nots: Vec<Moment>,
    /// Another way to say it, to be tried too (repeatable)
    #[arg(long, value_name = "PHRASE")]
    also: Vec<String>,
    /// The name of the prompt that is tuned, where there are several; without it the first
    #[arg(long, value_name = "PROMPT")]
    which: Option<String>,
    #[command(flatten)]
    trial: TrialArgs,
    /// Write a page with the scores over the clip here
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A variation and how it did.
struct Tried {
    variation: Variation,
    judged: Judged,
}

/// What tuning came to.
struct Tuned {
    name: String,
    zones: Vec<String>,
    moments: Moments,
    present: Variation,
    present_threshold: f32,
    /// The present variation at the present threshold.
    present_outcome: Outcome,
    /// Best first.
    tried: Vec<Tried>,
    /// How many there were.
    variations: usize,
    /// The best, if it seemed better, at its threshold and just as it would run.
    once_more: Option<Outcome>,
    /// The events of that, or of what is there.
    told: Told,
}

impl Tuned {
    /// The best, if it does better than what is there.
    fn better(&self) -> Option<&Tried> {
        let present = self.present_outcome.worth();
        let holds = self.once_more.is_none_or(|outcome| outcome.worth() > present);
        self.tried.first().filter(|best| holds && best.judged.outcome().worth() > present)
    }

    /// When events began that are counted as false.
    fn false_at(&self) -> Vec<f64> {
        let wrong = self.told.iter().filter(|(from, to)| self.moments.is_false(*from, *to));
        wrong.map(|(from, _)| *from).collect()
    }

    /// Whether moments were held out.
    fn held_out(&self) -> bool {
        self.moments.marks.len() >= ENOUGH
    }
}

pub(super) fn run(args: TuneArgs) -> anyhow::Result<()> {
    heaps::keep_few();
    recorded(&args.video)?;
    // Whether they fit each other is known at once, whether they fit the clip is not.
    let moments = |length_s| Moments::new(args.marks.clone(), args.nots.clone(), length_s).map_err(anyhow::Error::msg);
    moments(f64::INFINITY)?;
    anyhow::ensure!(
        args.also.iter().all(|phrase| !phrase.trim().is_empty()),
        "--also is empty, should describe something"
    );
    let trial = Trial::new(&args.trial)?;
    let target = match &args.which {
        Some(name) => {
            let names: Vec<&str> = trial.camera.prompts.iter().map(|prompt| prompt.name.as_str()).collect();
            let found = names.iter().position(|other| other == name);
            found.with_context(|| format!("--which {name:?} is no prompt here; there are {}", names.join(", ")))?
        }
        None => 0,
    };
    for phrase in &args.also {
        let unknown = trial.model.manifest().unknown_words(phrase);
        if !unknown.is_empty() {
            eprintln!("the model {} does not know {unknown:?} in {phrase:?}", trial.model.manifest().name);
        }
    }
    let text = trial.model.phrases();
    let asking = Asking { trial: &trial, text: &text, target, also: &args.also };
    let footage = Footage::of(&trial, &args.video, target, asking.finders()?)?;
    let moments = moments(footage.length_s)?;
    let mut tuned = tuned(&asking, &footage, moments)?;
    if let Some(best) = tuned.better() {
        // What is proposed is looked at just as it would run: so far only the crops that others found were scored.
        let camera = asking.running(&best.variation, best.judged.threshold)?;
        let told = footage::told(&trial, &args.video, target, camera)?;
        tuned.once_more = Some(judge_told(&told, &tuned.moments));
        tuned.told = told;
    }
    text.keep();
    if args.trial.look.json {
        println!("{}", written::json(&tuned, &footage));
    } else {
        print!("{}", written::table(&tuned, &footage));
    }
    if let Some(out) = &args.report {
        let curve = |variation: &Variation, threshold: f32| {
            Ok(Scored::new(&footage, &asking.bank(variation)?, target).curve(threshold))
        };
        let page = written::page(&tuned, &footage, curve)?;
        std::fs::write(out, page).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(())
}

fn tuned(asking: &Asking<'_>, footage: &Footage, moments: Moments) -> anyhow::Result<Tuned> {
    let prompt = &asking.trial.camera.prompts[asking.target];
    let camera = &asking.trial.camera;
    let scored = |bank: &PromptBank| Scored::new(footage, bank, asking.target);
    let attempt = |variation: Variation| -> anyhow::Result<Tried> {
        let judged = judge(&scored(&asking.bank(&variation)?), camera, &moments);
        Ok(Tried { variation, judged })
    };
    let mut tried: Vec<Tried> = asking.phrasings().into_iter().map(attempt).collect::<anyhow::Result<_>>()?;
    best_first(&mut tried);
    for base in tried.iter().take(BEST_PHRASINGS).map(|tried| tried.variation.clone()).collect::<Vec<_>>() {
        let scored = scored(&asking.bank(&base)?);
        for variation in asking.with_negatives(&base, &scored, footage, &moments)? {
            tried.push(attempt(variation)?);
        }
    }
    best_first(&mut tried);
    let variations = tried.len();
    tried.truncate(TOLD);
    let present = asking.present();
    let present_outcome = judge_told(&footage.told, &moments);
    Ok(Tuned {
        name: prompt.name.to_string(),
        zones: prompt.zones.iter().map(|zone| zone.to_string()).collect(),
        moments,
        present,
        present_threshold: prompt.threshold,
        present_outcome,
        tried,
        variations,
        once_more: None,
        told: footage.told.clone(),
    })
}

/// By what they told right and wrong, then by how much room their threshold has; of equals the first, which says least.
fn best_first(tried: &mut [Tried]) {
    tried.sort_by(|a, b| {
        let worth = |tried: &Tried| tried.judged.outcome().worth();
        worth(b).cmp(&worth(a)).then(b.judged.room_odds().total_cmp(&a.judged.room_odds()))
    });
}
