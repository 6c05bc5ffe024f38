//! `lookout models list`: the catalogue, and what is installed.

use serde_json::json;

use super::CatalogueArgs;
use crate::clip::catalog::Entry;
use crate::clip::{Library, Model};

/// Work of the embedded image tower a crop, 10⁹ multiplications, as `lookout bench` counts it.
const EMBEDDED_GMAC: &str = "0.07";

/// Arguments of `lookout models list`.
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    catalogue: CatalogueArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs) -> anyhow::Result<()> {
    let catalogue = args.catalogue.open()?;
    let library = Library::here();
    let installed = library.installed();
    let own = installed.iter().filter(|(name, _)| catalogue.find(name).is_none());
    if args.json {
        let published = catalogue.models.iter().map(|entry| {
            let (size, exact) = entry.size();
            json!({
                "name": entry.name,
                "title": entry.title,
                "installed": library.find(&entry.name),
                "licence": entry.licence,
                "permissive": entry.is_permissive(),
                "imagenet_top1": entry.imagenet.as_ref().map(|accuracy| accuracy.top1),
                "image_gmac": entry.gmac.as_ref().map(|work| work.image),
                "bytes": size,
                "bytes_exact": exact,
                "repo": entry.repo,
                "revision": entry.revision,
            })
        });
        let own = own.map(|(name, folder)| json!({ "name": name, "installed": folder }));
        println!("{}", json!({ "default": catalogue.default, "models": published.chain(own).collect::<Vec<_>>() }));
        return Ok(());
    }
    println!("{:<16} {:>8} {:>6} {:>10}  {:<22} title", "name", "ImageNet", "GMAC", "download", "licence");
    let embedded = Model::embedded()?;
    let (licence, description) = (&embedded.manifest().licence, &embedded.manifest().description);
    println!("{:<16} {:>8} {:>6} {:>10}  {licence:<22} {description}", "*(embedded)", "–", EMBEDDED_GMAC, "none");
    for entry in &catalogue.models {
        let mark = if library.find(&entry.name).is_some() { "*" } else { " " };
        let top1 = entry.imagenet.as_ref().map_or("–".to_owned(), |accuracy| format!("{:.1} %", accuracy.top1));
        let gmac = entry.gmac.as_ref().map_or("–".to_owned(), |work| format!("{:.1}", work.image));
        let (size, licence) = (shown_size(entry), &entry.licence);
        println!(
            "{:<16} {top1:>8} {gmac:>6} {size:>10}  {licence:<22} {}",
            format!("{mark}{}", entry.name),
            entry.title
        );
    }
    for (name, folder) in own {
        let description = Model::open(folder).map_or_else(|e| e.to_string(), |m| m.manifest().description.clone());
        println!("{:<16} {:>8} {:>6} {:>10}  {:<22} {description}", format!("*{name}"), "", "", "", "");
    }
    println!("\n* installed in {}", library.named());
    println!(
        "(embedded) is used where no model is named; models/small/README.md says what it was measured to be worth"
    );
    println!(
        "`lookout models pull {}` fetches the default; licences other than MIT and the like are asked about",
        catalogue.default
    );
    Ok(())
}

fn shown_size(entry: &Entry) -> String {
    match entry.size() {
        (0, _) => "?".to_owned(),
        (size, exact) => format!("{}{} MB", if exact { "" } else { "~" }, (size as f64 / 1e6).round()),
    }
}
