//! `lookout bench`: how fast a model's image encoder is here, and how much of its meaning 8 bits keep.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::clip::{Embedding, ImageEncoder, Library, Model, Precision, Running, TileEncoder};
use crate::config::file::default_threads;
use crate::config::settings::LogFormat;
use crate::frame::{Frame, PixelRect};
use crate::{heaps, telemetry};

/// Of the frame whose regions are encoded.
const SIZE: (u32, u32) = (1280, 720);

/// Arguments of `lookout bench`.
#[derive(clap::Args)]
pub struct BenchArgs {
    /// The name of an installed model, or a model's folder; without one, the embedded model
    #[arg(long)]
    model: Option<PathBuf>,
    /// Arithmetic, several by commas: the first is what the others are compared with
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Precision::F32, Precision::Int8])]
    precision: Vec<Precision>,
    /// Regions that are asked for at once, several by commas
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    batch: Vec<usize>,
    /// Encoder threads, several by commas; without it, one a core
    #[arg(long, value_delimiter = ',')]
    threads: Vec<usize>,
    /// Seconds for each line of the table
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the table.
#[derive(Serialize)]
struct Line {
    precision: &'static str,
    threads: usize,
    batch: usize,
    /// Of the quickest run, preprocessing included.
    ms_per_region: f64,
    median_ms_per_region: f64,
    regions_per_second: f64,
    gmac_per_second: f64,
    /// To the first precision, the least of the regions.
    least_cosine: f32,
}

#[derive(Serialize)]
struct Report {
    model: String,
    gmac_per_region: f64,
    peak_memory_mb: Option<f64>,
    lines: Vec<Line>,
}

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    heaps::keep_few();
    // What a start says of a model, such as that its calibration cannot be kept, explains what is measured.
    telemetry::start(LogFormat::Human, "warn");
    ensure!(args.seconds > 0.0 && args.seconds <= 600.0, "--seconds is {}, should be up to 600", args.seconds);
    ensure!(args.batch.iter().all(|batch| (1..=1024).contains(batch)), "--batch should be from 1 to 1024");
    ensure!(args.threads.iter().all(|threads| (1..=256).contains(threads)), "--threads should be from 1 to 256");
    ensure!(!args.precision.is_empty() && !args.batch.is_empty(), "--precision and --batch should name something");
    let model = args.model.as_deref().map_or_else(Model::embedded, |model| Library::here().open(model))?;
    let threads = if args.threads.is_empty() { vec![default_threads()] } else { args.threads.clone() };
    let frame = frame().context("a frame of noise")?;
    let runs = threads.len() * args.batch.len();
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {pos}/{len} {msg}")?;
    let bar = ProgressBar::new(runs as u64).with_style(style).with_message("loading");
    let (mut lines, mut gmac) = (Vec::new(), 0.0);
    for threads in threads {
        let load =
            |precision: &Precision| model.encoder(&Running { precision: *precision, ..Running::floats(threads) });
        let encoders: Vec<ImageEncoder> = args.precision.iter().map(load).collect::<Result<_, _>>()?;
        gmac = encoders[0].macs() / 1e9;
        for batch in &args.batch {
            bar.set_message(format!("{threads} threads, {batch} at once"));
            let took = race(&encoders, &frame, *batch, Duration::from_secs_f64(args.seconds))?;
            for (precision, Pace { best, median, least_cosine }) in args.precision.iter().zip(took) {
                lines.push(Line {
                    precision: precision.name(),
                    threads,
                    batch: *batch,
                    ms_per_region: best * 1e3,
                    median_ms_per_region: median * 1e3,
                    regions_per_second: 1.0 / best,
                    gmac_per_second: gmac / best,
                    least_cosine,
                });
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let report = Report { model: model.manifest().name.clone(), gmac_per_region: gmac, peak_memory_mb: peak(), lines };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?)
    } else {
        print(&report)
    }
    Ok(ExitCode::SUCCESS)
}

struct Pace {
    /// Seconds a region.
    best: f64,
    median: f64,
    least_cosine: f32,
}

/// Encoders in turn on the same regions, until each has had its time: whatever else the machine does, it does to all.
fn race(encoders: &[ImageEncoder], frame: &Frame, batch: usize, time: Duration) -> anyhow::Result<Vec<Pace>> {
    let tiles: Vec<PixelRect> = (0..batch as u32).map(tile).collect();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); encoders.len()];
    let mut found: Vec<Vec<Embedding>> = Vec::new();
    for encoder in encoders {
        found.push(encoder.encode(frame, &tiles)?);
    }
    let started = Instant::now();
    while started.elapsed() < time * encoders.len() as u32 || times[0].len() < 3 {
        for (encoder, times) in encoders.iter().zip(&mut times) {
            let begun = Instant::now();
            encoder.encode(frame, &tiles)?;
            times.push(begun.elapsed().as_secs_f64() / batch as f64);
        }
    }
    let pace = |(times, embeddings): (&mut Vec<f64>, &Vec<Embedding>)| {
        times.sort_by(f64::total_cmp);
        let cosines = found[0].iter().zip(embeddings).map(|(a, b)| a.cosine(b));
        Pace { best: times[0], median: times[times.len() / 2], least_cosine: cosines.fold(1.0, f32::min) }
    };
    Ok(times.iter_mut().zip(&found).map(pace).collect())
}

/// The n-th region: squares of several sizes, all over the frame.
fn tile(index: u32) -> PixelRect {
    let side = 180 + index % 4 * 120;
    PixelRect { x: index * 97 % (SIZE.0 - side), y: index * 61 % (SIZE.1 - side), width: side, height: side }
}

/// Gradients and noise.
fn frame() -> Option<Frame> {
    let mut rng = fastrand::Rng::with_seed(1);
    let (width, height) = SIZE;
    let pixel = |at: u32| {
        let (x, y) = (at % width, at / width);
        let base = [x / 6 + y / 9, (x * y) >> 12, y / 4];
        base.map(|value| (value as u8).wrapping_add(rng.u8(..40)))
    };
    let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    Frame::new(width, height, pixels, 0, jiff::Timestamp::UNIX_EPOCH)
}

/// The most memory that the program has had, in MB.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok().map(|kb: f64| kb / 1024.0)
}

fn print(report: &Report) {
    println!("{}: {:.2} GMAC a region", report.model, report.gmac_per_region);
    println!("precision  threads  at once  ms a region  (median)  regions/s  GMAC/s  least cosine");
    for line in &report.lines {
        println!(
            "{:<9}  {:>7}  {:>7}  {:>11.2}  {:>8.2}  {:>9.1}  {:>6.1}  {:>12.5}",
            line.precision,
            line.threads,
            line.batch,
            line.ms_per_region,
            line.median_ms_per_region,
            line.regions_per_second,
            line.gmac_per_second,
            line.least_cosine
        );
    }
    if let Some(peak) = report.peak_memory_mb {
        println!("peak memory {peak:.0} MB, loading included");
    }
}
