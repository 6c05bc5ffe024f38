//! CLIP: a model folder becomes an image encoder and a text encoder into one space (Radford et al., 2021).

pub mod catalog;
pub mod embedded;
pub mod embedding;
pub mod error;
pub mod export;
pub mod huggingface;
pub mod image;
pub mod library;
pub mod manifest;
mod onnx;
pub mod package;
pub mod preprocess;
pub mod text;
pub mod tokenizer;

pub use catalog::Catalogue;
pub use embedding::Embedding;
pub use error::ModelError;
pub use image::{ImageEncoder, TileEncoder};
pub use library::Library;
pub use manifest::Manifest;
pub use package::Model;
pub use text::TextEncoder;
