//! Sparkplug's payloads: the part of its `sparkplug_b.proto` that is spoken here. What else comes is skipped.

use prost::{Message, Oneof};

/// What every message but a host's `STATE` holds.
#[derive(Clone, PartialEq, Message)]
pub struct Payload {
    /// When it was made, milliseconds since 1970, UTC.
    #[prost(uint64, optional, tag = "1")]
    pub timestamp: Option<u64>,
    /// What it tells.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
    /// Counts the messages since the node's birth, 0..=255; absent in its death and in commands.
    #[prost(uint64, optional, tag = "3")]
    pub seq: Option<u64>,
}

/// One value.
#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    /// Its name; absent in data where it has an alias.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// A number for its name, unique within the node.
    #[prost(uint64, optional, tag = "2")]
    pub alias: Option<u64>,
    /// Since when it is so, milliseconds since 1970, UTC.
    #[prost(uint64, optional, tag = "3")]
    pub timestamp: Option<u64>,
    /// A [`DataType`]; absent in data, since the birth has told.
    #[prost(uint32, optional, tag = "4")]
    pub datatype: Option<u32>,
    /// It is not known.
    #[prost(bool, optional, tag = "7")]
    pub is_null: Option<bool>,
    /// The value.
    #[prost(oneof = "Value", tags = "10, 11, 12, 14, 15")]
    pub value: Option<Value>,
}

/// A metric's value.
#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    /// Up to 32 bits.
    #[prost(uint32, tag = "10")]
    Int(u32),
    /// Up to 64 bits, and times.
    #[prost(uint64, tag = "11")]
    Long(u64),
    /// A real number.
    #[prost(float, tag = "12")]
    Float(f32),
    /// True or false.
    #[prost(bool, tag = "14")]
    Boolean(bool),
    /// Text.
    #[prost(string, tag = "15")]
    Text(String),
}

/// Sparkplug's numbers for the types in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DataType {
    /// 64 bits with a sign.
    Int64 = 4,
    /// 32 bits without one.
    UInt32 = 7,
    /// 32-bit real.
    Float = 9,
    /// True or false.
    Boolean = 11,
    /// UTF-8.
    String = 12,
    /// Milliseconds since 1970, UTC.
    DateTime = 13,
}
