//! What is written on the wire and in the store, without a broker.

use lookout::detect::Related;
use lookout::frame::UnitBox;
use lookout::mqtt::payload::{EventMessage, stats_json};
use lookout::mqtt::stats::CameraStats;
use lookout::mqtt::{Stats, board::Board};
use lookout::prompts::relation::Kind;
use lookout::store::{OutboxCounts, OutboxId, StoreError};
use lookout::track::EventKind;

use crate::support::mqtt::{self, event, golden, name, schema};

#[test]
fn payloads_are_pinned_by_golden_files() {
    let schema = schema();
    for (kind, sequence, file) in
        [(EventKind::New, 0, "event_new"), (EventKind::Update, 1, "event_update"), (EventKind::End, 2, "event_end")]
    {
        let json = EventMessage::new(&name("hof"), &event(kind, sequence)).to_json();
        let value = golden(file, &json);
        schema.validate(&value).expect("fits docs/reference/event.schema.json");
        let read: EventMessage = serde_json::from_slice(&json).expect("reads what it wrote");
        assert_eq!(read.to_json(), json, "an event survives the store unchanged");
    }
    let beside = Related {
        kind: Some(Kind::RightOf),
        anchor: Some("the traffic light".to_owned()),
        area: Some(UnitBox::new(0.1, 0.2, 0.133_333, 0.5)),
        zone: None,
        count: Some(2),
    };
    let mut related = event(EventKind::New, 0);
    related.evidence.related = Some(beside);
    let json = EventMessage::new(&name("hof"), &related).to_json();
    schema.validate(&golden("event_related", &json)).expect("fits docs/reference/event.schema.json");
    let read: EventMessage = serde_json::from_slice(&json).expect("reads what it wrote");
    assert_eq!(read.to_json(), json, "an event survives the store unchanged");
    let camera =
        CameraStats { frames: 900, frames_dropped: 600, frames_analysed: 300, fps: 1.9, regions_postponed: 12 };
    let stats = Stats {
        version: "0.1.0".to_owned(),
        uptime_s: 60.123_456,
        cameras: [(name("gate"), camera)].into(),
        tiles_encoded: 4200,
        encoder_ms: Some(12.345_678),
        temperature_c: Some(48.5),
        memory_mb: Some(120.25),
        events: 7,
        outbox: OutboxCounts { waiting: 1, published: 6, bytes: 57_344, ..OutboxCounts::default() },
    };
    golden("stats", &stats_json(&stats));
}

#[test]
fn the_schema_refuses_what_is_not_in_it() {
    let schema = schema();
    let mut message = serde_json::to_value(EventMessage::new(&name("hof"), &event(EventKind::New, 0))).expect("JSON");
    assert!(schema.is_valid(&message));
    message["surprise"] = true.into();
    assert!(!schema.is_valid(&message));
    message.as_object_mut().expect("an object").remove("surprise");
    message["box"]["x0"] = 1.5.into();
    assert!(!schema.is_valid(&message));
}

#[test]
fn the_board_keeps_the_latest_value_of_each_topic() {
    let board = Board::default();
    assert!(board.set("a".to_owned(), b"1".to_vec()));
    assert!(board.set("b".to_owned(), b"1".to_vec()));
    assert!(board.set("a".to_owned(), b"2".to_vec()));
    assert_eq!(board.take(), Some(("a".to_owned(), b"2".to_vec())));
    assert_eq!(board.take(), Some(("b".to_owned(), b"1".to_vec())));
    assert!(board.is_settled());
    assert!(!board.set("a".to_owned(), b"2".to_vec()), "what is on the board is not news");
    board.republish();
    assert_eq!(board.take(), Some(("a".to_owned(), b"2".to_vec())));
}

#[test]
fn the_store_keeps_events_over_a_restart_and_expires_the_oldest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("new/lookout.db");
    let at = |second: i64| jiff::Timestamp::from_second(1_800_000_000 + second).expect("a time");
    let json = |events: &[lookout::store::Pending]| events.iter().map(|e| e.json.clone()).collect::<Vec<_>>();
    let all = OutboxId::default();

    let store = mqtt::open(Some(path.clone()), 3);
    let ids: Vec<_> = (0..4u8).map(|n| store.push_event("gate", "e", &[n], at(n.into())).expect("stored")).collect();
    assert_eq!((store.counts().waiting, store.counts().expired), (3, 1));
    assert!(store.acknowledge(ids[1]).expect("written"));
    assert!(!store.acknowledge(ids[0]).expect("written"), "it had expired");
    drop(store);

    let store = mqtt::open(Some(path.clone()), 3);
    assert_eq!((store.counts().waiting, store.counts().expired), (2, 0));
    assert_eq!(json(&store.pending(all, None, 10).expect("read")), [[2], [3]]);
    assert_eq!(json(&store.pending(ids[2], None, 10).expect("read")), [[3]]);
    assert_eq!(store.expire(at(3600 + 3)).expect("written"), 1, "an hour is the age in these tests");
    assert!(store.acknowledge(ids[3]).expect("written"));
    let next = store.push_event("gate", "e", &[5], at(5)).expect("stored");
    assert!(next > ids[3], "an id is never used twice");

    std::fs::write(folder.path().join("text"), "this is no database, whatever its name says").expect("written");
    let settings = lookout::config::settings::StoreSettings {
        path: Some(folder.path().join("text")),
        ..lookout::config::file::default_store()
    };
    let error = lookout::store::Store::open(&settings).err().expect("not a database");
    assert!(matches!(error, StoreError::Open { .. }) && error.to_string().contains("text"), "{error}");
}
