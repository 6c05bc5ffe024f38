//! The client: how a connection to the broker is made.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rumqttc::{MqttOptions, TlsConfiguration, Transport, v5};

use super::error::MqttError;
use super::link::{self, MAX_HEARD, Signal};
use crate::config::settings::{MqttSettings, TlsSettings};

/// The greatest packet that is taken in MQTT 3.1.1, bytes. One that is larger ends the connection, and a retained one would end every
/// connection, so this is far above anything that is listened for.
const MAX_INCOMING: usize = 32 * 1024 * 1024;

/// Messages in flight, more than a session ever has.
const MAX_IN_FLIGHT: u16 = 100;

/// Room for topic and header in a packet, bytes.
pub(super) const PACKET_OVERHEAD: usize = 2 * 1024;

const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the system's authorities are found, by distribution.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// `host:port`, for people.
pub(super) fn broker(settings: &MqttSettings) -> String {
    format!("{}:{}", settings.host, settings.port)
}

/// rumqttc's options for one clean session.
pub(super) fn options(settings: &MqttSettings, client_id: &str) -> Result<MqttOptions, MqttError> {
    let mut options = MqttOptions::new(client_id, address(&settings.host), settings.port);
    options.set_clean_session(true);
    // rumqttc's own 10 KiB are too few for a snapshot.
    options.set_max_packet_size(MAX_INCOMING, settings.max_payload + PACKET_OVERHEAD);
    // rumqttc refuses less than a second.
    options.set_keep_alive(settings.keep_alive.max(Duration::from_secs(1)));
    if let Some((user, password)) = credentials(settings) {
        options.set_credentials(user, password);
    }
    if let Some(transport) = transport(settings)? {
        options.set_transport(transport);
    }
    Ok(options)
}

/// As [`options`], for MQTT 5. The broker is told what is taken, and keeps larger messages to itself.
pub(super) fn options5(settings: &MqttSettings, client_id: &str) -> Result<v5::MqttOptions, MqttError> {
    let mut options = v5::MqttOptions::new(client_id, address(&settings.host), settings.port);
    options.set_clean_start(true);
    // rumqttc makes room for as many messages in flight as there are packet ids, 14 MB, unless told otherwise.
    options.set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
    options.set_max_packet_size(Some((MAX_HEARD + PACKET_OVERHEAD) as u32));
    options.set_keep_alive(settings.keep_alive.max(Duration::from_secs(1)));
    if let Some((user, password)) = credentials(settings) {
        options.set_credentials(user, password);
    }
    if let Some(transport) = transport(settings)? {
        options.set_transport(transport);
    }
    Ok(options)
}

fn credentials(settings: &MqttSettings) -> Option<(&str, &str)> {
    let password = settings.password.as_ref().map_or("", |password| password.reveal());
    settings.user.as_deref().map(|user| (user, password))
}

fn transport(settings: &MqttSettings) -> Result<Option<Transport>, MqttError> {
    settings.tls.as_ref().map(|tls| Ok(Transport::Tls(tls_configuration(tls)?))).transpose()
}

/// rumqttc joins host and port with a colon, so a bare IPv6 address needs its brackets.
fn address(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn tls_configuration(tls: &TlsSettings) -> Result<TlsConfiguration, MqttError> {
    let ca = match &tls.ca {
        Some(path) => read("the authority's certificate", path)?,
        None => system_roots()?,
    };
    let client_auth = match &tls.client {
        Some((certificate, key)) => {
            Some((read("the client's certificate", certificate)?, read("the client's key", key)?))
        }
        None => None,
    };
    let protocols: Vec<Vec<u8>> = tls.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let alpn = (!protocols.is_empty()).then_some(protocols);
    Ok(TlsConfiguration::Simple { ca, alpn, client_auth })
}

/// The bundle is read here because rumqttc's default panics where there is none.
fn system_roots() -> Result<Vec<u8>, MqttError> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let found = named.into_iter().chain(SYSTEM_ROOTS.map(PathBuf::from)).find(|path| path.is_file());
    let path = found.ok_or_else(|| MqttError::File {
        what: "the system's certificates",
        path: PathBuf::from(SYSTEM_ROOTS[0]),
        reason: "there is none; install ca-certificates or name an authority in `mqtt.ca`".to_owned(),
    })?;
    read("the system's certificates", &path)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, MqttError> {
    std::fs::read(path).map_err(|error| MqttError::File { what, path: path.to_owned(), reason: error.to_string() })
}

/// Tries the connection once, within five seconds, so that a start can say clearly what is wrong with it.
///
/// # Errors
/// Why the broker cannot be used now.
pub async fn probe(settings: &MqttSettings) -> Result<(), MqttError> {
    let id = format!("lookout-probe-{}", std::process::id());
    let (sender, mut connection) = link::open(settings, &id, None, 4)?;
    let broker = broker(settings);
    let attempt = async {
        loop {
            match connection.next().await {
                Ok(Signal::Connected(_)) => {
                    let _ = sender.disconnect();
                    // Sends the goodbye; the broker may well be quicker to close.
                    let _ = connection.next().await;
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => {
                    let user = settings.user.as_deref();
                    return Err(MqttError::from_link(&error, &broker, &id, user, settings.tls.is_some()));
                }
            }
        }
    };
    match tokio::time::timeout(PROBE_TIMEOUT, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(MqttError::Timeout { broker }),
    }
}
