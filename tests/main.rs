//! All tests of the program from outside, in one binary: each that links the encoder is large, and slow to link.

mod calibration;
mod capture;
mod change;
mod clip;
mod commands;
mod config;
mod eval;
mod events;
mod examples;
mod homeassistant;
mod model;
mod models;
mod mqtt;
mod mqtt5;
mod outbox;
mod passing;
mod payloads;
mod program;
mod relations;
mod scenes;
mod sparkplug;
mod street;
mod support;
mod tidy;
mod tracks;
mod r#try;
