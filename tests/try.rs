//! `lookout try` and `lookout tune`, on a few seconds of the embedded clip.

use std::path::Path;
use std::process::{Command, Output};

use lookout::capture::source::Shape;
use lookout::capture::{Recorder, open_offline};
use lookout::config::settings::{Rotation, Source};
use serde_json::Value;

/// A yellow bus comes at 11.3 s; before that, a bicycle.
const FROM_S: f64 = 9.0;
const TO_S: f64 = 15.0;

fn lookout(arguments: &[&str]) -> Output {
    let model = ["--model", crate::support::RENDERED_MODEL];
    Command::new(env!("CARGO_BIN_EXE_lookout")).args(arguments).args(model).output().expect("the program starts")
}

fn said(arguments: &[&str]) -> String {
    let ran = lookout(arguments);
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

/// A part of the embedded clip as a file.
fn clip(folder: &Path) -> String {
    let path = folder.join("bus.webm");
    let shape = Shape { size: None, fps: 4.0, rotation: Rotation::None };
    let mut recorder = None;
    for item in open_offline(&Source::Demo { repeat: false }, &shape).expect("opens") {
        let (position, frame) = item.expect("reads");
        let at = position.as_secs_f64() - FROM_S;
        if (0.0..TO_S - FROM_S).contains(&at) {
            let start = || Recorder::start(&path, frame.width(), frame.height()).expect("starts");
            let recorder = recorder.get_or_insert_with(start);
            let at = std::time::Duration::from_secs_f64(at);
            recorder.add(frame.rgb(), frame.width(), at).expect("records");
        }
    }
    recorder.expect("there are frames").finish().expect("finishes");
    path.display().to_string()
}

#[test]
fn a_clip_tells_what_would_have_alerted_and_how_near_the_rest_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = clip(folder.path());
    let page = folder.path().join("report.html").display().to_string();
    let prompts = ["--prompt", "a yellow bus", "--prompt", "a green tractor", "--fps", "3"];
    let told = said(&[&["try", &clip, "--json", "--report", &page], &prompts[..]].concat());
    let told: Value = serde_json::from_str(&told).expect("one document");
    let clip = &told["clips"][0];
    let events = clip["events"].as_array().expect("a list");
    assert!(events.iter().any(|event| event["prompt"] == "yellow_bus"), "{told:#}");
    let bus = &events[0];
    let from = bus["from_s"].as_f64().expect("seconds");
    assert!((1.5..4.5).contains(&from) && bus["top_score"].as_f64() > Some(0.6), "{bus:#}");
    assert!(bus["told_s"].as_f64() > bus["from_s"].as_f64() && !bus["where"].as_str().expect("words").is_empty());
    assert_eq!(told["events"], events.len());
    let scores = clip["prompts"][0]["scores"].as_array().expect("a curve");
    assert!(scores.len() >= 15 && scores.iter().any(|score| score[1].as_f64() > score[2].as_f64()));
    assert!(clip["encoder_passes"].as_u64() > Some(18) && clip["times_real_time"].as_f64() > Some(0.0));

    let page = std::fs::read_to_string(page).expect("a page");
    for part in ["would have been told", "data:image/jpeg;base64,", "class=heat", "<polyline", "a green tractor"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
}

#[test]
fn a_configured_cameras_zones_and_masks_hold_and_nothing_is_a_result_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = clip(folder.path());
    let config = folder.path().join("lookout.toml");
    let camera = |name: &str, more: &str| {
        format!(
            "[[camera]]\nname = \"{name}\"\nsource = \"demo://street\"\nfps = 3\n{more}\n\
             [[camera.prompt]]\nphrases = [\"a yellow bus\"]\n"
        )
    };
    let masked = camera("masked", "masks = [[[0, 0], [1, 0], [1, 1], [0, 1]]]");
    std::fs::write(&config, camera("open", "") + &masked).expect("writes");
    let config = config.display().to_string();
    let page = folder.path().join("none.html").display().to_string();
    let tried = said(&["try", &clip, "--config", &config, "--camera", "masked", "--report", &page]);
    assert!(tried.contains("0 events") && tried.contains("No event: nothing would have alerted."), "{tried}");
    assert!(std::fs::read_to_string(page).expect("a page").contains("Nothing would have alerted"));

    let which = lookout(&["try", &clip, "--config", &config]);
    let said = String::from_utf8_lossy(&which.stderr);
    assert!(!which.status.success() && said.contains("--camera: open, masked"), "{said}");
}

#[test]
fn joined_clips_are_one_recording_and_others_one_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = clip(folder.path());
    let tried = |more: &[&str]| -> Value {
        let asked = ["try", &clip, &clip, "--prompt", "a yellow bus", "--fps", "2", "--json"];
        serde_json::from_str(&said(&[&asked[..], more].concat())).expect("one document")
    };
    let joined = tried(&["--joined"]);
    let files = joined["clips"][0]["files"].as_array().expect("a list");
    let seconds = |value: &Value| value.as_f64().expect("seconds");
    assert_eq!((joined["clips"].as_array().map(Vec::len), files.len()), (Some(1), 2));
    assert_eq!(seconds(&files[1]["from_s"]), seconds(&files[0]["length_s"]));
    assert!((10.0..14.0).contains(&seconds(&joined["clips"][0]["length_s"])), "{joined:#}");
    // A camera that has just been switched on sees the same twice.
    let alone = tried(&[]);
    let events = |clip: usize| alone["clips"][clip]["events"].clone();
    assert!(events(0) == events(1) && events(0).as_array().is_some_and(|events| !events.is_empty()), "{alone:#}");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let text = file("notes.mp4", "this is no video, whatever its name says");
    let broken = file("lookout.toml", "[[camera]]\nname = \"yard\"\nsource = \"demo://street\"\nfps = 900\n");
    let dog = ["--prompt", "a dog"];
    for (arguments, wanted) in [
        (vec!["try", "/no/such.mp4", dog[0], dog[1]], "there is no file /no/such.mp4"),
        (vec!["try", &text, dog[0], dog[1]], "is not a video that GStreamer can read"),
        (vec!["try", "demo://street"], "there is nothing to look out for"),
        (vec!["try", "demo://street", "--prompt", ""], "--prompt is empty"),
        (vec!["try", "demo://street", dog[0], dog[1], dog[0], dog[1]], "says the same as another"),
        (vec!["try", "demo://street", "--config", &broken], "camera[0].fps"),
        (vec!["tune", "demo://street", dog[0], dog[1], "--mark", "soon"], "should be a moment like 12.5"),
        (vec!["tune", "demo://street", dog[0], dog[1], "--mark", "5", "--not", "3-9"], "both: --mark and --not"),
    ] {
        let ran = lookout(&arguments);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(wanted), "{arguments:?}: {wanted:?} in {said}");
    }
}

#[test]
fn tuning_finds_a_threshold_that_tells_the_marked_thing() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = clip(folder.path());
    // Nothing can be more certain than that, so that what is there now tells nothing.
    let asked = ["--prompt", "a yellow bus", "--threshold", "0.99", "--fps", "3", "--mark", "4-5.5"];
    let told = said(&[&["tune", &clip, "--json"], &asked[..]].concat());
    let told: Value = serde_json::from_str(&told).expect("one document");
    let best = &told["proposals"][0];
    assert_eq!((&best["found"], &best["marks"], &best["false_events"]), (&1.into(), &1.into(), &0.into()), "{told:#}");
    assert_eq!((&told["held_out"], &told["prompt"]), (&false.into(), &"yellow_bus".into()));
    assert!(told["advice"].as_str().expect("words").contains("none could be held out"));
    let late = lookout(&[&["tune", &clip], &asked[..6], &["--mark", "400"]].concat());
    let said = String::from_utf8_lossy(&late.stderr);
    assert!(said.contains("beyond the end"), "{said}");
}

#[test]
fn tuning_finds_the_words_that_tell_the_marked_thing() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = clip(folder.path());
    // The present words are of something that never comes; the person has thought of the right ones.
    let asked = ["--prompt", "a dog", "--also", "a yellow bus", "--fps", "3", "--mark", "4-5.5", "--json"];
    let told: Value = serde_json::from_str(&said(&[&["tune", &clip], &asked[..]].concat())).expect("one document");
    assert_eq!((&told["present"]["found"], &told["better"]), (&0.into(), &true.into()), "{told:#}");
    let best = &told["proposals"][0];
    let phrases: Vec<&str> = best["phrases"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(best["found"] == 1 && phrases.contains(&"a yellow bus"), "{told:#}");
}
