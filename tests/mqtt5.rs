//! What only MQTT 5 tells: media types, expiry, user properties, answers with correlation data.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lookout::mqtt::{Asked, Refusal, Request};
use lookout::track::EventKind;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, PublishProperties};
use rumqttc::v5::{Client, Event, MqttOptions};
use serde_json::Value;

use crate::support::mosquitto::Mosquitto;
use crate::support::mqtt::{Device, event, in_memory, name, settings};

const SOON: Duration = Duration::from_secs(20);

/// A client of MQTT 5 that hears everything below `lookout`.
struct Hears {
    client: Client,
    heard: Receiver<Publish>,
}

impl Hears {
    /// Returns when the broker has confirmed the subscription: what is not retained would be missed before.
    fn new(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("hears-{}", fastrand::u64(..)), "127.0.0.1", port);
        options.set_max_packet_size(Some(4 << 20));
        let (client, mut connection) = Client::new(options, 10);
        client.subscribe("lookout/#", QoS::AtLeastOnce).expect("queued");
        let (tell, heard) = channel();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            for message in connection.iter() {
                match message {
                    Ok(Event::Incoming(Packet::SubAck(_))) => drop(ready.send(())),
                    Ok(Event::Incoming(Packet::Publish(publish))) if tell.send(publish.clone()).is_err() => break,
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        });
        is_ready.recv_timeout(SOON).expect("the broker confirms");
        Self { client, heard }
    }

    fn find(&self, topic: &str) -> (PublishProperties, Vec<u8>) {
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let publish = self.heard.recv_timeout(left).unwrap_or_else(|error| panic!("nothing on {topic}: {error}"));
            if publish.topic == topic.as_bytes() {
                return (publish.properties.unwrap_or_default(), publish.payload.to_vec());
            }
        }
    }

    fn ask(&self, topic: &str, payload: &str, reply: &str) {
        let properties = PublishProperties {
            response_topic: Some(reply.to_owned()),
            correlation_data: Some(vec![0, 159, 7].into()),
            ..PublishProperties::default()
        };
        let payload = payload.to_owned();
        self.client.publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties).expect("queued");
    }
}

#[test]
fn messages_carry_their_type_expiry_and_user_properties() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let device = Device::start(settings(broker.port), &in_memory());
    device.publisher.event(&event(EventKind::New, 0)).expect("stored");
    device.publisher.snapshot(&name("gate"), &name("dog"), vec![7; 1000]);
    let (properties, _) = hears.find("lookout/hof/gate/events");
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert!(properties.message_expiry_interval.is_some_and(|seconds| (3500..=3600).contains(&seconds)));
    let user: Vec<_> = properties.user_properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(user, [("type", "new"), ("prompt", "dog"), ("severity", "detection"), ("historical", "false")]);
    // It is retained, and may have come before the event.
    let (properties, _) = Hears::new(broker.port).find("lookout/hof/gate/dog/snapshot");
    assert_eq!((properties.content_type.as_deref(), properties.message_expiry_interval), (Some("image/jpeg"), None));
}

/// The next request, answered as the program would.
fn followed(device: &Device) -> Request {
    let request = device.requests.recv_timeout(SOON).expect("heard");
    device.publisher.answer(&request.asker);
    request
}

#[test]
fn a_request_is_answered_where_it_asks_for_it() {
    let broker = Mosquitto::start();
    let hears = Hears::new(broker.port);
    let device = Device::start(settings(broker.port), &in_memory());
    hears.find("lookout/hof/status");
    // What is subscribed to is confirmed before the status is.
    hears.ask("lookout/hof/gate/enabled/set", "OFF", "lookout/hof/answers/me");
    assert!(matches!(followed(&device).asked, Asked::Change { .. }));
    let (properties, payload) = hears.find("lookout/hof/answers/me");
    assert_eq!(properties.correlation_data.as_deref(), Some(&[0, 159, 7][..]));
    let answer: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(answer["faults"], Value::Array(Vec::new()));

    hears.ask("lookout/hof/gate/nonsense/set", "OFF", "lookout/hof/answers/me");
    let (properties, payload) = hears.find("lookout/hof/errors");
    assert_eq!(properties.correlation_data.as_deref(), Some(&[0, 159, 7][..]));
    assert!(String::from_utf8_lossy(&payload).contains("should name settings"));
    assert_eq!(hears.find("lookout/hof/answers/me").1, payload);

    // Whoever may command this device may not speak through it elsewhere.
    for elsewhere in ["lookout/other/status", "lookout/hof/status", "homeassistant/x", "lookout/hof/answers/"] {
        hears.ask("lookout/hof/gate/enabled/set", "ON", elsewhere);
        let request = followed(&device);
        assert_eq!(request.asker.reply, None, "{elsewhere}");
    }
    let refusal = Refusal { asker: followed_asker(&hears, &device), faults: Vec::new() };
    device.publisher.refuse(&refusal);
    hears.find("lookout/hof/answers/again");
}

fn followed_asker(hears: &Hears, device: &Device) -> lookout::mqtt::Asker {
    hears.ask("lookout/hof/gate/rate/set", "1", "lookout/hof/answers/again");
    device.requests.recv_timeout(SOON).expect("heard").asker
}
