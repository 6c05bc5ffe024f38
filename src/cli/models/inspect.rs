//! `lookout models inspect`: what a model is, and whether its files are what its manifest says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::part::sha256;
use super::{CatalogueArgs, kept_json, print_kept, shown_bytes};
use crate::clip::catalog::Entry;
use crate::clip::export::Anatomy;
use crate::clip::library::is_name;
use crate::clip::{Library, Manifest, Model};

/// Arguments of `lookout models inspect`.
#[derive(clap::Args)]
pub(super) struct InspectArgs {
    /// The name of an installed or published model, or a model's folder
    model: PathBuf,
    #[command(flatten)]
    catalogue: CatalogueArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A file of a model, looked at.
struct Seen {
    path: String,
    size: Option<u64>,
    /// `right`, `wrong`, `missing`, or `unknown` where the manifest has no hash.
    state: &'static str,
}

pub(super) fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let library = Library::here();
    let catalogue = args.catalogue.open()?;
    let name = args.model.to_str().filter(|name| is_name(name));
    let published = name.and_then(|name| catalogue.find(name));
    let folder = match (library.folder(&args.model), published) {
        (Ok(folder), _) => folder,
        (Err(_), Some(entry)) => {
            tell_published(args, entry);
            return Ok(ExitCode::SUCCESS);
        }
        (Err(error), None) => return Err(error.into()),
    };
    let model = Model::open(&folder)?;
    let manifest = model.manifest();
    let files: Vec<Seen> =
        manifest.files.all().iter().map(|file| see(&folder, &file.path, file.sha256.as_deref())).collect();
    let image = anatomy(&folder, &manifest.files.image.path, &manifest.image.output);
    let text = anatomy(&folder, &manifest.files.text.path, &manifest.text.output);
    if args.json {
        print_json(&folder, manifest, &files, &image, &text);
    } else {
        print_text(&folder, manifest, &files, &image, &text);
    }
    let well = files.iter().all(|file| matches!(file.state, "right" | "unknown")) && image.is_ok() && text.is_ok();
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn see(folder: &Path, path: &str, expected: Option<&str>) -> Seen {
    let full = folder.join(path);
    let size = full.metadata().ok().map(|data| data.len());
    let state = match (size, expected) {
        (None, _) => "missing",
        (Some(_), None) => "unknown",
        (Some(_), Some(expected)) => match sha256(&full) {
            Ok(found) if found.eq_ignore_ascii_case(expected) => "right",
            _ => "wrong",
        },
    };
    Seen { path: path.to_owned(), size, state }
}

fn anatomy(folder: &Path, file: &str, output: &str) -> Result<Anatomy, String> {
    Anatomy::of(&folder.join(file), output).map_err(|error| error.to_string())
}

fn print_json(
    folder: &Path,
    manifest: &Manifest,
    files: &[Seen],
    image: &Result<Anatomy, String>,
    text: &Result<Anatomy, String>,
) {
    let tower = |anatomy: &Result<Anatomy, String>| match anatomy {
        Ok(of) => json!({ "parameters": of.parameters, "nodes": of.nodes, "quantised": of.quantised }),
        Err(error) => json!({ "error": error }),
    };
    let files: Vec<Value> =
        files.iter().map(|file| json!({ "path": file.path, "size": file.size, "sha256": file.state })).collect();
    let towers = json!({ "image": tower(image), "text": tower(text) });
    let kept = kept_json(folder);
    println!("{}", json!({ "folder": folder, "manifest": manifest, "towers": towers, "files": files, "kept": kept }));
}

fn print_text(
    folder: &Path,
    manifest: &Manifest,
    files: &[Seen],
    image: &Result<Anatomy, String>,
    text: &Result<Anatomy, String>,
) {
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let tower = |anatomy: &Result<Anatomy, String>| match anatomy {
        Ok(of) => {
            let kind = if of.quantised { ", quantised" } else { "" };
            format!("{:.1} M parameters{kind}", of.parameters as f64 / 1e6)
        }
        Err(error) => error.clone(),
    };
    println!("{}: {}", manifest.name, or(&manifest.description, "no description"));
    println!("  folder       {}", folder.display());
    println!("  licence      {}", or(&manifest.licence, "not said"));
    println!("  origin       {}", or(&manifest.origin, "not said"));
    let (i, t, e) = (&manifest.image, &manifest.text, &manifest.embedding);
    println!("  image tower  {}, {s}×{s} pixels, {}", tower(image), i.interpolation.name(), s = i.size);
    println!("               mean {:?}, std {:?}", i.mean, i.std);
    if let Some(patches) = &i.patches {
        println!("               gives embeddings of patches: {patches}");
    }
    let always = if t.fixed { "always" } else { "at most" };
    println!("  text tower   {}, {always} {} tokens, filled up with {:?}", tower(text), t.context_length, t.pad_token);
    println!("  embeddings   {} wide, logit scale {}", e.width, e.logit_scale);
    for file in files {
        let state = match file.state {
            "right" => "sha256 is right",
            "wrong" => "SHA256 IS WRONG: pull or import it anew",
            "missing" => "IS MISSING: pull or import it anew",
            _ => "no sha256 in the manifest",
        };
        println!("  file         {}, {}, {state}", file.path, file.size.map_or("–".to_owned(), shown_bytes));
    }
    print_kept(folder);
}

fn tell_published(args: &InspectArgs, entry: &Entry) {
    let (size, exact) = entry.size();
    if args.json {
        let files = entry.files.iter();
        let files: Vec<Value> =
            files.map(|file| json!({ "path": file.path, "size": file.size, "sha256": file.sha256 })).collect();
        println!(
            "{}",
            json!({
                "name": entry.name, "title": entry.title, "installed": false, "licence": entry.licence,
                "licence_url": entry.licence_url, "repo": entry.repo, "revision": entry.revision,
                "evidence": entry.evidence, "bytes": size, "bytes_exact": exact, "files": files,
            })
        );
        return;
    }
    println!("{}: {}", entry.name, entry.title);
    println!("  installed    no; `lookout models pull {}` fetches it", entry.name);
    println!("  licence      {} ({})", entry.licence, entry.licence_url);
    if let Some(terms) = &entry.terms {
        println!("               {terms}");
    }
    println!("  origin       {} at {}", entry.repo, entry.revision);
    println!("  known        {}", entry.evidence);
    if let Some(accuracy) = &entry.imagenet {
        println!("  ImageNet     {:.1} % zero-shot ({})", accuracy.top1, accuracy.source);
    }
    if let Some(work) = &entry.gmac {
        println!("  image tower  {:.2} GMAC ({})", work.image, work.source);
    }
    for file in &entry.files {
        let size = file.size.map(shown_bytes).or(file.about_mb.map(|mb| format!("about {mb} MB")));
        let hash =
            file.sha256.as_deref().map_or("sha256 recorded on the first pull".to_owned(), |h| format!("sha256 {h}"));
        println!("  file         {}, {}, {hash}", file.path, size.unwrap_or_else(|| "length not known".to_owned()));
    }
}
