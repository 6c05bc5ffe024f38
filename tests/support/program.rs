//! The program as people run it, and whoever listens and speaks to it over a broker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

/// Longer than the program needs to start, on a loaded machine too.
const SOON: Duration = Duration::from_secs(90);

fn lookout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn output(arguments: &[&str]) -> Output {
    lookout(arguments).output().expect("the program starts")
}

/// Writes a configuration and gives its path.
pub fn config(folder: &Path, text: &str) -> String {
    let path = folder.join("lookout.toml");
    std::fs::write(&path, text).expect("writes");
    path.display().to_string()
}

/// Everything that a broker hands on, and a voice of one's own.
pub struct Hears {
    heard: Receiver<(String, Vec<u8>)>,
    /// The newest value of each topic that was heard so far.
    newest: RefCell<BTreeMap<String, Vec<u8>>>,
    client: Client,
}

impl Hears {
    /// Returns when the broker has confirmed the subscription.
    pub fn new(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("hears-{}", fastrand::u64(..)), "127.0.0.1", port);
        options.set_max_packet_size(64 << 20, 64 << 20);
        let (client, mut connection) = Client::new(options, 10);
        client.subscribe("lookout/#", QoS::AtLeastOnce).expect("subscribes");
        let (tell, heard) = channel();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            for message in connection.iter() {
                match message {
                    Ok(Event::Incoming(Packet::SubAck(_))) => drop(ready.send(())),
                    Ok(Event::Incoming(Packet::Publish(p)))
                        if tell.send((p.topic.clone(), p.payload.to_vec())).is_err() =>
                    {
                        break;
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        is_ready.recv_timeout(SOON).expect("the broker confirms");
        Self { heard, newest: RefCell::default(), client }
    }

    /// The first message from now on that fits.
    pub fn find(&self, what: &str, fits: impl Fn(&str, &[u8]) -> bool) -> (String, Vec<u8>) {
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (topic, payload) = self.heard.recv_timeout(left).unwrap_or_else(|_| panic!("never heard {what}"));
            self.newest.borrow_mut().insert(topic.clone(), payload.clone());
            if fits(&topic, &payload) {
                return (topic, payload);
            }
        }
    }

    /// Waits until a topic has this value, now or soon.
    pub fn value(&self, topic: &str, value: &str) {
        if self.newest.borrow().get(topic).is_some_and(|newest| newest == value.as_bytes()) {
            return;
        }
        self.find(&format!("{topic} {value}"), |t, p| t == topic && p == value.as_bytes());
    }

    pub fn say(&self, topic: &str, payload: &str) {
        self.say_bytes(topic, payload.as_bytes());
    }

    pub fn say_bytes(&self, topic: &str, payload: &[u8]) {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).expect("queued");
    }

    /// Says it so that the broker keeps it, and returns when it has it.
    pub fn retain(&self, topic: &str, payload: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, true, payload).expect("queued");
        self.value(topic, payload);
    }
}

/// A running program, killed when dropped.
pub struct Running {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        // A file: a pipe that nobody reads would fill and stop it.
        let log = tempfile::NamedTempFile::new().expect("a file for the log");
        let writes = log.reopen().expect("opens twice");
        let child = lookout(arguments).stderr(writes).stdout(Stdio::null()).spawn().expect("starts");
        Self { child, log }
    }

    /// Sends a signal, such as `-TERM`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(status.success());
    }

    /// Ends it by SIGINT and gives its log.
    pub fn end(self) -> Vec<String> {
        self.signal("-INT");
        self.ended()
    }

    /// Waits for its good end and gives its log.
    pub fn ended(mut self) -> Vec<String> {
        assert!(self.child.wait().expect("ends").success());
        let log = std::fs::read_to_string(self.log.path()).expect("the log is text");
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
