//! An image tower on its way to run: as it was kept at an earlier start, or made of its export now.

use std::io::ErrorKind;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike, SymbolValues};
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::einsum::EinSum;

use super::calibration::{Calibration, Coded, look};
use super::error::ModelError;
use super::image::Running;
use super::manifest::{Manifest, Precision};
use super::onnx::{Graph, Input, Plan, Tower};
use super::ops::Floats;
use super::package::Shelf;
use super::pictures;
use super::prepared::Place;
use super::ready::{self, Facts, Ready};
use super::workers::Workers;

/// Embeddings of a kept tower are to be those of the tower that was kept, but for the order of sums.
const SAME: f32 = 0.999_99;

/// The image tower of a model.
pub(super) struct ImageTower {
    /// Ready to run.
    pub(super) plan: Plan,
    /// What is known of it.
    pub(super) facts: Facts,
    /// What was chosen for 8 bits; `None` in 32.
    pub(super) calibration: Option<Calibration>,
}

impl From<Ready> for ImageTower {
    fn from(Ready { plan, facts, calibration }: Ready) -> Self {
        Self { plan, facts, calibration: Some(calibration) }
    }
}

impl ImageTower {
    /// The tower of the model that lies there, to run like that. What a tower in 8 bits needs is kept for the next start.
    ///
    /// # Errors
    /// What is wrong with its file or graph.
    pub(super) fn load(
        manifest: &Manifest,
        shelf: &Shelf,
        running: &Running,
        workers: &Workers,
    ) -> Result<Self, ModelError> {
        let int8 = running.precision == Precision::Int8;
        let folder = shelf.folder().filter(|_| int8);
        let place = folder.and_then(|folder| ready::Place::new(folder, manifest, running.dense));
        let known = place.as_ref().filter(|_| running.pictures.is_empty());
        if let Some(ready) = known.and_then(ready::Place::open) {
            return Ok(ready.into());
        }
        let file = &manifest.files.image;
        let hash = (int8 || file.sha256.is_some()).then(|| shelf.hash(file)).transpose()?;
        let export = Export::open(manifest, shelf, running)?;
        match hash.filter(|_| int8) {
            None => export.in_floats(),
            Some(hash) => export.in_bytes(&hash, place.as_ref(), workers),
        }
    }
}

/// A tower as it was exported.
struct Export<'a> {
    manifest: &'a Manifest,
    running: &'a Running,
    shelf: &'a Shelf,
    graph: Graph,
    cut: Tower,
    beside: Vec<String>,
    any_batch: bool,
    macs: f64,
}

impl<'a> Export<'a> {
    fn open(manifest: &'a Manifest, shelf: &'a Shelf, running: &'a Running) -> Result<Self, ModelError> {
        let (tower, file) = (&manifest.image, &manifest.files.image);
        let side = tower.size as usize;
        let outputs = outputs(manifest, running);
        let mut graph = shelf.graph(file)?.towards(&outputs)?;
        let beside = graph.beside().to_vec();
        let cut = |batch: Option<usize>| {
            let shape = vec![batch, Some(3), Some(side), Some(side)];
            graph.cut(&[Input { name: &tower.input, of: f32::datum_type(), shape }], &outputs)
        };
        // Some exports hold the size of their batch.
        let (cut, any_batch) = match cut(None) {
            Ok(tower) => (tower, true),
            Err(_) => (cut(Some(1))?, false),
        };
        graph.forget_weights();
        let width = graph.embeddings(&tower.output, &cut.shapes[0])?;
        check_width(manifest, shelf, width)?;
        if let Some(boxes) = &tower.boxes {
            graph.boxes(boxes, &cut.shapes[outputs.len() - 1])?;
        }
        let macs = macs(&cut.model).unwrap_or_default();
        Ok(Self { manifest, running, shelf, graph, cut, beside, any_batch, macs })
    }

    /// Whether the embeddings of patches are to be taken out of a tower that gives none.
    fn taken(&self) -> bool {
        self.running.dense && self.manifest.image.patches.is_none()
    }

    fn facts(&self, plan: &Plan) -> Result<Facts, ModelError> {
        let patch_rows = match self.running.dense {
            true => {
                let output = self.manifest.image.patches.as_deref().unwrap_or("the patches of its last block");
                let place = outputs_of(self.manifest, self.running).patches.unwrap_or(1);
                let (rows, width) = self.graph.patches(output, &shape(plan, place)?)?;
                check_width(self.manifest, self.shelf, width)?;
                Some(rows)
            }
            false => None,
        };
        Ok(Facts { patch_rows, any_batch: self.any_batch, macs: self.macs })
    }

    fn in_floats(mut self) -> Result<ImageTower, ModelError> {
        let (model, taken) = (std::mem::take(&mut self.cut.model), self.taken());
        let plan = self.graph.plan(self.graph.fused(model, &mut Floats, taken)?)?;
        Ok(ImageTower { facts: self.facts(&plan)?, plan, calibration: None })
    }

    fn in_bytes(
        mut self,
        hash: &str,
        ready: Option<&ready::Place>,
        workers: &Workers,
    ) -> Result<ImageTower, ModelError> {
        let (tower, running) = (&self.manifest.image, self.running);
        let side = tower.size as usize;
        let pictures = || match &running.pictures[..] {
            [] => pictures::drawn(tower),
            frames => pictures::of_frames(frames, tower),
        };
        let find = || {
            tracing::info!(model = %self.manifest.name, "calibrating the encoder for this machine, once");
            workers.together(|| Calibration::find(&self.graph, &self.cut.model, side, &pictures()))
        };
        let place = Place::new(self.shelf.folder(), hash, &outputs(self.manifest, running));
        let calibration = place.calibration(!running.pictures.is_empty(), find)?;
        let (model, taken) = (std::mem::take(&mut self.cut.model), self.taken());
        let making = ready.map(|ready| (ready, ready.begin(&self.beside, &calibration)));
        let (plan, kept) = match making {
            Some((ready, Ok(mut making))) => {
                let model = self.graph.fused(model, &mut making, taken)?;
                let plan = self.graph.plan(model.clone())?;
                (plan.clone(), Some((ready, making.finish(&model, self.facts(&plan)?))))
            }
            none => {
                let model = self.graph.fused(model, &mut Coded(&calibration), taken)?;
                (self.graph.plan(model)?, none.map(|(ready, making)| (ready, making.map(|_| ()))))
            }
        };
        if let Some((ready, kept)) = kept {
            tell(ready, kept.and_then(|()| prove(ready, &plan, side, &pictures()[0])));
        }
        Ok(ImageTower { facts: self.facts(&plan)?, plan, calibration: Some(calibration) })
    }
}

/// Says where the tower could not be kept.
fn tell(place: &ready::Place, kept: std::io::Result<()>) {
    const COSTS: &str = "each start reads the whole export, which takes several times the memory and the time";
    let path = place.path().display();
    match kept {
        Ok(()) => {}
        // Nothing that anybody could do something about.
        Err(error) if error.kind() == ErrorKind::Unsupported => tracing::info!("{path} is not made ({error}): {COSTS}"),
        Err(error) => tracing::warn!("the prepared tower cannot be kept at {path} ({error}): {COSTS}"),
    }
}

/// Opens what has just been kept, and looks at a picture with it: what does not mean the same is not kept.
fn prove(place: &ready::Place, plan: &Plan, side: usize, picture: &[f32]) -> std::io::Result<()> {
    let pictures = [picture.to_vec()];
    let means = |plan: &Plan| look(plan, side, &pictures).map_err(|e| std::io::Error::other(e.to_string()));
    let alike = |kept: Ready| Ok(means(plan)?[0].cosine(&means(&kept.plan)?[0]) >= SAME);
    match place.open().map_or(Ok(false), alike) {
        Ok(true) => Ok(()),
        wrong => {
            std::fs::remove_file(place.path())?;
            wrong.and(Err(std::io::Error::other("read again, it does not mean the same")))
        }
    }
}

/// The outputs that a tower is cut out for: that of the whole picture, that of patches where it gives one, and that of
/// boxes.
fn outputs<'a>(manifest: &'a Manifest, running: &Running) -> Vec<&'a str> {
    let patches = manifest.image.patches.as_deref().filter(|_| running.dense);
    std::iter::once(manifest.image.output.as_str()).chain(patches).chain(manifest.image.boxes.as_deref()).collect()
}

/// Indices of a running tower's outputs behind the first, which is the embedding of the whole picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    /// Embeddings of patches.
    pub(super) patches: Option<usize>,
    /// The box of the object in the middle.
    pub(super) boxes: Option<usize>,
}

/// Where a running tower has its outputs. Patches that are taken out of the last block come behind those of the file.
pub(super) fn outputs_of(manifest: &Manifest, running: &Running) -> Outputs {
    let count = outputs(manifest, running).len();
    let own = manifest.image.patches.is_some();
    Outputs {
        patches: running.dense.then_some(if own { 1 } else { count }),
        boxes: manifest.image.boxes.is_some().then(|| count - 1),
    }
}

fn check_width(manifest: &Manifest, shelf: &Shelf, found: usize) -> Result<(), ModelError> {
    let (expected, file) = (manifest.embedding.width, shelf.named(&manifest.files.image.path));
    if found == expected { Ok(()) } else { Err(ModelError::Width { file, found, expected }) }
}

/// The shape of an output, batch left out.
fn shape(plan: &Plan, output: usize) -> Result<Vec<usize>, ModelError> {
    let fact = plan.model().output_fact(output).map_err(|e| ModelError::Run(format!("{e:#}")))?;
    Ok(fact.shape.iter().skip(1).filter_map(|size| size.to_usize().ok()).collect())
}

fn macs(model: &TypedModel) -> TractResult<f64> {
    let mut values = SymbolValues::default();
    for symbol in model.symbols.all_symbols() {
        values.set(&symbol, 1);
    }
    let mut all = 0.0;
    for node in &model.nodes {
        if node.op_is::<EinSum>() || node.op_is::<Conv>() {
            let costs = node.op.cost(&model.node_input_facts(node.id)?)?;
            let counts = costs.iter().filter(|(kind, _)| kind.is_compute());
            all += counts.map(|(_, count)| Ok(count.eval(&values).to_i64()? as f64)).sum::<TractResult<f64>>()?;
        }
    }
    Ok(all)
}
