//! `[mqtt]` as written, read into [`MqttSettings`].

use std::path::Path;
use std::time::Duration;

use super::file::{existing, path};
use super::settings::{DiscoveryForm, HomeAssistantSettings, MqttSettings, Protocol, Secret, TlsSettings};
use super::sparkplug::sparkplug;
use super::table::Table;
use super::topics::topics;

pub(super) fn mqtt(mut table: Table<'_>, folder: &Path) -> Option<MqttSettings> {
    let url = table.text("url").unwrap_or_else(|| "mqtt://localhost:1883".to_owned());
    let server = server(&url);
    if let Err(problem) = &server {
        table.fault("url", problem.clone());
    }
    let protocol = match table.text("protocol").as_deref() {
        None | Some("5") => Protocol::V5,
        Some("3.1.1") => Protocol::V311,
        Some(other) => {
            table.fault("protocol", format!("is {other:?}, should be \"5\" or \"3.1.1\""));
            Protocol::V5
        }
    };
    let base = table.text("base").unwrap_or_else(|| "lookout".to_owned());
    topic(&table, "base", &base);
    let topics = topics(&mut table);
    let client_id = table.text("client_id").unwrap_or_else(|| "lookout-{device}".to_owned());
    if !(1..=128).contains(&client_id.len()) || client_id.chars().any(char::is_control) {
        table.fault("client_id", format!("is {client_id:?}, should be 1 to 128 characters"));
    }
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
    let sparkplug = sparkplug(&mut table, &client_id);
    let server = server.ok();
    let alpn = table.texts("alpn").unwrap_or_default();
    if alpn.iter().any(|protocol| !(1..=255).contains(&protocol.len())) {
        table.fault("alpn", "holds a name that is empty or longer than 255 bytes, should be like [\"x-amzn-mqtt-ca\"]");
    }
    if let Some((_, _, false)) = server
        && (ca.is_some() || cert.is_some() || !alpn.is_empty())
    {
        table.fault("url", "certificates or alpn are set, but the address is not mqtts://");
    }
    let max_payload_kb = table.whole("max_payload_kb", 1000, 16, 200_000) as usize;
    table.finish();
    let (host, port, secure) = server?;
    let tls = secure.then(|| TlsSettings { ca, client: cert.zip(key), alpn });
    Some(MqttSettings {
        host,
        port,
        protocol,
        base,
        topics,
        client_id,
        user,
        password,
        tls,
        keep_alive,
        reconnect_max,
        backlog_per_s,
        max_payload: max_payload_kb * 1000,
        read_only,
        home_assistant,
        sparkplug,
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

/// What systemd hands to the service under this name (`LoadCredential=`, `LoadCredentialEncrypted=`).
fn credential(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains('/') || name == ".." {
        return Err(format!("is {name:?}, should be a credential's name, as in LoadCredential=mqtt-password:…"));
    }
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
        .ok_or("is set, but systemd hands over no credentials here; is LoadCredential= in the unit?")?;
    let file = Path::new(&folder).join(name);
    std::fs::read_to_string(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))
}

fn password(table: &mut Table<'_>, folder: &Path) -> Option<Secret> {
    let direct = table.text("password");
    let file = path(table, "password_file", folder);
    let variable = table.text("password_env");
    let credential = table.text("password_credential");
    if [direct.is_some(), file.is_some(), variable.is_some(), credential.is_some()].iter().filter(|set| **set).count()
        > 1
    {
        let all = "password, password_file, password_env and password_credential";
        table.fault("password", format!("only one of {all} can be set"));
    }
    if let Some(credential) = credential {
        match self::credential(&credential) {
            Ok(text) => return Some(Secret::new(text.trim_end_matches(['\r', '\n']))),
            Err(problem) => table.fault("password_credential", problem),
        }
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
