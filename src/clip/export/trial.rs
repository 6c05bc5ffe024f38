//! A trial: what only running the towers shows.

use std::path::Path;

use jiff::Timestamp;
use tract_onnx::prelude::*;

use crate::clip::error::ModelError;
use crate::clip::image::{ImageEncoder, Running, TileEncoder};
use crate::clip::manifest::Manifest;
use crate::clip::onnx::{Graph, Input};
use crate::clip::package::Shelf;
use crate::clip::text::TextEncoder;
use crate::frame::{Frame, PixelRect};

/// Embeddings of the same phrase, filled up to different lengths, that are as alike as this are the same.
const SAME: f32 = 0.9999;
const PHRASE: &str = "a photo of a dog";

/// The width of an image tower's embeddings, where nothing declares it.
pub(super) fn image_width(graph: Graph, input: &str, output: &str, size: u32) -> Result<usize, ModelError> {
    let graph = graph.towards(&[output])?;
    let side = size as usize;
    let input = Input { name: input, of: f32::datum_type(), shape: [1, 3, side, side].map(Some).to_vec() };
    graph.embeddings(output, &graph.cut(&[input], &[output])?.shapes[0])
}

/// Runs both towers of a model whose files lie in `folder` as the manifest says, and settles there whether phrases have to
/// be filled up to the context length. Returns what is worth saying.
///
/// # Errors
/// Why one of them does not run.
pub fn settle(folder: &Path, manifest: &mut Manifest) -> Result<Vec<String>, ModelError> {
    let mut notes = Vec::new();
    let shelf = Shelf::Folder(folder.to_owned());
    {
        let encoder = ImageEncoder::new(manifest, &shelf, &Running::floats(1))?;
        let side = manifest.image.size;
        let gradient: Vec<u8> = (0..side * side * 3).map(|index| (index % 251) as u8).collect();
        let frame = Frame::new(side, side, gradient, 0, Timestamp::UNIX_EPOCH);
        let frame = frame.ok_or_else(|| ModelError::Run(format!("{side} pixels make no picture")))?;
        encoder.encode(&frame, &[PixelRect { x: 0, y: 0, width: side, height: side }])?;
    }
    let embedding = |manifest: &Manifest| TextEncoder::new(manifest, &shelf)?.encode(PHRASE);
    let declared = manifest.text.fixed;
    manifest.text.fixed = true;
    let whole = embedding(manifest)?;
    if !declared {
        manifest.text.fixed = false;
        let short = embedding(manifest);
        manifest.text.fixed = !short.is_ok_and(|short| short.cosine(&whole) >= SAME);
    }
    if manifest.text.fixed {
        notes.push(format!("phrases are always filled up to {} tokens", manifest.text.context_length));
    }
    Ok(notes)
}
