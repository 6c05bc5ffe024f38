//! `lookout watch`: what a lookout publishes, as lines that people can read.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use super::place;
use crate::config::file::server;

/// Arguments of `lookout watch`.
#[derive(clap::Args)]
pub struct WatchArgs {
    /// The broker: mqtt://host:port
    #[arg(long, default_value = "mqtt://127.0.0.1:1883")]
    mqtt: String,
    /// First part of the topics
    #[arg(long, default_value = "lookout")]
    base: String,
    /// Only this device
    #[arg(long, default_value = "+")]
    device: String,
}

pub(super) fn run(args: WatchArgs) -> anyhow::Result<()> {
    let (host, port, secure) = server(&args.mqtt).map_err(|problem| anyhow::anyhow!("--mqtt {problem}"))?;
    anyhow::ensure!(!secure, "lookout watch reads plain mqtt:// only; use mosquitto_sub for mqtts://");
    let mut options = MqttOptions::new(format!("lookout-watch-{}", std::process::id()), host, port);
    options.set_keep_alive(Duration::from_secs(30)).set_max_packet_size(4 << 20, 1 << 16);
    let (client, mut connection) = Client::new(options, 10);
    let topics = format!("{}/{}/#", args.base, args.device);
    for message in connection.iter() {
        match message {
            Ok(Event::Incoming(Packet::ConnAck(_))) => client.subscribe(&topics, QoS::AtLeastOnce)?,
            Ok(Event::Incoming(Packet::Publish(message))) => {
                let time = Timestamp::now().to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
                println!("{time}  {:<44} {}", message.topic, readable(&message.topic, &message.payload));
            }
            Ok(_) => {}
            Err(error) => return Err(error).with_context(|| format!("lost the broker at {}", args.mqtt)),
        }
    }
    Ok(())
}

/// One line for a message: events in words, pictures by their size, the rest as it is.
fn readable(topic: &str, payload: &[u8]) -> String {
    match topic.rsplit('/').next() {
        Some("snapshot") => format!("(picture, {} kB)", payload.len().div_ceil(1000)),
        Some("events") => serde_json::from_slice(payload).map_or_else(|_| plain(payload), |event| in_words(&event)),
        _ => plain(payload),
    }
}

fn plain(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn in_words(event: &Value) -> String {
    let number = |key: &str| event[key].as_f64().unwrap_or_default();
    let corner = |key: &str| event["box"][key].as_f64().unwrap_or_default();
    let x = place::column((corner("x0") + corner("x1")) / 2.0);
    let phrase = event["phrase"].as_str().unwrap_or("something");
    let score = number("score") * 100.0;
    match event["type"].as_str() {
        Some("new") => format!("NEW     {phrase}, {score:.0} %, {x}"),
        Some("end") => format!("END     {phrase}, after {:.1} s", number("duration_s")),
        _ => format!("UPDATE  {phrase}, {score:.0} %, {x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_words() {
        let event = br#"{"type":"new","phrase":"a dog","score":0.913,"box":{"x0":0.8,"x1":0.9}}"#;
        assert_eq!(readable("lookout/d/c/events", event), "NEW     a dog, 91 %, right");
        assert_eq!(readable("lookout/d/c/dog/snapshot", &[0; 1500]), "(picture, 2 kB)");
        assert_eq!(readable("lookout/d/c/dog/state", b"ON"), "ON");
        assert_eq!(readable("lookout/d/c/events", b"no\x07 json"), "no json");
    }
}
