//! Phrases that say where or how many, asked of rendered scenes by the embedded model.
//!
//! The scenes are those of `tools/demo_model/relations.py OUT --seed 14 --quality 75`, all of which are answered right.
//! `LOOKOUT_SCENES=FOLDER` asks those of another set, and shows what was seen where the answer was wrong;
//! `LOOKOUT_SCENES_MODEL=FOLDER` asks another model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lookout::clip::Model;
use lookout::config::settings::{CameraSettings, PromptSettings};
use lookout::frame::Frame;
use lookout::pipeline::Watch;
use lookout::prompts::PromptBank;
use serde_json::Value;

/// As many more frames show the same scene, until nothing is left to look at.
const LOOKS: usize = 8;
/// Share of the scenes of which the answer must be right: what the embedded model cannot see, no geometry finds.
const RIGHT: f64 = 0.95;

/// A camera that is asked one phrase of a still picture.
fn camera(scene: &Value) -> CameraSettings {
    let phrase = scene["phrase"].as_str().expect("a phrase");
    let zones: String =
        scene["zones"].as_object().expect("zones").iter().fold(String::new(), |text, (name, points)| {
            format!("{text}[[camera.zone]]\nname = \"{name}\"\npoints = {points}\n")
        });
    let text = format!(
        "[[camera]]\nname = \"scene\"\nsource = \"test://smpte\"\n\
         events = {{ min_hits = 1, min_seen_s = 0, gone_after_s = 0.1 }}\n{zones}\
         [[camera.prompt]]\nphrases = \"{phrase}\"\n"
    );
    lookout::config::parse(&text, "test", Path::new(""), false).expect("valid").cameras.remove(0)
}

#[test]
fn phrases_that_say_where_and_how_many_are_answered() {
    let folder = std::env::var_os("LOOKOUT_SCENES");
    let shown = folder.is_some();
    let folder = folder.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from);
    let truth: Value =
        serde_json::from_slice(&std::fs::read(folder.join("relations.json")).expect("the truth")).expect("JSON");
    let sheet = image::open(folder.join("relations.jpg")).expect("the scenes").into_rgb8();
    let [width, height] = ["width", "height"].map(|side| truth[side].as_u64().expect("a side") as u32);
    let other = std::env::var_os("LOOKOUT_SCENES_MODEL").map(PathBuf::from);
    let model = other.map_or_else(crate::support::rendered_model, |folder| Model::open(&folder).expect("opens"));
    let text = model.phrases();
    let scenes = truth["scenes"].as_array().expect("scenes");
    let first = camera(&scenes[0]);
    let encoder = lookout::app::encoder(&model, std::slice::from_ref(&first), 2, None).expect("loads");
    let mut answers: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (index, scene) in scenes.iter().enumerate() {
        let camera = camera(scene);
        let notes = &camera.prompts[0].understood.notes;
        assert!(notes.is_empty() && camera.prompts[0].understood.relation.is_some(), "{notes:?}");
        let prompt = camera.prompts[0].clone();
        let scale = model.manifest().embedding.logit_scale;
        let bank = |camera: &CameraSettings| {
            let encode = |phrase: &str| text.encode(phrase);
            PromptBank::new(&camera.prompts, &camera.negatives, scale, encode).expect("embeds")
        };
        let picture = image::imageops::crop_imm(&sheet, 0, index as u32 * height, width, height).to_image();
        let frame = Frame::new(width, height, picture.into_raw(), 0, Timestamp::UNIX_EPOCH).expect("a frame");
        let mut watch = Watch::new(camera.clone(), bank(&camera));
        // A camera that stands takes its closer looks frame by frame.
        let mut look = || watch.look(&frame, &encoder, usize::MAX).expect("encodes");
        let mut sight = look();
        for _ in 0..LOOKS {
            if sight.postponed > 0 {
                sight = look();
            }
        }
        let right = scene["answer"] == !sight.present[0].things.is_empty();
        let counts = answers.entry(scene["kind"].as_str().expect("a kind")).or_default();
        *counts = (counts.0 + usize::from(right), counts.1 + 1);
        if !right && shown {
            eprintln!("{index} {} should be {}; there is {}", scene["phrase"], scene["answer"], scene["things"]);
            for thing in &sight.present[0].things {
                let beside = thing.related.as_ref().and_then(|related| related.area);
                let [own, beside] =
                    [Some(thing.area), beside].map(|area| area.map(|area| area.to_pixels(width, height)));
                eprintln!("    told: {own:?} {} to {beside:?}", thing.score);
            }
            let mut apart = camera.clone();
            let things =
                prompt.understood.things().map(|phrase| PromptSettings::new(prompt.name.clone(), vec![phrase.clone()]));
            apart.prompts = things.collect();
            let bank = bank(&apart);
            let mut watch = Watch::new(apart.clone(), bank).reporting_from(0.2);
            let sight = watch.look(&frame, &encoder, usize::MAX).expect("encodes");
            for (prompt, found) in apart.prompts.iter().zip(&sight.detections) {
                let found: Vec<_> = found.iter().map(|d| (d.area.to_pixels(width, height), d.score)).collect();
                eprintln!("    {}: {found:?}", prompt.phrases[0]);
            }
        }
    }
    let (right, all) = answers.values().fold((0, 0), |(right, all), of| (right + of.0, all + of.1));
    eprintln!("{right} of {all} right; by kind {answers:?}");
    assert!(right as f64 >= RIGHT * all as f64, "{right} of {all}; by kind {answers:?}");
}
