//! What goes wrong between the program and the broker, in words that say what to do.

use std::io::ErrorKind;
use std::path::PathBuf;

use rumqttc::v5::mqttbytes::v5::ConnectReturnCode as Code5;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError, v5};

use super::link::LinkError;
use crate::store::StoreError;

/// A fault of the connection; `broker` is `host:port`.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// Nobody listens, or the way there is closed.
    #[error("no broker at {broker} ({reason}); is it running, and are `mqtt.url`'s host and port right?")]
    Unreachable {
        /// Where.
        broker: String,
        /// What the system says.
        reason: String,
    },
    /// The host's name is not known.
    #[error("no broker at {broker}: the host's name cannot be resolved ({reason}); check `mqtt.url` and the DNS")]
    UnknownHost {
        /// Where.
        broker: String,
        /// What the resolver says.
        reason: String,
    },
    /// Wrong credentials.
    #[error(
        "the broker at {broker} refused the login of {user}: wrong user name or password, or not authorised; \
         check `mqtt.user` and the password"
    )]
    NotAuthorised {
        /// Where.
        broker: String,
        /// Who tried: the quoted user, or "an anonymous client".
        user: String,
    },
    /// The broker refused for another reason.
    #[error("the broker at {broker} refused the connection: {reason}")]
    Refused {
        /// Where.
        broker: String,
        /// The return code.
        reason: String,
    },
    /// No common ground in TLS.
    #[error(
        "TLS with the broker at {broker} failed: {reason}; check `mqtt.ca`, `mqtt.client_cert` and the host in \
         `mqtt.url`"
    )]
    Tls {
        /// Where.
        broker: String,
        /// What TLS says.
        reason: String,
    },
    /// A certificate or key cannot be read.
    #[error("mqtt: cannot read {what} {path}: {reason}")]
    File {
        /// Which of the files.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The other side was silent for too long.
    #[error("the broker at {broker} did not answer in time; is it an MQTT port, and is TLS expected there?")]
    Timeout {
        /// Where.
        broker: String,
    },
    /// The connection broke.
    #[error(
        "the connection to the broker at {broker} was lost ({reason}); if this repeats, look for another client with \
         the id {client}, for TLS on only one side, or for a broker that speaks only 3.1.1 (`mqtt.protocol`)"
    )]
    Lost {
        /// Where.
        broker: String,
        /// How it ended.
        reason: String,
        /// This program's client id.
        client: String,
    },
    /// The outbox cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MqttError {
    /// Says in our words what rumqttc met while talking to `broker`.
    pub(super) fn from_link(error: &LinkError, broker: &str, client: &str, user: Option<&str>, tls: bool) -> Self {
        match error {
            LinkError::V4(error) => Self::from_v4(error, broker, client, user, tls),
            LinkError::V5(error) => Self::from_v5(error, broker, client, user, tls),
            LinkError::Silent => Self::Timeout { broker: broker.to_owned() },
        }
    }

    fn refused_login(broker: String, user: Option<&str>) -> Self {
        let user = user.map_or_else(|| "an anonymous client".to_owned(), |user| format!("\"{user}\""));
        Self::NotAuthorised { broker, user }
    }

    fn from_v5(error: &v5::ConnectionError, broker: &str, client: &str, user: Option<&str>, tls: bool) -> Self {
        let broker = broker.to_owned();
        let lost = |reason: String| Self::Lost { broker: broker.clone(), reason, client: client.to_owned() };
        let refused = |code: &Code5| match code {
            Code5::BadUserNamePassword | Code5::NotAuthorized => Self::refused_login(broker.clone(), user),
            Code5::UnsupportedProtocolVersion | Code5::RefusedProtocolVersion => {
                let reason = "it does not speak MQTT 5; set `mqtt.protocol` to \"3.1.1\"".to_owned();
                Self::Refused { broker: broker.clone(), reason }
            }
            other => Self::Refused { broker: broker.clone(), reason: format!("{other:?}") },
        };
        match error {
            v5::ConnectionError::ConnectionRefused(code) => refused(code),
            v5::ConnectionError::MqttState(v5::StateError::ConnFail { reason }) => refused(reason),
            v5::ConnectionError::Tls(rumqttc::TlsError::Io(io)) => Self::from_io(io, broker, client, tls),
            v5::ConnectionError::Tls(other) => Self::Tls { broker, reason: other.to_string() },
            v5::ConnectionError::Io(io) | v5::ConnectionError::MqttState(v5::StateError::Io(io)) => {
                Self::from_io(io, broker, client, tls)
            }
            v5::ConnectionError::Timeout(_) => Self::Timeout { broker },
            v5::ConnectionError::MqttState(v5::StateError::AwaitPingResp) => {
                lost("it stopped answering pings".to_owned())
            }
            v5::ConnectionError::MqttState(v5::StateError::ServerDisconnect { reason_code, reason_string }) => {
                let said = reason_string.as_ref().map(|said| format!(", {said:?}")).unwrap_or_default();
                lost(format!("it ended it: {reason_code:?}{said}"))
            }
            other => lost(other.to_string()),
        }
    }

    fn from_v4(error: &ConnectionError, broker: &str, client: &str, user: Option<&str>, tls: bool) -> Self {
        let broker = broker.to_owned();
        let lost = |reason: String| Self::Lost { broker: broker.clone(), reason, client: client.to_owned() };
        match error {
            ConnectionError::ConnectionRefused(code) => match code {
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                    Self::refused_login(broker, user)
                }
                other => Self::Refused { broker, reason: format!("{other:?}") },
            },
            ConnectionError::Tls(rumqttc::TlsError::Io(io)) => Self::from_io(io, broker, client, tls),
            ConnectionError::Tls(other) => Self::Tls { broker, reason: other.to_string() },
            ConnectionError::Io(io) | ConnectionError::MqttState(StateError::Io(io)) => {
                Self::from_io(io, broker, client, tls)
            }
            ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => Self::Timeout { broker },
            ConnectionError::MqttState(StateError::AwaitPingResp) => lost("it stopped answering pings".to_owned()),
            other => lost(other.to_string()),
        }
    }

    fn from_io(error: &std::io::Error, broker: String, client: &str, tls: bool) -> Self {
        let reason = error.to_string();
        match error.kind() {
            // rustls wraps alerts and bad certificates as invalid data.
            ErrorKind::InvalidData if tls => Self::Tls { broker, reason },
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Self::Unreachable { broker, reason }
            }
            ErrorKind::TimedOut => Self::Timeout { broker },
            // The resolver's errors have no kind of their own.
            _ if reason.contains("lookup") || reason.contains("resolve") => Self::UnknownHost { broker, reason },
            _ => Self::Lost { broker, reason, client: client.to_owned() },
        }
    }
}
