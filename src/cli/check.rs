//! `lookout check`: the settings as they are resolved, or every fault at once, and what was changed by message.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;

use crate::app;
use crate::config;
use crate::config::settings::Settings;
use crate::prompts::Understood;
use crate::store::Store;

/// Arguments of `lookout check`.
#[derive(clap::Args)]
pub struct CheckArgs {
    /// The configuration; without one, the annotated default is checked
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Forget what was changed by message: `all`, a camera (`street`), or a key of one (`street/prompts/dog/threshold`).
    /// A lookout that runs goes on as it is until it is started again
    #[arg(long, value_name = "KEY")]
    forget: Option<String>,
}

pub(super) fn run(args: CheckArgs) -> anyhow::Result<()> {
    let mut settings = match &args.config {
        Some(path) => config::load(Some(path))?,
        None => config::default()?,
    };
    // A store that is not there yet is not made for a look at it.
    let store = settings.store.path.clone().filter(|path| path.exists()).map(|_| Store::open(&settings.store));
    if let Some(wanted) = &args.forget {
        let store = store.as_ref().context("--forget: there is no store with changes; is `store.path` right?")?;
        let store = store.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        let forgotten = forget(store, wanted)?;
        anyhow::ensure!(forgotten > 0, "--forget: nothing was changed by message under {wanted:?}");
        eprintln!("forgotten: {forgotten}");
    }
    match store {
        Some(Ok(store)) => {
            print!("{}", changed(&store)?);
            let laid = settings.written.cameras(&app::stored_changes(&store)?);
            laid.misfits.iter().for_each(|fault| println!("# {fault}"));
            settings.cameras = laid.cameras;
        }
        Some(Err(error)) => println!("# What was changed by message is not known: {error}"),
        None => {}
    }
    print!("{}", understood(&settings));
    println!("{}", shown(&settings));
    Ok(())
}

/// The changes as comments above the settings that they are part of.
fn changed(store: &Store) -> anyhow::Result<String> {
    let changes = store.changes()?;
    let mut text = String::new();
    if !changes.is_empty() {
        text.push_str("# Changed by message and stronger than the file; --forget KEY takes one back:\n");
    }
    for change in changes {
        let since = change.changed.strftime("%Y-%m-%d %H:%M:%SZ");
        // What is kept was once told by a stranger: no line of it may end the comment.
        let value = change.value.escape_debug();
        writeln!(text, "#   {}/{} = {value}   since {since}", change.camera, change.key)?;
    }
    Ok(text)
}

/// How many changes were forgotten.
fn forget(store: &Store, wanted: &str) -> anyhow::Result<usize> {
    let fits = |camera: &str, key: &str| {
        let full = format!("{camera}/{key}");
        wanted == "all" || full == wanted || full.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
    };
    let gone: Vec<_> = store.changes()?.into_iter().filter(|change| fits(&change.camera, &change.key)).collect();
    let gone: Vec<_> = gone.into_iter().map(|change| (change.camera, change.key, None)).collect();
    if !gone.is_empty() {
        store.change(&gone, Timestamp::now())?;
    }
    Ok(gone.len())
}

/// How phrases that say a place or a count are understood, as comments.
fn understood(settings: &Settings) -> String {
    let mut text = String::new();
    for camera in &settings.cameras {
        for prompt in &camera.prompts {
            let Understood { targets, relation, notes } = &prompt.understood;
            let at = format!("# {}/prompts/{}", camera.name, prompt.name);
            // A phrase can have come from a stranger: no line of it may end the comment.
            notes.iter().for_each(|note| text.push_str(&format!("{at}: {}\n", note.replace(char::is_control, " "))));
            if let Some(relation) = relation {
                let targets: Vec<String> = targets.iter().map(|target| format!("{target:?}")).collect();
                text.push_str(&format!("{at} is looked for as {}, {}\n", targets.join(" or "), relation.in_words()));
            }
        }
    }
    text
}

/// The settings as a configuration would say them, secrets hidden.
fn shown(settings: &Settings) -> String {
    config::show::written(settings).to_string()
}
