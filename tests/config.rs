//! The configuration: every fault at once, and the files that are handed out.

use std::path::Path;
use std::process::Command;

use lookout::config::{ConfigError, parse};

const FAULTY: &str = r##"
lgo = "json"
[mqtt]
url = "http://broker"
base = "look/#"
password = "hidden-secret"
[[camera]]
name = "yard door"
source = "rtps://host/x"
fps = "fast"
rotation = 45
[[camera.zone]]
name = "gate"
points = [[0, 0], [1, 1]]
[[camera.prompt]]
phrases = ["a dog"]
treshold = 7
[[camera.prompt]]
phrases = ["a cat"]
threshold = 7
zones = ["gat"]
[[camera.prompt]]
phrases = [" "]
[[camera]]
name = "two"
source = "demo://street"
[[camera]]
name = "two"
source = "test://smpte"
[[camera.prompt]]
phrases = ["a dog"]
"##;

fn faults(text: &str) -> String {
    match parse(text, "lookout.toml", Path::new(""), false) {
        Err(error @ ConfigError::Faulty { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_fault_is_told_at_once_with_its_key() {
    let said = faults(FAULTY);
    for wanted in [
        "lgo: unknown key; did you mean `log`?",
        "mqtt.url: has the scheme \"http\"",
        "mqtt.base: is \"look/#\"",
        "mqtt.user: a password is set",
        "camera[0].name: is \"yard door\"",
        "camera[0].source: has the scheme \"rtps\"",
        "camera[0].fps: is \"fast\"",
        "camera[0].rotation: is 45",
        "camera[0].zone[0].points: has 2 points",
        "camera[0].prompt[0].treshold: unknown key; did you mean `threshold`?",
        "camera[0].prompt[1].threshold: is 7",
        "camera[0].prompt[1].zones: there is no zone \"gat\"",
        "camera[0].prompt[2].phrases[0]: is empty",
        "camera[1].prompt: nothing to look out for",
        "\"two\" names two cameras",
    ] {
        assert!(said.contains(wanted), "{wanted:?} in\n{said}");
    }
    assert!(!said.contains("hidden-secret"));
}

#[test]
fn rules_that_cannot_be_are_told_with_what_would_be_right() {
    let said = faults(
        "[[camera]]\nname = \"a\"\nsource = \"demo://\"\ntime_zone = \"Mars\"\n\
         [[camera.line]]\nname = \"drive\"\nfrom = [0.1, 0.2, 0.3]\n\
         [[camera.line]]\nname = \"kerb\"\nfrom = [0.1, 0.2]\nto = [0.1, 0.2]\n\
         [[camera.prompt]]\nphrases = \"a dog\"\nexcluded_zones = \"yard\"\nlines = \"kerp\"\nmin_size = 0.6\n\
         max_size = 0.5\nhours = \"22-6\"\nseverity = \"loud\"\ncooldown_s = -1",
    );
    for wanted in [
        "camera[0].time_zone: is \"Mars\", should be a time zone",
        "camera[0].line[0].from: has 3 numbers, should be a point [x, y]",
        "camera[0].line[0].to: is missing",
        "camera[0].line[1].to: is where the line begins",
        "camera[0].prompt[0].excluded_zones: there is no zone \"yard\"",
        "camera[0].prompt[0].lines: there is no line \"kerp\"; lines here: kerb",
        "camera[0].prompt[0].min_size: is 0.6, more than `max_size`",
        "camera[0].prompt[0].hours: holds \"22-6\", should be like \"22:00-06:00\"",
        "camera[0].prompt[0].severity: is \"loud\", should be \"alert\" or \"detection\"",
        "camera[0].prompt[0].cooldown_s: is -1",
    ] {
        assert!(said.contains(wanted), "{wanted:?} in\n{said}");
    }
}

#[test]
fn a_phrase_of_500_words_and_no_camera_are_faults() {
    let long = format!(
        "[[camera]]\nname = \"a\"\nsource = \"demo://\"\n[[camera.prompt]]\nphrases = [\"{}\"]",
        "word ".repeat(500)
    );
    assert!(faults(&long).contains("500 words"));
    assert!(faults("").contains("no camera"));
}

fn check(file: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
    command.args(["check", "--config"]).arg(folder.join(file)).envs(variables.iter().copied());
    let output = command.output().expect("the program starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("text"))
}

#[test]
fn every_file_that_is_handed_out_is_valid() {
    for file in ["lookout.toml", "raspberry-pi.toml", "jetson.toml", "usb.toml", "rtsp.toml"] {
        let (valid, said) = check(file, &[]);
        assert!(valid, "{file}: {said}");
    }
}

#[test]
fn what_is_printed_hides_secrets_and_can_be_read_again() {
    let secret = [("LOOKOUT__MQTT__USER", "me"), ("LOOKOUT__MQTT__PASSWORD", "hidden-secret")];
    let (valid, said) = check("rtsp.toml", &secret);
    assert!(valid, "{said}");
    assert!(said.contains("password = \"***\"") && said.contains("rtsp://***@192.0.2.10:554/stream2"), "{said}");
    assert!(!said.contains("secret"));
    let mut printed: toml::Table = said.parse().expect("TOML");
    for (table, key) in [("model", "path"), ("store", "path")] {
        printed[table].as_table_mut().expect("a table").remove(key);
    }
    parse(&printed.to_string(), "printed", Path::new(""), false).expect("valid");
}

#[test]
fn the_environment_overrides_the_file_and_is_checked_like_it() {
    let (valid, said) = check("usb.toml", &[("LOOKOUT__MQTT__URL", "mqtts://other"), ("LOOKOUT__LOG", "json")]);
    assert!(valid && said.contains("mqtts://other:8883") && said.contains("log = \"json\""), "{said}");
    let (valid, said) = check("usb.toml", &[("LOOKOUT__MQTT__UURL", "x")]);
    assert!(!valid && said.contains("mqtt.uurl: unknown key; did you mean `url`?"), "{said}");
}

#[test]
fn a_password_can_come_from_a_credential() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("mqtt-password"), "hidden-secret\n").expect("writes");
    let place = folder.path().display().to_string();
    let named = |name| [("LOOKOUT__MQTT__USER", "me"), ("LOOKOUT__MQTT__PASSWORD_CREDENTIAL", name)];
    let with = |name| [&named(name)[..], &[("CREDENTIALS_DIRECTORY", place.as_str())]].concat();
    let (valid, said) = check("usb.toml", &with("mqtt-password"));
    assert!(valid && said.contains("password = \"***\"") && !said.contains("hidden-secret"), "{said}");
    for (variables, wanted) in [
        (with("other"), "mqtt.password_credential: cannot read"),
        (with("../x"), "should be a credential's name"),
        (named("mqtt-password").to_vec(), "is LoadCredential= in the unit?"),
    ] {
        let (valid, said) = check("usb.toml", &variables);
        assert!(!valid && said.contains(wanted), "{said}");
    }
}

#[test]
fn the_examples_for_brokers_are_valid() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/fleet.md");
    let page = std::fs::read_to_string(file).expect("readable");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|e| e.0).collect();
    let ours: Vec<&&str> = examples.iter().filter(|example| example.contains("[mqtt]")).collect();
    assert_eq!(ours.len(), 4);
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["thing-17.pem", "thing-17.key", "client-17.pem", "client-17.key"] {
        std::fs::write(folder.path().join(file), "").expect("writes");
    }
    for example in ours {
        let camera = "[[camera]]\nname = \"a\"\nsource = \"demo://\"\n[[camera.prompt]]\nphrases = \"a dog\"\n";
        // What stands as a comment is meant to be taken.
        let text = format!("{}{camera}", example.replace("\n# events", "\nevents"));
        parse(&text, "docs/guide/fleet.md", folder.path(), false).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}

#[test]
fn templates_of_topics_are_checked() {
    let camera = "[[camera]]\nname = \"a\"\nsource = \"demo://\"\n[[camera.prompt]]\nphrases = \"a dog\"\n";
    let said = faults(&format!(
        "[mqtt.topics]\nroot = \"{{camera}}/x\"\nevents = \"a/+/b\"\npublish = \"some\"\nform = \"xml\"\n{camera}"
    ));
    for wanted in [
        "mqtt.topics.root: is \"{camera}/x\", which holds an unknown word; known here: {base}, {device}",
        "mqtt.topics.events: is \"a/+/b\"",
        "mqtt.topics.publish: is \"some\"",
        "mqtt.topics.form: is \"xml\"",
    ] {
        assert!(said.contains(wanted), "{wanted:?} in\n{said}");
    }
}

#[test]
fn systemd_accepts_the_service() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("skipped: systemd-analyze is not here");
        return;
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/lookout.service");
    let text = std::fs::read_to_string(source).expect("readable");
    // The program is not installed here, and a missing one is a fault.
    let text = text.replace("/usr/bin/lookout", env!("CARGO_BIN_EXE_lookout"));
    let unit = folder.path().join("lookout.service");
    std::fs::write(&unit, text).expect("writes");
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("lookout.service")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn sparkplugs_ids_are_checked_and_shown() {
    let camera = "[[camera]]\nname = \"a\"\nsource = \"demo://\"\n[[camera.prompt]]\nphrases = \"a dog\"\n";
    let said = faults(&format!(
        "[mqtt.sparkplug]\nnode = \"{{camera}}/x\"\nclient_id = \"lookout-{{device}}\"\naliases = \"some\"\ngrup = \"a\"\n{camera}"
    ));
    for wanted in [
        "mqtt.sparkplug.group: is missing or empty, should be 1 to 128 characters without / + #",
        "mqtt.sparkplug.node: is \"{camera}/x\", should be 1 to 128 characters without / + #",
        "mqtt.sparkplug.node: is \"{camera}/x\", which holds an unknown word; known here: {device}",
        "mqtt.sparkplug.client_id: is \"lookout-{device}\", should be",
        "mqtt.sparkplug.aliases: is \"some\", should be true or false",
        "mqtt.sparkplug.grup: unknown key; did you mean `group`?",
    ] {
        assert!(said.contains(wanted), "{wanted:?} in\n{said}");
    }
    let text = format!("[mqtt.sparkplug]\ngroup = \"Plant 1\"\n{camera}");
    let settings = parse(&text, "test", Path::new(""), false).expect("valid");
    let shown = lookout::config::show::written(&settings).to_string();
    assert!(shown.contains("group = \"Plant 1\"") && shown.contains("lookout-{device}-sparkplug"), "{shown}");
}

/// A camera with a zone and one prompt.
fn with_prompt(prompt: &str) -> String {
    format!(
        "[[camera]]\nname = \"a\"\nsource = \"demo://street\"\n[[camera.zone]]\nname = \"gate\"\n\
         points = [[0, 0], [1, 0], [1, 1]]\n[[camera.prompt]]\n{prompt}\n"
    )
}

#[test]
fn relations_are_said_by_phrases_or_by_tables_and_shown_as_they_were_written() {
    for (prompt, targets, relation) in [
        ("phrases = \"a dog near the gate\"", "a dog", "near the zone gate"),
        ("phrases = \"a dog near the gate\"\nrelation = \"none\"", "a dog near the gate", ""),
        ("phrases = \"a dog near the gate\"\nrelation = false", "a dog near the gate", ""),
        ("phrases = \"a dog near the gate\"\nrelation = { distance = 2.5 }", "a dog", "near the zone gate within 2.5"),
        ("phrases = \"a dog\"\nrelation = { at_least = 2 }", "a dog", "at least 2"),
        ("phrases = \"a dog\"\nrelation = { kind = \"near\", anchor_zone = \"gate\" }", "a dog", "near the zone gate"),
        (
            "phrases = \"a dog\"\nrelation = { kind = \"right_of\", anchor = \"a car near me\", at_least = 3 }",
            "a dog",
            "right of \"a car near me\", at least 3",
        ),
    ] {
        let settings = parse(&with_prompt(prompt), "test", Path::new(""), false).expect("valid");
        let understood = &settings.cameras[0].prompts[0].understood;
        assert_eq!(understood.targets, [targets], "{prompt}");
        let said = understood.relation.as_ref().map(lookout::prompts::Relation::in_words).unwrap_or_default();
        assert_eq!(said, relation, "{prompt}");
        let cameras = lookout::config::show::written(&settings).remove("camera").expect("cameras");
        let shown = toml::Table::from_iter([("camera".to_owned(), cameras)]).to_string();
        let again = parse(&shown, "shown", Path::new(""), false).expect("what is shown can be read");
        assert_eq!(again.cameras[0].prompts, settings.cameras[0].prompts, "{shown}");
    }
}

#[test]
fn faults_in_relations_say_what_would_be_right() {
    for (relation, wanted) in [
        ("\"near\"", "camera[0].prompt[0].relation: is \"near\", should be \"none\" or a table"),
        (
            "{ kind = \"beside\", anchor = \"a car\" }",
            "relation.kind: is \"beside\", should be one of left_of, right_of",
        ),
        ("{ kind = \"near\" }", "relation.anchor: is missing"),
        (
            "{ kind = \"near\", anchor_zone = \"yard\" }",
            "relation.anchor_zone: there is no zone \"yard\"; zones here: gate",
        ),
        ("{ kind = \"near\", anchor = \"a car\", anchor_zone = \"gate\" }", "set one of the two"),
        ("{ anchor = \"a car\" }", "`kind` is missing"),
        ("{ distance = 2 }", "neither `kind` nor a phrase"),
        ("{ kind = \"without\", anchor_zone = \"gate\" }", "outside"),
        ("{ kind = \"outside\", anchor = \"a car\" }", "needs an `anchor_zone`"),
        ("{ at_least = 0 }", "should be a whole number from 1 to 100"),
        ("{ kin = \"near\" }", "did you mean `kind`?"),
    ] {
        let text = with_prompt(&format!("phrases = \"a dog\"\nrelation = {relation}"));
        let error = parse(&text, "test", Path::new(""), false).expect_err(relation).to_string();
        assert!(error.contains(wanted), "{relation}: {error}");
    }
}
