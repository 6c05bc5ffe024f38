//! MQTT: topics, payloads, and the *publisher*, which brings events and retained states to the broker.
//!
//! Events go through the store's outbox and are sent until acknowledged, at least once and in order. States go through
//! the [`board`], where the newest value of a topic replaces the one that waits.

pub mod answer;
pub mod board;
pub mod client;
pub mod command;
pub mod error;
pub mod evidence;
pub mod homeassistant;
mod lanes;
mod link;
pub mod payload;
pub mod publisher;
mod session;
mod shared;
pub mod sparkplug;
pub mod stats;
pub mod topics;

pub use answer::Standing;
pub use client::probe;
pub use command::{Asked, Asker, Refusal, Request};
pub use error::MqttError;
pub use homeassistant::Discovery;
pub use publisher::{MqttPublisher, Publisher};
pub use stats::Stats;
pub use topics::Topics;
