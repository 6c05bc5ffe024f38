//! `lookout events` on a store with known events.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use lookout::config::file::default_store;
use lookout::config::settings::StoreSettings;
use lookout::mqtt::payload::EventMessage;
use lookout::store::{OutboxId, Store};
use lookout::track::{Event, EventKind};
use serde_json::Value;

use crate::support::mqtt::{event, name};

fn message(id: &str, kind: EventKind, sequence: u32) -> Vec<u8> {
    let phrase = "a dog, \"large\"".to_owned();
    EventMessage::new(&name("hof"), &Event { id: id.to_owned(), phrase, ..event(kind, sequence) }).to_json()
}

/// A store with an event that is over and sent, and one of another camera that goes on and waits.
fn store(folder: &Path) -> Store {
    let path = Some(folder.join("lookout.db"));
    let store = Store::open(&StoreSettings { path, ..default_store() }).expect("opens");
    let ago = |hours: u64| Timestamp::now() - Duration::from_secs(3600 * hours);
    for (kind, sequence) in [(EventKind::New, 0), (EventKind::Update, 1), (EventKind::End, 2)] {
        store.push_event("gate", "gate-1", &message("gate-1", kind, sequence), ago(48)).expect("stored");
    }
    store.push_picture("gate-1", b"\xff\xd8picture", ago(48)).expect("stored");
    for pending in store.pending(OutboxId::default(), None, 3).expect("read") {
        store.acknowledge(pending.id).expect("written");
    }
    store.push_event("yard", "yard-1", &message("yard-1", EventKind::New, 0), ago(1)).expect("stored");
    store.settle().expect("written");
    store
}

fn lookout(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
    command.args(["events", "--store"]).arg(folder.join("lookout.db")).args(arguments).current_dir(folder);
    command
}

fn said(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let output = lookout(folder, arguments).output().expect("starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn events_are_listed_exported_and_purged_while_the_store_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let _in_use = store(folder.path());
    let table = said(folder.path(), &[]);
    assert_eq!(table.len(), 3, "{table:#?}");
    assert!(table[1].contains("gone") && table[1].contains("90 %") && !table[1].contains("waits"), "{table:#?}");
    assert!(table[2].contains("new") && table[2].ends_with("waits"), "{table:#?}");
    assert_eq!(said(folder.path(), &["--messages"]).len(), 5);
    assert_eq!(said(folder.path(), &["--since", "24h"]).len(), 2);
    assert_eq!(said(folder.path(), &["--last", "1"]).len(), 2);

    let json = said(folder.path(), &["--format", "json", "--camera", "gate", "--pictures", "pictures"]);
    let object: Value = serde_json::from_str(&json[0]).expect("JSON");
    assert_eq!((json.len(), &object["type"], &object["sent"]), (1, &"end".into(), &true.into()));
    let picture = folder.path().join(object["picture"].as_str().expect("a path"));
    assert_eq!(std::fs::read(picture).expect("written"), b"\xff\xd8picture");

    let csv = said(folder.path(), &["--format", "csv"]);
    assert!(csv[0].starts_with("type,id,") && csv[1].contains(",\"a dog, \"\"large\"\"\","), "{csv:#?}");
    assert_eq!(csv[1].split("\"a dog, \"\"large\"\"\"").map(|part| part.matches(',').count()).sum::<usize>(), 13);

    said(folder.path(), &["--purge-older-than", "1d"]);
    let left = said(folder.path(), &["--messages"]);
    assert!(left.len() == 2 && left[1].contains("waits"), "{left:#?}");
}

#[test]
fn what_comes_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let mut child =
        lookout(folder.path(), &["--follow", "--format", "json"]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!((next()["id"].clone(), next()["id"].clone()), ("gate-1".into(), "yard-1".into()));
    store.push_event("yard", "yard-1", &message("yard-1", EventKind::End, 1), Timestamp::now()).expect("stored");
    assert_eq!(next()["type"], "end");
    child.kill().expect("killed");
    child.wait().expect("ends");
}

#[test]
fn a_missing_store_and_a_wrong_age_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, wanted) in [(vec![], "there is no store"), (vec!["--since", "often"], "should be an age like 24h")]
    {
        let output = lookout(folder.path(), &arguments).output().expect("starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(wanted), "{said}");
    }
}
