//! What tests start and speak to: brokers, cameras, hubs, the program itself.

pub mod hub;
pub mod mosquitto;
pub mod mqtt;
pub mod onnx;
pub mod program;
pub mod proxy;
pub mod repository;
pub mod rtsp;

/// The model of rendered streets, `models/demo`: the answer that each rendered scene of the tests should get is known of it.
pub fn rendered_model() -> lookout::clip::Model {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    lookout::clip::Model::open(&folder).expect("the model of rendered streets opens")
}
