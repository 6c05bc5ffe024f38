//! Prompts: phrases become embeddings once, and tiles are scored against them.

pub mod bank;
pub mod paraphrase;
pub mod phrase;

pub use bank::{PromptBank, Score};
