//! The embedded model's image encoder on one thread, in both arithmetics, one region and eight at once: `cargo bench`. For
//! other models, threads and batches there is `lookout bench`.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use lookout::clip::{Model, Precision, Running, TileEncoder};
use lookout::frame::{Frame, PixelRect};

/// Of each line.
const TIME: Duration = Duration::from_secs(2);
/// Few enough that `cargo test --benches`, which asks for a trial only, is soon done.
const TRIAL: Duration = Duration::from_millis(1);

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let time = if measured { TIME } else { TRIAL };
    let model = Model::embedded().expect("the embedded model");
    let (width, height) = (640, 360);
    let rgb: Vec<u8> = (0..width * height * 3).map(|at| (at * 7 % 251) as u8).collect();
    let frame = Frame::new(width, height, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    println!("precision  at once  ms a region  (median)");
    for precision in [Precision::F32, Precision::Int8] {
        let encoder = model.encoder(&Running { precision, ..Running::floats(1) }).expect("an encoder");
        for batch in [1, 8] {
            let tile = |at: u32| PixelRect { x: at * 40, y: at * 20, width: 120 + at, height: 120 + at };
            let tiles: Vec<PixelRect> = (0..batch).map(tile).collect();
            let begun = Instant::now();
            let mut times = Vec::new();
            while begun.elapsed() < time || times.len() < 3 {
                let begun = Instant::now();
                encoder.encode(&frame, &tiles).expect("embeddings");
                times.push(begun.elapsed().as_secs_f64() * 1e3 / f64::from(batch));
            }
            times.sort_by(f64::total_cmp);
            println!("{:<9}  {batch:>7}  {:>11.3}  {:>8.3}", precision.name(), times[0], times[times.len() / 2]);
        }
    }
}
