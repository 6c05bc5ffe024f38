//! `lookout run`: the product.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::clip::Catalogue;
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
    if settings.model.path.is_none() {
        offer();
    }
    let limit = args.seconds.map(Duration::try_from_secs_f64).transpose()?;
    let summary = app::run(settings, limit, |page| {
        if let Some(page) = page {
            tracing::info!("pictures at {page}");
        }
    })?;
    tracing::info!("{summary}");
    Ok(ExitCode::SUCCESS)
}

/// Says which model is used, and how to get one that knows more words. Nothing is fetched that nobody has asked for.
fn offer() {
    let catalogue = Catalogue::here(None);
    let Some(entry) = catalogue.as_ref().ok().and_then(|catalogue| catalogue.find(&catalogue.default)) else { return };
    let name = &entry.name;
    tracing::info!(
        "no model is named in the configuration, so the embedded one is used: it knows people, vehicles, animals and other \
         common objects. `lookout models pull {name}` fetches {}, which knows more ({:.0} MB, {}); name = {name:?} under \
         [model] uses it",
        entry.title,
        entry.size().0 as f64 / 1e6,
        entry.licence
    );
}
