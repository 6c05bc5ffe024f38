//! Counters of one run, and the summary that they give.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::health;
use crate::config::settings::Name;
use crate::mqtt::Stats;
use crate::mqtt::stats::CameraStats;
use crate::store::OutboxCounts;

/// Counts what happens, on any thread.
pub struct Counters {
    started: Instant,
    inner: Mutex<Summary>,
    /// When stats were last made, and the frames that each camera had analysed by then.
    before: Mutex<(Instant, BTreeMap<Name, u64>)>,
}

/// What one run did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Per camera.
    pub cameras: BTreeMap<Name, CameraStats>,
    /// Tiles that went through the image encoder.
    pub tiles_encoded: u64,
    /// Time that the encoder took for them.
    pub encoding: Duration,
    /// Things that appeared.
    pub events: u64,
    /// Messages about them.
    pub messages: u64,
}

impl Default for Counters {
    fn default() -> Self {
        let started = Instant::now();
        Self { started, inner: Mutex::default(), before: Mutex::new((started, BTreeMap::new())) }
    }
}

impl Counters {
    /// Changes the counts.
    pub fn count(&self, change: impl FnOnce(&mut Summary)) {
        change(&mut self.inner());
    }

    fn inner(&self) -> MutexGuard<'_, Summary> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The counts so far.
    pub fn summary(&self) -> Summary {
        self.inner().clone()
    }

    /// The counts as they are published, with rates since the last time that they were.
    pub fn stats(&self, outbox: OutboxCounts) -> Stats {
        let mut summary = self.summary();
        let (before, analysed) = &mut *self.before.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = std::mem::replace(before, Instant::now()).elapsed().as_secs_f64().max(1e-3);
        for (name, camera) in &mut summary.cameras {
            let so_far = analysed.insert(name.clone(), camera.frames_analysed).unwrap_or_default();
            camera.fps = (camera.frames_analysed - so_far) as f64 / seconds;
        }
        Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs_f64(),
            encoder_ms: summary.seconds_per_tile().map(|seconds| seconds * 1000.0),
            temperature_c: health::temperature_c(),
            memory_mb: health::memory_mb(),
            cameras: summary.cameras,
            tiles_encoded: summary.tiles_encoded,
            events: summary.messages,
            outbox,
        }
    }
}

impl Summary {
    /// Mean time of the encoder for one tile. `None` before the first.
    pub fn seconds_per_tile(&self) -> Option<f64> {
        (self.tiles_encoded > 0).then(|| self.encoding.as_secs_f64() / self.tiles_encoded as f64)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |part: fn(&CameraStats) -> u64| self.cameras.values().map(part).sum::<u64>();
        write!(
            f,
            "frames {}, dropped {}, analysed {}, regions encoded {}",
            sum(|c| c.frames),
            sum(|c| c.frames_dropped),
            sum(|c| c.frames_analysed),
            self.tiles_encoded
        )?;
        if let Some(seconds) = self.seconds_per_tile() {
            write!(f, " ({:.2} ms each)", seconds * 1000.0)?;
        }
        write!(f, ", events {}", self.events)
    }
}
