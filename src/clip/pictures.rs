//! Pictures to calibrate on, where the user gives none: drawn, with edges, gradients, textures and flat parts in the
//! proportions of a street.

use fastrand::Rng;

use super::manifest::ImageTower;
use crate::frame::Frame;

/// As many as a layer's inputs need to show how large they get.
const COUNT: u64 = 16;

/// Pictures of the tower's size, `3 * side * side` values each, normalised as the tower wants them.
pub(super) fn drawn(tower: &ImageTower) -> Vec<Vec<f32>> {
    (0..COUNT).map(|seed| normalised(&scene(&mut Rng::with_seed(seed), tower.size as usize), tower)).collect()
}

/// Frames in place of drawn pictures: their middle squares.
pub(super) fn of_frames(frames: &[Frame], tower: &ImageTower) -> Vec<Vec<f32>> {
    let side = tower.size as usize;
    let square = |frame: &Frame| {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let shorter = width.min(height);
        let (left, top) = ((width - shorter) / 2, (height - shorter) / 2);
        let place = |y: usize, x: usize| ((top + y * shorter / side) * width + left + x * shorter / side) * 3;
        let pixels = (0..side * side).flat_map(|at| frame.rgb()[place(at / side, at % side)..][..3].iter().copied());
        normalised(&pixels.collect::<Vec<u8>>(), tower)
    };
    frames.iter().map(square).collect()
}

fn normalised(rgb: &[u8], tower: &ImageTower) -> Vec<f32> {
    let values = |channel: usize| {
        let pixels = rgb.iter().skip(channel).step_by(3);
        pixels.map(move |value| (f32::from(*value) / 255.0 - tower.mean[channel]) / tower.std[channel])
    };
    (0..3).flat_map(values).collect()
}

/// `side * side` pixels, RGB.
fn scene(rng: &mut Rng, side: usize) -> Vec<u8> {
    let mut colour = || [rng.f32(), rng.f32(), rng.f32()];
    let (sky, ground) = (colour(), colour());
    let things: Vec<([f32; 3], [f32; 3])> = (0..7).map(|_| (colour(), colour())).collect();
    let (noise, horizon, stripes) = (0.12 * rng.f32(), 0.2 + 0.5 * rng.f32(), 4.0 + 40.0 * rng.f32());
    let mut pixels = Vec::with_capacity(side * side * 3);
    for at in 0..side * side {
        let (x, y) = ((at % side) as f32 / side as f32, (at / side) as f32 / side as f32);
        let shade = 0.75 + 0.25 * x;
        let mut pixel = if y < horizon { sky.map(|c| c * (0.6 + 0.4 * y)) } else { ground.map(|c| c * shade) };
        for (index, (tint, place)) in things.iter().enumerate() {
            let (dx, dy) = ((x - place[0]) / (0.05 + 0.3 * place[2]), (y - place[1]) / (0.05 + 0.3 * tint[0]));
            let inside = if index % 2 == 0 { dx * dx + dy * dy < 1.0 } else { dx.abs() < 1.0 && dy.abs() < 0.6 };
            let lit = if index % 3 == 0 && (stripes * (x + y)).sin() > 0.0 { 0.5 } else { 1.0 };
            if inside {
                pixel = tint.map(|c| c * lit);
            }
        }
        pixels.extend(pixel.map(|c| ((c + noise * (rng.f32() - 0.5)) * 255.0).clamp(0.0, 255.0) as u8));
    }
    pixels
}
