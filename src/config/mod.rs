//! Configuration: the file as people write it, and the settings that the program runs on.

pub mod settings;
mod source;
