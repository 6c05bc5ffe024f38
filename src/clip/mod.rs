//! CLIP: a model folder becomes an image encoder and a text encoder into one space.

pub mod embedding;

pub use embedding::Embedding;
