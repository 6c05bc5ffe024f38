//! The embedded demo model: the files of `models/demo`, in the binary.

/// The bytes of one of its files. `None` if there is no such file.
pub fn file(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "manifest.toml" => include_bytes!("../../models/demo/manifest.toml"),
        "vision.onnx" => include_bytes!("../../models/demo/vision.onnx"),
        "text.onnx" => include_bytes!("../../models/demo/text.onnx"),
        "tokenizer.json" => include_bytes!("../../models/demo/tokenizer.json"),
        _ => return None,
    })
}
