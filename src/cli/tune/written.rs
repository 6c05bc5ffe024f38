//! What tuning tells: a table with a snippet to paste, JSON, or a page.

use std::fmt::Write;

use serde_json::{Value, json};
use toml::Table;

use super::footage::Footage;
use super::judge::Outcome;
use super::variation::Variation;
use super::{Tried, Tuned};
use crate::annotate;
use crate::cli::page::{self, Curve, Point, css, escaped};

impl Variation {
    fn words(&self) -> String {
        let quoted = |all: &[String]| all.iter().map(|phrase| format!("{phrase:?}")).collect::<Vec<_>>().join(", ");
        let not = if self.negatives.is_empty() { String::new() } else { format!(", not {}", quoted(&self.negatives)) };
        quoted(&self.phrases) + &not
    }
}

impl Tuned {
    fn false_per_hour(&self, outcome: Outcome) -> Option<f64> {
        let hours = self.moments.empty_hours();
        (hours > 0.0).then(|| outcome.false_events as f64 / hours)
    }

    fn figures(&self, outcome: Outcome) -> String {
        let rate = self.false_per_hour(outcome).map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"));
        format!("{:>7}  {:>7}", format!("{}/{}", outcome.found, outcome.marks), rate)
    }

    /// What a person should do, in words.
    fn advice(&self) -> String {
        let (present, marks) = (self.present_outcome, self.moments.marks.len());
        let best = self.tried.first().map(|tried| tried.judged.outcome()).unwrap_or_default();
        let mut out = match self.better() {
            None if self.once_more.is_some() => {
                "Keep what you have: what seemed better did no better when it was looked at just as it would run."
                    .to_owned()
            }
            Some(_) => {
                let gain = best.worth() - present.worth();
                let thin = if gain < 2 { " That is by one event: see whether another clip says the same." } else { "" };
                format!("Better than what is there.{thin}")
            }
            None if best.found == 0 => {
                "None of the marked moments gives an event in any of these words. Is the thing too small \
                in the picture, is it in the zones, does the model know it? See `lookout try`."
                    .to_owned()
            }
            None => "Keep what you have: nothing that was tried does better on this clip.".to_owned(),
        };
        let wrong = self.false_at();
        if !wrong.is_empty() {
            let times = wrong.iter().map(|at| page::clock(*at)).collect::<Vec<_>>().join(", ");
            let _ = write!(out, " Counted as false: {times}; if it is there then, mark that too.");
        }
        if !self.held_out() {
            let _ = write!(
                out,
                " With {marks} marked moment{} none could be held out, so the figures are of the very moments that the thresholds \
                 were chosen by; mark {} or more to know better.",
                if marks == 1 { "" } else { "s" },
                super::ENOUGH
            );
        }
        out
    }

    /// A prompt for the configuration.
    fn snippet(&self, tried: &Tried) -> String {
        let texts = |all: &[String]| toml::Value::Array(all.iter().cloned().map(toml::Value::String).collect());
        let mut prompt = Table::new();
        prompt.insert("name".to_owned(), toml::Value::String(self.name.clone()));
        prompt.insert("phrases".to_owned(), texts(&tried.variation.phrases));
        if !tried.variation.negatives.is_empty() {
            prompt.insert("negatives".to_owned(), texts(&tried.variation.negatives));
        }
        let threshold = (f64::from(tried.judged.threshold) * 100.0).round() / 100.0;
        prompt.insert("threshold".to_owned(), toml::Value::Float(threshold));
        if !self.zones.is_empty() {
            prompt.insert("zones".to_owned(), texts(&self.zones));
        }
        format!("[[camera.prompt]]\n{prompt}")
    }

    fn note(&self) -> &'static str {
        if self.held_out() { "held out" } else { "not held out" }
    }
}

/// The best variations beside what is there, and a snippet to paste.
pub(super) fn table(tuned: &Tuned, footage: &Footage) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:>9}  {:>12}  {:>7}  {:>7}  what is asked ({})",
        "threshold",
        "may be",
        "found",
        "false/h",
        tuned.note()
    );
    let _ = writeln!(
        out,
        "{:>9.2}  {:>12}  {}  {} (as it is)",
        tuned.present_threshold,
        "",
        tuned.figures(tuned.present_outcome),
        tuned.present.words()
    );
    for Tried { variation, judged } in &tuned.tried {
        let room = format!("{:.2} to {:.2}", judged.room.0, judged.room.1);
        let _ = writeln!(
            out,
            "{:>9.2}  {room:>12}  {}  {}",
            judged.threshold,
            tuned.figures(judged.outcome()),
            variation.words()
        );
    }
    if let Some(outcome) = tuned.once_more {
        let _ = writeln!(
            out,
            "{:>9}  {:>12}  {}  the best once more, just as it would run",
            "",
            "",
            tuned.figures(outcome)
        );
    }
    let _ = writeln!(out, "\n{}", tuned.advice());
    if let Some(best) = tuned.better() {
        let _ = writeln!(out, "\n{}", tuned.snippet(best).trim_end());
    }
    let _ = writeln!(
        out,
        "\n{} variations on {} frames; {} encoder passes, {:.1} times real time",
        tuned.variations,
        footage.frames.len(),
        footage.passes,
        footage.speed
    );
    out
}

/// The same as JSON.
pub(super) fn json(tuned: &Tuned, footage: &Footage) -> Value {
    let round = |value: f64| (value * 1e4).round() / 1e4;
    let figures = |variation: &Variation, threshold: f32, outcome: Outcome| {
        json!({
            "phrases": variation.phrases,
            "negatives": variation.negatives,
            "threshold": round(threshold.into()),
            "marks": outcome.marks,
            "found": outcome.found,
            "false_events": outcome.false_events,
            "false_per_hour": tuned.false_per_hour(outcome).map(round),
        })
    };
    let proposal = |tried: &Tried| {
        let mut all = figures(&tried.variation, tried.judged.threshold, tried.judged.outcome());
        all["threshold_from"] = json!(round(tried.judged.room.0.into()));
        all["threshold_to"] = json!(round(tried.judged.room.1.into()));
        all
    };
    json!({
        "prompt": tuned.name,
        "present": figures(&tuned.present, tuned.present_threshold, tuned.present_outcome),
        "proposals": tuned.tried.iter().map(proposal).collect::<Vec<_>>(),
        "held_out": tuned.held_out(),
        "once_more": tuned.once_more.map(|o| json!({ "marks": o.marks, "found": o.found, "false_events": o.false_events })),
        "better": tuned.better().is_some(),
        "false_at_s": tuned.false_at().into_iter().map(round).collect::<Vec<_>>(),
        "advice": tuned.advice(),
        "toml": tuned.better().map(|best| tuned.snippet(best)),
        "variations": tuned.variations,
        "length_s": round(footage.length_s),
        "frames": footage.frames.len(),
        "encoder_passes": footage.passes,
    })
}

/// A page with the scores of the present words and of the best over the clip. `curve` gives those of a variation.
///
/// # Errors
/// What `curve` says.
pub(super) fn page(
    tuned: &Tuned,
    footage: &Footage,
    curve: impl Fn(&Variation, f32) -> anyhow::Result<Vec<Point>>,
) -> anyhow::Result<String> {
    let mut out = page::head("lookout tune");
    let _ = write!(out, "<p><b>{}</b></p>", escaped(&tuned.advice()));
    let mut show = |title: &str,
                    variation: &Variation,
                    threshold: f32,
                    outcome: Outcome,
                    colour: usize|
     -> anyhow::Result<()> {
        let points = curve(variation, threshold)?;
        let shaded = tuned.moments.marks.iter().map(|mark| (mark.from, mark.to)).collect();
        let colour = css(annotate::colour(colour));
        let svg = Curve { points: &points, length_s: footage.length_s, colour, shaded, marked: Vec::new() }.svg();
        let rate = tuned.false_per_hour(outcome).map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"));
        let _ = write!(
            out,
            "<h3>{title}</h3><p>{}<br><span class=dim>threshold {threshold:.2} (dashed) · {} of {} marked moments (shaded) found · \
             {rate} false events an hour</span></p>{svg}{}",
            escaped(&variation.words()),
            outcome.found,
            outcome.marks,
            page::axis(footage.length_s)
        );
        Ok(())
    };
    show("As it is", &tuned.present, tuned.present_threshold, tuned.present_outcome, 1)?;
    for (index, tried) in tuned.tried.iter().enumerate() {
        let title = if index == 0 { "The best that was tried" } else { "Another" };
        show(title, &tried.variation, tried.judged.threshold, tried.judged.outcome(), 2)?;
    }
    if let Some(best) = tuned.better() {
        let _ = write!(out, "<h3>To paste</h3><pre>{}</pre>", escaped(&tuned.snippet(best)));
    }
    Ok(out)
}
