//! Control by message: what is asked on `set` topics, from the payload to the running program.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use lookout::config::file::default_store;
use lookout::config::settings::{Name, Settings, StoreSettings};
use lookout::config::{Changes, Laid, parse};
use lookout::mqtt::command::read;
use lookout::mqtt::{Asked, Topics};
use lookout::store::Store;
use serde_json::{Value, json};

use crate::support::mosquitto::Mosquitto;
use crate::support::program::{Hears, Running, config, output};

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

const CAMERA: &str = "[[camera]]\nname = \"street\"\nsource = \"test://smpte\"\nfps = 0.5\n[[camera.zone]]\nname = \"road\"\n\
                      points = [[0, 0], [1, 0], [1, 1]]\n[[camera.prompt]]\nphrases = \"a dog\"\n[[camera.prompt]]\n\
                      phrases = [\"a red car\", \"a red van\"]\nthreshold = 0.7\nzones = [\"road\"]\n";

fn settings() -> Settings {
    parse(CAMERA, "test", Path::new(""), false).expect("valid")
}

/// The asked change, or what was wrong with it.
fn asked(topic: &str, payload: &[u8]) -> Result<Asked, String> {
    let topics = Topics::new("lookout", &name("hof"));
    match read(&topics, &format!("lookout/hof/{topic}"), payload, payload.len()) {
        Ok(request) => Ok(request.asked),
        Err(refusal) => Err(refusal.faults.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn payloads_are_read_as_they_are_meant() {
    let patch = |topic: &str, payload: &str| match asked(topic, payload.as_bytes()) {
        Ok(Asked::Change { patch, .. }) => Value::Object(patch),
        other => panic!("{topic} {payload}: {other:?}"),
    };
    assert_eq!(patch("street/enabled/set", "OFF"), json!({"enabled": "OFF"}));
    assert_eq!(patch("street/rate/set", " 0.5 "), json!({"rate": 0.5}));
    assert_eq!(
        patch("street/dog/threshold/set", "{\"value\": 0.4, \"id\": 7}"),
        json!({"prompts": {"dog": {"threshold": 0.4}}})
    );
    for (said, phrases) in [
        ("a cat", json!(["a cat"])),
        ("a cat | a kitten", json!(["a cat", "a kitten"])),
        ("[\"a cat\"]", json!(["a cat"])),
        ("{\"value\": [\"a | b\"]}", json!(["a | b"])),
        ("7", json!(["7"])),
        ("", json!([""])),
    ] {
        assert_eq!(patch("street/dog/phrase/set", said), json!({"prompts": {"dog": {"phrases": phrases}}}), "{said:?}");
    }
    assert!(matches!(asked("street/settings/set", b"{\"revision\": 3}"), Ok(Asked::Change { revision: Some(3), .. })));
    assert!(matches!(asked("street/settings/reset", b""), Ok(Asked::ResetAll)));
    assert!(matches!(asked("street/dog/threshold/reset", b""), Ok(Asked::Reset(_))));
    assert!(matches!(asked("street/snapshot/set", b""), Ok(Asked::Snapshot)));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let deep = format!("{{\"prompts\": {}1{}", "[".repeat(60_000), "]".repeat(60_000));
    let cases: [(&str, &[u8], &str); 12] = [
        ("street/settings/set", &[b'x'; 10 << 20], "at most 65536 are read"),
        ("street/settings/set", &deep.as_bytes()[..60_000], "recursion limit"),
        ("street/settings/set", b"\xff\xfe", "not UTF-8"),
        ("street/settings/set", b"[1]", "should be a JSON object"),
        ("street/settings/set", b"{\"revision\": -1}", "revision: is -1"),
        ("stre\x07et/enabled/set", b"ON", "\\u{7}"),
        ("+/enabled/set", b"ON", "holds \"+\""),
        ("#/dog/threshold/set", b"0.5", "holds \"#\""),
        ("street/../threshold/set", b"0.5", "holds \"..\""),
        ("street/status/set", b"online", "should name settings"),
        ("street/dog/state/set", b"ON", "should name enabled, threshold, false_alarms_per_day, phrase, cooldown_s"),
        ("set", b"", "topic: should be"),
    ];
    for (topic, payload, wanted) in cases {
        let said = asked(topic, payload).expect_err(topic);
        assert!(said.contains(wanted), "{topic}: {said}");
    }
}

/// Changes after one request on the settings as they are with `changes`; faults as one text.
fn patched(changes: &Changes, patch: &Value) -> Result<Changes, String> {
    let written = settings().written;
    let text = |faults: Vec<lookout::config::table::Fault>| {
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let camera = |changes: &Changes| written.camera(&name("street"), changes).expect("it is there");
    let present = camera(changes).expect("valid so far");
    let next = changes
        .patched(&present, &camera(&Changes::default()).expect("valid"), patch.as_object().expect("an object"))
        .map_err(text)?;
    camera(&next).map_err(text)?;
    Ok(next)
}

fn keys(changes: &Changes) -> Vec<String> {
    changes.iter().map(|(_, key, value)| format!("{key}={value}")).collect()
}

#[test]
fn changes_are_kept_by_key_and_a_patch_undoes_only_what_it_names() {
    let none = Changes::default();
    let first = patched(&none, &json!({"rate": 1, "prompts": {"dog": {"threshold": 0.5}}})).expect("valid");
    let second = patched(&first, &json!({"prompts": {"dog": {"phrases": ["a poodle"]}}})).expect("valid");
    assert_eq!(
        keys(&second),
        [
            "rate=1",
            "prompts/dog/phrases=[\"a poodle\"]",
            "prompts/dog/threshold=0.5",
            "prompts/dog/false_alarms_per_day=0"
        ]
    );
    let third = patched(&second, &json!({"rate": null, "prompts": {"dog": {"threshold": null}}})).expect("valid");
    assert_eq!(keys(&third), ["prompts/dog/phrases=[\"a poodle\"]"]);
    // Taken away from the file, it is remembered as gone, and comes back as it was written.
    let gone = patched(&third, &json!({"prompts": {"dog": null}})).expect("valid");
    assert_eq!(keys(&gone), ["prompts/dog=null"]);
    assert_eq!(keys(&patched(&gone, &json!({"prompts": {"dog": {}}})).expect("valid")), Vec::<String>::new());
    // Added by message, it leaves no trace.
    let added = patched(&none, &json!({"prompts": {"cat": {"phrases": ["a cat"], "zones": ["road"]}}})).expect("valid");
    assert_eq!(keys(&added)[0], "prompts/cat=true");
    assert_eq!(patched(&added, &json!({"prompts": {"cat": null}})).expect("valid"), none);
    let zones = patched(&none, &json!({"zones": {"yard": [[0, 0], [0.5, 0], [0.5, 0.5]]}})).expect("valid");
    assert_eq!(patched(&zones, &json!({"zones": {"yard": null}})).expect("valid"), none);
}

#[test]
fn a_wrong_part_refuses_the_whole_with_the_words_of_the_file() {
    for (patch, wanted) in [
        (
            json!({"rate": 1, "prompts": {"dog": {"threshold": 7}}}),
            "street/prompts/dog/threshold: is 7, should be a number",
        ),
        (json!({"rate": "fast"}), "street/rate: is \"fast\""),
        (json!({"rate": 1e300}), "street/rate: is"),
        (json!({"rate": 18446744073709551615u64}), "street/rate: is \"18446744073709551615\""),
        (json!({"enabled": "perhaps"}), "street/enabled: is \"perhaps\""),
        (json!({"source": "file:///etc/passwd"}), "source: unknown key"),
        (json!({"prompts": {"dog": {"treshold": 0.5}}}), "prompts/dog/treshold: unknown key"),
        (json!({"prompts": {"cat": {}}}), "street/prompts/cat/phrases: is missing"),
        (json!({"prompts": {"cat": null}}), "prompts/cat: there is none"),
        (json!({"prompts": {"a/b": {}}}), "prompts/a/b: is no name"),
        (json!({"prompts": {"dog": null, "red_car": null}}), "nothing to look out for"),
        (json!({"prompts": {"dog": {"phrases": ["a \u{7} dog"]}}}), "control characters"),
        (json!({"prompts": {"dog": {"phrases": vec!["a dog"; 300]}}}), "should be 200 at most"),
        (json!({"zones": {"road": null}}), "there is no zone \"road\""),
        (json!({"zones": {"road": [[0, 0], [2, 0], [1, 1]]}}), "street/zones/road/points: has a point outside"),
        (json!({"zones": 7}), "zones: should be an object"),
    ] {
        let said = patched(&Changes::default(), &patch).expect_err(&patch.to_string());
        assert!(said.contains(wanted), "{patch}: {said}");
    }
}

#[test]
fn what_the_file_no_longer_has_is_told_and_left_out() {
    let mut changes = Changes::default();
    let mut change = |camera: &str, key: &str, value: Value| {
        changes.insert(name(camera), key.parse().expect("a key"), value);
    };
    change("street", "prompts/wolf/threshold", json!(0.5));
    change("street", "prompts/dog/threshold", json!(0.5));
    change("yard", "enabled", json!(false));
    let Laid { cameras, fitting, misfits: told } = settings().written.cameras(&changes);
    assert_eq!(keys(&fitting), ["prompts/dog/threshold=0.5"]);
    assert!((cameras[0].prompts[0].threshold - 0.5).abs() < 1e-6);
    let told: Vec<&str> = told.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(told, ["street/prompts/wolf/threshold", "yard/enabled"]);
    changes.insert(name("street"), "rate".parse().expect("a key"), json!(0));
    let Laid { cameras, fitting, misfits: told } = settings().written.cameras(&changes);
    assert_eq!(fitting, Changes::default());
    assert_eq!(cameras, settings().cameras);
    assert!(told.iter().any(|fault| fault.key == "street/rate"), "{told:?}");
}

/// The program with a store in `folder`.
fn started(folder: &Path, port: u16, more: &str) -> (Running, String) {
    let text = format!(
        "[device]\nid = \"hof\"\n[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\nkeep_alive_s = 5\n{more}[store]\npath = \"s.db\"\n{CAMERA}"
    );
    let file = config(folder, &text);
    (Running::start(&["run", "--config", &file]), file)
}

fn settings_of(hears: &Hears, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let fits = |topic: &str, payload: &[u8]| {
        topic == "lookout/hof/street/settings" && serde_json::from_slice(payload).is_ok_and(|value: Value| fits(&value))
    };
    serde_json::from_slice(&hears.find(what, fits).1).expect("JSON")
}

fn error(hears: &Hears, wanted: &str) -> Value {
    let fits = |topic: &str, payload: &[u8]| {
        topic == "lookout/hof/errors" && String::from_utf8_lossy(payload).contains(wanted)
    };
    serde_json::from_slice(&hears.find(wanted, fits).1).expect("JSON")
}

#[test]
fn a_running_program_follows_and_remembers() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    // A change of a prompt that the file no longer has neither stands in the way nor stays for ever.
    let path = Some(folder.path().join("s.db"));
    let store = Store::open(&StoreSettings { path, ..default_store() }).expect("opens");
    let stale = ("street".to_owned(), "prompts/wolf/threshold".to_owned(), Some("0.5".to_owned()));
    store.change(&[stale], Timestamp::now()).expect("stored");
    drop(store);
    // Retained commands would be followed at each start.
    hears.retain("lookout/hof/street/dog/threshold/set", "0.11");
    let (running, file) = started(folder.path(), broker.port, "");
    hears.value("lookout/hof/street/dog/threshold", "0.6");
    hears.value("lookout/hof/street/red_car/phrase", "a red car | a red van");
    hears.value("lookout/hof/street/status", "online");

    hears.say("lookout/hof/street/dog/threshold/set", "0.5");
    hears.value("lookout/hof/street/dog/threshold", "0.5");
    hears.say("lookout/hof/street/snapshot/set", "");
    assert!(hears.find("a picture", |topic, _| topic == "lookout/hof/street/snapshot").1.starts_with(b"\xff\xd8"));
    hears.say("lookout/hof/street/enabled/set", "OFF");
    hears.value("lookout/hof/street/enabled", "OFF");
    hears.value("lookout/hof/street/status", "disabled");
    hears.say("lookout/hof/street/snapshot/set", "{\"id\": \"p1\"}");
    assert_eq!(error(&hears, "switched off")["id"], "p1");
    hears.say("lookout/hof/street/enabled/set", "ON");
    hears.value("lookout/hof/street/status", "online");
    hears.say(
        "lookout/hof/street/settings/set",
        r#"{"id": "r1", "prompts": {"cat": {"phrases": ["a cat"]}, "red_car": null}}"#,
    );
    let now = settings_of(&hears, "r1", |settings| settings["request"] == "r1");
    assert_eq!(
        now["changed"],
        json!([
            "enabled",
            "prompts/cat",
            "prompts/cat/phrases",
            "prompts/dog/false_alarms_per_day",
            "prompts/dog/threshold",
            "prompts/red_car"
        ])
    );
    hears.value("lookout/hof/street/cat/state", "OFF");

    // A wrong part, a stale revision, an unknown prompt, a phrase that the model does not take: nothing is changed.
    let revision = now["revision"].as_u64().expect("a number");
    hears.say("lookout/hof/street/settings/set", r#"{"id": "bad", "rate": 1, "prompts": {"dog": {"threshold": 2}}}"#);
    assert_eq!(error(&hears, "bad")["faults"][0]["key"], "street/prompts/dog/threshold");
    hears.say("lookout/hof/street/settings/set", &json!({"revision": revision - 1, "rate": 1}).to_string());
    error(&hears, "look at them again");
    hears.say("lookout/hof/street/wolf/threshold/set", "0.5");
    error(&hears, "has no prompt wolf");
    hears.say("lookout/hof/yard/enabled/set", "OFF");
    error(&hears, "there is no camera yard");
    hears.say("lookout/hof/street/wolf/threshold/reset", "");
    error(&hears, "has no prompt wolf");
    // What changes nothing is answered too.
    hears.say("lookout/hof/street/dog/threshold/set", "0.5");
    hears.find("the same again", |topic, value| topic == "lookout/hof/street/dog/threshold" && value == b"0.5");
    running.end();

    let said = String::from_utf8(output(&["check", "--config", &file]).stdout).expect("text");
    assert!(said.contains("#   street/prompts/dog/threshold = 0.5   since") && !said.contains("wolf"), "{said}");
    let printed: toml::Table = said.parse().expect("TOML");
    assert_eq!(printed["camera"][0]["prompt"][1]["name"].as_str(), Some("cat"));
    assert!(output(&["check", "--config", &file, "--forget", "street/prompts/cat"]).status.success());
    assert!(!output(&["check", "--config", &file, "--forget", "street/prompts/cat"]).status.success());

    let hears = Hears::new(broker.port);
    let (running, _) = started(folder.path(), broker.port, "");
    let again = settings_of(&hears, "the settings", |settings| settings["revision"] == revision + 1);
    assert_eq!(
        again["changed"],
        json!(["enabled", "prompts/dog/false_alarms_per_day", "prompts/dog/threshold", "prompts/red_car"])
    );
    assert_eq!(again["prompts"].as_object().expect("an object").len(), 1);
    hears.say("lookout/hof/street/settings/reset", "{\"id\": \"back\"}");
    let back = settings_of(&hears, "back", |settings| settings["request"] == "back");
    assert_eq!((&back["changed"], &back["prompts"]["red_car"]["threshold"]), (&json!([]), &json!(0.7)));
    running.end();
}

#[test]
fn two_hundred_right_and_two_hundred_hostile_commands() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let (running, _) = started(folder.path(), broker.port, "");
    hears.value("lookout/hof/street/status", "online");
    let huge = vec![b'['; 10 << 20];
    let deep = "[".repeat(60_000);
    let mut expected = BTreeMap::new();
    for turn in 0..200_u32 {
        let prompt = ["dog", "red_car"][turn as usize % 2];
        let threshold = f64::from(100 + turn) / 1000.0;
        let hostile: (&str, &[u8]) = match turn % 8 {
            0 if turn < 24 => ("lookout/hof/street/settings/set", &huge),
            0 | 1 => ("lookout/hof/street/settings/set", deep.as_bytes()),
            2 => ("lookout/hof/street/dog/phrase/set", b"\xff\xfe\xfd"),
            // Control characters are refused by this broker already.
            3 => ("lookout/hof/street/do \u{202e}g/threshold/set", b"0.5"),
            4 => ("lookout/hof/street/dog/threshold/set", b"1e999"),
            5 => ("lookout/hof/street/wolf/enabled/set", b"OFF"),
            6 => ("lookout/hof/street/settings/set", b"{\"prompts\": {\"dog\": {\"threshold\": 0.9}, \"x\": {}}}"),
            _ => ("lookout/hof/street/status/set", b"offline"),
        };
        hears.say_bytes(hostile.0, hostile.1);
        hears.say(&format!("lookout/hof/street/{prompt}/threshold/set"), &threshold.to_string());
        // Each answered before the next is asked; a faster asker is told to wait.
        hears.value(&format!("lookout/hof/street/{prompt}/threshold"), &threshold.to_string());
        expected.insert(prompt, threshold);
    }
    let log = running.end();
    assert!(log.len() < 600, "{} lines of log", log.len());
    assert!(!log.iter().any(|line| line.contains("panicked") || line.contains("lost")), "{log:#?}");
    let hears = Hears::new(broker.port);
    let (running, _) = started(folder.path(), broker.port, "read_only = true\n");
    let again = settings_of(&hears, "the settings", |settings| settings["revision"] == 200);
    for (prompt, threshold) in expected {
        assert_eq!(again["prompts"][prompt]["threshold"], threshold);
    }
    assert_eq!(
        again["changed"],
        json!([
            "prompts/dog/false_alarms_per_day",
            "prompts/dog/threshold",
            "prompts/red_car/false_alarms_per_day",
            "prompts/red_car/threshold"
        ])
    );
    hears.value("lookout/hof/street/status", "online");
    hears.say("lookout/hof/street/dog/threshold/set", "0.9");
    hears.find("stats", |topic, _| topic == "lookout/hof/stats");
    running.end();
}
