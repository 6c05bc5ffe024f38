//! The link: one rumqttc connection, in MQTT 5 or 3.1.1, as a session sees it.

use std::time::Duration;

use rumqttc::v5;
use rumqttc::v5::mqttbytes::QoS as QoS5;
use rumqttc::v5::mqttbytes::v5::{LastWill as LastWill5, Packet as Packet5, PubAckReason, PublishProperties};
use rumqttc::{self as v4, LastWill, Outgoing, Packet, QoS};

use super::client;
use super::error::MqttError;
use crate::config::settings::{MqttSettings, Protocol};

/// A larger message is none of those that are listened for, bytes.
pub(super) const MAX_HEARD: usize = 256 * 1024;

/// A message on its way out.
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    pub(super) about: About,
}

/// What MQTT 5 tells of a message beside it; 3.1.1 leaves it out.
#[derive(Default)]
pub(super) struct About {
    /// The broker need not keep it for longer.
    pub(super) expires: Option<Duration>,
    /// Its media type.
    pub(super) content_type: Option<&'static str>,
    /// What the asker gave with the request that this answers.
    pub(super) correlation: Option<Vec<u8>>,
    /// User properties, by which a broker or consumer can choose without reading the payload.
    pub(super) user: Vec<(&'static str, String)>,
}

/// What a connection tells.
pub(super) enum Signal {
    /// The broker lets the device in; it takes packets of so many bytes, if it says.
    Connected(Option<usize>),
    /// A publish got this packet id, in the order of the publishes.
    Sent(u16),
    /// The broker has it.
    Acknowledged(u16),
    /// The broker does not take it, and says why.
    Refused(u16, String),
    /// The goodbye is out.
    Disconnected,
    /// A message on a topic that was subscribed to.
    Heard(Heard),
}

/// What came on a topic that was subscribed to.
pub(super) struct Heard {
    pub(super) topic: String,
    /// Empty if it is larger than [`MAX_HEARD`].
    pub(super) payload: Vec<u8>,
    /// Its size, bytes, kept or not.
    pub(super) size: usize,
    /// Whether it lay at the broker.
    pub(super) retained: bool,
    /// Where an answer is wanted, and with what correlation data.
    pub(super) reply: Option<(String, Vec<u8>)>,
}

/// What the broker says if the connection breaks.
pub(super) struct Will {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
}

/// How a connection ended.
pub(super) enum LinkError {
    /// As rumqttc says for 3.1.1.
    V4(Box<v4::ConnectionError>),
    /// As rumqttc says for 5.
    V5(Box<v5::ConnectionError>),
    /// The broker answered pings at most.
    Silent,
}

/// The broker, or rumqttc, takes no more.
pub(super) struct Gone;

/// The end of a link that sends.
pub(super) enum Sender {
    V4(v4::AsyncClient),
    V5(v5::AsyncClient),
}

/// The end of a link that must be polled for anything to happen.
pub(super) enum Connection {
    V4(Box<v4::EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// Makes a link that is not connected yet. If it breaks, the broker speaks the `will` with QoS 1.
///
/// # Errors
/// A certificate cannot be read.
pub(super) fn open(
    settings: &MqttSettings,
    client_id: &str,
    will: Option<Will>,
    channel: usize,
) -> Result<(Sender, Connection), MqttError> {
    Ok(match settings.protocol {
        Protocol::V311 => {
            let mut options = client::options(settings, client_id)?;
            if let Some(Will { topic, payload, retain }) = will {
                options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, retain));
            }
            let (sender, connection) = v4::AsyncClient::new(options, channel);
            (Sender::V4(sender), Connection::V4(Box::new(connection)))
        }
        Protocol::V5 => {
            let mut options = client::options5(settings, client_id)?;
            if let Some(Will { topic, payload, retain }) = will {
                options.set_last_will(LastWill5::new(topic, payload, QoS5::AtLeastOnce, retain, None));
            }
            let (sender, connection) = v5::AsyncClient::new(options, channel);
            (Sender::V5(sender), Connection::V5(Box::new(connection)))
        }
    })
}

impl Sender {
    /// Publishes with QoS 1.
    pub(super) fn publish(&self, message: Message) -> Result<(), Gone> {
        let Message { topic, payload, retain, about } = message;
        match self {
            Self::V4(sender) => sender.try_publish(topic, QoS::AtLeastOnce, retain, payload).map_err(|_| Gone),
            Self::V5(sender) => {
                let text = about.content_type.is_some_and(|kind| kind != "image/jpeg");
                let properties = PublishProperties {
                    payload_format_indicator: text.then_some(1),
                    message_expiry_interval: about
                        .expires
                        .map(|expires| u32::try_from(expires.as_secs()).unwrap_or(u32::MAX).max(1)),
                    content_type: about.content_type.map(str::to_owned),
                    correlation_data: about.correlation.map(Into::into),
                    user_properties: about.user.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                    ..PublishProperties::default()
                };
                let sent = sender.try_publish_with_properties(topic, QoS5::AtLeastOnce, retain, payload, properties);
                sent.map_err(|_| Gone)
            }
        }
    }

    /// Publishes with QoS 0, not retained: nobody acknowledges it, and its [`Signal::Sent`] has the packet id 0.
    pub(super) fn publish_once(&self, topic: String, payload: Vec<u8>) -> Result<(), Gone> {
        match self {
            Self::V4(sender) => sender.try_publish(topic, QoS::AtMostOnce, false, payload).map_err(|_| Gone),
            Self::V5(sender) => sender.try_publish(topic, QoS5::AtMostOnce, false, payload).map_err(|_| Gone),
        }
    }

    /// Subscribes with QoS 1.
    pub(super) fn subscribe(&self, filter: String) -> Result<(), Gone> {
        match self {
            Self::V4(sender) => sender.try_subscribe(filter, QoS::AtLeastOnce).map_err(|_| Gone),
            Self::V5(sender) => sender.try_subscribe(filter, QoS5::AtLeastOnce).map_err(|_| Gone),
        }
    }

    /// Says goodbye, so that the Last Will is not spoken.
    pub(super) fn disconnect(&self) -> Result<(), Gone> {
        match self {
            Self::V4(sender) => sender.try_disconnect().map_err(|_| Gone),
            Self::V5(sender) => sender.try_disconnect().map_err(|_| Gone),
        }
    }
}

impl Connection {
    /// The next thing that happens. Must not be cancelled while the link is to last: a poll that is cut off in a flush
    /// leaves bytes behind.
    pub(super) async fn next(&mut self) -> Result<Signal, LinkError> {
        loop {
            let signal = match self {
                Self::V4(connection) => {
                    signal(connection.poll().await.map_err(|error| LinkError::V4(Box::new(error)))?)
                }
                Self::V5(connection) => {
                    signal5(connection.poll().await.map_err(|error| LinkError::V5(Box::new(error)))?)
                }
            };
            if let Some(signal) = signal {
                return Ok(signal);
            }
        }
    }
}

fn signal(event: v4::Event) -> Option<Signal> {
    match event {
        v4::Event::Incoming(Packet::ConnAck(_)) => Some(Signal::Connected(None)),
        v4::Event::Outgoing(outgoing) => sent(&outgoing),
        v4::Event::Incoming(Packet::PubAck(ack)) => Some(Signal::Acknowledged(ack.pkid)),
        v4::Event::Incoming(Packet::Publish(heard)) => {
            Some(self::heard(heard.topic, &heard.payload, heard.retain, None))
        }
        v4::Event::Incoming(_) => None,
    }
}

fn signal5(event: v5::Event) -> Option<Signal> {
    match event {
        v5::Event::Incoming(Packet5::ConnAck(answer)) => {
            let most = answer.properties.and_then(|properties| properties.max_packet_size);
            Some(Signal::Connected(most.map(|bytes| bytes as usize)))
        }
        v5::Event::Outgoing(outgoing) => sent(&outgoing),
        v5::Event::Incoming(Packet5::PubAck(ack)) => Some(match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Signal::Acknowledged(ack.pkid),
            other => Signal::Refused(ack.pkid, format!("{other:?}")),
        }),
        v5::Event::Incoming(Packet5::Publish(heard)) => {
            let properties = heard.properties.unwrap_or_default();
            let correlation = properties.correlation_data.unwrap_or_default().to_vec();
            let reply = properties.response_topic.map(|topic| (topic, correlation));
            // What is no UTF-8 is no topic of ours either.
            let topic = String::from_utf8_lossy(&heard.topic).into_owned();
            Some(self::heard(topic, &heard.payload, heard.retain, reply))
        }
        v5::Event::Incoming(_) => None,
    }
}

fn sent(outgoing: &Outgoing) -> Option<Signal> {
    match outgoing {
        Outgoing::Publish(id) => Some(Signal::Sent(*id)),
        Outgoing::Disconnect => Some(Signal::Disconnected),
        _ => None,
    }
}

fn heard(topic: String, payload: &[u8], retained: bool, reply: Option<(String, Vec<u8>)>) -> Signal {
    let size = payload.len();
    let payload = if size <= MAX_HEARD { payload.to_vec() } else { Vec::new() };
    Signal::Heard(Heard { topic, payload, size, retained, reply })
}
