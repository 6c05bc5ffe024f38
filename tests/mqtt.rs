//! MQTT and the store, with a real broker.

use std::time::Duration;

use lookout::capture::CameraStatus;
use lookout::config::settings::{EventForm, Protocol, Secret, TlsSettings, TopicSettings};
use lookout::mqtt::Stats;
use lookout::mqtt::{MqttError, probe};
use lookout::track::EventKind;

use crate::support::mosquitto::Mosquitto;
use crate::support::mqtt::{self, Device, Subscriber, event, golden, in_memory, name, schema, settings, tls_files};

/// Longer than any backoff that these tests meet.
const SOON: Duration = Duration::from_secs(15);
const DEADLINE: Duration = Duration::from_secs(5);

#[test]
fn a_clean_end_says_stopped() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let device = Device::start(settings(broker.port), &in_memory());
    hears.await_value("lookout/hof/status", "online", SOON);
    device.publisher.camera_status(&name("gate"), CameraStatus::Online);
    device.publisher.camera_status(&name("yard"), CameraStatus::Disabled);
    device.publisher.prompt_state(&name("gate"), &name("dog"), true, 2, Some(0.876_54));
    hears.await_value("lookout/hof/gate/dog/state", "ON", SOON);
    hears.await_value("lookout/hof/gate/dog/count", "2", SOON);
    hears.await_value("lookout/hof/gate/dog/score", "0.8765", SOON);
    assert!(device.publisher.finish(DEADLINE), "the broker acknowledges `stopped`");
    drop(device);
    // A later subscriber finds what is retained, so the Last Will was not spoken.
    std::thread::sleep(Duration::from_millis(300));
    let mut later = Subscriber::new(broker.port);
    later.await_value("lookout/hof/status", "stopped", SOON);
    later.await_value("lookout/hof/gate/status", "offline", SOON);
    later.await_value("lookout/hof/yard/status", "disabled", SOON);
    later.await_value("lookout/hof/gate/dog/state", "OFF", SOON);
    later.await_value("lookout/hof/gate/dog/count", "0", SOON);
    later.await_value("lookout/hof/gate/dog/score", "None", SOON);
    assert!(!hears.seen.iter().any(|(topic, payload)| topic == "lookout/hof/status" && payload == b"offline"));
}

#[test]
fn a_crash_lets_the_broker_say_offline() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let device = Device::start(settings(broker.port), &in_memory());
    hears.await_value("lookout/hof/status", "online", SOON);
    drop(device); // Its runtime goes and closes the socket with no goodbye.
    hears.await_value("lookout/hof/status", "offline", SOON);
}

#[test]
fn events_come_in_order_and_fit_the_schema() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let store = in_memory();
    let device = Device::start(settings(broker.port), &store);
    hears.await_value("lookout/hof/status", "online", SOON);
    for sequence in 0..100 {
        let kind = match sequence {
            0 => EventKind::New,
            99 => EventKind::End,
            _ => EventKind::Update,
        };
        device.publisher.event(&event(kind, sequence)).expect("stored");
    }
    let events = hears.await_events(100, SOON);
    let sequences: Vec<_> = events.iter().map(|event| event["sequence"].as_u64().expect("a number")).collect();
    assert_eq!(sequences, (0..100).collect::<Vec<_>>());
    let schema = schema();
    for event in &events {
        schema.validate(event).expect("fits docs/reference/event.schema.json");
        assert_eq!(event["historical"], false);
    }
    assert!(device.publisher.finish(DEADLINE));
    assert_eq!((store.counts().waiting, store.counts().published), (0, 100));
    assert_eq!(broker.complaints(), Vec::<String>::new());
}

#[test]
fn an_outage_loses_no_event() {
    let mut broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let store = in_memory();
    let device = Device::start(settings(broker.port), &store);
    hears.await_value("lookout/hof/status", "online", SOON);
    device.publisher.prompt_state(&name("gate"), &name("dog"), true, 1, None);
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    hears.await_events(1, SOON);
    // Until the device has the acknowledgement, it may rightly send the event again.
    mqtt::await_that(SOON, || store.counts().waiting == 0);
    broker.kill();
    for sequence in 1..=40 {
        device.publisher.event(&event(EventKind::Update, sequence)).expect("stored");
    }
    broker.restart();
    let mut hears = Subscriber::new(broker.port);
    let events = hears.await_events(40, SOON);
    let late: Vec<_> =
        (events.iter()).map(|e| (e["sequence"].as_u64().unwrap(), e["historical"].as_bool().unwrap())).collect();
    assert_eq!(late, (1..=40).map(|sequence| (sequence, true)).collect::<Vec<_>>());
    // The broker forgot what was retained and hears it again.
    hears.await_value("lookout/hof/gate/dog/state", "ON", SOON);
    device.publisher.event(&event(EventKind::End, 41)).expect("stored");
    assert_eq!(hears.await_events(41, SOON)[40]["historical"], false);
    assert!(device.publisher.finish(DEADLINE));
    assert_eq!(store.counts().waiting, 0);
}

#[test]
fn events_of_an_earlier_run_are_published_as_historical() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = || mqtt::open(Some(folder.path().join("state/lookout.db")), 100);
    {
        let nowhere = Device::start(settings(1), &open());
        nowhere.publisher.event(&event(EventKind::New, 0)).expect("stored");
        assert!(!nowhere.publisher.finish(Duration::from_secs(2)), "there is no broker to say `stopped` to");
    }
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let store = open();
    assert_eq!(store.counts().waiting, 1);
    let device = Device::start(settings(broker.port), &store);
    device.publisher.event(&event(EventKind::Update, 1)).expect("stored");
    let events = hears.await_events(2, SOON);
    assert_eq!((&events[0]["historical"], &events[1]["historical"]), (&true.into(), &false.into()));
}

#[test]
fn a_wrong_password_is_told_as_such() {
    let broker = Mosquitto::with_config(|folder| {
        let file = folder.join("passwords");
        let made = std::process::Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&file)
            .args(["ada", "right"])
            .status();
        assert!(made.expect("mosquitto_passwd comes with mosquitto").success());
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    });
    let with = |password: &str| {
        let mut settings = settings(broker.port);
        settings.user = Some("ada".to_owned());
        settings.password = Some(Secret::new(password));
        mqtt::block_on(probe(&settings))
    };
    with("right").expect("lets her in");
    let error = with("wrong").expect_err("does not let her in");
    assert!(matches!(error, MqttError::NotAuthorised { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("\"ada\"") && text.contains(&format!("127.0.0.1:{}", broker.port)), "{text}");
    assert!(!text.contains("\"wrong\""), "{text}");
}

#[test]
fn a_missing_broker_and_an_unknown_host_are_told_as_such() {
    let error = mqtt::block_on(probe(&settings(1))).expect_err("nobody listens on port 1");
    assert!(matches!(error, MqttError::Unreachable { .. }), "{error}");
    let mut unknown = settings(1883);
    unknown.host = "no-such-host.invalid".to_owned();
    let error = mqtt::block_on(probe(&unknown)).expect_err("a reserved name");
    assert!(matches!(error, MqttError::UnknownHost { .. }), "{error}");
}

#[test]
fn tls_with_an_own_authority_and_a_client_certificate() {
    let files = tempfile::tempdir().expect("a temporary folder");
    tls_files(files.path());
    let at = |file: &str| files.path().join(file);
    let broker = Mosquitto::with_config(|_| {
        format!(
            "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n",
            at("ca.pem").display(),
            at("server.pem").display(),
            at("server.key").display()
        )
    });
    let mut settings = settings(broker.port);
    settings.host = "localhost".to_owned();
    settings.tls = Some(TlsSettings {
        ca: Some(at("ca.pem")),
        client: Some((at("client.pem"), at("client.key"))),
        alpn: Vec::new(),
    });
    mqtt::block_on(probe(&settings)).expect("both sides trust each other");
    let device = Device::start(settings.clone(), &in_memory());
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    assert!(device.publisher.finish(DEADLINE));

    settings.tls = Some(TlsSettings { ca: Some(at("ca.pem")), client: None, alpn: Vec::new() });
    let error = mqtt::block_on(probe(&settings)).expect_err("the client's certificate is missing");
    assert!(matches!(error, MqttError::Tls { .. } | MqttError::Lost { .. }), "{error}");

    settings.tls = Some(TlsSettings { ca: Some(at("other-ca.pem")), client: None, alpn: Vec::new() });
    let error = mqtt::block_on(probe(&settings)).expect_err("the broker's authority is not trusted");
    assert!(matches!(error, MqttError::Tls { .. }), "{error}");

    settings.tls = Some(TlsSettings { ca: Some(at("missing.pem")), client: None, alpn: Vec::new() });
    let error = mqtt::block_on(probe(&settings)).expect_err("the file is missing");
    assert!(error.to_string().contains("missing.pem"), "{error}");
}

#[test]
fn protocols_are_offered_by_alpn() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut settings = settings(listener.local_addr().expect("its address").port());
    let files = tempfile::tempdir().expect("a temporary folder");
    tls_files(files.path());
    let alpn = vec!["x-amzn-mqtt-ca".to_owned()];
    settings.tls = Some(TlsSettings { ca: Some(files.path().join("ca.pem")), client: None, alpn });
    let hello = std::thread::spawn(move || {
        // The first thing that a client says holds them in the clear.
        let mut hello = [0; 4096];
        let read = std::io::Read::read(&mut listener.accept().expect("comes").0, &mut hello).expect("speaks");
        String::from_utf8_lossy(&hello[..read]).into_owned()
    });
    mqtt::block_on(probe(&settings)).expect_err("hung up");
    assert!(hello.join().expect("no panic").contains("x-amzn-mqtt-ca"));
}

#[test]
fn an_older_broker_is_spoken_to_in_its_own_tongue() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let mut settings = settings(broker.port);
    settings.protocol = Protocol::V311;
    mqtt::block_on(probe(&settings)).expect("lets it in");
    let device = Device::start(settings, &in_memory());
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    hears.await_events(1, SOON);
    assert!(device.publisher.finish(DEADLINE));
    hears.await_value("lookout/hof/status", "stopped", SOON);
    assert_eq!(broker.complaints(), Vec::<String>::new());
}

#[test]
fn events_alone_go_where_a_convention_wants_them() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let mut settings = settings(broker.port);
    settings.topics = TopicSettings {
        events: "lookout/v1/{device}/telemetry".to_owned(),
        stats: "lookout/v1/{device}/stats".to_owned(),
        everything: false,
        form: EventForm::ThingsBoard,
        ..TopicSettings::default()
    };
    let device = Device::start(settings, &in_memory());
    device.publisher.prompt_state(&name("gate"), &name("dog"), true, 1, None);
    device.publisher.stats(&Stats::default());
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    hears.await_topic("lookout/v1/hof/telemetry", SOON);
    hears.await_topic("lookout/v1/hof/stats", SOON);
    assert!(device.publisher.finish(DEADLINE));
    let message = &hears.seen.iter().find(|(topic, _)| topic.ends_with("telemetry")).expect("heard").1;
    let message: serde_json::Value = serde_json::from_slice(message).expect("JSON");
    assert_eq!(
        (&message["ts"], &message["values"]["prompt"]),
        (&event(EventKind::New, 0).last_seen.as_millisecond().into(), &"dog".into())
    );
    assert_eq!(hears.seen.len(), 2, "nothing else is published");
    let later = Subscriber::new(broker.port);
    assert!(later.seen.is_empty(), "and nothing retained");
}

#[test]
fn what_the_broker_refuses_is_kept() {
    let broker = Mosquitto::with_config(|folder| {
        let rules = folder.join("acl");
        std::fs::write(
            &rules,
            "topic readwrite lookout/hof/status\ntopic readwrite lookout/hof/gate/status\ntopic read #\n",
        )
        .expect("written");
        format!("allow_anonymous true\nacl_file {}\n", rules.display())
    });
    let mut hears = Subscriber::new(broker.port);
    let store = in_memory();
    let device = Device::start(settings(broker.port), &store);
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    device.publisher.camera_status(&name("gate"), CameraStatus::Online);
    hears.await_value("lookout/hof/gate/status", "online", SOON);
    assert!(device.publisher.finish(DEADLINE), "it does not stand in the way");
    assert_eq!((store.counts().waiting, store.counts().published), (1, 0));
}

#[test]
fn a_silent_broker_holds_nobody_up() {
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("its address").port();
    let store = in_memory();
    let device = Device::start(settings(port), &store);
    let started = std::time::Instant::now();
    for sequence in 0..1000 {
        device.publisher.event(&event(EventKind::Update, sequence)).expect("stored");
        device.publisher.prompt_state(&name("gate"), &name("dog"), true, sequence as usize, None);
    }
    assert!(started.elapsed() < DEADLINE, "publishing took {:?}", started.elapsed());
    let started = std::time::Instant::now();
    assert!(!device.publisher.finish(Duration::from_secs(1)));
    assert!(started.elapsed() < Duration::from_secs(2), "finishing took {:?}", started.elapsed());
    assert_eq!(store.counts().waiting, 1000);
}

#[test]
fn events_wait_for_a_broker_that_lets_the_device_in_later() {
    let mut broker = Mosquitto::start();
    broker.kill();
    let store = in_memory();
    let device = Device::start(settings(broker.port), &store);
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    device.publisher.camera_status(&name("gate"), CameraStatus::Online);
    broker.restart();
    let mut hears = Subscriber::new(broker.port);
    hears.await_value("lookout/hof/gate/status", "online", SOON);
    mqtt::await_that(SOON, || store.counts().published == 1);
    assert!(device.publisher.finish(DEADLINE));
}

#[test]
fn snapshots_are_retained_and_too_large_ones_refused() {
    let broker = Mosquitto::start();
    let mut hears = Subscriber::new(broker.port);
    let device = Device::start(settings(broker.port), &in_memory());
    device.publisher.snapshot(&name("gate"), &name("dog"), vec![7; 200_000]);
    device.publisher.snapshot(&name("gate"), &name("cat"), vec![7; 2_000_000]);
    hears.await_topic("lookout/hof/gate/dog/snapshot", SOON);
    assert!(device.publisher.finish(DEADLINE));
    assert!(!hears.seen.iter().any(|(topic, _)| topic.ends_with("cat/snapshot")));
}

#[test]
fn retained_topics_and_values_are_pinned_by_a_golden_file() {
    let broker = Mosquitto::start();
    let device = Device::start(settings(broker.port), &in_memory());
    device.publisher.camera_status(&name("gate"), CameraStatus::Online);
    device.publisher.prompt_state(&name("gate"), &name("dog"), true, 2, Some(0.876_54));
    device.publisher.prompt_state(&name("gate"), &name("cat"), false, 0, None);
    let mut hears = Subscriber::new(broker.port);
    for topic in ["status", "gate/status", "gate/dog/score", "gate/cat/score"] {
        hears.await_topic(&format!("lookout/hof/{topic}"), SOON);
    }
    let mut later = Subscriber::new(broker.port);
    later.await_topic("lookout/hof/status", SOON);
    later.await_topic("lookout/hof/gate/status", SOON);
    later.await_topic("lookout/hof/gate/dog/score", SOON);
    later.await_topic("lookout/hof/gate/cat/score", SOON);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let values: std::collections::BTreeMap<_, _> = later.seen.into_iter().map(|(t, v)| (t, text(v))).collect();
    golden("state", &serde_json::to_vec(&values).expect("JSON"));
}
