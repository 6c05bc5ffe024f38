//! The embedded model: the files of `models/small`, in the binary.

/// The bytes of one of its files. `None` if there is no such file.
pub fn file(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "manifest.toml" => include_bytes!("../../models/small/manifest.toml"),
        "vision.onnx" => include_bytes!("../../models/small/vision.onnx"),
        "text.onnx" => include_bytes!("../../models/small/text.onnx"),
        "tokenizer.json" => include_bytes!("../../models/small/tokenizer.json"),
        _ => return None,
    })
}
