//! Best: how good a picture of a thing a frame gives, so that the best one is kept and not the first.

use crate::detect::Detection;
use crate::frame::Frame;

/// A box that comes nearer to the frame's edge than this may be cut off by it.
const EDGE: f32 = 0.005;
/// What a cut-off thing is worth.
const CUT_OFF: f32 = 0.5;
/// Pixels that are looked at along each side of the box, at most.
const SAMPLES: usize = 48;
/// Mean step between neighbouring pixels, in 8-bit steps, at which a picture is half as sharp as can be.
const SHARP: f32 = 6.0;

/// How good a picture of a thing is, 0..1: how sure it is that, how large, whether it is all there, and how sharp.
pub fn quality(detection: &Detection, frame: &Frame) -> f32 {
    let area = &detection.area;
    let inside = area.x0 > EDGE && area.y0 > EDGE && area.x1 < 1.0 - EDGE && area.y1 < 1.0 - EDGE;
    let whole = if inside { 1.0 } else { CUT_OFF };
    detection.score * area.area().sqrt() * whole * (0.5 + 0.5 * sharpness(detection, frame))
}

/// 0..1.
fn sharpness(detection: &Detection, frame: &Frame) -> f32 {
    let [x, y, w, h] = detection.area.to_pixels(frame.width(), frame.height()).map(|v| v as usize);
    let columns = frame.width() as usize;
    let green = |x: usize, y: usize| f32::from(frame.rgb()[3 * (y * columns + x) + 1]);
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for row in (y..y + h.saturating_sub(1)).step_by(h / SAMPLES + 1) {
        for column in (x..x + w.saturating_sub(1)).step_by(w / SAMPLES + 1) {
            let here = green(column, row);
            sum += (green(column + 1, row) - here).abs() + (green(column, row + 1) - here).abs();
            count += 2.0;
        }
    }
    let step = sum / count.max(1.0);
    step / (step + SHARP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::UnitBox;
    use jiff::Timestamp;

    fn frame(pixel: impl Fn(usize, usize) -> u8) -> Frame {
        let rgb: Vec<u8> = (0..160 * 90).flat_map(|i| [pixel(i % 160, i / 160); 3]).collect();
        Frame::new(160, 90, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame")
    }

    fn seen(x0: f32, width: f32, score: f32) -> Detection {
        let area = UnitBox::new(x0, 0.2, x0 + width, 0.8);
        Detection::new(0, area, score)
    }

    #[test]
    fn large_whole_sharp_and_sure_is_better() {
        let sharp = frame(|x, y| if (x / 2 + y / 2) % 2 == 0 { 40 } else { 200 });
        let blurred = frame(|x, _| (x / 2 + 80) as u8);
        let good = quality(&seen(0.4, 0.2, 0.9), &sharp);
        for (why, worse) in [
            ("small", quality(&seen(0.4, 0.1, 0.9), &sharp)),
            ("cut off", quality(&seen(0.8, 0.2, 0.9), &sharp)),
            ("blurred", quality(&seen(0.4, 0.2, 0.9), &blurred)),
            ("unsure", quality(&seen(0.4, 0.2, 0.6), &sharp)),
        ] {
            assert!(worse < 0.8 * good, "{why}: {worse} {good}");
        }
    }
}
