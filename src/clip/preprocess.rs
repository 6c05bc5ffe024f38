//! Preprocessing: a window of a frame becomes the image tower's input, as Pillow and CLIP's processor make it.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::error::ModelError;
use super::manifest::{ImageTower, Interpolation};
use crate::frame::{Frame, PixelRect};

/// Cuts `window` out of the frame, resizes it with antialiasing to the tower's size, and writes it normalised into
/// `out`: three planes (R, G, B) of `size`×`size` values. 8 bits between resizing and normalising, as in Pillow.
///
/// # Errors
/// [`ModelError::Run`] if the window is not within the frame.
pub fn prepare(
    resizer: &mut Resizer,
    frame: &Frame,
    window: &PixelRect,
    tower: &ImageTower,
    out: &mut [f32],
) -> Result<(), ModelError> {
    let fault = |e: &dyn std::fmt::Display| ModelError::Run(format!("cannot cut {window:?} out of a frame: {e}"));
    let side = tower.size as usize;
    let source = ImageRef::new(frame.width(), frame.height(), frame.rgb(), PixelType::U8x3).map_err(|e| fault(&e))?;
    let mut resized = Image::new(tower.size, tower.size, PixelType::U8x3);
    let filter = match tower.interpolation {
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Bicubic => FilterType::CatmullRom,
        Interpolation::Lanczos3 => FilterType::Lanczos3,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).crop(
        window.x.into(),
        window.y.into(),
        window.width.into(),
        window.height.into(),
    );
    resizer.resize(&source, &mut resized, &options).map_err(|e| fault(&e))?;
    let plane = side * side;
    for channel in 0..3 {
        let (scale, shift) = (1.0 / (255.0 * tower.std[channel]), tower.mean[channel] / tower.std[channel]);
        let values = resized.buffer().iter().skip(channel).step_by(3);
        for (to, from) in out[channel * plane..(channel + 1) * plane].iter_mut().zip(values) {
            *to = f32::from(*from) * scale - shift;
        }
    }
    Ok(())
}
