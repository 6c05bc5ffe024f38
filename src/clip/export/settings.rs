//! What an export's settings files say: those of Hugging Face, OpenCLIP and MobileCLIP.

use std::path::Path;

use serde_json::Value;

use super::fault;
use super::files::Places;
use crate::clip::error::ModelError;
use crate::clip::manifest::Interpolation;

/// Whose ways an export follows, where it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    HuggingFace,
    OpenClip,
    MobileClip,
}

impl Maker {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HuggingFace => "a Hugging Face CLIP export",
            Self::OpenClip => "an OpenCLIP export",
            Self::MobileClip => "a MobileCLIP export",
        }
    }
}

/// What they say.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) maker: Maker,
    pub(super) size: Option<u32>,
    pub(super) mean: Option<[f32; 3]>,
    pub(super) std: Option<[f32; 3]>,
    pub(super) interpolation: Option<Interpolation>,
    pub(super) context: Option<usize>,
    pub(super) width: Option<usize>,
    pub(super) pad_token: Option<String>,
}

/// Reads those that are there.
pub(super) fn read(folder: &Path, places: &Places) -> Result<Said, ModelError> {
    let any = |files: &[&str]| -> Result<Value, ModelError> {
        let there = files.iter().find(|file| folder.join(file).is_file());
        there.map_or(Ok(Value::Null), |file| json(&folder.join(file)))
    };
    // OpenCLIP's own file holds both; exports of it also come with the two halves apart.
    let open_clip = any(&["open_clip_config.json"])?;
    let mut config = open_clip.get("model_cfg").cloned().unwrap_or(Value::Null);
    if config.is_null() {
        config = match any(&["config.json"])? {
            Value::Null => mobileclip_config(folder)?,
            config => config,
        };
    }
    let mut preprocess = any(&["preprocessor_config.json", "preprocess_cfg.json", "visual/preprocess_cfg.json"])?;
    if preprocess.is_null() {
        preprocess = open_clip.get("preprocess_cfg").cloned().unwrap_or(Value::Null);
    }
    let maker = maker(folder, places, &config, &open_clip);
    let number =
        |from: &Value, paths: &[&str]| paths.iter().find_map(|path| from.pointer(path).and_then(Value::as_u64));
    let size = number(
        &preprocess,
        &["/crop_size/height", "/crop_size", "/size/shortest_edge", "/size/height", "/size/0", "/size"],
    );
    let tower =
        ["/vision_config/image_size", "/vision_cfg/image_size/0", "/vision_cfg/image_size", "/image_cfg/image_size"];
    let context = ["/text_config/max_position_embeddings", "/text_cfg/context_length"];
    let (mean, std) = normalisation(&preprocess);
    Ok(Said {
        maker,
        size: size.or(number(&config, &tower)).and_then(|size| u32::try_from(size).ok()),
        mean,
        std,
        interpolation: interpolation(&preprocess),
        context: number(&config, &context).map(|length| length as usize),
        width: number(&config, &["/projection_dim", "/embed_dim"]).map(|width| width as usize),
        pad_token: pad_token(folder, places)?,
    })
}

fn json(path: &Path) -> Result<Value, ModelError> {
    let bytes = super::files::read(path)?;
    serde_json::from_slice(&bytes).map_err(|e| fault(path, "", format!("is not JSON: {e}")))
}

/// MobileCLIP's settings are called after the model: `mobileclip_s0.json`.
fn mobileclip_config(folder: &Path) -> Result<Value, ModelError> {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if name.starts_with("mobileclip") && name.ends_with(".json") {
            return json(&entry.path());
        }
    }
    Ok(Value::Null)
}

fn maker(folder: &Path, places: &Places, config: &Value, open_clip: &Value) -> Maker {
    let own = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let names = [own.unwrap_or_default(), places.image.clone(), config.to_string()];
    let tower = ["/image_cfg/model_name", "/vision_cfg/timm_model_name"];
    let tower = tower.iter().find_map(|path| config.pointer(path).and_then(Value::as_str)).unwrap_or_default();
    if tower.contains("mci") || names.iter().any(|name| name.to_lowercase().contains("mobileclip")) {
        Maker::MobileClip
    } else if !open_clip.is_null() || config.get("vision_cfg").is_some() || places.image.contains("visual") {
        Maker::OpenClip
    } else {
        Maker::HuggingFace
    }
}

/// Mean and standard deviation of values 0..1, whatever the export rescales and normalises.
fn normalisation(preprocess: &Value) -> (Option<[f32; 3]>, Option<[f32; 3]>) {
    let triple = |keys: [&str; 2]| {
        let values = keys.iter().find_map(|key| preprocess.get(*key))?.as_array()?;
        let values: Vec<f32> = values.iter().filter_map(Value::as_f64).map(|value| value as f32).collect();
        <[f32; 3]>::try_from(values).ok()
    };
    let off = |key: &str| preprocess.get(key).and_then(Value::as_bool) == Some(false);
    let (mean, std) = match off("do_normalize") {
        true => (Some([0.0; 3]), Some([1.0; 3])),
        false => (triple(["image_mean", "mean"]), triple(["image_std", "std"])),
    };
    // What a value of 255 becomes before it is normalised: 1, as a rule.
    let white = match off("do_rescale") {
        true => 255.0,
        false => preprocess.get("rescale_factor").and_then(Value::as_f64).map_or(1.0, |factor| factor as f32 * 255.0),
    };
    let whole = |values: [f32; 3]| if (white - 1.0).abs() < 1e-3 { values } else { values.map(|value| value / white) };
    (mean.map(whole), std.map(whole))
}

fn interpolation(preprocess: &Value) -> Option<Interpolation> {
    let found = preprocess.get("resample").or(preprocess.get("interpolation"))?;
    match (found.as_u64(), found.as_str()) {
        (Some(1), _) | (_, Some("lanczos")) => Some(Interpolation::Lanczos3),
        (Some(2), _) | (_, Some("bilinear")) => Some(Interpolation::Bilinear),
        (Some(3), _) | (_, Some("bicubic")) => Some(Interpolation::Bicubic),
        _ => None,
    }
}

/// What the tokenizer's files say that phrases are filled up with.
fn pad_token(folder: &Path, places: &Places) -> Result<Option<String>, ModelError> {
    let text = |value: &Value| {
        let value = value.get("pad_token")?;
        value.as_str().or(value.get("content").and_then(Value::as_str)).map(str::to_owned)
    };
    let tokenizer = json(&places.tokenizer)?;
    if let Some(token) = tokenizer.get("padding").and_then(text) {
        return Ok(Some(token));
    }
    let beside = places.tokenizer.parent().unwrap_or(folder);
    for file in ["special_tokens_map.json", "tokenizer_config.json"].map(|file| beside.join(file)) {
        if file.is_file()
            && let Some(token) = text(&json(&file)?)
        {
            return Ok(Some(token));
        }
    }
    Ok(None)
}
