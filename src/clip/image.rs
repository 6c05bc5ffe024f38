//! The image encoder: tiles of a frame become embeddings, on several threads.

use std::thread;

use fast_image_resize::Resizer;
use tract_onnx::prelude::*;

use super::embedding::Embedding;
use super::error::ModelError;
use super::manifest::{ImageTower, Manifest, Precision};
use super::onnx::{Graph, Plan};
use super::preprocess::prepare;
use crate::frame::{Frame, PixelRect};

/// What scores need: the embeddings of a frame's tiles. One is shared by all cameras.
pub trait TileEncoder: Send + Sync {
    /// One embedding a tile, in the order of the tiles.
    ///
    /// # Errors
    /// What went wrong with the first tile that failed.
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError>;

    /// Dimensions of the embeddings.
    fn width(&self) -> usize;
}

/// The image tower in 32-bit arithmetic.
pub struct ImageEncoder {
    plan: Plan,
    tower: ImageTower,
    width: usize,
    threads: usize,
}

impl ImageEncoder {
    pub(super) fn new(manifest: &Manifest, onnx: &[u8], file: &str, threads: usize) -> Result<Self, ModelError> {
        let tower = manifest.image.clone();
        let Precision::F32 = tower.precision;
        let side = tower.size as usize;
        let fact = InferenceFact::dt_shape(f32::datum_type(), [1, 3, side, side]);
        let (plan, width) = Graph::read(onnx, file)?.tower(&[(&tower.input, fact)], &tower.output)?;
        let expected = manifest.embedding.width;
        if width != expected {
            return Err(ModelError::Width { file: file.to_owned(), found: width, expected });
        }
        Ok(Self { plan, tower, width, threads: threads.max(1) })
    }

    fn encode_some(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        let side = self.tower.size as usize;
        let mut resizer = Resizer::new();
        let mut encode = |tile: &PixelRect| {
            let mut input = vec![0.0; 3 * side * side];
            prepare(&mut resizer, frame, tile, &self.tower, &mut input)?;
            let run = |e: TractError| ModelError::Run(format!("{tile:?}: {e:#}"));
            let input = Tensor::from_shape(&[1, 3, side, side], &input).map_err(run)?;
            let output = self.plan.run(tvec!(input.into_tvalue())).map_err(run)?;
            let values = output[0].to_plain_array_view::<f32>().map_err(run)?;
            Embedding::new(values.iter().copied().collect::<Vec<f32>>())
                .ok_or_else(|| ModelError::Run(format!("{tile:?} has no finite embedding")))
        };
        tiles.iter().map(&mut encode).collect()
    }
}

impl TileEncoder for ImageEncoder {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        let share = tiles.len().div_ceil(self.threads).max(1);
        thread::scope(|scope| {
            let spawn = |tiles| scope.spawn(move || self.encode_some(frame, tiles));
            let workers: Vec<_> = tiles.chunks(share).map(spawn).collect();
            let mut all = Vec::with_capacity(tiles.len());
            for worker in workers {
                let some = worker.join().map_err(|_| ModelError::Run("an encoder thread panicked".to_owned()))?;
                all.extend(some?);
            }
            Ok(all)
        })
    }

    fn width(&self) -> usize {
        self.width
    }
}
