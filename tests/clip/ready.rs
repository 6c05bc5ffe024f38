//! Towers that are kept ready for the next start: the same as what they were made of, and believed only as long as that has
//! not changed.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;
use lookout::clip::{Embedding, Model, Precision, Running, TileEncoder};
use lookout::frame::{Frame, PixelRect};
use prost::Message;
use tract_onnx::pb::ModelProto;

use super::{copied, kept, shared};
use crate::support::onnx::Onnx;

/// The model's file in its folder.
const FILE: &str = "model/model.onnx";

/// What the tower in 8 bits says of some tiles and of the patches of the first; bit for bit what it said before if it is the
/// same tower.
fn embeddings(shelf: &Path, dense: bool) -> Vec<Embedding> {
    let model = Model::open(&shelf.join("model")).expect("opens");
    let encoder = model.encoder(&Running { precision: Precision::Int8, dense, ..Running::floats(2) }).expect("loads");
    assert!(encoder.calibration().is_some_and(|found| found.mean > 0.99) && encoder.macs() > 1e5);
    let rgb: Vec<u8> = (0..200 * 120 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let frame = Frame::new(200, 120, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    let tiles: Vec<PixelRect> =
        (0..9).map(|i| PixelRect { x: i * 10, y: i * 5, width: 60 + i, height: 60 + i }).collect();
    let mut found = encoder.encode(&frame, &tiles).expect("encodes");
    if dense {
        found.extend(encoder.encode_patches(&frame, &tiles[..1]).expect("encodes").remove(0));
        assert_eq!(found.len(), tiles.len() + encoder.patch_rows().expect("patches").pow(2));
    }
    found
}

/// The least cosine. Of a tower that was calibrated twice it is a little below 1: which rows of a layer's inputs are looked
/// at depends on which thread is first.
fn alike(a: &[Embedding], b: &[Embedding]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.cosine(b)).fold(1.0, f32::min)
}

const CALIBRATED_TWICE: f32 = 0.995;

/// Writes another content as if nothing had happened to the file.
fn rewrite_unnoticed(path: &Path, content: &[u8]) {
    let modified = path.metadata().and_then(|data| data.modified()).expect("a time");
    std::fs::write(path, content).expect("writes");
    File::options().append(true).open(path).and_then(|file| file.set_modified(modified)).expect("sets the time");
}

/// Takes the numbers out of the larger weights of an ONNX file, and leaves all else as it is.
fn empty(file: &mut [u8]) {
    let graph = ModelProto::decode(&*file).expect("a model").graph.expect("a graph");
    let large: Vec<_> = graph.initializer.into_iter().filter(|weight| weight.raw_data.len() > 10_000).collect();
    assert!(!large.is_empty());
    for weight in large {
        let raw = &weight.raw_data;
        let at = file.windows(raw.len()).position(|part| part == raw).expect("it is in there");
        file[at..at + raw.len()].fill(0xff);
    }
}

/// Another model of the same form: each number of a matrix of the image tower is what it was, less than nothing.
fn with_a_weight_negated(file: &[u8]) -> Vec<u8> {
    let mut model = ModelProto::decode(file).expect("a model");
    let graph = model.graph.as_mut().expect("a graph");
    let product = graph.node.iter().find(|node| node.op_type == "MatMul" && node.name.contains("vision"));
    let name = product.expect("a product").input[1].clone();
    let weight = graph.initializer.iter_mut().find(|weight| weight.name == name).expect("its weights");
    weight.raw_data.iter_mut().skip(3).step_by(4).for_each(|byte| *byte ^= 0x80);
    model.encode_to_vec()
}

#[test]
fn a_kept_tower_is_the_same_and_needs_nothing_of_the_export() {
    let Some(shared) = shared() else { return };
    for dense in [false, true] {
        let shelf = copied(&shared);
        let made = embeddings(shelf.path(), dense);
        let file = shelf.path().join(FILE);
        let export = std::fs::read(&file).expect("reads");
        // Its weights are gone; what a folder without a manifest is known by is still there.
        let mut emptied = export.clone();
        empty(&mut emptied);
        rewrite_unnoticed(&file, &emptied);
        assert_eq!(embeddings(shelf.path(), dense), made, "dense: {dense}");
        // Without the tower, that would have been noticed.
        for path in kept(shelf.path()) {
            std::fs::remove_file(path).expect("removes");
        }
        let model = Model::open(&shelf.path().join("model")).expect("opens");
        assert!(model.encoder(&Running { precision: Precision::Int8, dense, ..Running::floats(1) }).is_err());
    }
}

#[test]
fn a_damaged_tower_is_made_again() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let made = embeddings(shelf.path(), false);
    let tower = kept(shelf.path()).pop().expect("a tower");
    let whole = std::fs::read(&tower).expect("reads");
    let changed = |at: usize| whole.iter().enumerate().map(|(i, byte)| if i == at { !byte } else { *byte }).collect();
    let damages: [Vec<u8>; 6] = [
        Vec::new(),
        b"{}".repeat(100),
        whole[..whole.len() / 2].to_vec(),
        changed(0),
        changed(whole.len() / 2),
        changed(whole.len() - 200),
    ];
    for damaged in damages {
        std::fs::write(&tower, &damaged).expect("writes");
        assert_eq!(embeddings(shelf.path(), false), made);
        assert!(std::fs::read(&tower).expect("reads") == whole, "it is there again after {} bytes", damaged.len());
    }
    assert_eq!(kept(shelf.path()).len(), 2);
}

#[test]
fn another_model_is_another_tower() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let before = embeddings(shelf.path(), false);
    let file = shelf.path().join(FILE);
    let changed = with_a_weight_negated(&std::fs::read(&file).expect("reads"));
    std::fs::write(&file, &changed).expect("writes");
    let after = embeddings(shelf.path(), false);
    let fresh = copied(&shared);
    std::fs::write(fresh.path().join(FILE), &changed).expect("writes");
    assert!(alike(&after, &embeddings(fresh.path(), false)) > CALIBRATED_TWICE);
    assert!(alike(&after, &before) < CALIBRATED_TWICE, "{}", alike(&after, &before));
    let towers = kept(shelf.path()).into_iter().filter(|path| path.extension().is_some_and(|end| end == "tower"));
    assert_eq!(towers.count(), 1, "the old one is replaced");
}

#[test]
fn weights_beside_the_graph_count_as_the_model() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let (file, beside) = (shelf.path().join(FILE), shelf.path().join("model/model.onnx.data"));
    let mut whole = Onnx::new(&std::fs::read(&file).expect("reads"));
    let one_file = embeddings(shelf.path(), false);
    let content = whole.outside("model.onnx.data");
    std::fs::write(&beside, &content).expect("writes");
    std::fs::write(&file, whole.bytes()).expect("writes");
    let before = embeddings(shelf.path(), false);
    assert!(alike(&before, &one_file) > CALIBRATED_TWICE, "the same weights, wherever they lie");
    assert_eq!(before, embeddings(shelf.path(), false));
    // The sign of every number.
    let other: Vec<u8> = content.iter().enumerate().map(|(i, b)| if i % 4 == 3 { b ^ 0x80 } else { *b }).collect();
    std::fs::write(&beside, other).expect("writes");
    assert!(alike(&before, &embeddings(shelf.path(), false)) < CALIBRATED_TWICE);
}

#[test]
fn a_start_without_a_place_to_write_goes_on_without() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let made = embeddings(shelf.path(), false);
    std::fs::remove_dir_all(shelf.path().join(".prepared")).expect("removes");
    std::fs::write(shelf.path().join(".prepared"), "no folder").expect("writes");
    assert!(alike(&embeddings(shelf.path(), false), &made) > CALIBRATED_TWICE);
    assert_eq!(std::fs::read(shelf.path().join(".prepared")).expect("reads"), b"no folder");
}

#[test]
fn phrases_of_an_export_without_a_manifest_are_known_while_its_files_stay() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let model = Model::open(&shelf.path().join("model")).expect("opens");
    let phrases = model.phrases();
    let wanted = phrases.encode("a blue bicycle").expect("encodes");
    phrases.keep();
    let file = shelf.path().join(FILE);
    let mut emptied = std::fs::read(&file).expect("reads");
    empty(&mut emptied);
    rewrite_unnoticed(&file, &emptied);
    assert_eq!(model.phrases().encode("a blue bicycle").expect("no tower is asked"), wanted);
    assert!(model.phrases().encode("a red bicycle").is_err(), "that would be noticed");
    std::fs::write(&file, &emptied).expect("writes");
    assert!(model.phrases().encode("a blue bicycle").is_err(), "another file, for all that is known");
}
