//! `lookout run`: the product.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::{app, config, heaps, telemetry};

/// Arguments of `lookout run`.
#[derive(clap::Args)]
pub struct RunArgs {
    /// The configuration; `LOOKOUT__…` environment variables override it
    #[arg(long, short)]
    config: PathBuf,
    /// End by itself after so many seconds, with a summary
    #[arg(long)]
    seconds: Option<f64>,
}

pub(super) fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    heaps::keep_few();
    let settings = config::load(Some(&args.config))?;
    telemetry::start(settings.log, "info");
    let limit = args.seconds.map(Duration::try_from_secs_f64).transpose()?;
    let summary = app::run(settings, limit, |page| {
        if let Some(page) = page {
            tracing::info!("pictures at {page}");
        }
    })?;
    tracing::info!("{summary}");
    Ok(ExitCode::SUCCESS)
}
