//! Prompts: phrases become embeddings once, and tiles are scored against them, on this camera's own scale.

pub mod background;
pub mod bank;
pub mod calibration;
mod count;
pub mod examples;
pub mod paraphrase;
pub mod phrase;
pub mod phrase_space;
mod places;
pub mod relation;
pub mod understood;
pub mod usual;

pub use bank::{PromptBank, Score};
pub use calibration::{Calibration, Explained};
pub use examples::Examples;
pub use phrase_space::PhraseSpace;
pub use relation::Relation;
pub use understood::Understood;
