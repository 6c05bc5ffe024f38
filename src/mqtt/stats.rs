//! Stats: health and rates of one run of the program.

use std::collections::BTreeMap;

use crate::config::settings::Name;
use crate::store::OutboxCounts;

/// Counters since the start of the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// The program's version.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// Per camera.
    pub cameras: BTreeMap<Name, CameraStats>,
    /// Tiles that went through the image encoder.
    pub tiles_encoded: u64,
    /// Mean time of the encoder for one tile, milliseconds; `None` before the first.
    pub encoder_ms: Option<f64>,
    /// The hottest part of the machine, degrees Celsius; `None` where it does not tell.
    pub temperature_c: Option<f64>,
    /// What the program holds of the memory, 10⁶ bytes.
    pub memory_mb: Option<f64>,
    /// Event messages given out.
    pub events: u64,
    /// What became of the events.
    pub outbox: OutboxCounts,
}

/// Counters of one camera.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CameraStats {
    /// Frames that came from the source.
    pub frames: u64,
    /// Frames replaced by a newer one before they could be analysed.
    pub frames_dropped: u64,
    /// Frames that were analysed.
    pub frames_analysed: u64,
    /// How many of them a second since the stats before; 0 at first.
    pub fps: f64,
    /// Regions that should have been encoded with a frame, but had to wait for a later one for want of time.
    pub regions_postponed: u64,
}
