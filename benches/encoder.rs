//! The embedded model's image encoder on one thread, in both arithmetics, one region and eight at once: `cargo bench`. For
//! other models, threads and batches there is `lookout bench`.

#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use lookout::clip::{Model, Precision, Running, TileEncoder};
use lookout::frame::{Frame, PixelRect};

fn encode(criterion: &mut Criterion) {
    let model = Model::embedded().expect("the embedded model");
    let (width, height) = (640, 360);
    let rgb: Vec<u8> = (0..width * height * 3).map(|at| (at * 7 % 251) as u8).collect();
    let frame = Frame::new(width, height, rgb, 0, Timestamp::UNIX_EPOCH).expect("a frame");
    let mut group = criterion.benchmark_group("encode");
    for precision in [Precision::F32, Precision::Int8] {
        let encoder = model.encoder(&Running { precision, ..Running::floats(1) }).expect("an encoder");
        for batch in [1, 8] {
            let tile = |at: u32| PixelRect { x: at * 40, y: at * 20, width: 120 + at, height: 120 + at };
            let tiles: Vec<PixelRect> = (0..batch).map(tile).collect();
            group.throughput(Throughput::Elements(u64::from(batch)));
            group.bench_with_input(BenchmarkId::new(precision.name(), batch), &tiles, |bencher, tiles| {
                bencher.iter(|| encoder.encode(&frame, tiles).expect("embeddings"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
