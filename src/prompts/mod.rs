//! Prompts: phrases become embeddings once, and tiles are scored against them, on this camera's own scale.

pub mod background;
pub mod bank;
pub mod calibration;
pub mod phrase;
pub mod temperature;
pub mod usual;

pub use bank::{PromptBank, Score};
pub use calibration::{Calibration, Explained};
