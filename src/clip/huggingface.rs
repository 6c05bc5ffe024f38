//! A Hugging Face CLIP export as people have it: its `config.json` and `preprocessor_config.json` say what a manifest
//! would.

use std::path::Path;

use serde_json::Value;

use super::error::ModelError;
use super::manifest::{Files, ImageTower, Interpolation, Manifest, ModelFile, Precision, Space, TextTower};
use super::onnx::Graph;

/// Where the exporters put the graphs, the one-file layout first.
const ONE_FILE: &[&str] = &["model.onnx", "onnx/model.onnx"];
const TWO_FILES: &[(&str, &str)] =
    &[("vision_model.onnx", "text_model.onnx"), ("onnx/vision_model.onnx", "onnx/text_model.onnx")];

/// The normalisation that CLIP was trained with, for exports that do not say.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Derives the manifest of an export's folder.
///
/// # Errors
/// What is missing, or cannot be made sense of, and in which file.
pub fn manifest(folder: &Path) -> Result<Manifest, ModelError> {
    let config = read(folder, "config.json")?;
    let fault = |file: &str, problem: &str| ModelError::Manifest {
        file: folder.join(file).display().to_string(),
        problem: problem.to_owned(),
    };
    let (image, text) = graphs(folder).ok_or_else(|| {
        fault(
            "config.json",
            "beside it is no model.onnx, nor vision_model.onnx and text_model.onnx, nor the same in onnx/",
        )
    })?;
    let number = |path: &str| config.pointer(path).and_then(Value::as_u64);
    let width = number("/projection_dim").ok_or_else(|| fault("config.json", "has no projection_dim"))?;
    let context = number("/text_config/max_position_embeddings").unwrap_or(77);
    let preprocessor = match folder.join("preprocessor_config.json").exists() {
        true => read(folder, "preprocessor_config.json")?,
        false => Value::Null,
    };
    let size = ["/crop_size/height", "/crop_size", "/size/shortest_edge", "/size/height", "/size"]
        .iter()
        .find_map(|path| preprocessor.pointer(path).and_then(Value::as_u64))
        .or_else(|| number("/vision_config/image_size"))
        .ok_or_else(|| fault("preprocessor_config.json", "has no crop_size"))?;
    let interpolation = match preprocessor.pointer("/resample").and_then(Value::as_u64) {
        Some(1) => Interpolation::Lanczos3,
        Some(2) => Interpolation::Bilinear,
        _ => Interpolation::Bicubic,
    };
    let graph = |file: &str| Graph::read(&std::fs::read(folder.join(file)).unwrap_or_default(), file);
    let (vision_graph, text_graph) = (graph(&image)?, graph(&text)?);
    let pick = |graph: &Graph, wanted: &[&str], file: &str| {
        let names = graph.outputs();
        let found = wanted.iter().find(|name| names.iter().any(|n| n == *name));
        found.map(|name| (*name).to_owned()).ok_or_else(|| {
            fault(file, &format!("has none of the outputs {}; it has {}", wanted.join(", "), names.join(", ")))
        })
    };
    let attention_mask = text_graph.inputs().into_iter().find(|name| name == "attention_mask");
    let logit_scale = vision_graph.logit_scale().or_else(|| text_graph.logit_scale());
    if logit_scale.is_none() {
        tracing::warn!(file = %image, "no logit scale in the graph; 100 is taken, as most CLIPs have it");
    }
    let file = |path: &str| ModelFile { path: path.to_owned(), sha256: None };
    Ok(Manifest {
        name: folder.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned()),
        description: "a Hugging Face CLIP export".to_owned(),
        licence: String::new(),
        origin: folder.display().to_string(),
        notice: None,
        image: ImageTower {
            size: size as u32,
            mean: triple(&preprocessor, "image_mean").unwrap_or(MEAN),
            std: triple(&preprocessor, "image_std").unwrap_or(STD),
            interpolation,
            input: "pixel_values".to_owned(),
            output: pick(&vision_graph, &["image_embeds"], &image)?,
            patches: None,
            precision: Precision::F32,
        },
        text: TextTower {
            context_length: context as usize,
            input: "input_ids".to_owned(),
            attention_mask,
            output: pick(&text_graph, &["text_embeds"], &text)?,
            pad_token: "<|endoftext|>".to_owned(),
            words: None,
        },
        embedding: Space { width: width as usize, logit_scale: logit_scale.unwrap_or(100.0) },
        files: Files { image: file(&image), text: file(&text), tokenizer: file("tokenizer.json") },
    })
}

fn graphs(folder: &Path) -> Option<(String, String)> {
    let there = |file: &str| folder.join(file).is_file();
    let one = ONE_FILE.iter().find(|file| there(file)).map(|file| ((*file).to_owned(), (*file).to_owned()));
    one.or_else(|| {
        let two = TWO_FILES.iter().find(|(image, text)| there(image) && there(text));
        two.map(|(image, text)| ((*image).to_owned(), (*text).to_owned()))
    })
}

fn read(folder: &Path, file: &str) -> Result<Value, ModelError> {
    let path = folder.join(file);
    let named = || path.display().to_string();
    let text = std::fs::read(&path).map_err(|e| ModelError::File { file: named(), problem: e.to_string() })?;
    serde_json::from_slice(&text)
        .map_err(|e| ModelError::Manifest { file: named(), problem: format!("is not JSON: {e}") })
}

fn triple(config: &Value, key: &str) -> Option<[f32; 3]> {
    let values: Vec<f32> = config.get(key)?.as_array()?.iter().filter_map(Value::as_f64).map(|v| v as f32).collect();
    values.try_into().ok()
}
