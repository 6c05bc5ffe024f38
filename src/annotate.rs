//! An annotated picture: a frame with boxes and labels drawn on it, as JPEG.

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::{FONT_6X13_BOLD, FONT_10X20};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Pixel, Point, Primitive, Size};
use embedded_graphics::primitives::{PrimitiveStyle, PrimitiveStyleBuilder, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::codecs::jpeg::JpegEncoder;

use crate::frame::{Frame, UnitBox};

/// A box with what is written on it.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Where.
    pub area: UnitBox,
    /// Written above the box.
    pub label: String,
    /// Marks of one colour belong together: the prompt's index.
    pub colour: usize,
    /// Drawn with a thin line: what a thing stands beside, rather than the thing.
    pub thin: bool,
}

/// Colours that stand out of most pictures, told apart by people who are colour-blind too (Okabe and Ito, 2008).
const COLOURS: &[Rgb888] = &[
    Rgb888::new(230, 159, 0),
    Rgb888::new(86, 180, 233),
    Rgb888::new(0, 158, 115),
    Rgb888::new(240, 228, 66),
    Rgb888::new(213, 94, 0),
    Rgb888::new(204, 121, 167),
];

struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(Point { x, y }, colour) in pixels {
            if (0..self.width as i32).contains(&x) && (0..self.height as i32).contains(&y) {
                let at = (y as usize * self.width as usize + x as usize) * 3;
                self.rgb[at..at + 3].copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

/// The frame's pixels with the marks drawn on: `height` rows of `width` RGB triples.
pub fn draw(frame: &Frame, marks: &[Mark]) -> Vec<u8> {
    let mut canvas = Canvas { width: frame.width(), height: frame.height(), rgb: frame.rgb().to_vec() };
    let (font, line) = if frame.height() >= 480 { (&FONT_10X20, 3) } else { (&FONT_6X13_BOLD, 2) };
    for mark in marks {
        let colour = COLOURS[mark.colour % COLOURS.len()];
        let [x, y, w, h] = mark.area.to_pixels(frame.width(), frame.height());
        let outline =
            PrimitiveStyleBuilder::new().stroke_color(colour).stroke_width(if mark.thin { 1 } else { line }).build();
        let area = Rectangle::new(Point::new(x as i32, y as i32), Size::new(w, h));
        // Drawing on memory cannot fail: the canvas's error is Infallible.
        let _ = area.into_styled(outline).draw(&mut canvas);
        let font = if mark.thin { &FONT_6X13_BOLD } else { font };
        let size = font.character_size;
        let text = Size::new(mark.label.chars().count() as u32 * size.width + 4, size.height + 2);
        // Above the box, or inside it where the frame ends.
        let above = y as i32 - text.height as i32;
        let left = (x as i32).min(frame.width() as i32 - text.width as i32).max(0);
        let corner = Point::new(left, if above >= 0 { above } else { y as i32 });
        let _ = Rectangle::new(corner, text).into_styled(PrimitiveStyle::with_fill(colour)).draw(&mut canvas);
        let style = MonoTextStyle::new(font, Rgb888::BLACK);
        let _ = Text::with_baseline(&mark.label, corner + Point::new(2, 1), style, Baseline::Top).draw(&mut canvas);
    }
    canvas.rgb
}

/// The frame with the marks drawn on, as JPEG of the given quality (1 to 100).
pub fn jpeg(frame: &Frame, marks: &[Mark], quality: u8) -> Vec<u8> {
    let rgb = draw(frame, marks);
    let mut held = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut held, quality);
    // Writing to memory fails only for pictures beyond JPEG's 65,535 pixels a side, which settings do not allow.
    let _ = encoder.encode(&rgb, frame.width(), frame.height(), image::ExtendedColorType::Rgb8);
    held
}

/// The colour of marks of that index, as RGB.
pub fn colour(index: usize) -> [u8; 3] {
    let colour = COLOURS[index % COLOURS.len()];
    [colour.r(), colour.g(), colour.b()]
}

/// What a mark says: "a blue bicycle 93 %".
pub fn label(phrase: &str, score: f32) -> String {
    format!("{phrase} {:.0} %", score * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_reach_the_picture_even_at_its_edges() {
        let frame = Frame::new(160, 90, vec![0; 160 * 90 * 3], 0, jiff::Timestamp::UNIX_EPOCH).expect("a frame");
        for area in
            [UnitBox::new(0.0, 0.0, 1.0, 1.0), UnitBox::new(0.9, 0.9, 1.0, 1.0), UnitBox::new(0.3, 0.4, 0.5, 0.6)]
        {
            let mark = Mark { area, label: label("a blue bicycle", 0.931), colour: 7, thin: false };
            assert!(draw(&frame, std::slice::from_ref(&mark)).iter().any(|value| *value != 0));
            let decoded = image::load_from_memory(&jpeg(&frame, &[mark], 80)).expect("a JPEG");
            assert_eq!((decoded.width(), decoded.height()), (160, 90));
        }
    }
}
