//! Importing exports as people have them: each layout gives the embeddings of the model that it was made of.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lookout::clip::manifest::{Integers, Interpolation};
use lookout::clip::{Embedding, Model, TileEncoder};
use lookout::frame::{Frame, PixelRect};
use tempfile::TempDir;

use crate::support::onnx::Onnx;
use crate::support::repository::{CONFIG, Machine, Repository, TEXT, demo};

/// Nothing but the order of additions differs.
const SAME: f32 = 0.9999;
const NORMAL: &str = r#""mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]"#;

fn machine() -> Machine {
    Machine::new(&Repository::new().catalogue(&[]))
}

/// A folder called `name` with these files.
fn export(name: &str, files: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join(name);
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("writes");
    }
    (outer, folder)
}

/// Imports a folder under its own name; what was said, and the model.
fn import(machine: &Machine, folder: &Path, more: &[&str]) -> Result<(String, Model), String> {
    let path = folder.to_str().expect("text");
    let (well, text) = machine.run(&[&["models", "import", path], more].concat());
    let name = folder.file_name().and_then(|name| name.to_str()).expect("text");
    match well {
        true => Ok((text, Model::open(&machine.models().join(name)).expect("opens"))),
        false => Err(text),
    }
}

fn phrase(model: &Model) -> Embedding {
    model.text_encoder().expect("loads").encode("a blue bicycle near a wall").expect("encodes")
}

fn picture(model: &Model) -> Embedding {
    let rgb: Vec<u8> = (0..100 * 80 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let frame = Frame::new(100, 80, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    let tile = PixelRect { x: 5, y: 3, width: 70, height: 70 };
    model.image_encoder(1).expect("loads").encode(&frame, &[tile]).expect("encodes").remove(0)
}

/// Both towers give what those of the demo model give.
fn is_demo(model: &Model) {
    let demo = crate::support::rendered_model();
    let (text, image) = (phrase(model).cosine(&phrase(&demo)), picture(model).cosine(&picture(&demo)));
    assert!(text > SAME && image > SAME, "cosines {text} and {image}");
    assert!(model.manifest().files.all().iter().all(|file| file.sha256.is_some()));
}

#[test]
fn two_files_of_hugging_face() {
    let (_outer, folder) = export("Two Files", &[]);
    Repository::new().write(&folder);
    let machine = machine();
    let path = folder.to_str().expect("text");
    let (well, text) = machine.run(&["models", "import", path, "--logit-scale", "17.0792", "--licence", "MIT"]);
    assert!(well && text.contains("two-files is installed"), "{text}");
    let model = Model::open(&machine.models().join("two-files")).expect("opens");
    is_demo(&model);
    let manifest = model.manifest();
    assert_eq!((manifest.licence.as_str(), manifest.embedding.width), ("MIT", 128));
    assert_eq!((manifest.text.context_length, manifest.text.fixed), (32, false));
    assert!((manifest.embedding.logit_scale - 17.0792).abs() < 1e-4 && !text.contains("note"), "{text}");
    let (well, text) = machine.run(&["models", "import", path]);
    assert!(!well && text.contains("is installed in") && text.contains("--force"), "{text}");
    let (well, text) = machine.run(&["models", "import", path, "--force"]);
    assert!(well && text.contains("no logit scale found; 100 is taken"), "{text}");
}

#[test]
fn one_file_of_hugging_face_linked() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/tiny_random_clip");
    if !shared.is_dir() {
        eprintln!("skipped: ../shared is not here");
        return;
    }
    let machine = machine();
    let (_, model) = import(&machine, &shared, &["--link"]).expect("imports");
    let original = Model::open(&shared).expect("opens");
    assert!(phrase(&model).cosine(&phrase(&original)) > SAME && picture(&model).cosine(&picture(&original)) > SAME);
    let manifest = model.manifest();
    assert_eq!(manifest.files.image.path, manifest.files.text.path);
    assert!((manifest.embedding.logit_scale - original.manifest().embedding.logit_scale).abs() < 1e-3);
    let inner = machine.models().join("tiny_random_clip/model.onnx");
    assert!(inner.symlink_metadata().expect("there").is_symlink());
    let (well, text) = machine.run(&["models", "remove", "tiny_random_clip"]);
    assert!(well && shared.join("model.onnx").is_file(), "what was linked to stays: {text}");
}

#[test]
fn an_open_clip_export_with_its_own_names_32_bit_ids_and_weights_outside() {
    let vision =
        Onnx::new(&demo("vision.onnx")).rename("pixel_values", "image").rename("image_embeds", "image_features");
    let mut vision = vision.shapeless("image_features");
    let weights = vision.outside("visual.onnx.data");
    let text = Onnx::new(&demo("text.onnx")).narrow("input_ids", "text").rename("text_embeds", "text_features");
    let config = format!(
        r#"{{ "model_cfg": {{ "embed_dim": 128, "vision_cfg": {{ "image_size": 64 }}, "text_cfg": {{ "context_length": 32 }} }},
              "preprocess_cfg": {{ {NORMAL}, "interpolation": "bicubic" }} }}"#
    );
    let (_outer, folder) = export(
        "openclip",
        &[
            ("visual.onnx", &vision.bytes()),
            ("visual.onnx.data", &weights),
            ("text.onnx", &text.bytes()),
            ("visual_fp16.onnx", b"a smaller copy"),
            ("open_clip_config.json", config.as_bytes()),
            ("tokenizer.json", &demo("tokenizer.json")),
        ],
    );
    let machine = machine();
    let pad = ["--pad-token", "<|endoftext|>"];
    let (_, model) = import(&machine, &folder, &pad).expect("imports");
    is_demo(&model);
    let manifest = model.manifest();
    assert_eq!((manifest.image.input.as_str(), manifest.image.output.as_str()), ("image", "image_features"));
    assert_eq!((manifest.text.input.as_str(), manifest.text.integers), ("text", Integers::Int32));
    assert_eq!(manifest.files.weights.len(), 1);
    let mut elsewhere = Onnx::new(&demo("vision.onnx"));
    elsewhere.outside("../weights");
    std::fs::write(folder.join("visual.onnx"), elsewhere.bytes()).expect("writes");
    let said = import(&machine, &folder, &["--force"]).expect_err("a fault");
    assert!(said.contains("takes weights from \"../weights\", which is outside the folder"), "{said}");
    std::fs::write(machine.models().join("openclip/visual.onnx.data"), &weights[1..]).expect("writes");
    let (well, text) = machine.run(&["models", "inspect", "openclip"]);
    assert!(!well && text.contains("visual.onnx.data") && text.contains("SHA256 IS WRONG"), "{text}");
}

#[test]
fn an_open_clip_export_with_a_folder_for_each_tower() {
    let text = Onnx::new(&demo("text.onnx")).rename("text_embeds", "embedding").shape("input_ids", &[0, 32]);
    let config = r#"{ "embed_dim": 128, "vision_cfg": { "image_size": 64 }, "text_cfg": { "context_length": 32 } }"#;
    let preprocess = format!(r#"{{ "size": [64, 64], {NORMAL}, "interpolation": "bicubic" }}"#);
    let (_outer, folder) = export(
        "towers",
        &[
            ("visual/model.onnx", &Onnx::new(&demo("vision.onnx")).rename("image_embeds", "embedding").bytes()),
            ("visual/preprocess_cfg.json", preprocess.as_bytes()),
            ("textual/model.onnx", &text.bytes()),
            ("textual/tokenizer.json", &demo("tokenizer.json")),
            ("textual/special_tokens_map.json", br#"{ "pad_token": { "content": "<|endoftext|>" } }"#),
            ("config.json", config.as_bytes()),
        ],
    );
    let machine = machine();
    let (said, model) = import(&machine, &folder, &[]).expect("imports");
    is_demo(&model);
    assert!(model.manifest().text.fixed, "as it declares");
    assert!(said.contains("phrases are always filled up to 32 tokens"), "{said}");
}

#[test]
fn a_mobileclip_export_by_its_own_names() {
    let vision = Onnx::new(&demo("vision.onnx")).rename("pixel_values", "input").rename("image_embeds", "output");
    let text = Onnx::new(&demo("text.onnx")).rename("input_ids", "input").rename("text_embeds", "output");
    let config = r#"{ "embed_dim": 128, "image_cfg": { "image_size": 64, "model_name": "mci0" }, "text_cfg": { "context_length": 32 } }"#;
    let (_outer, folder) = export(
        "mobile",
        &[
            ("mobileclip_s0_image.onnx", &vision.bytes()),
            ("mobileclip_s0_text.onnx", &text.bytes()),
            ("mobileclip_s0.json", config.as_bytes()),
            ("tokenizer.json", &demo("tokenizer.json")),
        ],
    );
    let machine = machine();
    let (said, model) = import(&machine, &folder, &["--pad-token", "<|endoftext|>"]).expect("imports");
    let image = &model.manifest().image;
    assert_eq!((image.mean, image.std, image.interpolation), ([0.0; 3], [1.0; 3], Interpolation::Bilinear));
    assert!(said.contains("MobileCLIP's is taken (--mean, --std)"), "{said}");
    assert!(model.manifest().text.fixed);
    let given =
        ["--force", "--mean", "0.5", "--std", "0.25,0.5,0.75", "--interpolation", "lanczos3", "--pad-token", "a"];
    let (said, model) = import(&machine, &folder, &given).expect("imports");
    let image = &model.manifest().image;
    assert_eq!((image.mean, image.std, image.interpolation), ([0.5; 3], [0.25, 0.5, 0.75], Interpolation::Lanczos3));
    assert!(model.manifest().text.pad_token == "a" && !said.contains("normalisation"), "{said}");
}

#[test]
fn a_text_tower_that_looks_at_what_phrases_are_filled_up_with_is_found_by_trying_it() {
    let (_outer, folder) = export("sensitive", &[]);
    Repository::new().write(&folder);
    let sensitive = Onnx::new(&demo("text.onnx")).length_sensitive("input_ids", "text_embeds");
    std::fs::write(folder.join(TEXT), sensitive.bytes()).expect("writes");
    let (said, model) = import(&machine(), &folder, &[]).expect("imports");
    assert!(model.manifest().text.fixed && said.contains("always filled up to 32 tokens"), "{said}");
}

#[test]
fn settings_that_rescale_or_do_not_normalise_are_understood() {
    let preprocessors = [
        (r#"{ "do_normalize": false, "size": 64 }"#, [0.0; 3], [1.0; 3]),
        (
            r#"{ "image_mean": [127.5, 127.5, 127.5], "image_std": [51, 51, 51], "do_rescale": false }"#,
            [0.5; 3],
            [0.2; 3],
        ),
    ];
    for (preprocessor, mean, std) in preprocessors {
        let (_outer, folder) = export("plain", &[]);
        Repository::new().write(&folder);
        std::fs::write(folder.join("preprocessor_config.json"), preprocessor).expect("writes");
        let (_, model) = import(&machine(), &folder, &["--size", "64"]).expect("imports");
        assert_eq!((model.manifest().image.mean, model.manifest().image.std), (mean, std), "{preprocessor}");
    }
}

#[test]
fn what_is_not_clear_is_said_with_the_argument_that_helps() {
    let (vision, text, tokenizer) = (demo("vision.onnx"), demo("text.onnx"), demo("tokenizer.json"));
    let names = |vision: &'static str, text: &'static str| vec![(vision, "vision"), (text, "text")];
    let unprojected = Onnx::new(&vision).rename("image_embeds", "pooler_output").bytes();
    let two = names("a.onnx", "b.onnx");
    type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, Option<&'a [u8]>, bool);
    let cases: Vec<Case<'_>> = vec![
        ("holds no ONNX file", Vec::new(), None, true),
        ("which of its ONNX files is which tower: a.onnx, b.onnx; say it with --image-file", two, None, true),
        ("there is none; give one with --tokenizer FILE", names("image.onnx", "text.onnx"), None, false),
        ("--image-output, if it is one of them", names("image.onnx", "text.onnx"), Some(&unprojected), true),
        ("give it with --size", names("image.onnx", "text.onnx"), None, true),
    ];
    for (wanted, names, other, has_tokenizer) in cases {
        let content = |which: &str| match (which, other) {
            ("vision", Some(other)) => other.to_vec(),
            ("vision", None) => Onnx::new(&vision).shape("pixel_values", &[0, 3, 0, 0]).bytes(),
            _ => text.clone(),
        };
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(|(name, which)| (*name, content(which))).collect();
        let mut files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (*name, content.as_slice())).collect();
        if has_tokenizer {
            files.push(("tokenizer.json", &tokenizer));
        }
        let (_outer, folder) = export("unclear", &files);
        std::fs::create_dir_all(&folder).expect("a folder");
        let machine = machine();
        let said = import(&machine, &folder, &[]).expect_err("a fault");
        assert!(said.contains(wanted) && !machine.models().join("unclear").exists(), "{wanted:?} in {said}");
    }
}

#[test]
fn everything_can_be_given() {
    let (_outer, folder) = export("given", &[("a.onnx", &demo("vision.onnx")), ("b.onnx", &demo("text.onnx"))]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let tokenizer = elsewhere.path().join("some.json");
    std::fs::write(&tokenizer, demo("tokenizer.json")).expect("writes");
    let tokenizer = tokenizer.to_str().expect("text");
    let given = ["--image-file", "a.onnx", "--text-file", "b.onnx", "--tokenizer", tokenizer, "--size", "64"];
    let more = ["--context-length", "32", "--logit-scale", "17.0792", "--image-output", "image_embeds"];
    let machine = machine();
    let (_, model) = import(&machine, &folder, &[&given[..], &more].concat()).expect("imports");
    is_demo(&model);
    let given = [&given[..], &["--force"]].concat();
    let other = ["--image-output", "embeds"];
    let wrong = import(&machine, &folder, &[&given[..], &other].concat()).expect_err("a fault");
    assert!(wrong.contains("it has no output \"embeds\"; its outputs: image_embeds"), "{wrong}");
    let config = CONFIG.replace("128", "64");
    std::fs::write(folder.join("config.json"), config).expect("writes");
    let lying = Onnx::new(&demo("vision.onnx")).shapeless("image_embeds").bytes();
    std::fs::write(folder.join("a.onnx"), lying).expect("writes");
    let wrong = import(&machine, &folder, &given).expect_err("a fault");
    assert!(wrong.contains("gives embeddings 128 wide"), "{wrong}");
}
