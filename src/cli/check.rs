//! `lookout check`: the settings as they are resolved, or every fault at once.

use std::path::PathBuf;

use crate::config;
use crate::config::settings::Settings;

/// Arguments of `lookout check`.
#[derive(clap::Args)]
pub struct CheckArgs {
    /// The configuration; without one, the annotated default is checked
    #[arg(long, short)]
    config: Option<PathBuf>,
}

pub(super) fn run(args: CheckArgs) -> anyhow::Result<()> {
    let settings = match &args.config {
        Some(path) => config::load(Some(path))?,
        None => config::default()?,
    };
    println!("{}", shown(&settings));
    Ok(())
}

/// The settings as a configuration would say them, secrets hidden.
fn shown(settings: &Settings) -> String {
    config::show::written(settings).to_string()
}
