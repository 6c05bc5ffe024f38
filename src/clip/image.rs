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

    /// One embedding of every patch of a tile, row by row, in the order of the tiles: [`Self::patch_rows`] squared each.
    ///
    /// # Errors
    /// What went wrong with the first tile that failed, or that this encoder gives none.
    fn encode_patches(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError>;

    /// Patches along each side of a tile; `None` where the encoder gives none.
    fn patch_rows(&self) -> Option<usize>;

    /// Dimensions of the embeddings.
    fn width(&self) -> usize;
}

/// The image tower in 32-bit arithmetic.
pub struct ImageEncoder {
    plan: Plan,
    tower: ImageTower,
    width: usize,
    patch_rows: Option<usize>,
    threads: usize,
}

impl ImageEncoder {
    /// The tower of an ONNX file. With `dense`, it gives the embeddings of patches too.
    pub(super) fn new(
        manifest: &Manifest,
        onnx: &[u8],
        file: &str,
        threads: usize,
        dense: bool,
    ) -> Result<Self, ModelError> {
        let tower = manifest.image.clone();
        let Precision::F32 = tower.precision;
        let patches = match (&tower.patches, dense) {
            (Some(output), true) => Some(output.as_str()),
            (None, true) => return Err(ModelError::NoPatches { model: manifest.name.clone() }),
            (_, false) => None,
        };
        let side = tower.size as usize;
        let fact = InferenceFact::dt_shape(f32::datum_type(), [1, 3, side, side]);
        let graph = Graph::read(onnx, file)?;
        let outputs: Vec<&str> = std::iter::once(tower.output.as_str()).chain(patches).collect();
        let (plan, shapes) = graph.tower(&[(&tower.input, fact)], &outputs)?;
        let width = graph.embeddings(&tower.output, &shapes[0])?;
        let expected = manifest.embedding.width;
        let wrong = |found: usize| ModelError::Width { file: file.to_owned(), found, expected };
        if width != expected {
            return Err(wrong(width));
        }
        let patch_rows = match patches {
            Some(output) => match graph.patches(output, &shapes[1])? {
                (rows, width) if width == expected => Some(rows),
                (_, width) => return Err(wrong(width)),
            },
            None => None,
        };
        Ok(Self { plan, tower, width, patch_rows, threads: threads.max(1) })
    }

    /// The embeddings of that output for some tiles, one list a tile.
    fn encode_some(
        &self,
        frame: &Frame,
        tiles: &[PixelRect],
        output: usize,
    ) -> Result<Vec<Vec<Embedding>>, ModelError> {
        let side = self.tower.size as usize;
        let mut resizer = Resizer::new();
        let mut encode = |tile: &PixelRect| {
            let mut input = vec![0.0; 3 * side * side];
            prepare(&mut resizer, frame, tile, &self.tower, &mut input)?;
            let run = |e: TractError| ModelError::Run(format!("{tile:?}: {e:#}"));
            let input = Tensor::from_shape(&[1, 3, side, side], &input).map_err(run)?;
            let outputs = self.plan.run(tvec!(input.into_tvalue())).map_err(run)?;
            let values = outputs[output].to_plain_array_view::<f32>().map_err(run)?;
            let values: Vec<f32> = values.iter().copied().collect();
            let embedding = |values: &[f32]| {
                Embedding::new(values).ok_or_else(|| ModelError::Run(format!("{tile:?} has no finite embedding")))
            };
            values.chunks_exact(self.width).map(embedding).collect()
        };
        tiles.iter().map(&mut encode).collect()
    }

    /// As [`Self::encode_some`], on all threads, the caller's among them.
    fn encode_all(&self, frame: &Frame, tiles: &[PixelRect], output: usize) -> Result<Vec<Vec<Embedding>>, ModelError> {
        let share = tiles.len().div_ceil(self.threads).max(1);
        thread::scope(|scope| {
            let (own, rest) = tiles.split_at(share.min(tiles.len()));
            let spawn = |tiles| scope.spawn(move || self.encode_some(frame, tiles, output));
            let workers: Vec<_> = rest.chunks(share).map(spawn).collect();
            let mut all = self.encode_some(frame, own, output)?;
            for worker in workers {
                let some = worker.join().map_err(|_| ModelError::Run("an encoder thread panicked".to_owned()))?;
                all.extend(some?);
            }
            Ok(all)
        })
    }
}

impl TileEncoder for ImageEncoder {
    fn encode(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Embedding>, ModelError> {
        Ok(self.encode_all(frame, tiles, 0)?.into_iter().flatten().collect())
    }

    fn encode_patches(&self, frame: &Frame, tiles: &[PixelRect]) -> Result<Vec<Vec<Embedding>>, ModelError> {
        if self.patch_rows.is_none() {
            return Err(ModelError::Run("it was loaded without the embeddings of patches".to_owned()));
        }
        self.encode_all(frame, tiles, 1)
    }

    fn patch_rows(&self) -> Option<usize> {
        self.patch_rows
    }

    fn width(&self) -> usize {
        self.width
    }
}
