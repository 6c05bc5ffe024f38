//! `lookout models pull`: a published model into the models folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::fetch::{Got, Wanted, fetch};
use super::hub::{Address, Hub};
use super::part::sha256;
use super::record::{Record, Records};
use super::stage::Stage;
use super::{CatalogueArgs, mirror, shown_bytes};
use crate::clip::catalog::{Entry, RemoteFile};
use crate::clip::manifest::Manifest;
use crate::clip::{Library, export};

/// Arguments of `lookout models pull`.
#[derive(clap::Args)]
pub(super) struct PullArgs {
    /// Its name in the catalogue
    name: String,
    #[command(flatten)]
    catalogue: CatalogueArgs,
    /// Take the files from this folder, not from the network: DIR/OWNER/NAME/resolve/REVISION/FILE or DIR/OWNER/NAME/FILE
    #[arg(long, value_name = "DIR", env = "LOOKOUT_MIRROR")]
    mirror: Option<PathBuf>,
    /// Accept terms that are not those of a permissive licence
    #[arg(long)]
    accept_licence: bool,
    /// Fetch it again although it is installed
    #[arg(long)]
    force: bool,
    /// Take what the server has now for files whose hash the catalogue does not know, whatever was recorded
    #[arg(long)]
    renew: bool,
    /// Do not run the model once before it is installed (that takes as much memory as using it)
    #[arg(long)]
    no_trial: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where files come from.
enum Source {
    Hub(Hub),
    Mirror(PathBuf),
}

/// A file that is on the stage.
struct Fetched<'a> {
    file: &'a RemoteFile,
    got: Got,
}

pub(super) fn run(args: &PullArgs) -> anyhow::Result<()> {
    let library = Library::here();
    let catalogue = args.catalogue.open()?;
    let name = &args.name;
    let entry = catalogue.find(name).with_context(|| {
        let like = catalogue.like(name).map(|like| format!("; did you mean {like:?}?")).unwrap_or_default();
        format!("the catalogue has no {name:?}{like} `lookout models list` shows what it has")
    })?;
    if let Some(folder) = library.find(name).filter(|_| !args.force && !args.renew) {
        if args.json {
            println!("{}", json!({ "name": name, "folder": folder, "fetched": false }));
        } else {
            println!("{name} is installed in {}; --force fetches it again", folder.display());
        }
        return Ok(());
    }
    ensure!(
        entry.is_permissive() || args.accept_licence,
        "{name} comes under {}: {} ({}). If you accept that, add --accept-licence",
        entry.licence,
        entry.terms.as_deref().unwrap_or("read its terms"),
        entry.licence_url
    );
    let place = library.writable()?;
    let stage = Stage::open(&place, name)?;
    let fetched = fetch_all(args, entry, &place, &stage)?;
    tidy(stage.folder(), &entry.files.iter().map(|file| stage.folder().join(file.to())).collect())?;
    let (manifest, notes) = put_together(args, entry, &fetched, stage.folder())?;
    let folder = stage.install(&manifest)?;
    // Only what has proved itself is held to.
    let recorded = fetched.iter().filter(|fetched| fetched.file.sha256.is_none());
    let recorded = recorded.map(|fetched| Record::new(entry, fetched.file, &fetched.got)).collect();
    Records::of(&place).add(entry, recorded)?;
    tell(args, entry, &folder, &fetched, &notes);
    Ok(())
}

fn fetch_all<'a>(args: &PullArgs, entry: &'a Entry, library: &Path, stage: &Stage) -> anyhow::Result<Vec<Fetched<'a>>> {
    let source = match args.mirror.as_ref().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => Source::Mirror(folder.clone()),
        None => Source::Hub(Hub::from_environment()?),
    };
    let records = Records::of(library);
    let mut fetched: Vec<Fetched<'_>> = Vec::new();
    for file in &entry.files {
        let record = if args.renew { None } else { records.find(entry, &file.path)? };
        // What a branch stood for on the first pull, or for the files before this one, not what it has become.
        let before = || fetched.iter().find_map(|fetched| fetched.got.commit.clone());
        let commit = record.as_ref().and_then(|record| record.commit.clone()).or_else(before);
        let wanted = Wanted {
            address: Address {
                repo: &entry.repo,
                revision: commit.as_deref().unwrap_or(&entry.revision),
                path: &file.path,
            },
            size: (file.size.map(|size| (size, "the catalogue")))
                .or(record.as_ref().map(|record| (record.size, "what was recorded on its first pull"))),
            sha256: (file.sha256.clone().map(|hash| (hash, "the catalogue")))
                .or(record.as_ref().map(|record| (record.sha256.clone(), "what was recorded on its first pull"))),
        };
        let target = stage.folder().join(file.to());
        if let Some(got) = already(&wanted, &target, commit.as_deref()) {
            fetched.push(Fetched { file, got });
            continue;
        }
        let bar = bar(file);
        let got = match &source {
            Source::Mirror(folder) => mirror::copy(folder, &wanted, &entry.revision, &target),
            Source::Hub(hub) => fetch(hub, &wanted, &target, &bar),
        };
        bar.finish_and_clear();
        match got {
            Ok(got) => {
                eprintln!("{}: {}, sha256 {}", file.path, shown_bytes(got.size), got.sha256);
                fetched.push(Fetched { file, got });
            }
            Err(trouble) if file.optional && trouble.is_absence() => eprintln!("{}: not there; going on", file.path),
            Err(trouble) => return Err(trouble).with_context(|| format!("{} is not installed", entry.name)),
        }
    }
    Ok(fetched)
}

/// A file that an earlier run has finished, if it is known what it must be.
fn already(wanted: &Wanted<'_>, target: &Path, commit: Option<&str>) -> Option<Got> {
    wanted.sha256.as_ref()?;
    let got =
        Got { commit: commit.map(str::to_owned), size: target.metadata().ok()?.len(), sha256: sha256(target).ok()? };
    wanted.check(&got).is_ok().then_some(got)
}

fn bar(file: &RemoteFile) -> ProgressBar {
    let template = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(file.size.unwrap_or(0)).with_style(style).with_message(file.path.clone())
}

/// Removes what earlier runs have left, such as the beginnings of files that are not wanted any more.
fn tidy(folder: &Path, wanted: &HashSet<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            tidy(&path, wanted)?;
        } else if !wanted.contains(&path) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn put_together(
    args: &PullArgs,
    entry: &Entry,
    fetched: &[Fetched<'_>],
    stage: &Path,
) -> anyhow::Result<(Manifest, Vec<String>)> {
    let survey = export::survey(stage, &entry.layout(), &entry.settings)
        .with_context(|| format!("{} has been fetched, but is no model that can be used", entry.name))?;
    let (mut manifest, mut notes) = (survey.manifest, survey.notes);
    let commit = fetched.iter().find_map(|fetched| fetched.got.commit.as_deref());
    manifest.name.clone_from(&entry.name);
    manifest.description.clone_from(&entry.title);
    manifest.licence.clone_from(&entry.licence);
    manifest.origin = format!("{} at {}", entry.repo, commit.unwrap_or(&entry.revision));
    if !args.no_trial {
        let trial = export::settle(stage, &mut manifest);
        notes.extend(trial.with_context(|| format!("{} has been fetched, but does not run", entry.name))?);
    }
    for file in manifest.files.each() {
        let known = fetched.iter().find(|fetched| fetched.file.to() == file.path);
        file.sha256 = match known {
            Some(fetched) => Some(fetched.got.sha256.clone()),
            None => Some(sha256(&stage.join(&file.path)).with_context(|| format!("{} is missing", file.path))?),
        };
    }
    Ok((manifest, notes))
}

fn tell(args: &PullArgs, entry: &Entry, folder: &Path, fetched: &[Fetched<'_>], notes: &[String]) {
    if args.json {
        let files = fetched.iter().map(|Fetched { file, got }| {
            json!({ "path": file.path, "to": file.to(), "size": got.size, "sha256": got.sha256, "commit": got.commit })
        });
        let files: Vec<_> = files.collect();
        let (name, licence) = (&entry.name, &entry.licence);
        println!(
            "{}",
            json!({ "name": name, "folder": folder, "fetched": true, "licence": licence, "files": files, "notes": notes })
        );
        return;
    }
    notes.iter().for_each(|note| eprintln!("{note}"));
    println!("{} is installed in {}. In the configuration:\n", entry.name, folder.display());
    println!("[model]\nname = {:?}", entry.name);
}
