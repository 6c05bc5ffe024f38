//! A real broker on a free loopback port, killed when dropped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(10);

/// A running mosquitto.
pub struct Mosquitto {
    pub port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts one that lets everybody in.
    pub fn start() -> Self {
        Self::with_config(|_| "allow_anonymous true\n".to_owned())
    }

    /// Starts one with these lines after its `listener`; `config` gets the folder in which it may put files.
    pub fn with_config(config: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines = config(folder.path());
        let mut broker = Self { port: 0, folder, child: None };
        // A broker cannot be told to choose a port itself, and what was free may be taken before it has it.
        let started = (0..5).any(|_| {
            broker.port =
                TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
            let port = broker.port;
            let text = format!("per_listener_settings false\nuser root\nlistener {port} 127.0.0.1\n{lines}");
            std::fs::write(broker.folder.path().join("mosquitto.conf"), text).expect("the broker's config");
            broker.listens()
        });
        assert!(started, "mosquitto does not listen: {}", broker.log());
        broker
    }

    /// Starts it again on the same port, with nothing remembered.
    pub fn restart(&mut self) {
        assert!(self.listens(), "mosquitto does not listen: {}", self.log());
    }

    /// Starts the program and waits; false if it ended or was too slow.
    fn listens(&mut self) -> bool {
        self.kill();
        let log = std::fs::File::create(self.folder.path().join("log")).expect("the broker's log");
        let child = Command::new(program())
            .arg("-v")
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mosquitto is installed (apt-get install mosquitto)");
        let child = self.child.insert(child);
        let until = Instant::now() + READY_WITHIN;
        // By its own word: on its port there may be another's broker.
        while !log_in(&self.folder).lines().any(|line| line.ends_with(" running")) {
            if child.try_wait().expect("it can be asked").is_some() || Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn log(&self) -> String {
        log_in(&self.folder)
    }

    /// What it has logged of clients that broke the protocol.
    #[allow(dead_code, reason = "not every test asks")]
    pub fn complaints(&self) -> Vec<String> {
        let wrong = |line: &&str| ["rror", "alformed", "rotocol"].iter().any(|word| line.contains(word));
        self.log().lines().filter(wrong).map(str::to_owned).collect()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the broker can be killed");
            child.wait().expect("the broker ends");
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn log_in(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("log")).expect("the broker's log")
}

/// Debian puts it where users have no path to.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/mosquitto");
    if debian.is_file() { debian } else { PathBuf::from("mosquitto") }
}
