//! Installed models: named in the configuration, listed, inspected, removed.

use crate::support::repository::{Machine, Repository, demo};

/// A machine with the demo model installed as `tiny`.
fn with_tiny() -> Machine {
    let machine = Machine::new(&Repository::new().catalogue(&[]));
    let folder = machine.models().join("tiny");
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["manifest.toml", "vision.onnx", "text.onnx", "tokenizer.json"] {
        std::fs::write(folder.join(file), demo(file)).expect("writes");
    }
    machine
}

const CAMERA: &str = "[[camera]]\nname = \"a\"\nsource = \"test://smpte\"\n[[camera.prompt]]\nphrases = [\"a dog\"]\n";

fn check(machine: &Machine, model: &str) -> (bool, String) {
    let path = machine.folder.path().join("lookout.toml");
    std::fs::write(&path, format!("[model]\n{model}\n{CAMERA}")).expect("writes");
    machine.run(&["check", "--config", path.to_str().expect("text")])
}

#[test]
fn the_configuration_names_an_installed_model() {
    let machine = with_tiny();
    let (well, text) = check(&machine, "name = \"tiny\"");
    let folder = machine.models().join("tiny").display().to_string();
    assert!(well && text.contains(&format!("path = {folder:?}")), "{text}");
    let (well, text) = check(&machine, "name = \"tiny\"\npath = \".\"");
    assert!(!well && text.contains("set one of the two"), "{text}");
    let (well, text) = check(&machine, "name = \"tinny\"");
    assert!(!well && text.contains("model.name: is \"tinny\"") && text.contains("did you mean \"tiny\"?"), "{text}");
    machine.run(&["models", "remove", "tiny"]);
    let (well, text) = check(&machine, "name = \"tiny\"");
    assert!(!well && text.contains("`lookout models pull tiny` fetches it"), "{text}");
}

#[test]
fn a_start_without_a_model_says_how_to_get_one_and_fetches_none() {
    let machine = Machine::new(&Repository::new().catalogue(&[]));
    let path = machine.folder.path().join("lookout.toml");
    std::fs::write(&path, CAMERA).expect("writes");
    let (well, text) = machine.run(&["run", "--config", path.to_str().expect("text"), "--seconds", "0.2"]);
    assert!(well && text.contains("`lookout models pull tiny` fetches A small one"), "{text}");
    assert!(!machine.models().exists());
}

#[test]
fn commands_take_a_name_for_a_model() {
    let machine = with_tiny();
    let (well, text) = machine.run(&["embed", "--model", "tiny", "--text", "a dog"]);
    assert!(well, "{text}");
    let (well, text) = machine.run(&["embed", "--model", "tinclip-8m", "--text", "a dog"]);
    assert!(!well && text.contains("is not installed in"), "{text}");
}

#[test]
fn the_list_tells_what_is_published_and_what_is_here() {
    let machine = with_tiny();
    std::fs::rename(machine.models().join("tiny"), machine.models().join("own")).expect("renames");
    let (well, text) = machine.run(&["models", "list"]);
    assert!(well && text.contains("\n tiny ") && text.contains("\n*own ") && text.contains("pull tiny"), "{text}");
    let (_, text) = machine.run(&["models", "list", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(told["default"], "tiny");
    assert!(told["models"][0]["installed"].is_null() && told["models"][1]["installed"].is_string(), "{told}");
}

#[test]
fn inspecting_tells_what_a_model_is_and_checks_its_files() {
    let machine = with_tiny();
    let (well, text) = machine.run(&["models", "inspect", "tiny"]);
    assert!(well && text.contains("64×64 pixels") && text.contains("sha256 is right"), "{text}");
    let path = machine.models().join("tiny/vision.onnx");
    let (well, text) =
        machine.run(&["models", "inspect", path.parent().and_then(|p| p.to_str()).expect("text"), "--json"]);
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let parameters = told["towers"]["image"]["parameters"].as_u64().expect("a number");
    assert!(well && (2_000_000..2_200_000).contains(&parameters), "{told}");
    let mut bytes = demo("vision.onnx");
    bytes[2_000_000] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let (well, text) = machine.run(&["models", "inspect", "tiny"]);
    assert!(!well && text.contains("SHA256 IS WRONG"), "{text}");
    machine.run(&["models", "remove", "tiny"]);
    let (well, text) = machine.run(&["models", "inspect", "tiny"]);
    assert!(well && text.contains("installed    no") && text.contains("recorded on the first pull"), "{text}");
}

#[test]
fn preparing_keeps_the_tower_and_says_where_and_what_for() {
    let machine = with_tiny();
    let (well, text) = machine.run(&["models", "prepare", "tiny"]);
    assert!(well && text.contains("ready for the next start") && text.contains("which layers bear 8 bits"), "{text}");
    let (well, text) = machine.run(&["models", "inspect", "tiny"]);
    assert!(well && text.contains("MB: the image tower in 8 bits"), "{text}");
    let (_, text) = machine.run(&["models", "inspect", "tiny", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(told["kept"].as_array().map(Vec::len), Some(2), "{told}");
    // What is damaged is reported, and whole after that.
    let tower = std::fs::read_dir(machine.models().join(".prepared")).expect("reads").flatten().map(|e| e.path());
    let tower = tower.into_iter().find(|path| path.extension().is_some_and(|end| end == "tower")).expect("a tower");
    std::fs::write(&tower, "no tower").expect("writes");
    let (well, text) = machine.run(&["models", "prepare", "tiny"]);
    assert!(well && text.contains("cannot be used (it is too short)"), "{text}");
    let (well, text) = machine.run(&["models", "prepare", "tiny"]);
    assert!(well && !text.contains("cannot be used"), "{text}");
    machine.run(&["models", "remove", "tiny"]);
    assert_eq!(std::fs::read_dir(machine.models().join(".prepared")).expect("reads").count(), 0);
    // Without a place to write, that is said too.
    let machine = with_tiny();
    std::fs::write(machine.models().join(".prepared"), "no folder").expect("writes");
    let (well, text) = machine.run(&["models", "prepare", "tiny"]);
    assert!(well && text.contains("the prepared tower cannot be kept at"), "{text}");
}

#[test]
fn removing_leaves_nothing() {
    let machine = with_tiny();
    let (well, text) = machine.run(&["models", "remove", "tiny"]);
    assert!(well && !machine.is_installed() && !machine.stage().exists(), "{text}");
    let (well, text) = machine.run(&["models", "remove", "tiny"]);
    assert!(!well && text.contains("is not installed"), "{text}");
    let (well, text) = machine.run(&["models", "remove", "../catalog.toml"]);
    assert!(!well && text.contains("is not installed"), "{text}");
}
