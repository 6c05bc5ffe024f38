//! What tests start and speak to: brokers, cameras, hubs, the program itself.

pub mod hub;
pub mod mosquitto;
pub mod mqtt;
pub mod onnx;
pub mod program;
pub mod proxy;
pub mod repository;
pub mod rtsp;

/// The model of rendered streets: the answer that each rendered scene of the tests should get is known of it.
pub const RENDERED_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/demo");

/// [`RENDERED_MODEL`], opened.
pub fn rendered_model() -> lookout::clip::Model {
    lookout::clip::Model::open(std::path::Path::new(RENDERED_MODEL)).expect("the model of rendered streets opens")
}
