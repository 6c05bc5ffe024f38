//! Prompts: phrases become embeddings once, and tiles are scored against them.

pub mod bank;
mod count;
pub mod examples;
pub mod phrase;
mod places;
pub mod relation;
pub mod understood;

pub use bank::{PromptBank, Score};
pub use examples::Examples;
pub use relation::Relation;
pub use understood::Understood;
