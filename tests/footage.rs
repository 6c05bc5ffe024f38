//! Real footage: what a part of it gives now must not fall below `scripts/benchmark-floors.toml`. The whole of it is
//! `scripts/benchmark.sh`.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

/// The limits of one prompt on one set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    set: String,
    prompt: String,
    /// At least, 0..1.
    ap50: Option<f64>,
    /// Of events; at least, 0..1.
    recall: Option<f64>,
    /// At most.
    false_events: Option<u64>,
    /// At most.
    id_switches: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Floors {
    floor: Vec<Floor>,
}

/// The faults of one prompt's figures against its limits.
fn faults(floor: &Floor, figures: &Value) -> Vec<String> {
    let place = format!("{}, {:?}", floor.set, floor.prompt);
    let mut faults = Vec::new();
    for (name, least, value) in
        [("AP50", floor.ap50, &figures["ap50"]), ("event recall", floor.recall, &figures["events"]["recall"])]
    {
        let value = value.as_f64().unwrap_or(0.0);
        if let Some(least) = least.filter(|least| value < *least) {
            faults.push(format!("{place}: {name} is {value:.3}, at least {least} is wanted"));
        }
    }
    for (name, most, value) in [
        ("false events", floor.false_events, &figures["events"]["false"]),
        ("ID switches", floor.id_switches, &figures["events"]["id_switches"]),
    ] {
        let value = value.as_u64().unwrap_or(u64::MAX);
        if let Some(most) = most.filter(|most| value > *most) {
            faults.push(format!("{place}: {value} {name}, at most {most} are wanted"));
        }
    }
    faults
}

/// Runs `lookout eval` with a set's limits' prompts, and holds the figures against them. `described` gives the categories
/// of prompts that are in the truth.
fn check(set: &str, annotations: &str, more: &[&str], described: &[(&str, &str)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared");
    if !shared.is_dir() {
        eprintln!("skipped: ../shared is not here");
        return;
    }
    let text = std::fs::read_to_string(root.join("scripts/benchmark-floors.toml")).expect("the floors");
    let floors: Floors = toml::from_str(&text).expect("valid floors");
    let floors: Vec<Floor> = floors.floor.into_iter().filter(|floor| floor.set == set).collect();
    assert!(!floors.is_empty(), "no floor of {set}");
    let mut lookout = Command::new(env!("CARGO_BIN_EXE_lookout"));
    lookout.current_dir(&shared).args(["eval", "--json", "--annotations", annotations]).args(more);
    for floor in &floors {
        let category = described.iter().find(|(phrase, _)| *phrase == floor.prompt).map_or("none", |(_, name)| name);
        lookout.args(["--prompt", &format!("{}={category}", floor.prompt)]);
    }
    let ran = lookout.output().expect("the program starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let json: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let mut all = Vec::new();
    for (floor, figures) in floors.iter().zip(json["prompts"].as_array().expect("prompts")) {
        eprintln!(
            "{set}, {}: AP50 {}, events {} of {}, {} false, {} ID switches",
            floor.prompt,
            figures["ap50"],
            figures["events"]["told"],
            figures["events"]["things"],
            figures["events"]["false"],
            figures["events"]["id_switches"]
        );
        all.extend(faults(floor, figures));
    }
    eprintln!("{set}: {} ms a frame, {} of encoder", json["total_ms_a_frame"], json["encoder_ms_a_frame"]);
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn people_on_a_campus_road() {
    let clip = ["--video", "footage/pets.avi", "--seconds", "60"];
    check("pets", "footage/pets.json", &clip, &[("a person", "person")]);
}

#[test]
fn vehicles_on_a_motorway_in_the_morning() {
    let clip = ["--video", "footage/motorway-morning.mp4", "--seconds", "20"];
    check("motorway-morning", "footage/motorway-morning.json", &clip, &[("a car", "car"), ("a truck", "truck")]);
}

#[test]
fn vehicles_on_a_motorway_at_night() {
    let clip = ["--video", "footage/motorway-night.mp4", "--seconds", "20"];
    check("motorway-night", "footage/motorway-night.json", &clip, &[("a car", "car"), ("a truck", "truck")]);
}

#[test]
fn things_on_photos() {
    let photos = ["--images", "photos128", "--photos", "32"];
    check("photos", "photos128/instances.json", &photos, &[("a person", "person"), ("a car", "car")]);
}

#[test]
fn figures_below_a_floor_are_faults() {
    let floor = |text: &str| toml::from_str::<Floor>(&format!("set = \"s\"\nprompt = \"p\"\n{text}")).expect("valid");
    let figures = serde_json::json!({"ap50": 0.5, "events": {"recall": null, "false": 3, "id_switches": 0}});
    assert!(faults(&floor("ap50 = 0.5\nfalse_events = 3\nid_switches = 0"), &figures).is_empty());
    for (text, wanted) in [
        ("ap50 = 0.51", "AP50 is 0.500, at least 0.51"),
        ("recall = 0.1", "event recall is 0.000"),
        ("false_events = 2", "3 false events, at most 2"),
    ] {
        assert!(faults(&floor(text), &figures)[0].contains(wanted));
    }
}
