//! Transformations of pictures and truth alike, so that a benchmark shows whether a model depends on left and right, on
//! the way up, or on daylight.

use super::{PixelBox, Truth};
use crate::frame::Frame;

/// The brightness of a darkened picture, as a share of the original's coded (sRGB) values.
const DARK: f32 = 0.3;

/// A change of the picture after which the truth is still known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transform {
    /// Left and right exchanged.
    Mirror,
    /// A quarter turn clockwise; width and height are exchanged.
    Rotate90,
    /// Upside down.
    Rotate180,
    /// At 30 % of its brightness.
    Darken,
}

impl Transform {
    /// The changed picture. Its time and its sequence number stay.
    pub fn frame(self, frame: &Frame) -> Frame {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let rgb = frame.rgb();
        let pixel = |x: usize, y: usize| {
            let at = 3 * (y * width + x);
            [rgb[at], rgb[at + 1], rgb[at + 2]]
        };
        let (new_width, new_height) = if self == Self::Rotate90 { (height, width) } else { (width, height) };
        let mut out = Vec::with_capacity(rgb.len());
        for y in 0..new_height {
            for x in 0..new_width {
                out.extend_from_slice(&match self {
                    Self::Mirror => pixel(width - 1 - x, y),
                    Self::Rotate90 => pixel(y, height - 1 - x),
                    Self::Rotate180 => pixel(width - 1 - x, height - 1 - y),
                    Self::Darken => pixel(x, y).map(|value| (f32::from(value) * DARK).round() as u8),
                });
            }
        }
        let changed = Frame::new(new_width as u32, new_height as u32, out, frame.sequence, frame.captured);
        changed.unwrap_or_else(|| frame.clone())
    }

    /// A box on the changed picture. `size` is the width and height of the original picture, in pixels.
    pub fn area(self, [x, y, w, h]: PixelBox, (width, height): (f64, f64)) -> PixelBox {
        match self {
            Self::Mirror => [width - x - w, y, w, h],
            Self::Rotate90 => [height - y - h, x, h, w],
            Self::Rotate180 => [width - x - w, height - y - h, w, h],
            Self::Darken => [x, y, w, h],
        }
    }

    /// The truth of the changed pictures.
    pub fn truth(self, mut truth: Truth) -> Truth {
        for thing in &mut truth.boxes {
            thing.area = self.area(thing.area, truth.images[thing.image].size);
        }
        if self == Self::Rotate90 {
            truth.images.iter_mut().for_each(|image| image.size = (image.size.1, image.size.0));
        }
        truth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transform; 4] = [Transform::Mirror, Transform::Rotate90, Transform::Rotate180, Transform::Darken];

    /// A grey picture with a white box.
    fn picture([x, y, w, h]: [usize; 4], width: usize, height: usize) -> Frame {
        let inside = |at: usize| (x..x + w).contains(&(at % width)) && (y..y + h).contains(&(at / width));
        let rgb: Vec<u8> = (0..width * height).flat_map(|at| [if inside(at) { 200 } else { 100 }; 3]).collect();
        Frame::new(width as u32, height as u32, rgb, 3, jiff::Timestamp::UNIX_EPOCH).expect("a frame")
    }

    /// The bounding box of pixels above 50 (of 60 and 30, where darkened) as `[x, y, width, height]`.
    fn bright(frame: &Frame, above: u8) -> PixelBox {
        let width = frame.width() as usize;
        let lit =
            frame.rgb().chunks(3).enumerate().filter(|(_, p)| p[0] > above).map(|(at, _)| (at % width, at / width));
        let (x, y): (Vec<usize>, Vec<usize>) = lit.unzip();
        let ends = |all: &[usize]| (*all.iter().min().expect("lit") as f64, *all.iter().max().expect("lit") as f64);
        let ((x0, x1), (y0, y1)) = (ends(&x), ends(&y));
        [x0, y0, x1 - x0 + 1.0, y1 - y0 + 1.0]
    }

    #[test]
    fn boxes_stay_on_their_things() {
        let frame = picture([2, 1, 3, 2], 12, 8);
        for change in ALL {
            let changed = change.frame(&frame);
            let above = if change == Transform::Darken { 45 } else { 150 };
            assert_eq!(bright(&changed, above), change.area([2.0, 1.0, 3.0, 2.0], (12.0, 8.0)), "{change:?}");
            assert_eq!((changed.sequence, changed.captured), (3, frame.captured));
        }
        assert_eq!(Transform::Mirror.area([2.0, 1.0, 3.0, 2.0], (12.0, 8.0)), [7.0, 1.0, 3.0, 2.0]);
        assert_eq!(Transform::Rotate90.frame(&frame).width(), 8);
        assert_eq!(Transform::Darken.frame(&frame).rgb()[0], 30);
    }

    #[test]
    fn the_truth_of_a_turned_picture_is_turned() {
        let text = br#"{"categories":[{"id":1,"name":"car"}],"images":[{"id":7,"width":64,"height":48}],
            "annotations":[{"image_id":7,"category_id":1,"bbox":[1,2,3,4]}]}"#;
        let truth = Transform::Rotate90.truth(Truth::parse(text).expect("valid"));
        assert_eq!((truth.images[0].size, truth.boxes[0].area), ((48.0, 64.0), [42.0, 1.0, 4.0, 3.0]));
    }
}
