//! Sparkplug B: the same states once more, as hosts of industrial plants take them. The device is an *edge node*, its
//! cameras are the node's *devices*.
//!
//! A connection has one Last Will, and Sparkplug's must be the node's death: so it has a connection of its own, which
//! neither waits for the other nor holds it up. Nothing of it is stored; what is lost, a host asks for by a *rebirth*.
//!
//! Source: Eclipse Sparkplug Specification, version 3.0.0.

mod metrics;
mod node;
mod session;
pub mod wire;

pub(super) use node::Node;
pub(super) use session::keep_connected;
