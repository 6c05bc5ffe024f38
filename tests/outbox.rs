//! Nothing is lost: the outbox against brokers that die, networks that are cut, kills and full disks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lookout::config::file::default_store;
use lookout::config::settings::{Protocol, StoreSettings};
use lookout::store::{OutboxId, Store, Wanted};
use lookout::track::{Event, EventKind};
use serde_json::Value;

use crate::support::mosquitto::Mosquitto;
use crate::support::mqtt::{self, Device, event, name, settings};
use crate::support::proxy::Proxy;

const SOON: Duration = Duration::from_secs(60);
const ALL: u32 = 500;

/// The messages of two cameras by turns, in which each event has ten.
fn message(number: u32) -> Event {
    let camera = ["gate", "yard"][number as usize % 2];
    let of_camera = number / 2;
    let (life, sequence) = (of_camera / 10, of_camera % 10);
    let kind = match sequence {
        0 => EventKind::New,
        9 => EventKind::End,
        _ => EventKind::Update,
    };
    Event { camera: name(camera), id: format!("{camera}-{life}"), ..event(kind, sequence) }
}

fn number(arrived: &Value) -> u32 {
    let camera = u32::from(arrived["camera"] == "yard");
    let life: u32 =
        arrived["id"].as_str().and_then(|id| id.split_once('-')).expect("an id").1.parse().expect("a number");
    let sequence = u32::try_from(arrived["sequence"].as_u64().expect("a number")).expect("small");
    2 * (10 * life + sequence) + camera
}

/// Not a test of its own: the device that the next one starts as a process and kills.
#[test]
fn device_process() {
    let Ok(arguments) = std::env::var("LOOKOUT_TEST_DEVICE") else { return };
    let (port, folder) = arguments.split_once(' ').expect("a port and a folder");
    let store = store(Path::new(folder));
    let mut settings = settings(port.parse().expect("a port"));
    settings.backlog_per_s = 200;
    // Each start speaks the one or the other.
    settings.protocol = if fastrand::bool() { Protocol::V5 } else { Protocol::V311 };
    let device = Device::start(settings, &store);
    let said = Path::new(folder).join("pushed");
    let first = std::fs::read_to_string(&said).map_or(0, |text| text.parse().expect("a number"));
    for number in first..ALL {
        device.publisher.event(&message(number)).expect("stored");
        // From here on, it must arrive.
        std::fs::write(Path::new(folder).join("next"), (number + 1).to_string()).expect("written");
        std::fs::rename(Path::new(folder).join("next"), &said).expect("renamed");
        std::thread::sleep(Duration::from_millis(30));
    }
    mqtt::await_that(10 * SOON, || store.counts().waiting == 0);
    assert!(device.publisher.finish(SOON));
}

fn store(folder: &Path) -> Store {
    let path = Some(folder.join("lookout.db"));
    Store::open(&StoreSettings { path, ..default_store() }).expect("the store opens")
}

fn device_process_on(port: u16, folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test's own path"))
        .args(["--exact", "outbox::device_process", "--nocapture"])
        .env("LOOKOUT_TEST_DEVICE", format!("{port} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

#[test]
fn five_hundred_events_survive_brokers_networks_and_kills() {
    let mut broker = Mosquitto::start();
    let proxy = Proxy::start(broker.port);
    let folder = tempfile::tempdir().expect("a folder");
    let mut device = device_process_on(proxy.port, folder.path());
    let (mut restarts, mut kills, mut cuts) = (0, 0, 0);
    let until = Instant::now() + 5 * SOON;
    let mut seen = 0;
    while restarts < 20 || kills < 5 || cuts < 20 {
        assert!(Instant::now() < until, "{restarts} restarts, {kills} kills, {cuts} cuts only");
        // Each fault hits a connection that has done something since the last one.
        let (before, connections) = (proxy.arrived().len(), proxy.accepted());
        if before == seen || connections == 0 {
            std::thread::sleep(Duration::from_millis(20));
            if device.try_wait().expect("asks").is_some() {
                break;
            }
            continue;
        }
        seen = before;
        match fastrand::u32(0..10) {
            0..4 if restarts < 20 => {
                // It forgets every session and everything retained.
                broker.restart();
                restarts += 1;
            }
            4..8 => {
                proxy.cut_after(fastrand::usize(1..3000));
                cuts += 1;
            }
            8 if kills < 5 => {
                device.kill().expect("killed");
                device.wait().expect("ends");
                device = device_process_on(proxy.port, folder.path());
                kills += 1;
            }
            _ => {
                proxy.close(true);
                std::thread::sleep(Duration::from_millis(fastrand::u64(0..1500)));
                proxy.close(false);
                cuts += 1;
            }
        }
    }
    while device.try_wait().expect("asks").is_none() {
        assert!(Instant::now() < until, "{} arrived", proxy.arrived().len());
        std::thread::sleep(Duration::from_millis(20));
    }
    let events: Vec<Value> = (proxy.arrived().iter())
        .filter(|(topic, _)| topic.ends_with("/events"))
        .map(|(_, json)| serde_json::from_slice(json).expect("JSON"))
        .collect();
    let numbers: BTreeSet<u32> = events.iter().map(number).collect();
    eprintln!("{restarts} restarts, {kills} kills, {cuts} cuts; {} arrivals of {} events", events.len(), numbers.len());
    assert_eq!(numbers, (0..ALL).collect::<BTreeSet<_>>(), "all arrive");
    // Of the first arrivals: in order within an event, and within a camera among the fresh and among the late.
    let mut first = HashSet::new();
    let mut newest: BTreeMap<String, u32> = BTreeMap::new();
    for event in &events {
        let number = number(event);
        if !first.insert(number) {
            assert_eq!(event["historical"], true, "a message that comes again is marked: {event}");
            continue;
        }
        let lane = format!("{} {}", event["camera"], event["historical"]);
        for of in [event["id"].to_string(), lane] {
            let before = newest.insert(of.clone(), number);
            assert!(before.is_none_or(|before| before < number), "{of}: {number} after {before:?}");
        }
    }
}

#[test]
fn the_store_is_bounded_and_pictures_go_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
    let path = folder.path().join("lookout.db");
    let limit = 2_000_000;
    let settings = StoreSettings { path: Some(path.clone()), max_bytes: limit, ..default_store() };
    let store = Store::open(&settings).expect("opens");
    let json = vec![b'x'; 1000];
    for second in 0..100 {
        let event = format!("e{second}");
        store.push_event("gate", &event, &json, at(second)).expect("stored");
        store.push_picture(&event, &vec![7; 50_000], at(second)).expect("stored");
    }
    let counts = store.counts();
    assert!(counts.bytes <= limit && counts.pictures_expired > 50, "{counts:?}");
    assert_eq!((counts.waiting, counts.expired), (100, 0), "pictures went before events");
    assert!(store.picture("e99").expect("read").is_some() && store.picture("e0").expect("read").is_none());
    // What was sent goes before what waits.
    for pending in store.pending(OutboxId::default(), None, 50).expect("read") {
        assert!(store.acknowledge(pending.id).expect("written"));
    }
    for second in 100..2000 {
        store.push_event("gate", "late", &json, at(second)).expect("stored");
    }
    let counts = store.counts();
    assert!(counts.bytes <= limit && counts.expired > 0 && counts.pictures_expired == 100, "{counts:?}");
    let kept = store.list(&Wanted::default(), 10_000).expect("read");
    assert!(kept.iter().all(|message| !message.sent) && kept.len() as u64 == counts.waiting);
    assert!(std::fs::metadata(path).expect("a file").len() < limit + 500_000);
}

#[test]
fn what_is_old_goes_and_what_was_sent_stays_for_a_while() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |hour: i64| Timestamp::from_second(1_800_000_000 + 3600 * hour).expect("a time");
    let store = store(folder.path());
    let ids: Vec<_> = (0..4).map(|hour| store.push_event("gate", "e", &[1], at(hour)).expect("stored")).collect();
    store.acknowledge(ids[0]).expect("written");
    store.acknowledge(ids[1]).expect("written");
    assert_eq!(store.expire(at(100)).expect("written"), 2, "what waits for three days has expired");
    assert_eq!(store.list(&Wanted::default(), 10).expect("read").len(), 2);
    assert_eq!(store.purge(Duration::from_secs(3600 * 99), at(100)).expect("written"), (1, 0));
    assert_eq!(store.expire(at(1000)).expect("written"), 0);
    assert!(store.list(&Wanted::default(), 10).expect("read").is_empty(), "what was sent is kept for a week");
}

#[test]
fn a_store_of_the_first_layout_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = rusqlite::Connection::open(folder.path().join("lookout.db")).expect("opens");
    old.execute_batch(
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, camera TEXT NOT NULL, json BLOB NOT NULL,
                              created_ms INTEGER NOT NULL);
         INSERT INTO outbox (id, camera, json, created_ms) VALUES (41, 'gate', CAST('{\"id\":\"gate-1\"}' AS BLOB), 7);
         PRAGMA user_version = 1;",
    )
    .expect("made");
    drop(old);
    let store = store(folder.path());
    let pending = store.pending(OutboxId::default(), None, 10).expect("read");
    assert_eq!((pending.len(), pending[0].event.as_str(), pending[0].camera.as_str()), (1, "gate-1", "gate"));
    assert!(store.push_event("gate", "e", &[1], Timestamp::now()).expect("stored") > pending[0].id);
}

/// A small file system of its own, taken away when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn new(kilobytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={kilobytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_no_event_while_the_program_runs() {
    let Some(disk) = SmallDisk::new(1500) else {
        eprintln!("skipped: only root may mount a small file system");
        return;
    };
    let folder = disk.0.path();
    let store = store(folder);
    let json = vec![b'x'; 1000];
    for number in 0..20 {
        store.push_event("gate", &format!("e{number}"), &json, Timestamp::now()).expect("stored");
    }
    // Somebody else fills the disk to the last byte.
    let filler = folder.join("filler");
    let mut file = std::fs::File::create(&filler).expect("made");
    while std::io::Write::write_all(&mut file, &[1; 1024]).is_ok() {}
    let mut refused = 0;
    for number in 20..900 {
        refused += u32::from(store.push_event("gate", &format!("e{number}"), &json, Timestamp::now()).is_err());
    }
    let counts = store.counts();
    assert!(refused > 0 && counts.unstored > 0, "the disk was full: {counts:?}");
    assert_eq!((counts.waiting, counts.expired), (900, 0));
    let pending = store.pending(OutboxId::default(), None, 1000).expect("read");
    let order: Vec<String> = pending.iter().map(|pending| pending.event.clone()).collect();
    assert_eq!(order, (0..900).map(|number| format!("e{number}")).collect::<Vec<_>>(), "in order all the same");
    assert!(store.acknowledge(pending[899].id).expect("in memory"));
    // More than memory is to hold: the oldest of those in memory go, counted.
    for number in 900..2000 {
        let _ = store.push_event("gate", &format!("e{number}"), &json, Timestamp::now());
    }
    let counts = store.counts();
    assert!(counts.unstored <= 1000 && counts.expired > 0, "{counts:?}");
    assert_eq!(counts.waiting + counts.expired, 1999);
    drop(file);
    std::fs::remove_file(&filler).expect("removed");
    // The disk is still too small for all; what fits is stored and the bound by size is not this test's.
    let _ = store.settle();
    assert!(store.push_event("gate", "after", &json, Timestamp::now()).is_ok() || store.counts().unstored > 0);
}
