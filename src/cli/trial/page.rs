//! The page of a trial: what would have alerted, with pictures, and how near the rest came.

use std::fmt::Write;

use super::Trial;
use super::clip::{Clip, Told};
use super::near::Near;
use super::written::{asked, cost, headline};
use crate::annotate;
use crate::cli::page::{self, Curve, css, escaped};
use crate::cli::place;

/// Near misses shown of each prompt.
const SHOWN: usize = 4;

/// All clips of a trial.
pub(in crate::cli) fn page(trial: &Trial, clips: &[Clip]) -> String {
    let mut out = page::head("lookout try");
    let events: usize = clips.iter().map(|clip| clip.told.len()).sum();
    let verdict = match events {
        0 => "<b>Nothing would have alerted.</b> The nearest misses are below.".to_owned(),
        1 => "<b>1 event would have been told.</b>".to_owned(),
        many => format!("<b>{many} events would have been told.</b>"),
    };
    let _ = write!(
        out,
        "<p>{verdict}</p><p class=dim>Camera {} · model {} · {} frames a second</p>",
        escaped(trial.camera.name.as_str()),
        escaped(&trial.model.manifest().name),
        trial.camera.fps
    );
    if events > 0 {
        out.push_str(
            "<p><label><input type=checkbox id=heat checked> show where the words fit the picture</label></p>",
        );
    }
    for clip in clips {
        section(&mut out, trial, clip);
    }
    out
}

fn colour(prompt: usize) -> String {
    css(annotate::colour(prompt))
}

fn section(out: &mut String, trial: &Trial, clip: &Clip) {
    let cost = escaped(&cost(clip)).replace('\n', "<br>");
    let _ = write!(
        out,
        "<section><h2>{}</h2><p class=dim>{}<br>{cost}</p>",
        escaped(&clip.name()),
        escaped(&headline(trial, clip)),
    );
    timeline(out, trial, clip);
    table(out, clip);
    cards(out, "Events", clip.told.iter().map(|told| event_card(clip, told)));
    for (prompt, settings) in asked(trial) {
        let (name, dot) = (escaped(&settings.phrases[0]), dot(prompt));
        let top = clip.top(prompt).map_or_else(String::new, |top| {
            format!("highest {:.0} % at {}", top.best * 100.0, clip.moment(top.time_s.into()))
        });
        let _ = write!(
            out,
            "<h3>{dot}{name}</h3><p class=dim>{top}; dashed: the threshold; shaded: events; dots: near misses</p>{}{}",
            curve(clip, prompt).svg(),
            page::axis(clip.length_s())
        );
        cards(
            out,
            "Near misses",
            clip.near[prompt].iter().take(SHOWN).map(|near| near_card(trial, clip, prompt, near)),
        );
    }
    out.push_str("</section>");
}

fn dot(prompt: usize) -> String {
    format!("<span class=dot style='background:{}'></span>", colour(prompt))
}

fn curve(clip: &Clip, prompt: usize) -> Curve<'_> {
    let near = clip.near[prompt].iter().map(|near| (near.time_s, near.score.into()));
    Curve {
        points: &clip.curves[prompt],
        length_s: clip.length_s(),
        colour: colour(prompt),
        shaded: clip.spans(prompt),
        marked: near.collect(),
    }
}

/// A bar for each event, a row for each prompt.
fn timeline(out: &mut String, trial: &Trial, clip: &Clip) {
    let length = clip.length_s().max(1e-3);
    for (prompt, settings) in asked(trial) {
        let mut bars = String::new();
        for (from, to) in clip.spans(prompt) {
            let (x, width) = (1000.0 * from / length, (1000.0 * (to - from) / length).max(3.0));
            let _ = write!(
                bars,
                "<rect x={x:.1} y=3 width={width:.1} height=14 fill='{}'><title>{}–{}</title></rect>",
                colour(prompt),
                clip.moment(from),
                clip.moment(to)
            );
        }
        let _ = write!(
            out,
            "<div class=lane><span>{}{}</span><svg viewBox='0 0 1000 20' height=20 preserveAspectRatio=none role=img \
             aria-label='events over time'>{bars}</svg></div>",
            dot(prompt),
            escaped(&settings.phrases[0])
        );
    }
    let _ = write!(out, "<div class=lane><i></i>{}</div>", page::axis(clip.length_s()));
}

fn table(out: &mut String, clip: &Clip) {
    if clip.told.is_empty() {
        return;
    }
    let zoned = clip.told.iter().any(|told| !told.best.zones.is_empty());
    let _ = write!(
        out,
        "<div class=wide><table><tr><th class=n>at<th class=n>lasted<th>what<th class=n>top<th>where{}<th>looked like next</tr>",
        if zoned { "<th>zones" } else { "" }
    );
    for told in &clip.told {
        let best = &told.best;
        let zones = best.zones.iter().map(|zone| zone.as_str()).collect::<Vec<_>>().join(", ");
        let _ = write!(
            out,
            "<tr><td class=n>{}<td class=n>{:.1} s<td>{}{}<td class=n>{:.0} %<td>{}{}{}<td>{}</tr>",
            escaped(&clip.moment(told.from_s)),
            told.to_s - told.from_s,
            dot(told.prompt),
            escaped(&best.phrase),
            best.top_score * 100.0,
            place::words(&best.area),
            if zoned { "<td>" } else { "" },
            escaped(&zones),
            escaped(&best.evidence.runner_up),
        );
    }
    out.push_str("</table></div>");
}

fn cards(out: &mut String, title: &str, cards: impl Iterator<Item = String>) {
    let all: String = cards.collect();
    if !all.is_empty() {
        let _ = write!(out, "<h3>{title}</h3><div class=row>{all}</div>");
    }
}

fn event_card(clip: &Clip, told: &Told) -> String {
    let best = &told.best;
    let picture = told.picture.as_deref().map_or_else(String::new, |jpeg| page::picture(jpeg, &best.phrase));
    let heat = told.heat_map.as_ref().map_or_else(String::new, |heat| page::heat(heat.png()));
    format!(
        "<div class=card><div class=pic>{picture}{heat}</div><p>{}<b>{}</b>, {}</p>\
         <p class=dim>{} for {:.1} s, told after {:.1} s · {:.0} %, threshold {:.0} %</p></div>",
        dot(told.prompt),
        escaped(&best.phrase),
        place::words(&best.area),
        escaped(&clip.moment(told.from_s)),
        told.to_s - told.from_s,
        told.told_s - told.from_s,
        best.top_score * 100.0,
        best.evidence.threshold * 100.0,
    )
}

fn near_card(trial: &Trial, clip: &Clip, prompt: usize, near: &Near) -> String {
    let picture = near.picture.as_deref().map_or_else(String::new, |jpeg| page::picture(jpeg, "a near miss"));
    let first = near.first_look * 100.0;
    let first_look =
        if near.first_look == near.score { String::new() } else { format!(" ({first:.0} % at first look)") };
    format!(
        "<div class=card><div class=pic>{picture}</div><p><b>{:.0} %</b>{first_look} of {:.0} %: {}</p><p class=dim>{}, {}, looked like {}</p></div>",
        near.score * 100.0,
        near.threshold * 100.0,
        near.why(),
        escaped(&clip.moment(near.time_s)),
        place::words(&near.area),
        escaped(trial.contender(prompt, near.runner_up)),
    )
}
