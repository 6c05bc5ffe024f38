//! The embedded model on the embedded clip, held against the clip's true boxes.

use std::path::Path;

use lookout::capture::open_offline;
use lookout::capture::source::Shape;
use lookout::clip::{Model, TileEncoder};
use lookout::config::settings::{Rotation, Source};
use lookout::pipeline::Watch;
use lookout::track::EventKind;
use serde_json::Value;

const FPS: f64 = 3.0;
/// Things on screen for less are not asked for.
const LONG_ENOUGH_S: f64 = 2.0;
/// Share of the asked things that give an event.
const RECALL: f64 = 0.8;
/// Two frames and the tracker's patience may pass until a thing that has left is told to be gone.
const SETTLES_S: f64 = 1.0;

/// What is looked out for, and which things of the clip it describes: noun and colour.
const PROMPTS: &[(&str, &str, Option<&str>)] = &[
    ("a pedestrian", "person", None),
    ("a person in a red jacket", "person", Some("red")),
    ("a blue bicycle", "bicycle", Some("blue")),
    ("a yellow bus", "bus", Some("yellow")),
    ("a red car", "car", Some("red")),
    ("a dog", "dog", None),
    ("a white van", "van", Some("white")),
    ("a cyclist", "cyclist", None),
];

/// A thing of the clip: what it is, and when it is seen (seconds).
struct Thing {
    noun: String,
    colour: String,
    from: f64,
    to: f64,
}

/// One event: when it was first and last seen (seconds).
struct Told {
    prompt: usize,
    from: f64,
    to: f64,
}

fn truth() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo/street.json");
    serde_json::from_slice(&std::fs::read(path).expect("the clip's truth")).expect("JSON")
}

fn things(truth: &Value) -> Vec<Thing> {
    let list = |key: &str| truth[key].as_array().expect("a list");
    let number = |value: &Value| value.as_f64().expect("a number");
    let noun = |id: &Value| list("categories").iter().find(|c| &c["id"] == id).expect("its noun")["name"].clone();
    let mut tracks: Vec<(u64, Thing)> = Vec::new();
    // A sliver at the edge of the frame is not yet to be seen.
    for seen in list("annotations").iter().filter(|a| number(&a["visible"]) >= 0.5) {
        let time = number(&list("images")[seen["image_id"].as_u64().expect("an id") as usize - 1]["time_s"]);
        let id = seen["track_id"].as_u64().expect("an id");
        match tracks.iter_mut().find(|(other, _)| *other == id) {
            Some((_, thing)) => thing.to = time,
            None => {
                let noun = noun(&seen["category_id"]).as_str().expect("a word").to_owned();
                let colour = seen["attributes"]["colour"].as_str().expect("a colour").to_owned();
                tracks.push((id, Thing { noun, colour, from: time, to: time }));
            }
        }
    }
    tracks.into_iter().map(|(_, thing)| thing).filter(|thing| thing.to - thing.from >= LONG_ENOUGH_S).collect()
}

/// Every event of the clip, as `lookout demo` would tell it.
fn watch() -> Vec<Told> {
    let prompts: String =
        PROMPTS.iter().map(|(phrase, ..)| format!("[[camera.prompt]]\nphrases = \"{phrase}\"\n")).collect();
    let text = format!("[[camera]]\nname = \"street\"\nsource = \"demo://street\"\nfps = {FPS}\n{prompts}");
    let mut settings = lookout::config::parse(&text, "test", Path::new(""), false).expect("valid");
    let camera = settings.cameras.remove(0);
    let model = Model::embedded().expect("opens");
    let encoder = model.image_encoder(2).expect("loads");
    let bank = lookout::app::banks(&model, std::slice::from_ref(&camera)).expect("embeds").remove(0);
    assert_eq!(encoder.width(), model.manifest().embedding.width);
    let shape = Shape { size: Some(camera.size), fps: camera.fps, rotation: Rotation::None };
    let mut watch = Watch::new(camera, bank);
    let mut told: Vec<(String, Told)> = Vec::new();
    let mut start = None;
    for frame in open_offline(&Source::Demo { repeat: false }, &shape).expect("opens") {
        let (position, frame) = frame.expect("reads");
        let start = *start.get_or_insert(frame.captured - jiff::SignedDuration::try_from(position).expect("short"));
        let sight = watch.look(&frame, &encoder, usize::MAX).expect("encodes");
        for event in &sight.events {
            let at = |time: jiff::Timestamp| time.duration_since(start).as_secs_f64();
            let prompt = PROMPTS.iter().position(|(phrase, ..)| *phrase == event.phrase).expect("a prompt");
            match told.iter_mut().find(|(id, _)| *id == event.id) {
                Some((_, told)) => told.to = at(event.last_seen),
                None => {
                    assert_eq!(event.kind, EventKind::New);
                    let told_now = Told { prompt, from: at(event.first_seen), to: at(event.last_seen) };
                    told.push((event.id.clone(), told_now));
                }
            }
        }
    }
    told.into_iter().map(|(_, told)| told).collect()
}

#[test]
fn what_is_in_the_clip_is_told_and_nothing_in_its_empty_stretch() {
    let truth = truth();
    let told = watch();
    let shown: Vec<String> =
        told.iter().map(|t| format!("{} {:.1}–{:.1} s", PROMPTS[t.prompt].0, t.from, t.to)).collect();
    let (mut asked, mut found, mut missed) = (0, 0, Vec::new());
    for thing in things(&truth) {
        for (prompt, (phrase, noun, colour)) in PROMPTS.iter().enumerate() {
            if thing.noun != *noun || colour.is_some_and(|colour| thing.colour != colour) {
                continue;
            }
            asked += 1;
            let tells = |t: &&Told| t.prompt == prompt && t.from < thing.to && t.to > thing.from;
            match told.iter().find(tells) {
                Some(_) => found += 1,
                None => missed.push(format!("{phrase} {:.1}–{:.1} s", thing.from, thing.to)),
            }
        }
    }
    eprintln!("{found} of {asked} found; told: {shown:#?}; missed: {missed:#?}");
    assert!(asked >= 8 && f64::from(found) >= RECALL * f64::from(asked), "{found} of {asked}; missed {missed:#?}");
    let empty = &truth["empty"][0];
    let (from, to) = (empty[0].as_f64().expect("seconds") + SETTLES_S, empty[1].as_f64().expect("seconds"));
    let false_alarms: Vec<_> = told.iter().filter(|t| t.from < to && t.to > from).collect();
    assert!(false_alarms.is_empty(), "told in the empty {from}–{to} s: {shown:#?}");
}
