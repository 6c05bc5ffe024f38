//! What a trial tells: a table for people, JSON for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Trial;
use super::clip::{Clip, Part, Told, plural};
use super::near::Near;
use crate::cli::page::thinned;
use crate::cli::place;
use crate::frame::UnitBox;

/// Stretches of a clip whose best score is told in JSON.
const STRETCHES: usize = 600;
/// Near misses of a prompt in the table.
const IN_TABLE: usize = 3;

/// The prompts of a trial that are looked out for.
pub(in crate::cli) fn asked(trial: &Trial) -> impl Iterator<Item = (usize, &crate::config::settings::PromptSettings)> {
    trial.camera.prompts.iter().enumerate().filter(|(_, prompt)| prompt.enabled)
}

/// A clip's events and near misses, as lines.
pub(in crate::cli) fn table(trial: &Trial, clip: &Clip) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}: {}", clip.name(), headline(trial, clip));
    if clip.told.is_empty() {
        let _ = writeln!(out, "No event: nothing would have alerted.");
    } else {
        let _ =
            writeln!(out, "{:>10}  {:>8}  {:>6}  {:<28}  {:<12}  zones", "at", "lasted s", "top %", "what", "where");
        for told in &clip.told {
            let Told { from_s, to_s, best, .. } = told;
            let zones = best.zones.iter().map(|zone| zone.as_str()).collect::<Vec<_>>().join(", ");
            let line = format!(
                "{:>10}  {:>8.1}  {:>6.1}  {:<28}  {:<12}  {zones}",
                clip.moment(*from_s),
                to_s - from_s,
                best.top_score * 100.0,
                best.phrase,
                place::words(&best.area),
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    let mut near = String::new();
    for (prompt, settings) in asked(trial) {
        for miss in clip.near[prompt].iter().take(IN_TABLE) {
            let _ = writeln!(
                near,
                "{:>10}  {:>8}  {:>6.1}  {:<28}  {:<12}  {}",
                clip.moment(miss.time_s),
                "",
                miss.score * 100.0,
                settings.phrases[0],
                place::words(&miss.area),
                miss.why(),
            );
        }
    }
    if !near.is_empty() {
        let _ = write!(out, "Nearest misses:\n{near}");
    }
    let _ = writeln!(out, "{}", cost(clip));
    out
}

/// What was looked at, in a line.
pub(in crate::cli) fn headline(trial: &Trial, clip: &Clip) -> String {
    let ((width, height), events) = (clip.size, clip.told.len());
    format!(
        "{events} event{} in {}, {} frames of {width}x{height}, {} a second",
        plural(events),
        crate::cli::page::clock(clip.length_s()),
        clip.frames,
        trial.camera.fps,
    )
}

/// What it took, in a line or two.
pub(in crate::cli) fn cost(clip: &Clip) -> String {
    let (passes, frames) = (clip.passes, clip.frames.max(1));
    let mut out = format!(
        "{passes} encoder passes ({:.1} a frame) in {:.1} s; {:.1} times real time",
        passes as f64 / frames as f64,
        clip.encoding.as_secs_f64(),
        clip.speed()
    );
    if clip.speed() < 1.0 {
        out += "\nSlower than real time: live, this machine would skip frames and look at less";
    }
    out
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn seconds(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn unit(area: &UnitBox) -> [f64; 4] {
    [area.x0, area.y0, area.x1, area.y1].map(|edge| round(edge.into()))
}

/// One document for all clips; docs/reference/formats.md describes the keys.
pub(in crate::cli) fn json(trial: &Trial, clips: &[Clip]) -> Value {
    json!({
        "camera": trial.camera.name.as_str(),
        "model": trial.model.manifest().name,
        "fps": trial.camera.fps,
        "events": clips.iter().map(|clip| clip.told.len()).sum::<usize>(),
        "clips": clips.iter().map(|clip| clip_json(trial, clip)).collect::<Vec<_>>(),
    })
}

fn clip_json(trial: &Trial, clip: &Clip) -> Value {
    let name = |prompt: usize| trial.camera.prompts[prompt].name.as_str();
    let file = |part: &Part| json!(part.file.display().to_string());
    let event = |told: &Told| {
        let (best, (part, from_s)) = (&told.best, clip.at(told.from_s));
        let in_file = |time_s: f64| seconds(time_s - part.from_s);
        json!({
            "file": file(part),
            "prompt": name(told.prompt),
            "phrase": best.phrase,
            "from_s": seconds(from_s),
            "to_s": in_file(told.to_s),
            "told_s": in_file(told.told_s),
            "duration_s": seconds(told.to_s - told.from_s),
            "top_score": round(best.top_score.into()),
            "best_s": in_file(told.best_s),
            "threshold": round(best.evidence.threshold.into()),
            "box": unit(&best.area),
            "where": place::words(&best.area),
            "zones": best.zones.iter().map(|zone| zone.as_str()).collect::<Vec<_>>(),
            "runner_up": best.evidence.runner_up,
            "margin": round(best.evidence.margin.into()),
        })
    };
    let near = |prompt: usize, near: &Near| {
        let (part, time_s) = clip.at(near.time_s);
        json!({
            "file": file(part),
            "prompt": name(prompt),
            "time_s": seconds(time_s),
            "score": round(near.score.into()),
            "first_look": round(near.first_look.into()),
            "threshold": round(near.threshold.into()),
            "box": unit(&near.area),
            "where": place::words(&near.area),
            "runner_up": trial.contender(prompt, near.runner_up),
            "why": near.why(),
        })
    };
    let prompt = |(index, prompt): (usize, &crate::config::settings::PromptSettings)| {
        let thin = thinned(&clip.curves[index], STRETCHES);
        let scores = thin
            .iter()
            .map(|point| [seconds(point.time_s.into()), round(point.best.into()), round(point.threshold.into())]);
        let top = clip.top(index);
        json!({
            "prompt": prompt.name.as_str(),
            "phrases": prompt.phrases,
            "events": clip.spans(index).len(),
            "top_score": top.map(|top| round(top.best.into())),
            "top_score_s": top.map(|top| seconds(top.time_s.into())),
            "scores": scores.collect::<Vec<_>>(),
        })
    };
    let part =
        |part: &Part| json!({ "file": file(part), "from_s": seconds(part.from_s), "length_s": seconds(part.length_s) });
    let near = asked(trial).flat_map(|(index, _)| clip.near[index].iter().map(move |miss| near(index, miss)));
    json!({
        "files": clip.parts.iter().map(part).collect::<Vec<_>>(),
        "length_s": seconds(clip.length_s()),
        "frames": clip.frames,
        "frame": { "width": clip.size.0, "height": clip.size.1 },
        "encoder_passes": clip.passes,
        "encoder_s": seconds(clip.encoding.as_secs_f64()),
        "took_s": seconds(clip.took.as_secs_f64()),
        "times_real_time": round(clip.speed()),
        "prompts": asked(trial).map(prompt).collect::<Vec<_>>(),
        "events": clip.told.iter().map(event).collect::<Vec<_>>(),
        "near_misses": near.collect::<Vec<_>>(),
    })
}
