//! What was found, as a table or as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::detect::Detection;
use crate::pipeline::Sight;
use crate::prompts::relation::Kind;

/// One line of a report: a thing on a frame.
pub(super) struct Finding {
    /// Position in the recording; `None` for a photo.
    pub(super) position: Option<Duration>,
    pub(super) phrase: String,
    pub(super) thing: Detection,
    pub(super) frame_size: (u32, u32),
}

/// The findings of one frame. `phrases` are the prompts' first phrases.
pub(super) fn findings(
    sight: &Sight,
    phrases: &[String],
    position: Option<Duration>,
    frame_size: (u32, u32),
) -> Vec<Finding> {
    let of_prompt = |(prompt, presence): (usize, &crate::pipeline::Presence)| {
        let phrase = phrases[prompt].clone();
        let finding =
            move |thing: &Detection| Finding { position, phrase: phrase.clone(), thing: thing.clone(), frame_size };
        presence.things.iter().map(finding).collect::<Vec<_>>()
    };
    sight.present.iter().enumerate().flat_map(of_prompt).collect()
}

impl Finding {
    /// As JSON: the box in pixels `[x, y, width, height]` and in 0..1 `[x0, y0, x1, y1]`.
    pub(super) fn json(&self) -> Value {
        let area = self.thing.area;
        let unit = [area.x0, area.y0, area.x1, area.y1].map(|v| (f64::from(v) * 1e4).round() / 1e4);
        let mut all = json!({
            "prompt": self.phrase,
            "score": (f64::from(self.thing.score) * 1e4).round() / 1e4,
            "box_px": area.to_pixels(self.frame_size.0, self.frame_size.1),
            "box": unit,
        });
        if let Some(related) = &self.thing.related {
            let mut relation = json!({ "kind": related.kind.map_or("at_least", Kind::as_str) });
            if let Some(anchor) = &related.anchor {
                relation["anchor"] = json!(anchor);
            }
            if let Some(area) = related.area {
                relation["anchor_box_px"] = json!(area.to_pixels(self.frame_size.0, self.frame_size.1));
            }
            if let Some(count) = related.count {
                relation["count"] = json!(count);
            }
            all["relation"] = relation;
        }
        if let Some(position) = self.position {
            all["time_s"] = json!((position.as_secs_f64() * 1e3).round() / 1e3);
        }
        all
    }

    /// As a line of the table under [`HEADING`].
    pub(super) fn line(&self) -> String {
        let [x, y, w, h] = self.thing.area.to_pixels(self.frame_size.0, self.frame_size.1);
        let time = self.position.map_or_else(String::new, |position| format!("{:.2}", position.as_secs_f64()));
        format!("{time:>8}  {:>5.1} %  {:<20}  {}", self.thing.score * 100.0, format!("{x},{y} {w}x{h}"), self.phrase)
    }
}

/// The first line of the table.
pub(super) const HEADING: &str = "  time s    score  box (x,y wxh px)      what";
