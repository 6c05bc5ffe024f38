//! CLIP: a model folder becomes an image encoder and a text encoder into one space (Radford et al., 2021).

pub mod calibration;
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
mod ops;
pub mod package;
pub mod phrases;
mod pictures;
pub mod prepared;
pub mod preprocess;
mod quantised;
mod ready;
mod skeleton;
pub mod text;
pub mod tokenizer;
mod tower;
mod turns;
mod workers;

pub use catalog::Catalogue;
pub use embedding::Embedding;
pub use error::ModelError;
pub use image::{Crop, ImageEncoder, RefinedBox, Running, TileEncoder};
pub use library::Library;
pub use manifest::Manifest;
pub use manifest::Precision;
pub use package::Model;
pub use phrases::Phrases;
pub use text::TextEncoder;
