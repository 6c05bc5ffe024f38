//! *Tell a camera, in words, what to look out for.*
//!
//! # The data's way
//!
//! ```text
//! camera ─ GStreamer ─▶ Frame ─▶ Tiles ─▶ Embeddings ─▶ Scores ─▶ Detections ─▶ Tracks ─▶ Events ─▶ MQTT · web · store
//!          capture/            regions/   clip/         prompts/   detect/        track/             mqtt/  web/  store/
//! ```
//!
//! Each station is a plain function or a small struct of the one before. Only the two ends do input or output; the
//! stations between hold no clock, no thread, no wire type and no GStreamer.
//!
//! # Where to start reading
//!
//! [`pipeline`] is the line above as code; [`app`] is the composition root, the only file that names every adapter.
//! [`eval`] judges what was found against what is true. [`config`] turns a file as written into [`config::settings::Settings`], reporting every fault at once.
//!
//! # Direction
//!
//! `main → cli → app → {capture, mqtt, web, store} → pipeline → {track, detect, prompts, regions, clip} → frame`.
//! `tests/tidy.rs` refuses a `use` that goes up.

pub mod annotate;

pub mod app;
pub mod capture;
pub mod cli;
pub mod clip;
pub mod config;
pub mod detect;
pub mod elapsed;
pub mod eval;
pub mod frame;
pub mod heaps;
pub mod mqtt;
pub mod photo;
pub mod pipeline;
pub mod prompts;
pub mod regions;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod track;
pub mod web;
