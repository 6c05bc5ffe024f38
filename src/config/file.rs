//! The configuration as written: built-in defaults, then the file, then `LOOKOUT__…` environment variables, read into
//! [`Settings`] with every fault reported at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};

use super::camera;
use super::device::default_device;
use super::mqtt::mqtt;
pub use super::mqtt::server;
use super::settings::{LogFormat, ModelSettings, Name, Settings, StoreSettings};
use super::table::{Fault, Faults, Table};
use super::written::Written;
use crate::clip::{Library, Precision};

/// Why a configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read or is not TOML.
    #[error("{0}")]
    Unreadable(String),
    /// What it says is not right.
    #[error("{} fault{} in {origin}:\n{}", .faults.len(), if .faults.len() == 1 { "" } else { "s" },
        .faults.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))]
    Faulty {
        /// The file, or "the configuration".
        origin: String,
        /// All of them.
        faults: Vec<Fault>,
    },
}

/// Reads the file, if there is one, and the environment.
///
/// # Errors
/// [`ConfigError`] when the file is missing or not TOML, or with every fault in what it says.
pub fn load(path: Option<&Path>) -> Result<Settings, ConfigError> {
    let text = match path {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|e| ConfigError::Unreadable(format!("cannot read {}: {e}", path.display())))?,
        ),
        None => None,
    };
    let origin = path.map_or_else(|| "the configuration".to_owned(), |path| path.display().to_string());
    let folder = path.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    parse(text.as_deref().unwrap_or_default(), &origin, &folder, true)
}

/// The annotated default configuration, as it is in the repository.
pub const DEFAULT: &str = include_str!("../../config/lookout.toml");

/// Reads the annotated default and the environment.
///
/// # Errors
/// [`ConfigError`], when the environment holds faults.
pub fn default() -> Result<Settings, ConfigError> {
    parse(DEFAULT, "the default configuration", Path::new(""), true)
}

/// Reads a configuration text; relative paths in it start at `folder`. `origin` names it in errors.
///
/// # Errors
/// [`ConfigError`], as [`load`].
pub fn parse(text: &str, origin: &str, folder: &Path, environment: bool) -> Result<Settings, ConfigError> {
    let mut builder = Config::builder().add_source(File::from_str(text, FileFormat::Toml));
    if environment {
        builder = builder.add_source(Environment::with_prefix("LOOKOUT").prefix_separator("__").separator("__"));
    }
    let values = builder
        .build()
        .and_then(|config| config.cache.into_table())
        .map_err(|e| ConfigError::Unreadable(format!("{origin} is not valid TOML: {e}")))?;
    let faults = Faults::default();
    let settings = settings(Table::new("", values, &faults), &faults, folder);
    let faults = faults.into_inner();
    if faults.is_empty() { Ok(settings) } else { Err(ConfigError::Faulty { origin: origin.to_owned(), faults }) }
}

fn settings(mut top: Table<'_>, faults: &Faults, folder: &Path) -> Settings {
    let log = match top.text("log").as_deref() {
        None | Some("human") => LogFormat::Human,
        Some("json") => LogFormat::Json,
        Some(other) => {
            top.fault("log", format!("is {other:?}, should be \"human\" or \"json\""));
            LogFormat::Human
        }
    };
    let device = match top.table("device") {
        Some(mut table) => {
            let id = table.text("id").map(|id| name(&table, "id", &id));
            table.finish();
            id.flatten()
        }
        None => None,
    };
    let model = match top.table("model") {
        Some(mut table) => {
            let path = model(&mut table, folder);
            let threads = table.whole("threads", default_threads() as u64, 1, 256) as usize;
            let precision = match table.text("precision").as_deref() {
                None => None,
                Some("int8") => Some(Precision::Int8),
                Some("f32") => Some(Precision::F32),
                Some(other) => {
                    table.fault("precision", format!("is {other:?}, should be \"int8\" or \"f32\""));
                    None
                }
            };
            table.finish();
            ModelSettings { path, threads, precision }
        }
        None => ModelSettings { path: None, threads: default_threads(), precision: None },
    };
    let mqtt = top.table("mqtt").and_then(|table| mqtt(table, folder));
    let web = top.table("web").and_then(|mut table| {
        let listen = table.text("listen").unwrap_or_else(|| "127.0.0.1:8099".to_owned());
        let address = listen.parse();
        if address.is_err() {
            table.fault("listen", format!("is {listen:?}, should be an address and port: \"127.0.0.1:8099\""));
        }
        table.finish();
        address.ok()
    });
    let store = match top.table("store") {
        Some(mut table) => {
            let path = path(&mut table, "path", folder);
            let max_age = Duration::from_secs_f64(table.number("max_age_h", 72.0, 0.01, 87_600.0) * 3600.0);
            let max_events = table.whole("max_events", 10_000, 1, 10_000_000) as usize;
            let standard = default_store();
            let keep_h = table.number("keep_h", standard.keep.as_secs_f64() / 3600.0, 0.0, 87_600.0);
            let max_mb = if path.is_some() { MAX_MB } else { standard.max_bytes / 1_000_000 };
            let max_mb = table.whole("max_mb", max_mb, 1, 1_000_000);
            let pictures = table.truth("pictures", standard.pictures);
            table.finish();
            let keep = Duration::from_secs_f64(keep_h * 3600.0);
            StoreSettings { path, max_age, max_events, keep, max_bytes: max_mb * 1_000_000, pictures }
        }
        None => default_store(),
    };
    let mut tables = top.tables("camera");
    tables.iter_mut().for_each(|table| table.join_paths("prompt", &["examples", "counter_examples"], folder));
    let written: Vec<_> = tables.iter().map(|table| table.values().clone()).collect();
    let cameras: Vec<_> = tables.into_iter().map(|table| camera::camera(table, faults)).collect();
    if cameras.is_empty() {
        top.fault("camera", "no camera; add one: [[camera]] with name, source and at least one [[camera.prompt]]");
    }
    let cameras: Vec<_> = cameras.into_iter().flatten().collect();
    for (index, camera) in cameras.iter().enumerate() {
        if cameras[..index].iter().any(|other| other.name == camera.name) {
            top.fault(&format!("camera[{index}].name"), format!("{:?} names two cameras", camera.name.as_str()));
        }
    }
    top.finish();
    let written = Written::new(written, &cameras);
    Settings { device: device.unwrap_or_else(default_device), log, model, mqtt, web, store, cameras, written }
}

/// The folder of the model that a path or a name means.
fn model(table: &mut Table<'_>, folder: &Path) -> Option<PathBuf> {
    let (path, name) = (path(table, "path", folder), table.text("name"));
    if path.is_some() && name.is_some() {
        table.fault("name", "names an installed model, and path another; set one of the two");
    }
    if let Some(missing) = path.as_deref().filter(|path| !path.is_dir()) {
        table.fault("path", format!("is {}, which is no folder", missing.display()));
    }
    let named = name.and_then(|name| {
        let library = Library::here();
        let found = library.find(&name);
        if found.is_none() {
            table.fault("name", format!("is {name:?}, which {}", library.missing(&name)));
        }
        found
    });
    path.or(named)
}

pub(super) fn path(table: &mut Table<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    table.text(key).map(|text| folder.join(text))
}

pub(super) fn existing(table: &mut Table<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    let path = path(table, key, folder)?;
    if !path.is_file() {
        table.fault(key, format!("there is no file {}", path.display()));
    }
    Some(path)
}

/// A name out of text, with the fault noted at `key`.
pub(super) fn name(table: &Table<'_>, key: &str, text: &str) -> Option<Name> {
    let name = Name::new(text);
    if name.is_none() {
        table.fault(key, format!("is {text:?}, should be 1 to 64 of A–Z a–z 0–9 _ -"));
    }
    name
}

/// How large a store in a file may grow, 10⁶ bytes.
const MAX_MB: u64 = 200;

/// Memory only: what waits for three days, ten thousand events, 16 MB.
pub fn default_store() -> StoreSettings {
    StoreSettings {
        path: None,
        max_age: Duration::from_secs(72 * 3600),
        max_events: 10_000,
        keep: Duration::from_secs(7 * 24 * 3600),
        max_bytes: 16_000_000,
        pictures: true,
    }
}

/// One thread a core.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
