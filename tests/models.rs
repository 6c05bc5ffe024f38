//! Models as people get them: the catalogue, pulled from a real server or a mirror, imported, named in the configuration.

#[path = "models/faults.rs"]
mod faults;
#[path = "support/hub.rs"]
mod hub;
#[path = "models/import.rs"]
mod import;
#[path = "models/installed.rs"]
mod installed;
#[path = "support/onnx.rs"]
mod onnx;
#[path = "models/pull.rs"]
mod pull;
#[path = "support/repository.rs"]
mod repository;
