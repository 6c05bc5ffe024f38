//! The page of `lookout eval`: curves, and the worst mistakes as pictures.

use std::fmt::Write;

use super::eval_report::{Outcome, percent};
use super::page::{self, escaped};
use crate::annotate::{self, Mark};
use crate::eval::Truth;
use crate::eval::precision::Wanted;
use crate::frame::{Frame, UnitBox};

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
    frames: impl Fn(&[usize]) -> anyhow::Result<Vec<(usize, Frame)>>,
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
