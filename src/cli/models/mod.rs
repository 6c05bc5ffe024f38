//! `lookout models`: the models folder, and how models get into it. What another program derives from a model belongs beside
//! its folder, never into it: the folder holds what the manifest lists, hash by hash, and is replaced whole.

mod fetch;
mod hub;
mod import;
mod inspect;
mod list;
mod mirror;
mod part;
mod prepare;
mod proxy;
mod pull;
mod record;
mod stage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::clip::library::is_name;
use crate::clip::{Catalogue, Library, prepared};

/// Arguments of `lookout models`.
#[derive(clap::Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the published models of the catalogue, and what is installed
    List(list::ListArgs),
    /// Fetch a published model into the models folder
    Pull(pull::PullArgs),
    /// Take an ONNX export into the models folder: Hugging Face, OpenCLIP or MobileCLIP, as people have them
    Import(Box<import::ImportArgs>),
    /// Tell what a model is, and check its files
    Inspect(inspect::InspectArgs),
    /// Find out now which layers of a model run in 8 bits on this machine, on your own pictures if you like, and keep the
    /// image tower as it then is for quick starts
    Prepare(prepare::PrepareArgs),
    /// Remove an installed model, or what a pull that was broken off has left of one
    Remove(RemoveArgs),
}

/// Which catalogue.
#[derive(clap::Args)]
struct CatalogueArgs {
    /// A catalogue instead of the program's own; also LOOKOUT_CATALOGUE
    #[arg(long)]
    catalogue: Option<PathBuf>,
}

impl CatalogueArgs {
    fn open(&self) -> anyhow::Result<Catalogue> {
        Ok(Catalogue::here(self.catalogue.as_deref())?)
    }
}

#[derive(clap::Args)]
struct RemoveArgs {
    /// Its name
    name: String,
}

pub(super) fn run(args: ModelsArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(args) => list::run(&args)?,
        Command::Pull(args) => pull::run(&args)?,
        Command::Import(args) => import::run(&args)?,
        Command::Inspect(args) => return inspect::run(&args),
        Command::Prepare(args) => prepare::run(&args)?,
        Command::Remove(args) => remove(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(args: &RemoveArgs) -> anyhow::Result<()> {
    let library = Library::here();
    let name = &args.name;
    match library.find(name) {
        Some(folder) => {
            // Before it is gone: what is kept about a link lies beside what it leads to.
            prepared::forget(&folder);
            stage::remove(&folder)?;
            println!("removed {}", folder.display());
        }
        None => {
            let begun = library.places().iter().filter(|place| is_name(name) && stage::is_begun(place, name));
            let begun: Vec<_> = begun.collect();
            ensure!(!begun.is_empty(), "{name:?} is not installed in {}", library.named());
            for place in begun {
                stage::remove(&place.join(name))?;
                println!("removed what had been fetched of {name} in {}", place.display());
            }
        }
    }
    Ok(())
}

/// What is kept about the model in a folder.
fn kept_json(folder: &Path) -> Value {
    let kept = prepared::kept(folder);
    kept.iter().map(|kept| json!({ "path": kept.path, "size": kept.bytes, "purpose": kept.purpose })).collect()
}

fn print_kept(folder: &Path) {
    for kept in prepared::kept(folder) {
        println!("  kept         {}, {}: {}", kept.path.display(), shown_bytes(kept.bytes), kept.purpose);
    }
}

/// A number of bytes for people: 94.1 MB.
fn shown_bytes(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
