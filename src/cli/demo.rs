//! `lookout demo`: the main job on what is embedded.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use toml::{Table, Value};

use crate::{app, config, heaps, telemetry};

/// What the demo looks out for unless told otherwise.
const PROMPTS: &[&str] = &["a blue bicycle", "a pedestrian", "a yellow bus"];

/// Arguments of `lookout demo`.
#[derive(clap::Args)]
pub struct DemoArgs {
    /// What to look out for (repeatable)
    #[arg(long = "prompt")]
    prompts: Vec<String>,
    /// Another source than the embedded clip: rtsp://…, file:///…, v4l2:///dev/video0, …
    #[arg(long, default_value = "demo://street")]
    source: String,
    /// Another model than the embedded one: its folder
    #[arg(long)]
    model: Option<String>,
    /// Where to publish: mqtt://host:port
    #[arg(long)]
    mqtt: Option<String>,
    /// Where the page with the annotated picture listens
    #[arg(long, default_value = "127.0.0.1:0")]
    web: String,
    /// Analysed frames per second
    #[arg(long, default_value_t = 3.0)]
    fps: f64,
    /// Probability from which a prompt counts. Without it, it starts at 0.6 and follows the background
    #[arg(long)]
    threshold: Option<f64>,
    /// End by itself after so many seconds; exit status 1 if no event came
    #[arg(long)]
    seconds: Option<f64>,
}

pub(super) fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    heaps::keep_few();
    let limit = args.seconds.map(Duration::try_from_secs_f64).transpose()?;
    // Through the same reader as a file, so that a mistake gets the same words.
    let settings = config::parse(&written(&args).to_string(), "the demo's arguments", Path::new(""), false)?;
    // Where messages can be watched, they tell what happens better than a log does.
    let level = if settings.mqtt.is_some() { "warn" } else { "info" };
    telemetry::start(settings.log, level);
    let summary = app::run(settings, limit, |page| {
        if let Some(page) = page {
            println!("annotated picture: {page}");
        }
    })?;
    println!("{summary}");
    let nothing_came = limit.is_some() && summary.events == 0;
    Ok(if nothing_came { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The arguments as a configuration would have them.
fn written(args: &DemoArgs) -> Table {
    let text = |text: &str| Value::String(text.to_owned());
    let table = |pairs: Vec<(&str, Value)>| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Table>();
    let phrases: Vec<&str> =
        if args.prompts.is_empty() { PROMPTS.to_vec() } else { args.prompts.iter().map(String::as_str).collect() };
    let prompts = phrases
        .into_iter()
        .map(|phrase| {
            let phrases = Value::Array(vec![text(phrase)]);
            let threshold = args.threshold.map(|threshold| ("threshold", Value::Float(threshold)));
            Value::Table(table([("phrases", phrases)].into_iter().chain(threshold).collect()))
        })
        .collect();
    let camera = table(vec![
        ("name", text("demo")),
        ("source", text(&args.source)),
        ("loop", Value::Boolean(true)),
        ("fps", Value::Float(args.fps)),
        ("prompt", Value::Array(prompts)),
    ]);
    let mut top = table(vec![
        ("camera", Value::Array(vec![Value::Table(camera)])),
        ("web", Value::Table(table(vec![("listen", text(&args.web))]))),
    ]);
    if let Some(url) = &args.mqtt {
        top.insert("mqtt".to_owned(), Value::Table(table(vec![("url", text(url))])));
    }
    if let Some(path) = &args.model {
        top.insert("model".to_owned(), Value::Table(table(vec![("path", text(path))])));
    }
    top
}
