//! Examples: the pictures that prompts name, read and encoded.

use anyhow::Context;

use crate::clip::{Model, Running, TileEncoder};
use crate::config::settings::{CameraSettings, Example, Grid, PromptSettings};
use crate::detect::confirm;
use crate::frame::{Frame, PixelRect, UnitBox};
use crate::photo;
use crate::prompts::Examples;
use crate::regions::grid::grid;

/// Of what is around an example in its picture, so many parts are looked at.
const AROUND: usize = 24;

/// By camera and prompt, what the model makes of its examples. The image tower is loaded where any has some.
///
/// # Errors
/// A picture that cannot be read or does not hold the part that is named, a single example that stands against nothing, or
/// what the model says, each with the camera and the prompt.
pub(super) fn examples(model: &Model, cameras: &[CameraSettings]) -> anyhow::Result<Vec<Vec<Option<Examples>>>> {
    let prompts = || cameras.iter().flat_map(|camera| &camera.prompts);
    if prompts().all(|prompt| prompt.examples.is_empty()) {
        return Ok(cameras.iter().map(|camera| vec![None; camera.prompts.len()]).collect());
    }
    let encoder = model.encoder(&Running::floats(1))?;
    let of_camera = |camera: &CameraSettings| {
        let of_prompt = |prompt: &PromptSettings| {
            of_prompt(prompt, &encoder).with_context(|| format!("camera {}, prompt {}", camera.name, prompt.name))
        };
        camera.prompts.iter().map(of_prompt).collect()
    };
    cameras.iter().map(of_camera).collect()
}

fn of_prompt(prompt: &PromptSettings, encoder: &dyn TileEncoder) -> anyhow::Result<Option<Examples>> {
    if prompt.examples.is_empty() {
        return Ok(None);
    }
    let (mut shown, mut counters, mut around) = (Vec::new(), Vec::new(), Vec::new());
    for example in &prompt.examples {
        let frame = photo::read(&example.path)?;
        shown.extend(encoder.encode(&frame, &[window(&frame, example)?])?);
        around.extend(encoder.encode(&frame, &surroundings(&frame, example))?);
    }
    for example in &prompt.counter_examples {
        let frame = photo::read(&example.path)?;
        counters.extend(encoder.encode(&frame, &[window(&frame, example)?])?);
    }
    let made = Examples::new(&shown, &counters, &around).with_context(|| {
        format!(
            "examples: {} stands alone; add another one, a counter-example, or say where in a picture it is: \
             \"picture.jpg#x,y,width,height\"",
            prompt.examples[0]
        )
    })?;
    Ok(Some(made))
}

/// What is encoded of an example: a square around the part that it names, as what is found is looked at, or the middle
/// square of the whole picture.
fn window(frame: &Frame, example: &Example) -> anyhow::Result<PixelRect> {
    let (width, height) = (frame.width(), frame.height());
    let Some(area) = example.area else {
        let side = width.min(height);
        return Ok(PixelRect { x: (width - side) / 2, y: (height - side) / 2, width: side, height: side });
    };
    let ends = |start: u32, length: u32| u64::from(start) + u64::from(length);
    let inside = ends(area.x, area.width) <= u64::from(width) && ends(area.y, area.height) <= u64::from(height);
    anyhow::ensure!(inside, "examples: {example} reaches beyond the picture, which has {width}x{height} pixels");
    Ok(confirm::crop(&unit(&area, frame), (width, height)))
}

/// Parts of the picture that show nothing of the example.
fn surroundings(frame: &Frame, example: &Example) -> Vec<PixelRect> {
    let Some(area) = example.area else { return Vec::new() };
    let layout = Grid { levels: vec![0.5, 0.3], overlap: 0.0, context: 0.0 };
    let tiles = grid(frame.width(), frame.height(), &layout, &[]);
    let area = unit(&area, frame);
    tiles.into_iter().filter(|tile| tile.area.intersection(&area) == 0.0).take(AROUND).map(|tile| tile.crop).collect()
}

fn unit(area: &PixelRect, frame: &Frame) -> UnitBox {
    let (w, h) = (frame.width() as f32, frame.height() as f32);
    let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(|value| value as f32);
    UnitBox::new(x / w, y / h, (x + width) / w, (y + height) / h)
}
