//! What tests start and speak to: brokers, cameras, hubs, the program itself.

pub mod hub;
pub mod mosquitto;
pub mod mqtt;
pub mod onnx;
pub mod program;
pub mod proxy;
pub mod repository;
pub mod rtsp;
