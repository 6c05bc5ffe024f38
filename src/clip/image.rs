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
use crate::frame::{Frame, PixelRect, UnitBox};

/// The box of the object in the middle of a crop, by bounding-box regression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefinedBox {
    /// In fractions of the frame, within it.
    pub area: UnitBox,
    /// Probability that there is an object, whatever it is, 0..1.
    pub objectness: f32,
}

/// All that one run of the tower tells of a crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop {
    /// Of the crop as a whole.
    pub embedding: Embedding,
    /// Of each patch, row by row; empty where the encoder gives none.
    pub patches: Vec<Embedding>,
    /// `None` where the model has no bounding-box regression.
    pub refined: Option<RefinedBox>,
}

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

    /// What one run of the tower tells of each crop, in their order. Without an own implementation, the embeddings alone.
    ///
    /// # Errors
    /// What went wrong with the first crop that failed.
    fn encode_crops(&self, frame: &Frame, crops: &[PixelRect]) -> Result<Vec<Crop>, ModelError> {
        let plain = |embedding| Crop { embedding, patches: Vec::new(), refined: None };
        Ok(self.encode(frame, crops)?.into_iter().map(plain).collect())
    }

    /// Whether [`Self::encode_crops`] gives refined boxes.
    fn refines_boxes(&self) -> bool {
        false
    }

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
    outputs: tower::Outputs,
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
        let outputs = tower::outputs_of(manifest, running);
        Ok(Self {
            plan,
            tower,
            width,
            outputs,
            patch_rows: facts.patch_rows,
            workers,
            most,
            calibration,
            macs: facts.macs,
        })
    }

    /// Multiplications of the tower's products and convolutions for one tile.
    pub fn macs(&self) -> f64 {
        self.macs
    }

    /// What was chosen for 8 bits; `None` in 32.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// Runs the tower on some tiles and hands each tile's values of all outputs to `read`.
    fn run<T>(
        &self,
        frame: &Frame,
        tiles: &[PixelRect],
        read: impl Fn(&PixelRect, &[&[f32]]) -> Result<T, ModelError>,
    ) -> Result<Vec<T>, ModelError> {
        let side = self.tower.size as usize;
        let mut resizer = Resizer::new();
        let mut input = Tensor::zero::<f32>(&[tiles.len(), 3, side, side]).map_err(|e| failed(tiles, &e))?;
        let mut view = input.try_as_plain_ram_mut().map_err(|e| failed(tiles, &e))?;
        let values = view.as_slice_mut::<f32>().map_err(|e| failed(tiles, &e))?;
        for (tile, values) in tiles.iter().zip(values.chunks_exact_mut(3 * side * side)) {
            prepare(&mut resizer, frame, tile, &self.tower, values)?;
        }
        let outputs = self.plan.run(tvec!(input.into_tvalue())).map_err(|e| failed(tiles, &e))?;
        let views: Result<Vec<_>, _> = outputs.iter().map(|output| output.try_as_plain_ram()).collect();
        let views = views.map_err(|e| failed(tiles, &e))?;
        let values: Result<Vec<&[f32]>, _> = views.iter().map(|view| view.as_slice::<f32>()).collect();
        let values = values.map_err(|e| failed(tiles, &e))?;
        let one = |(index, tile): (usize, &PixelRect)| {
            let share = |values: &&'_ [f32]| values.len() / tiles.len();
            let own: Vec<&[f32]> =
                values.iter().map(|all| &all[index * share(all)..(index + 1) * share(all)]).collect();
            read(tile, &own)
        };
        tiles.iter().enumerate().map(one).collect()
    }

    /// The embeddings in a tile's values of one output.
    fn embeddings(&self, tile: &PixelRect, values: &[f32]) -> Result<Vec<Embedding>, ModelError> {
        let embedding = |values: &[f32]| {
            Embedding::new(values).ok_or_else(|| ModelError::Run(format!("{tile:?} has no finite embedding")))
        };
        values.chunks_exact(self.width).map(embedding).collect()
    }

    /// All that the outputs tell of a crop.
    fn crop(&self, frame: &Frame, crop: &PixelRect, outputs: &[&[f32]]) -> Result<Crop, ModelError> {
        let patches = self.outputs.patches.map_or(Ok(Vec::new()), |at| self.embeddings(crop, outputs[at]))?;
        let refined = self.outputs.boxes.and_then(|at| refined(frame, crop, outputs[at]));
        let embedding = self.embeddings(crop, outputs[0])?.swap_remove(0);
        Ok(Crop { embedding, patches, refined })
    }

    fn encode_all(&self, frame: &Frame, tiles: &[PixelRect], output: usize) -> Result<Vec<Vec<Embedding>>, ModelError> {
        let read = |tile: &PixelRect, outputs: &[&[f32]]| self.embeddings(tile, outputs[output]);
        self.workers.share(tiles, self.most, |tiles| self.run(frame, tiles, read))
    }
}

/// A crop's regression output as a box of the frame; `None` where it is not finite.
fn refined(frame: &Frame, crop: &PixelRect, values: &[f32]) -> Option<RefinedBox> {
    let &[x0, y0, x1, y1, objectness] = values else { return None };
    let x = |at: f32| (crop.x as f32 + at * crop.width as f32) / frame.width() as f32;
    let y = |at: f32| (crop.y as f32 + at * crop.height as f32) / frame.height() as f32;
    let finite = values.iter().all(|value| value.is_finite());
    finite
        .then(|| RefinedBox { area: UnitBox::new(x(x0), y(y0), x(x1), y(y1)), objectness: objectness.clamp(0.0, 1.0) })
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
        let without = || ModelError::Run("it was loaded without the embeddings of patches".to_owned());
        self.encode_all(frame, tiles, self.outputs.patches.ok_or_else(without)?)
    }

    fn encode_crops(&self, frame: &Frame, crops: &[PixelRect]) -> Result<Vec<Crop>, ModelError> {
        let read = |crop: &PixelRect, outputs: &[&[f32]]| self.crop(frame, crop, outputs);
        self.workers.share(crops, self.most, |crops| self.run(frame, crops, read))
    }

    fn refines_boxes(&self) -> bool {
        self.outputs.boxes.is_some()
    }

    fn patch_rows(&self) -> Option<usize> {
        self.patch_rows
    }

    fn width(&self) -> usize {
        self.width
    }
}
