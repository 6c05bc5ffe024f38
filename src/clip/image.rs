//! The image encoder: tiles of a frame become embeddings, on several threads.

use fast_image_resize::Resizer;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::DimLike;

use super::calibration::Calibration;
use super::embedding::Embedding;
use super::error::ModelError;
use super::manifest::{ImageTower, Manifest, Precision};
use super::onnx::Plan;
use super::ops::Linear;
use super::package::Shelf;
use super::preprocess::prepare;
use super::tower;
use super::workers::Workers;
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

/// How an image tower is to run.
#[derive(Clone, Debug)]
pub struct Running {
    /// Threads, at least 1.
    pub threads: usize,
    /// Whether it gives the embeddings of patches too.
    pub dense: bool,
    /// In what arithmetic.
    pub precision: Precision,
    /// Pictures to calibrate on, instead of drawn ones; what was found before is then found anew.
    pub pictures: Vec<Frame>,
}

impl Running {
    /// Whole tiles in 32 bits.
    pub fn floats(threads: usize) -> Self {
        Self { threads, dense: false, precision: Precision::F32, pictures: Vec::new() }
    }
}

/// The image tower.
pub struct ImageEncoder {
    plan: Plan,
    tower: ImageTower,
    width: usize,
    patch_rows: Option<usize>,
    workers: Workers,
    /// Most tiles in one run.
    most: usize,
    calibration: Option<Calibration>,
    macs: f64,
}

impl ImageEncoder {
    /// The tower of the model that lies there, to run like that.
    pub(super) fn new(manifest: &Manifest, shelf: &Shelf, running: &Running) -> Result<Self, ModelError> {
        let workers = Workers::new(running.threads)?;
        let tower::ImageTower { plan, facts, calibration } =
            tower::ImageTower::load(manifest, shelf, running, &workers)?;
        let most = if facts.any_batch { most_tiles(&plan) } else { 1 };
        let (tower, width) = (manifest.image.clone(), manifest.embedding.width);
        Ok(Self { plan, tower, width, patch_rows: facts.patch_rows, workers, most, calibration, macs: facts.macs })
    }

    /// Multiplications of the tower's products and convolutions for one tile.
    pub fn macs(&self) -> f64 {
        self.macs
    }

    /// What was chosen for 8 bits; `None` in 32.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
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
        let mut input = Tensor::zero::<f32>(&[tiles.len(), 3, side, side]).map_err(|e| failed(tiles, &e))?;
        let mut view = input.try_as_plain_ram_mut().map_err(|e| failed(tiles, &e))?;
        let values = view.as_slice_mut::<f32>().map_err(|e| failed(tiles, &e))?;
        for (tile, values) in tiles.iter().zip(values.chunks_exact_mut(3 * side * side)) {
            prepare(&mut resizer, frame, tile, &self.tower, values)?;
        }
        let outputs = self.plan.run(tvec!(input.into_tvalue())).map_err(|e| failed(tiles, &e))?;
        let values = outputs[output].try_as_plain_ram().map_err(|e| failed(tiles, &e))?;
        let values = values.as_slice::<f32>().map_err(|e| failed(tiles, &e))?;
        let one = |(values, tile): (&[f32], &PixelRect)| {
            let embedding = |values: &[f32]| {
                Embedding::new(values).ok_or_else(|| ModelError::Run(format!("{tile:?} has no finite embedding")))
            };
            values.chunks_exact(self.width).map(embedding).collect()
        };
        values.chunks_exact(values.len() / tiles.len()).zip(tiles).map(one).collect()
    }

    fn encode_all(&self, frame: &Frame, tiles: &[PixelRect], output: usize) -> Result<Vec<Vec<Embedding>>, ModelError> {
        self.workers.share(tiles, self.most, |tiles| self.encode_some(frame, tiles, output))
    }
}

fn failed(tiles: &[PixelRect], error: &TractError) -> ModelError {
    ModelError::Run(format!("{tiles:?}: {error:#}"))
}

/// How many tiles go through a tower at once: with few tokens each, several, so that weights are read less often; no more
/// rows than stay in a cache.
fn most_tiles(plan: &Plan) -> usize {
    const ROWS: usize = 400;
    const MOST: usize = 8;
    let rows = |node: &TypedNode| {
        let shape = &node.outputs[0].fact.shape;
        let inner = shape.iter().skip(1).take(shape.rank().saturating_sub(2));
        node.op_is::<Linear>().then(|| inner.filter_map(|size| size.to_usize().ok()).product::<usize>())
    };
    let tokens = plan.model().nodes.iter().filter_map(rows).max().unwrap_or(ROWS);
    (ROWS / tokens.max(1)).clamp(1, MOST)
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
