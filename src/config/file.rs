//! The configuration as written: built-in defaults, then the file, then `LOOKOUT__…` environment variables, read into
//! [`Settings`] with every fault reported at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};

use super::camera;
use super::settings::{
    DiscoveryForm, HomeAssistantSettings, LogFormat, ModelSettings, MqttSettings, Name, Secret, Settings,
    StoreSettings, TlsSettings,
};
use super::table::{Fault, Faults, Table};
use super::written::Written;

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
            let path = path(&mut table, "path", folder);
            if let Some(missing) = path.as_deref().filter(|path| !path.is_dir()) {
                table.fault("path", format!("is {}, which is no folder", missing.display()));
            }
            let threads = table.whole("threads", default_threads() as u64, 1, 256) as usize;
            table.finish();
            ModelSettings { path, threads }
        }
        None => ModelSettings { path: None, threads: default_threads() },
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
    let tables = top.tables("camera");
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

fn mqtt(mut table: Table<'_>, folder: &Path) -> Option<MqttSettings> {
    let url = table.text("url").unwrap_or_else(|| "mqtt://localhost:1883".to_owned());
    let server = server(&url);
    if let Err(problem) = &server {
        table.fault("url", problem.clone());
    }
    let base = table.text("base").unwrap_or_else(|| "lookout".to_owned());
    topic(&table, "base", &base);
    let user = table.text("user");
    let password = password(&mut table, folder);
    if password.is_some() && user.is_none() {
        table.fault("user", "a password is set, but no user");
    }
    let ca = existing(&mut table, "ca", folder);
    let cert = existing(&mut table, "client_cert", folder);
    let key = existing(&mut table, "client_key", folder);
    if cert.is_some() != key.is_some() {
        table.fault("client_cert", "client_cert and client_key go together");
    }
    let keep_alive = Duration::from_secs(table.whole("keep_alive_s", 30, 5, 3600));
    let reconnect_max = Duration::from_secs(table.whole("reconnect_max_s", 30, 1, 3600));
    let backlog_per_s = table.whole("backlog_per_s", 50, 1, 10_000) as u32;
    let read_only = table.truth("read_only", false);
    let home_assistant = home_assistant(&mut table);
    let server = server.ok();
    if let Some((_, _, false)) = server
        && (ca.is_some() || cert.is_some())
    {
        table.fault("url", "certificates are set, but the address is not mqtts://");
    }
    table.finish();
    let (host, port, secure) = server?;
    let tls = secure.then(|| TlsSettings { ca, client: cert.zip(key) });
    Some(MqttSettings {
        host,
        port,
        base,
        user,
        password,
        tls,
        keep_alive,
        reconnect_max,
        backlog_per_s,
        read_only,
        home_assistant,
    })
}

fn topic(table: &Table<'_>, key: &str, text: &str) {
    if text.is_empty() || text.starts_with(['/', '$']) || text.ends_with('/') || text.contains(['+', '#', '\0']) {
        table.fault(key, format!("is {text:?}, should be a topic without wildcards or slashes at its ends"));
    }
}

fn home_assistant(mqtt: &mut Table<'_>) -> Option<HomeAssistantSettings> {
    let Some(mut table) = mqtt.table("home_assistant") else { return Some(HomeAssistantSettings::default()) };
    let mut settings = HomeAssistantSettings::default();
    if let Some(prefix) = table.text("prefix") {
        topic(&table, "prefix", &prefix);
        settings.prefix = prefix;
    }
    let form = match table.text("discovery").as_deref() {
        None | Some("device") => Some(DiscoveryForm::Device),
        Some("entity") => Some(DiscoveryForm::Entity),
        Some("off") => None,
        Some(other) => {
            table.fault("discovery", format!("is {other:?}, should be \"device\", \"entity\" or \"off\""));
            None
        }
    };
    table.finish();
    form.map(|form| HomeAssistantSettings { form, ..settings })
}

/// Host, port and whether TLS is wanted, out of a broker's address.
pub fn server(url: &str) -> Result<(String, u16, bool), String> {
    let wanted = "should be mqtt://host[:port] or mqtts://host[:port]";
    let parsed = url::Url::parse(url).map_err(|e| format!("is not an address ({e}), {wanted}"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("holds a user or password; put them in `user` and `password_file`".to_owned());
    }
    let secure = match parsed.scheme() {
        "mqtt" => false,
        "mqtts" => true,
        other => return Err(format!("has the scheme {other:?}, {wanted}")),
    };
    let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or(format!("names no host, {wanted}"))?;
    Ok((host.trim_matches(['[', ']']).to_owned(), parsed.port().unwrap_or(if secure { 8883 } else { 1883 }), secure))
}

fn password(table: &mut Table<'_>, folder: &Path) -> Option<Secret> {
    let direct = table.text("password");
    let file = path(table, "password_file", folder);
    let variable = table.text("password_env");
    if [direct.is_some(), file.is_some(), variable.is_some()].iter().filter(|set| **set).count() > 1 {
        table.fault("password", "only one of password, password_file and password_env can be set");
    }
    if let Some(file) = file {
        match std::fs::read_to_string(&file) {
            Ok(text) => return Some(Secret::new(text.trim_end_matches(['\r', '\n']))),
            Err(e) => table.fault("password_file", format!("cannot read {}: {e}", file.display())),
        }
    }
    if let Some(variable) = variable {
        match std::env::var(&variable) {
            Ok(text) => return Some(Secret::new(text)),
            Err(_) => table.fault("password_env", format!("the environment has no readable {variable:?}")),
        }
    }
    direct.map(Secret::new)
}

fn path(table: &mut Table<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    table.text(key).map(|text| folder.join(text))
}

fn existing(table: &mut Table<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
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

/// A device id that stays over restarts and reinstalls: from the host's name, else `lookout`.
pub fn default_device() -> Name {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    Name::from_phrase(host.trim()).or_else(|| Name::new("lookout")).expect("`lookout` is a name")
}
