//! A photo from a file: JPEG, PNG, GIF or WebP, upright.

use std::path::Path;

use anyhow::Context;
use image::{DynamicImage, ImageDecoder, ImageReader};
use jiff::Timestamp;

use crate::frame::Frame;

/// Endings of the formats that are read.
const ENDINGS: &[&str] = &["jpg", "jpeg", "png", "gif", "webp"];

/// Whether the file's name says that it is a photo rather than a video.
pub fn is_photo(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// Reads a photo, turned as its EXIF orientation says. `sequence` is 0 and the time is now.
pub fn read(path: &Path) -> anyhow::Result<Frame> {
    let named = || path.display().to_string();
    let reader = ImageReader::open(path).with_context(|| format!("cannot read {}", named()))?.with_guessed_format()?;
    anyhow::ensure!(reader.format().is_some(), "{} is no photo; JPEG, PNG, GIF and WebP are read", named());
    let mut decoder = reader.into_decoder().with_context(|| format!("{} is no readable photo", named()))?;
    let orientation = decoder.orientation()?;
    let mut photo = DynamicImage::from_decoder(decoder).with_context(|| format!("{} is a broken photo", named()))?;
    photo.apply_orientation(orientation);
    let rgb = photo.into_rgb8();
    let (width, height) = rgb.dimensions();
    Frame::new(width, height, rgb.into_raw(), 0, Timestamp::now()).with_context(|| format!("{} is empty", named()))
}
