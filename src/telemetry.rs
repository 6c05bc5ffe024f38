//! Telemetry: log lines for people or machines, and faults that repeat said once a second at most.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use crate::config::settings::LogFormat;

/// Sends log lines to standard error, so that standard output stays the program's own. `RUST_LOG` chooses what is told.
/// Without it, faults only where the `level` is `warn`, and what happens where it is `info`.
pub fn start(format: LogFormat, level: &str) {
    // tract tells every step of its optimiser at info level.
    let usual = format!("{level},tract_core=warn,tract_onnx=warn,tract_hir=warn,tract_linalg=warn,rumqttc=warn");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // A second call finds the first one's in place; tests in one process do that.
    let _ = match format {
        LogFormat::Human => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

/// Lets one message a second through and counts the rest.
#[derive(Debug, Default)]
pub struct OncePerSecond(Mutex<Option<(Instant, u64)>>);

impl OncePerSecond {
    /// How many messages were held back since the last one, if this one may be said.
    pub fn pass(&self) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut *last {
            Some((at, held)) if at.elapsed() < Duration::from_secs(1) => {
                *held += 1;
                None
            }
            other => {
                let held = other.map_or(0, |(_, held)| held);
                *other = Some((Instant::now(), 0));
                Some(held)
            }
        }
    }
}
