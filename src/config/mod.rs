//! Configuration: the file as people write it, and the settings that the program runs on.

pub mod camera;
pub mod changes;
pub mod device;
mod example;
pub mod file;
mod mqtt;
mod prompt;
pub mod settings;
pub mod show;
mod source;
pub mod sparkplug;
pub mod table;
mod topics;
pub mod written;

pub use changes::Changes;
pub use file::{ConfigError, default, load, parse};
pub use written::{Laid, Written};
