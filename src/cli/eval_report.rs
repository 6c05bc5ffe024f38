//! What `lookout eval` tells: a table, JSON, or a page with curves and the worst mistakes as pictures.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::page::{self, escaped};
use crate::annotate::{self, Mark};
use crate::eval::events::EventScore;
use crate::eval::precision::{AtThreshold, Found, Wanted};
use crate::eval::{Identity, Judged, Truth};
use crate::frame::{Frame, UnitBox};

/// A picture of the set: its index and what is on it.
pub(super) type Shown = (usize, Frame);

/// How one prompt did.
pub(super) struct Outcome {
    pub(super) phrase: String,
    pub(super) judged: Judged,
    pub(super) at: AtThreshold,
    pub(super) best: Option<AtThreshold>,
    pub(super) found: Vec<Found>,
    pub(super) wanted: Vec<Wanted>,
    /// And the length of the video in seconds.
    pub(super) events: Option<(EventScore, f64)>,
    pub(super) identity: Identity,
}

impl Outcome {
    fn false_events_per_hour(&self) -> Option<f64> {
        self.events.as_ref().filter(|(_, length)| *length > 0.0).map(|(e, s)| e.false_events as f64 * 3600.0 / s)
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}", value * 100.0))
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let all: Vec<f64> = values.flatten().collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// Per prompt and over all: percentages, but for thresholds and seconds.
pub(super) fn table(outcomes: &[Outcome], pictures: usize, tiles: usize, encoding: Duration) -> String {
    let mut out = String::new();
    let timed = outcomes.iter().any(|o| o.events.is_some());
    let _ = write!(
        out,
        "{:<28} {:>6} {:>6} {:>8} {:>9} {:>7} {:>9} {:>6}",
        "prompt", "boxes", "AP50", "AP50:95", "precision", "recall", "best at", "F1"
    );
    if timed {
        let _ = write!(out, " {:>9} {:>8} {:>9} {:>9} {:>8}", "events", "delay s", "false/h", "switched", "lasting");
    }
    out.push('\n');
    for o in outcomes {
        let (best_at, f1) = o.best.map_or(("–".to_owned(), None), |b| (format!("{:.2}", b.threshold), Some(b.f1())));
        let _ = write!(
            out,
            "{:<28} {:>6} {:>6} {:>8} {:>9} {:>7} {:>9} {:>6}",
            o.phrase,
            o.judged.wanted,
            percent(o.judged.ap50),
            percent(o.judged.ap),
            percent(Some(o.at.precision)),
            percent(Some(o.at.recall)),
            best_at,
            percent(f1)
        );
        if let Some((events, _)) = &o.events {
            let delay = events.median_delay().map_or_else(|| "–".to_owned(), |delay| format!("{delay:.1}"));
            let told = format!("{}/{}", events.told, events.things);
            let switched = format!("{}/{}", o.identity.switches, o.identity.crossings);
            let false_per_hour = o.false_events_per_hour().unwrap_or_default();
            let _ = write!(out, " {told:>9} {delay:>8} {false_per_hour:>9.1} {switched:>9} {:>8}", o.identity.lasting);
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "{:<28} {:>6} {:>6} {:>8}",
        "mean",
        "",
        percent(mean(outcomes.iter().map(|o| o.judged.ap50))),
        percent(mean(outcomes.iter().map(|o| o.judged.ap)))
    );
    let each = encoding.as_secs_f64() * 1000.0 / tiles.max(1) as f64;
    let _ = writeln!(out, "{pictures} pictures, {tiles} encoder passes, {each:.2} ms each");
    out
}

/// The same as JSON; shares are 0..1, `null` where there is none.
pub(super) fn json(outcomes: &[Outcome], pictures: usize, tiles: usize, encoding: Duration) -> Value {
    let at = |at: &AtThreshold| json!({ "threshold": at.threshold, "precision": at.precision, "recall": at.recall, "f1": at.f1() });
    let prompts = outcomes.iter().map(|o| {
        let events = o.events.as_ref().map(|(e, length_s)| {
            json!({
                "things": e.things,
                "told": e.told,
                "recall": e.recall(),
                "median_delay_s": e.median_delay(),
                "false": e.false_events,
                "false_per_hour": o.false_events_per_hour(),
                "length_s": length_s,
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
            "ap": o.judged.ap,
            "at_threshold": at(&o.at),
            "best": o.best.as_ref().map(at),
            "events": events,
        })
    });
    json!({
        "prompts": prompts.collect::<Vec<_>>(),
        "mean_ap50": mean(outcomes.iter().map(|o| o.judged.ap50)),
        "mean_ap": mean(outcomes.iter().map(|o| o.judged.ap)),
        "pictures": pictures,
        "encoder_passes": tiles,
        "encoder_s": encoding.as_secs_f64(),
    })
}

/// Mistakes shown of each prompt and kind.
const SHOWN: usize = 6;

/// One mistake: on which picture, where, and what is written on it.
struct Mistake {
    image: usize,
    area: [f64; 4],
    label: String,
}

/// The largest things that were missed at the threshold, one a picture.
fn misses(o: &Outcome) -> Vec<Mistake> {
    let taken = o.judged.matches.iter().filter(|(f, _)| o.found[*f].score >= o.at.threshold);
    let hit: std::collections::HashSet<usize> = taken.filter_map(|(_, w)| *w).collect();
    let mut missed: Vec<(usize, &Wanted)> =
        o.wanted.iter().enumerate().filter(|(i, w)| !w.crowd && !hit.contains(i)).collect();
    missed.sort_by(|a, b| (b.1.area[2] * b.1.area[3]).total_cmp(&(a.1.area[2] * a.1.area[3])));
    let all = missed.into_iter().map(|(_, w)| Mistake { image: w.image, area: w.area, label: "missed".to_owned() });
    one_a_picture(all)
}

/// The strongest detections of what is not there, one a picture.
fn false_alarms(o: &Outcome) -> Vec<Mistake> {
    let wrong = o.judged.matches.iter().filter(|(f, w)| w.is_none() && o.found[*f].score >= o.at.threshold);
    one_a_picture(wrong.map(|(f, _)| {
        let found = &o.found[*f];
        Mistake { image: found.image, area: found.area, label: annotate::label(&o.phrase, found.score as f32) }
    }))
}

fn one_a_picture(all: impl Iterator<Item = Mistake>) -> Vec<Mistake> {
    let mut seen = std::collections::HashSet::new();
    all.filter(|mistake| seen.insert(mistake.image)).take(SHOWN).collect()
}

/// A page that needs nothing but itself. `frames` gives the pictures of these indices.
pub(super) fn page(
    outcomes: &[Outcome],
    truth: &Truth,
    frames: impl Fn(&[usize]) -> anyhow::Result<Vec<Shown>>,
) -> anyhow::Result<String> {
    let mistakes: Vec<_> = outcomes.iter().map(|o| (misses(o), false_alarms(o))).collect();
    let mut needed: Vec<usize> = mistakes.iter().flat_map(|(m, f)| m.iter().chain(f)).map(|m| m.image).collect();
    needed.sort_unstable();
    needed.dedup();
    let shown: std::collections::HashMap<usize, Frame> = frames(&needed)?.into_iter().collect();
    let mut out = page::head("lookout eval");
    for (o, (missed, alarms)) in outcomes.iter().zip(&mistakes) {
        let _ = write!(
            out,
            "<section><h2>{}</h2><p>{} boxes · AP50 {} % · AP50:95 {} % · at {:.2}: precision {} %, recall {} %</p>{}",
            escaped(&o.phrase),
            o.judged.wanted,
            percent(o.judged.ap50),
            percent(o.judged.ap),
            o.at.threshold,
            percent(Some(o.at.precision)),
            percent(Some(o.at.recall)),
            curve(&o.judged.curve())
        );
        for (title, list, colour) in [("Worst misses", missed, 3), ("Worst false alarms", alarms, 4)] {
            if list.is_empty() {
                continue;
            }
            let _ = write!(out, "<h3>{title}</h3><div class=row>");
            for mistake in list {
                if let Some(frame) = shown.get(&mistake.image) {
                    out.push_str(&picture(frame, mistake, truth.images[mistake.image].size, colour));
                }
            }
            out.push_str("</div>");
        }
        out.push_str("</section>");
    }
    Ok(out)
}

/// Precision over recall.
fn curve(points: &[(f64, f64)]) -> String {
    let line: String =
        points.iter().map(|(r, p)| format!("{:.1},{:.1} ", 30.0 + r * 200.0, 170.0 - p * 150.0)).collect();
    format!(
        "<svg class=small width=260 height=200 role=img aria-label='precision over recall'><g stroke=#8886 fill=none><path d='M30 20V170H230'/>\
         </g><polyline points='{line}' fill=none stroke=#0a8f6a stroke-width=2 /><g font-size=11 fill=#888>\
         <text x=34 y=16>precision</text><text x=190 y=186>recall</text></g></svg>"
    )
}

fn picture(frame: &Frame, mistake: &Mistake, (width, height): (f64, f64), colour: usize) -> String {
    let [x, y, w, h] = mistake.area;
    let unit = |v: f64, of: f64| (v / of) as f32;
    let area = UnitBox::new(unit(x, width), unit(y, height), unit(x + w, width), unit(y + h, height));
    let jpeg = annotate::jpeg(frame, &[Mark { area, label: mistake.label.clone(), colour, thin: false }], 75);
    format!("<div class=pic>{}</div>", page::picture(&jpeg, &mistake.label))
}
