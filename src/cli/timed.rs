//! An encoder and the time spent in it, which is what a dense look or a motion gate is to save.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::clip::{Crop, Embedding, ImageEncoder, ModelError, TileEncoder};
use crate::frame::{Frame, PixelRect};

/// Counts the time of all calls.
pub(super) struct Timed<'a> {
    encoder: &'a ImageEncoder,
    spent: Mutex<Duration>,
}

impl<'a> Timed<'a> {
    pub(super) fn new(encoder: &'a ImageEncoder) -> Self {
        Self { encoder, spent: Mutex::default() }
    }

    /// The time of all calls so far.
    pub(super) fn spent(&self) -> Duration {
        self.spent.lock().map_or(Duration::ZERO, |spent| *spent)
    }

    fn timed<T>(&self, encode: impl FnOnce(&ImageEncoder) -> T) -> T {
        let started = Instant::now();
        let made = encode(self.encoder);
        if let Ok(mut spent) = self.spent.lock() {
            *spent += started.elapsed();
        }
        made
    }
}

impl TileEncoder for Timed<'_> {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        self.timed(|encoder| encoder.encode(frame, tiles))
    }

    fn encode_patches(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        self.timed(|encoder| encoder.encode_patches(frame, tiles))
    }

    fn encode_crops(&self, frame: &Frame, crops: &[PixelRect]) -> Result<Vec<Crop>, ModelError> {
        self.timed(|encoder| encoder.encode_crops(frame, crops))
    }

    fn refines_boxes(&self) -> bool {
        self.encoder.refines_boxes()
    }

    fn patch_rows(&self) -> Option<usize> {
        self.encoder.patch_rows()
    }

    fn width(&self) -> usize {
        self.encoder.width()
    }
}
