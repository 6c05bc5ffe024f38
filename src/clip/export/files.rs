//! Where an export's files lie.

use std::path::{Path, PathBuf};

use super::{Given, fault};
use crate::clip::error::ModelError;
use crate::clip::library::is_inner;

/// Both towers in one file, as the exporters name it.
const ONE_FILE: &[&str] = &["model.onnx", "onnx/model.onnx"];
/// One file a tower, as the exporters name them.
const TWO_FILES: &[(&str, &str)] = &[
    ("vision_model.onnx", "text_model.onnx"),
    ("onnx/vision_model.onnx", "onnx/text_model.onnx"),
    ("visual/model.onnx", "textual/model.onnx"),
];
/// Words in file names of either tower.
const IMAGE_WORDS: &[&str] = &["vision", "visual", "image", "img"];
const TEXT_WORDS: &[&str] = &["text", "textual", "txt"];
/// Ends of the names of smaller copies that lie beside the full model.
const REDUCED: &[&str] =
    &["fp16", "bf16", "int8", "uint8", "qint8", "quint8", "quantized", "q4", "q4f16", "q8", "bnb4", "f16"];
/// Folders within the folder that are searched.
const DEPTH: usize = 2;

/// The files of an export.
#[derive(Debug)]
pub(super) struct Places {
    /// ONNX with the image tower, within the folder.
    pub(super) image: String,
    /// ONNX with the text tower, within the folder; may be the same.
    pub(super) text: String,
    /// The tokenizer, wherever it is.
    pub(super) tokenizer: PathBuf,
    /// Where it goes in the model's folder.
    pub(super) tokenizer_name: String,
}

/// Finds them.
pub(super) fn find(folder: &Path, given: &Given) -> Result<Places, ModelError> {
    if !folder.is_dir() {
        return Err(fault(folder, "", "is no folder"));
    }
    for path in [&given.image_file, &given.text_file].into_iter().flatten() {
        if !is_inner(path) || !folder.join(path).is_file() {
            return Err(fault(folder, path, "is no file within the export's folder"));
        }
    }
    let (image, text) = match (&given.image_file, &given.text_file) {
        (Some(image), Some(text)) => (image.clone(), text.clone()),
        (Some(one), None) => (one.clone(), graphs(folder)?.1),
        (None, Some(one)) => (graphs(folder)?.0, one.clone()),
        (None, None) => graphs(folder)?,
    };
    let (tokenizer, tokenizer_name) = tokenizer(folder, &text, given)?;
    Ok(Places { image, text, tokenizer, tokenizer_name })
}

fn graphs(folder: &Path) -> Result<(String, String), ModelError> {
    let there = |file: &&str| folder.join(file).is_file();
    if let Some(one) = ONE_FILE.iter().copied().find(there) {
        return Ok((one.to_owned(), one.to_owned()));
    }
    if let Some((image, text)) = TWO_FILES.iter().find(|(image, text)| there(image) && there(text)) {
        return Ok(((*image).to_owned(), (*text).to_owned()));
    }
    let all = onnx_files(folder, "", DEPTH);
    let full: Vec<&String> = all.iter().filter(|file| !is_reduced(file)).collect();
    let of = |own: &[&str], other: &[&str]| -> Vec<&String> {
        let has = |file: &str, words: &[&str]| words_of(file).iter().any(|word| words.contains(&word.as_str()));
        full.iter().copied().filter(|file| has(file, own) && !has(file, other)).collect()
    };
    match (full.as_slice(), of(IMAGE_WORDS, TEXT_WORDS).as_slice(), of(TEXT_WORDS, IMAGE_WORDS).as_slice()) {
        (_, [image], [text]) => Ok(((*image).clone(), (*text).clone())),
        ([one], [], []) => Ok(((*one).clone(), (*one).clone())),
        _ if all.is_empty() => Err(fault(folder, "", "holds no ONNX file; export the model to ONNX first")),
        _ => Err(fault(
            folder,
            "",
            format!(
                "it is not clear which of its ONNX files is which tower: {}; say it with --image-file and --text-file (the \
                 same for both if one file holds both)",
                all.join(", ")
            ),
        )),
    }
}

/// The words of a path: `mobileclip_s0_image.onnx` has `mobileclip`, `s0` and `image`.
fn words_of(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".onnx").unwrap_or(file).to_lowercase();
    stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_reduced(file: &str) -> bool {
    words_of(file).iter().any(|word| REDUCED.contains(&word.as_str()))
}

fn onnx_files(folder: &Path, inner: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join(inner)).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if inner.is_empty() { name.clone() } else { format!("{inner}/{name}") };
        if entry.path().is_dir() && depth > 1 && !name.starts_with('.') {
            found.extend(onnx_files(folder, &path, depth - 1));
        } else if name.ends_with(".onnx") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn tokenizer(folder: &Path, text: &str, given: &Given) -> Result<(PathBuf, String), ModelError> {
    const NAME: &str = "tokenizer.json";
    if let Some(path) = &given.tokenizer {
        let inside = path.to_str().filter(|path| is_inner(path) && folder.join(path).is_file());
        return match inside {
            Some(inner) => Ok((folder.join(inner), inner.to_owned())),
            None if path.is_file() => Ok((path.clone(), NAME.to_owned())),
            None => Err(fault(folder, &path.display().to_string(), "is no file; --tokenizer names a tokenizer.json")),
        };
    }
    let beside = Path::new(text).parent().and_then(Path::to_str).filter(|parent| !parent.is_empty());
    let beside = beside.map(|parent| format!("{parent}/{NAME}"));
    let found = std::iter::once(NAME.to_owned()).chain(beside).find(|file| folder.join(file).is_file());
    found.map(|file| (folder.join(&file), file)).ok_or_else(|| {
        let other = ["vocab.json", "bpe_simple_vocab_16e6.txt.gz", "merges.txt"];
        let seen = other.iter().find(|file| folder.join(file).is_file());
        let seen = seen.map(|file| format!(", only {file}, which is not enough")).unwrap_or_default();
        fault(
            folder,
            NAME,
            format!(
                "there is none{seen}; give one with --tokenizer FILE. CLIPs with 49,408 tokens, MobileCLIP among them, share \
                 theirs: that of any such Hugging Face CLIP will do"
            ),
        )
    })
}

/// Reads a file whole.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|e| ModelError::File { file: path.display().to_string(), problem: e.to_string() })
}
