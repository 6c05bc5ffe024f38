//! What `lookout eval` tells, as a table or as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::eval::bootstrap::Interval;
use crate::eval::events::{EventScore, Verdict};
use crate::eval::precision::{AtThreshold, Found, Wanted};
use crate::eval::sampling::Coverage;
use crate::eval::{Identity, Judged};

/// How one prompt did.
pub(super) struct Outcome {
    pub(super) phrase: String,
    pub(super) judged: Judged,
    pub(super) at: AtThreshold,
    pub(super) best: Option<AtThreshold>,
    pub(super) ap50_interval: Option<Interval>,
    pub(super) found: Vec<Found>,
    pub(super) wanted: Vec<Wanted>,
    /// `None` for photos.
    pub(super) events: Option<Events>,
    pub(super) identity: Identity,
}

/// How the events of one prompt did.
pub(super) struct Events {
    pub(super) score: EventScore,
    pub(super) recall_interval: Option<Interval>,
    /// Of false events per hour.
    pub(super) false_interval: Option<Interval>,
}

/// What all prompts together took.
pub(super) struct Totals {
    /// The model's name.
    pub(super) model: String,
    pub(super) coverage: Coverage,
    /// Pictures or frames that were analysed.
    pub(super) frames: usize,
    pub(super) tiles: usize,
    pub(super) encoding: Duration,
    pub(super) took: Duration,
}

impl Totals {
    fn a_frame(&self, value: f64) -> f64 {
        value / self.frames.max(1) as f64
    }

    fn encoder_ms(&self) -> f64 {
        self.a_frame(self.encoding.as_secs_f64() * 1000.0)
    }

    fn total_ms(&self) -> f64 {
        self.a_frame(self.took.as_secs_f64() * 1000.0)
    }

    /// That judged frames could not be compared.
    pub(super) fn warning(&self) -> Option<String> {
        let Coverage { judged, missed, .. } = self.coverage;
        (missed > 0).then(|| {
            format!("{missed} of {judged} judged frames are not judged: the video has no frame within half an analysis interval of their `time_s`")
        })
    }
}

/// Per cent, or a dash.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}", value * 100.0))
}

/// An interval of values that are shown times `factor`.
fn ends(interval: Option<Interval>, factor: f64) -> String {
    interval.map_or_else(|| "–".to_owned(), |i| format!("{:.0}–{:.0}", i.low * factor, i.high * factor))
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let all: Vec<f64> = values.flatten().collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// Per prompt and over all: percentages, but for thresholds and seconds.
pub(super) fn table(outcomes: &[Outcome], totals: &Totals) -> String {
    let mut out = String::new();
    let timed = outcomes.iter().any(|o| o.events.is_some());
    let _ = write!(
        out,
        "{:<28} {:>6} {:>6} {:>8} {:>8} {:>9} {:>7} {:>9} {:>6}",
        "prompt", "boxes", "AP50", "95 %", "AP50:95", "precision", "recall", "best at", "F1"
    );
    if timed {
        let _ = write!(
            out,
            " {:>9} {:>8} {:>8} {:>6} {:>8} {:>11} {:>9} {:>8}",
            "events", "95 %", "delay s", "false", "false/h", "95 %", "switched", "lasting"
        );
    }
    out.push('\n');
    for o in outcomes {
        let (best_at, f1) = o.best.map_or(("–".to_owned(), None), |b| (format!("{:.2}", b.threshold), Some(b.f1())));
        let _ = write!(
            out,
            "{:<28} {:>6} {:>6} {:>8} {:>8} {:>9} {:>7} {:>9} {:>6}",
            o.phrase,
            o.judged.wanted,
            percent(o.judged.ap50),
            ends(o.ap50_interval, 100.0),
            percent(o.judged.ap),
            percent(Some(o.at.precision)),
            percent(Some(o.at.recall)),
            best_at,
            percent(f1)
        );
        if let Some(Events { score, recall_interval, false_interval }) = &o.events {
            let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
            let told = format!("{}/{}", score.told(), score.asked.len());
            let switched = format!("{}/{}", o.identity.switches, o.identity.crossings);
            let _ = write!(
                out,
                " {told:>9} {:>8} {:>8} {:>6} {:>8} {:>11} {switched:>9} {:>8}",
                ends(*recall_interval, 100.0),
                number(score.median_delay()),
                score.count(Verdict::False),
                number(score.false_per_hour()),
                ends(*false_interval, 1.0),
                o.identity.lasting
            );
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "{:<28} {:>6} {:>6} {:>8} {:>8}",
        "mean",
        "",
        percent(mean(outcomes.iter().map(|o| o.judged.ap50))),
        "",
        percent(mean(outcomes.iter().map(|o| o.judged.ap)))
    );
    let each = totals.encoding.as_secs_f64() * 1000.0 / totals.tiles.max(1) as f64;
    let Coverage { judged, compared, .. } = totals.coverage;
    let _ = writeln!(out, "{compared} of {judged} judged pictures compared; {} analysed", totals.frames);
    let _ = writeln!(
        out,
        "{} encoder passes, {each:.2} ms each; a picture: {:.1} passes, {:.0} ms of encoder, {:.0} ms of everything",
        totals.tiles,
        totals.a_frame(totals.tiles as f64),
        totals.encoder_ms(),
        totals.total_ms()
    );
    out
}

/// The same as JSON; shares are 0..1, `null` where there is none.
pub(super) fn json(outcomes: &[Outcome], totals: &Totals) -> Value {
    let at = |at: &AtThreshold| json!({ "threshold": at.threshold, "precision": at.precision, "recall": at.recall, "f1": at.f1() });
    let ends = |interval: &Option<Interval>| interval.map(|i| [i.low, i.high]);
    let prompts = outcomes.iter().map(|o| {
        let events = o.events.as_ref().map(|Events { score, recall_interval, false_interval }| {
            json!({
                "things": score.asked.len(),
                "told": score.told(),
                "recall": score.recall(),
                "recall_interval": ends(recall_interval),
                "median_delay_s": score.median_delay(),
                "true": score.count(Verdict::True),
                "false": score.count(Verdict::False),
                "unjudged": score.count(Verdict::Unjudged),
                "false_per_hour": score.false_per_hour(),
                "false_per_hour_interval": ends(false_interval),
                "length_s": score.known_s(),
                "crossings": o.identity.crossings,
                "id_switches": o.identity.switches,
                "id_switches_lasting": o.identity.lasting,
                "id_breaks": o.identity.breaks,
            })
        });
        json!({
            "prompt": o.phrase,
            "boxes": o.judged.wanted,
            "ap50": o.judged.ap50,
            "ap50_interval": ends(&o.ap50_interval),
            "ap": o.judged.ap,
            "at_threshold": at(&o.at),
            "best": o.best.as_ref().map(at),
            "events": events,
        })
    });
    json!({
        "prompts": prompts.collect::<Vec<_>>(),
        "model": totals.model,
        "mean_ap50": mean(outcomes.iter().map(|o| o.judged.ap50)),
        "mean_ap": mean(outcomes.iter().map(|o| o.judged.ap)),
        "pictures": totals.coverage.compared,
        "judged": totals.coverage.judged,
        "judged_without_frame": totals.coverage.missed,
        "analysed": totals.frames,
        "encoder_passes": totals.tiles,
        "encoder_s": totals.encoding.as_secs_f64(),
        "total_s": totals.took.as_secs_f64(),
        "encoder_passes_a_frame": totals.a_frame(totals.tiles as f64),
        "encoder_ms_a_frame": totals.encoder_ms(),
        "total_ms_a_frame": totals.total_ms(),
    })
}
