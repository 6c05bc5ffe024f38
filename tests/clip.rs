//! The CLIP station against what the original implementation computes, and against broken models.

mod ready;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lookout::clip::{Model, ModelError, Precision, Running, TileEncoder};
use lookout::frame::{Frame, PixelRect};
use serde_json::Value;

/// PyTorch and tract add up in different orders.
const TEXT_TOLERANCE: f32 = 1e-4;
/// JPEG decoders and resizers differ in the last bit.
const IMAGE_COSINE: f32 = 0.9995;

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !folder.join("reference").is_dir() {
        eprintln!("skipped: ../shared is not here");
        return None;
    }
    Some(folder)
}

fn photo(path: &Path) -> Frame {
    let rgb = image::open(path).expect("a photo").into_rgb8();
    let (width, height) = rgb.dimensions();
    Frame::new(width, height, rgb.into_raw(), 0, Timestamp::UNIX_EPOCH).expect("a frame")
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number") as f32).collect()
}

fn expected(shared: &Path) -> Value {
    let text = std::fs::read(shared.join("reference/tiny_random_clip/expected.json")).expect("readable");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn the_reference_texts_are_reproduced() {
    let Some(shared) = shared() else { return };
    let expected = expected(&shared);
    let model = Model::open(&shared.join("reference/tiny_random_clip")).expect("opens");
    let encoder = model.text_encoder().expect("loads");
    for text in expected["texts"].as_array().expect("a list") {
        let phrase = text["text"].as_str().expect("a text");
        let ids: Vec<u32> = floats(&text["input_ids"]).iter().map(|id| *id as u32).collect();
        let (found_ids, _) = encoder.cut_ids(phrase).expect("tokenizes");
        assert_eq!(found_ids, ids, "{phrase:?}");
        let found = encoder.encode_ids(&found_ids).expect("encodes");
        for (found, expected) in found.values().iter().zip(floats(&text["embedding"])) {
            assert!((found - expected).abs() < TEXT_TOLERANCE, "{phrase:?}: {found} for {expected}");
        }
    }
}

#[test]
fn the_reference_images_are_reproduced() {
    let Some(shared) = shared() else { return };
    let expected = expected(&shared);
    let model = Model::open(&shared.join("reference/tiny_random_clip")).expect("opens");
    let encoder = model.image_encoder(2).expect("loads");
    for picture in expected["images"].as_array().expect("a list") {
        let file = picture["file"].as_str().expect("a path");
        let b: Vec<u32> = floats(&picture["box"]).iter().map(|v| *v as u32).collect();
        let window = PixelRect { x: b[0], y: b[1], width: b[2] - b[0], height: b[3] - b[1] };
        let found = encoder.encode(&photo(&shared.join(file)), &[window]).expect("encodes").remove(0);
        let expected = lookout::clip::Embedding::new(floats(&picture["embedding"])).expect("not zero");
        assert!(found.cosine(&expected) >= IMAGE_COSINE, "{file}: cosine {}", found.cosine(&expected));
    }
}

#[test]
fn the_embedded_model_knows_its_words() {
    let model = crate::support::rendered_model();
    let encoder = model.text_encoder().expect("loads");
    let cosine = |a: &str, b: &str| encoder.encode(a).expect("fits").cosine(&encoder.encode(b).expect("fits"));
    assert!(cosine("a bicycle", "a bike") > cosine("a bicycle", "a bus") + 0.2);
    assert!(cosine("a blue car", "an automobile that is blue") > cosine("a blue car", "a red car") + 0.1);
    assert_eq!(model.image_encoder(1).expect("loads").width(), model.manifest().embedding.width);
    assert_eq!(model.manifest().unknown_words("A Giraffe on a blue bike"), ["giraffe"]);
}

#[test]
fn every_way_of_cutting_the_work_gives_the_same_embeddings() {
    let model = crate::support::rendered_model();
    let rgb: Vec<u8> = (0..200 * 120 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let frame = Frame::new(200, 120, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    let tiles: Vec<PixelRect> =
        (0..7).map(|i| PixelRect { x: i * 10, y: i * 5, width: 60 + i, height: 60 + i }).collect();
    let one = model.image_encoder(1).expect("loads").encode(&frame, &tiles).expect("encodes");
    let three = model.image_encoder(3).expect("loads").encode(&frame, &tiles).expect("encodes");
    assert_eq!(one, three);
    assert_eq!(model.image_encoder(3).expect("loads").encode(&frame, &[]).expect("encodes"), []);
}

/// A copy of the embedded model in which one file or line has been changed.
fn tampered(change: impl Fn(&Path)) -> (tempfile::TempDir, Result<Model, ModelError>) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    for file in ["manifest.toml", "vision.onnx", "text.onnx", "tokenizer.json"] {
        std::fs::copy(source.join(file), folder.path().join(file)).expect("copies");
    }
    change(folder.path());
    let model = Model::open(folder.path());
    (folder, model)
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("manifest.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    assert!(text.contains(from), "the manifest holds {from:?}");
    std::fs::write(path, text.replacen(from, to, 1)).expect("writes");
}

fn without_hashes(folder: &Path) {
    let path = folder.join("manifest.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    let line = |line: &str| match line.split_once(", sha256") {
        Some((kept, _)) => format!("{kept} }}\n"),
        None => format!("{line}\n"),
    };
    std::fs::write(path, text.lines().map(line).collect::<String>()).expect("writes");
}

/// Opens, loads both towers, and returns the error that one of these must give.
fn fault(change: impl Fn(&Path)) -> String {
    let (_folder, model) = tampered(change);
    let loaded = model.and_then(|model| model.text_encoder().map(|_| model.clone()).and_then(|m| m.image_encoder(1)));
    loaded.map(|_| ()).expect_err("a fault").to_string()
}

#[test]
fn a_broken_model_says_what_is_wrong() {
    let cases: Vec<(&str, String)> = vec![
        ("cannot read", fault(|f| std::fs::remove_file(f.join("vision.onnx")).expect("removes"))),
        ("sha256", fault(|f| std::fs::write(f.join("tokenizer.json"), "{}").expect("writes"))),
        ("unknown field `sice`", fault(|f| edit(f, "size = 64", "sice = 64"))),
        ("embedding.width = 64", fault(|f| edit(f, "width = 128", "width = 64"))),
        ("image.std", fault(|f| edit(f, "std = [0.26862954", "std = [0.0"))),
        ("within the folder", fault(|f| edit(f, "\"vision.onnx\"", "\"../vision.onnx\""))),
        ("no output \"embeds\"", fault(|f| edit(f, "\"image_embeds\"", "\"embeds\""))),
        (
            "no complete ONNX file",
            fault(|f| {
                without_hashes(f);
                let bytes = std::fs::read(f.join("vision.onnx")).expect("reads");
                std::fs::write(f.join("vision.onnx"), &bytes[..bytes.len() / 2]).expect("writes");
            }),
        ),
    ];
    for (wanted, found) in cases {
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
    }
    let missing = Model::open(Path::new("/nowhere/at/all")).expect_err("a fault").to_string();
    assert!(missing.contains("/nowhere/at/all") && missing.contains("no such folder"), "{missing}");
}

#[test]
fn a_tokenizer_of_another_vocabulary_is_refused() {
    let Some(shared) = shared() else { return };
    let found = fault(|f| {
        without_hashes(f);
        std::fs::copy(shared.join("reference/tiny_random_clip/tokenizer.json"), f.join("tokenizer.json"))
            .expect("copies");
    });
    assert!(found.contains("49408") && found.contains("tokenizer"), "{found}");
}

#[test]
fn a_phrase_beyond_the_context_is_refused_with_its_length() {
    let encoder = crate::support::rendered_model().text_encoder().expect("loads");
    let found = encoder.encode(&"blue ".repeat(500)).expect_err("too long").to_string();
    assert!(found.contains("502 tokens") && found.contains("at most 32"), "{found}");
}

/// The reference model in a folder of its own, so that what is found out about it is not left beside the original.
fn copied(shared: &Path) -> tempfile::TempDir {
    let shelf = tempfile::tempdir().expect("a folder");
    let (from, to) = (shared.join("reference/tiny_random_clip"), shelf.path().join("model"));
    let mut folders = vec![(from, to)];
    while let Some((from, to)) = folders.pop() {
        std::fs::create_dir_all(&to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("reads").flatten() {
            let to = to.join(entry.file_name());
            match entry.file_type().expect("a type").is_dir() {
                true => folders.push((entry.path(), to)),
                false => drop(std::fs::copy(entry.path(), to).expect("copies")),
            }
        }
    }
    shelf
}

fn kept(shelf: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(shelf.join(".prepared"));
    let mut all: Vec<PathBuf> = folder.map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    all.sort_by_key(|path| path.extension().map(std::ffi::OsStr::to_owned));
    all
}

#[test]
fn eight_bits_keep_what_the_tower_means_and_the_choice_is_kept() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let model = Model::open(&shelf.path().join("model")).expect("opens");
    let int8 = Running { precision: Precision::Int8, ..Running::floats(2) };
    let encoder = model.encoder(&int8).expect("calibrates");
    let found = encoder.calibration().expect("in 8 bits").clone();
    assert!(found.mean >= 0.998 && found.least >= 0.995 && found.floats() < found.layers.len(), "{found:?}");
    let rgb: Vec<u8> = (0..200 * 120 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let frame = Frame::new(200, 120, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    let tiles: Vec<PixelRect> =
        (0..9).map(|i| PixelRect { x: i * 10, y: i * 5, width: 60 + i, height: 60 + i }).collect();
    let exact = model.image_encoder(1).expect("loads").encode(&frame, &tiles).expect("encodes");
    let coded = encoder.encode(&frame, &tiles).expect("encodes");
    for (a, b) in exact.iter().zip(&coded) {
        assert!(a.cosine(b) >= 0.985, "{}", a.cosine(b));
    }
    let [place, tower] = &kept(shelf.path())[..] else { panic!("a calibration and a tower are kept") };
    // Only what was kept says so.
    let text = std::fs::read_to_string(place).expect("reads");
    std::fs::write(place, text.replace(&format!("{}", found.mean), "0.5")).expect("writes");
    std::fs::remove_file(tower).expect("removes");
    assert_eq!(model.encoder(&int8).expect("loads").calibration().expect("in 8 bits").mean, 0.5);
    // What is damaged is found anew, and so it is for pictures of one's own.
    std::fs::write(place, "{").expect("writes");
    std::fs::remove_file(tower).expect("removes");
    assert_eq!(model.encoder(&int8).expect("loads").calibration(), Some(&found));
    let own = Running { pictures: vec![frame], ..int8 };
    assert!(model.encoder(&own).expect("calibrates").calibration().expect("in 8 bits").mean >= 0.998);
    assert_eq!(kept(shelf.path()).len(), 2);
}

#[test]
fn a_published_tower_gives_its_patches() {
    let Some(shared) = shared() else { return };
    let model = Model::open(&shared.join("reference/tiny_random_clip")).expect("opens");
    assert_eq!(model.manifest().image.patches, None);
    let encoder = model.dense_encoder(2).expect("loads");
    let rows = encoder.patch_rows().expect("patches");
    // A picture whose right half alone is lit: patches of each half are alike, and unlike those of the other.
    let rgb: Vec<u8> = (0..64 * 64 * 3).map(|i| if i / 3 % 64 < 32 { 10 } else { 230 }).collect();
    let frame = Frame::new(64, 64, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    let whole = PixelRect { x: 0, y: 0, width: 64, height: 64 };
    let patches = encoder.encode_patches(&frame, &[whole, whole]).expect("encodes");
    assert_eq!((patches.len(), patches[0].len()), (2, rows * rows));
    assert_eq!(patches[0], patches[1]);
    assert_eq!(patches[0][0].values().len(), model.manifest().embedding.width);
    // The whole picture means what it means without patches.
    let alone = model.image_encoder(1).expect("loads").encode(&frame, &[whole]).expect("encodes");
    assert!(encoder.encode(&frame, &[whole]).expect("encodes")[0].cosine(&alone[0]) > 0.99999);
}

#[test]
fn phrases_that_were_embedded_before_need_no_text_tower() {
    let Some(shared) = shared() else { return };
    let shelf = copied(&shared);
    let folder = shelf.path().join("model");
    // As an import would leave it: with a manifest that has hashes.
    let open = || Model::open(&folder).expect("opens");
    let derived = open();
    let mut manifest = derived.manifest().clone();
    for file in [&mut manifest.files.image, &mut manifest.files.text, &mut manifest.files.tokenizer] {
        let bytes = std::fs::read(folder.join(&file.path)).expect("reads");
        file.sha256 = Some(
            sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), bytes))
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        );
    }
    std::fs::write(folder.join("manifest.toml"), toml::to_string(&manifest).expect("writes")).expect("writes");
    let model = open();
    let phrases = model.phrases();
    let wanted = phrases.encode("a blue bicycle").expect("encodes");
    phrases.keep();
    // Hashes are looked at when a file is read: a broken tower would be refused.
    let text = folder.join(&manifest.files.text.path);
    std::fs::write(&text, "broken").expect("writes");
    let model = open();
    let phrases = model.phrases();
    let found = phrases.encode("a blue bicycle").expect("was embedded before");
    assert!(found.cosine(&wanted) > 0.999_999);
    assert!(matches!(phrases.encode("a red bicycle"), Err(ModelError::Hash { .. })), "new ones need the tower");
    // What is damaged is no longer known.
    for place in kept(shelf.path()) {
        std::fs::write(place, "[").expect("writes");
    }
    assert!(open().phrases().encode("a blue bicycle").is_err());
}
