//! `lookout embed`: what the model computes, to compare with another implementation.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::json;

use super::photo;
use crate::clip::{Embedding, Library, Model, TileEncoder};
use crate::frame::{Frame, PixelRect};

/// Arguments of `lookout embed`.
#[derive(clap::Args)]
pub struct EmbedArgs {
    /// The name of an installed model, or a model's folder; without one, the embedded model
    #[arg(long)]
    model: Option<PathBuf>,
    /// A photo (repeatable)
    #[arg(long = "image")]
    images: Vec<PathBuf>,
    /// A part of the photo in pixels: x0,y0,x1,y1 (once for all photos, or once for each)
    #[arg(long = "crop", allow_hyphen_values = true)]
    crops: Vec<Corners>,
    /// A phrase (repeatable)
    #[arg(long = "text", allow_hyphen_values = true)]
    texts: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `x0,y0,x1,y1` in pixels.
#[derive(Clone, Copy)]
struct Corners([u32; 4]);

impl FromStr for Corners {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<u32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        let corners = parts.ok().and_then(|parts| <[u32; 4]>::try_from(parts).ok());
        match corners {
            Some([x0, y0, x1, y1]) if x0 < x1 && y0 < y1 => Ok(Self([x0, y0, x1, y1])),
            _ => Err("should be x0,y0,x1,y1 in whole pixels with x0 < x1 and y0 < y1".to_owned()),
        }
    }
}

struct Picture {
    file: PathBuf,
    corners: [u32; 4],
    embedding: Embedding,
}

struct Phrase {
    text: String,
    ids: Vec<u32>,
    embedding: Embedding,
}

pub(super) fn run(args: EmbedArgs) -> anyhow::Result<()> {
    anyhow::ensure!(!args.images.is_empty() || !args.texts.is_empty(), "nothing to embed: give --image or --text");
    let many = args.crops.len();
    anyhow::ensure!(
        many <= 1 || many == args.images.len(),
        "{many} --crop for {} --image: give one for all, or one for each",
        args.images.len()
    );
    let model = match &args.model {
        Some(model) => Library::here().open(model)?,
        None => Model::embedded()?,
    };
    let mut phrases = Vec::new();
    if !args.texts.is_empty() {
        let encoder = model.text_encoder()?;
        for text in args.texts {
            let (ids, cut) = encoder.cut_ids(&text)?;
            if cut {
                eprintln!("{text:?} is longer than the model reads and was cut to {} tokens", ids.len());
            }
            phrases.push(Phrase { embedding: encoder.encode_ids(&ids)?, ids, text });
        }
    }
    let mut pictures = Vec::new();
    if !args.images.is_empty() {
        let encoder = model.image_encoder(1)?;
        for (index, file) in args.images.into_iter().enumerate() {
            let frame = photo::read(&file)?;
            let crop = if many == 1 { args.crops.first() } else { args.crops.get(index) };
            let window = window(&frame, crop).map_err(|problem| anyhow::anyhow!("{}: {problem}", file.display()))?;
            let embedding = encoder.encode(&frame, &[window])?.remove(0);
            let corners = [window.x, window.y, window.x + window.width, window.y + window.height];
            pictures.push(Picture { file, corners, embedding });
        }
    }
    let scale = model.manifest().embedding.logit_scale;
    if args.json {
        print_json(&model, &pictures, &phrases, scale)
    } else {
        print_table(&pictures, &phrases, scale)
    }
    Ok(())
}

/// The crop, or the whole photo.
fn window(frame: &Frame, crop: Option<&Corners>) -> Result<PixelRect, String> {
    let (width, height) = (frame.width(), frame.height());
    let [x0, y0, x1, y1] = crop.map_or([0, 0, width, height], |corners| corners.0);
    if x1 > width || y1 > height {
        return Err(format!("the crop {x0},{y0},{x1},{y1} reaches beyond its {width}×{height} pixels"));
    }
    Ok(PixelRect { x: x0, y: y0, width: x1 - x0, height: y1 - y0 })
}

/// One row a picture: its cosine to each phrase, and the softmax of those at the model's scale.
fn similarities(picture: &Picture, phrases: &[Phrase], scale: f32) -> (Vec<f32>, Vec<f32>) {
    let cosines: Vec<f32> = phrases.iter().map(|phrase| picture.embedding.cosine(&phrase.embedding)).collect();
    let top = cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = cosines.iter().map(|cosine| (scale * (cosine - top)).exp()).collect();
    let sum: f32 = powers.iter().sum();
    let probabilities = powers.iter().map(|power| power / sum).collect();
    (cosines, probabilities)
}

fn print_json(model: &Model, pictures: &[Picture], phrases: &[Phrase], scale: f32) {
    let (cosines, probabilities): (Vec<_>, Vec<_>) =
        pictures.iter().map(|picture| similarities(picture, phrases, scale)).unzip();
    let logits: Vec<Vec<f32>> = cosines.iter().map(|row| row.iter().map(|cosine| cosine * scale).collect()).collect();
    let images = pictures
        .iter()
        .map(|p| json!({ "file": p.file.display().to_string(), "crop": p.corners, "embedding": p.embedding.values() }));
    let texts =
        phrases.iter().map(|p| json!({ "text": p.text, "input_ids": p.ids, "embedding": p.embedding.values() }));
    let all = json!({
        "model": model.manifest().name,
        "logit_scale": scale,
        "images": images.collect::<Vec<_>>(),
        "texts": texts.collect::<Vec<_>>(),
        "cosine": cosines,
        "logits": logits,
        "probabilities": probabilities,
    });
    println!("{all}");
}

fn print_table(pictures: &[Picture], phrases: &[Phrase], scale: f32) {
    for phrase in phrases {
        println!("{:?}: {} tokens {:?}", phrase.text, phrase.ids.len(), phrase.ids);
    }
    for picture in pictures {
        let [x0, y0, x1, y1] = picture.corners;
        println!("{} [{x0},{y0},{x1},{y1}]", picture.file.display());
        let (cosines, probabilities) = similarities(picture, phrases, scale);
        for ((phrase, cosine), probability) in phrases.iter().zip(cosines).zip(probabilities) {
            println!("  {:>6.1} %  cosine {cosine:+.4}  {}", probability * 100.0, phrase.text);
        }
    }
}
