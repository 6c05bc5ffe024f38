//! What was found out about a model on this machine, kept beside its folder for the next start.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::calibration::Calibration;
use super::error::ModelError;
use super::manifest::Files;
use super::ops::kernels;

/// Changes whenever what is kept would be understood otherwise.
const FORM: &str = "1";

/// The file beside a model's folder whose name holds all that its content depends on, so that one of another file, program
/// or processor is never taken for it.
fn beside(folder: &Path, parts: &[&[u8]], ending: &str) -> Option<PathBuf> {
    let mut hash = Sha256::new();
    for part in [FORM.as_bytes(), env!("CARGO_PKG_VERSION").as_bytes()].iter().chain(parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let key: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // A folder named `.` or `..` has a name too.
    let folder = folder.canonicalize().ok()?;
    let name = folder.file_name()?.to_string_lossy();
    Some(folder.parent()?.join(".prepared").join(format!("{name}-{key}{ending}")))
}

/// Where the embeddings of a model's phrases are kept.
pub(super) struct PhrasePlace(PathBuf);

impl PhrasePlace {
    /// For the model in a folder, if its manifest says by hash which text tower and tokenizer it has.
    pub(super) fn new(folder: &Path, files: &Files) -> Option<Self> {
        let (text, tokenizer) = (files.text.sha256.as_deref()?, files.tokenizer.sha256.as_deref()?);
        beside(folder, &[text.as_bytes(), tokenizer.as_bytes()], ".phrases.json").map(Self)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Where the calibration of a tower is kept.
pub(super) struct Place(Option<PathBuf>);

impl Place {
    /// For the tower of a model in a folder, with that file's content. What is embedded has no place.
    pub(super) fn new(folder: Option<&Path>, onnx: &[u8], outputs: &[&str]) -> Self {
        let (bytes, floats) = kernels();
        let parts = [onnx, bytes.as_bytes(), floats.as_bytes()];
        let parts: Vec<&[u8]> = parts.into_iter().chain(outputs.iter().map(|output| output.as_bytes())).collect();
        Self(folder.and_then(|folder| beside(folder, &parts, ".json")))
    }

    /// The calibration that is kept here, or that `find` finds, which is kept then. `anew` finds it in any case.
    ///
    /// # Errors
    /// As `find`. One that cannot be read is found anew; one that cannot be kept will be found at the next start too.
    pub(super) fn calibration(
        &self,
        anew: bool,
        find: impl FnOnce() -> Result<Calibration, ModelError>,
    ) -> Result<Calibration, ModelError> {
        let Some(path) = &self.0 else { return find() };
        let kept = || serde_json::from_slice(&std::fs::read(path).ok()?).ok();
        if let Some(kept) = (!anew).then(kept).flatten() {
            return Ok(kept);
        }
        let found = find()?;
        if let Err(error) = keep(path, &found) {
            tracing::warn!("the calibration cannot be kept at {} ({error}) and is found at each start", path.display());
        }
        Ok(found)
    }
}

/// Removes all that is kept about the model in a folder.
pub fn forget(folder: &Path) {
    let Some((name, shelf)) = folder.file_name().zip(folder.parent()) else { return };
    let begins = format!("{}-", name.to_string_lossy());
    let all = std::fs::read_dir(shelf.join(".prepared")).into_iter().flatten().flatten();
    // The key after the name has no dash: a longer name is another model's.
    let own = |file: &str| file.strip_prefix(&begins).is_some_and(|key| !key.contains('-'));
    for entry in all.filter(|entry| own(&entry.file_name().to_string_lossy())) {
        let _ = std::fs::remove_file(entry.path());
    }
}

/// Whole or not at all.
pub(super) fn keep(path: &Path, what: &impl Serialize) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let written = std::fs::write(&part, serde_json::to_vec(what)?).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // A full disk needs no half files.
        let _ = std::fs::remove_file(part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("kept.json");
        std::fs::create_dir(&taken).expect("a folder in its place");
        assert!(keep(&taken, &[1.0]).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 1);
    }

    #[test]
    fn forgetting_a_model_spares_one_whose_name_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = folder.path().join(".prepared");
        for name in ["clip-0a1b.json", "clip-0a1b.phrases.json", "clip-small-0a1b.json"] {
            keep(&shelf.join(name), &[1.0]).expect("keeps");
        }
        forget(&folder.path().join("clip"));
        let left: Vec<_> = std::fs::read_dir(shelf).expect("reads").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["clip-small-0a1b.json"]);
    }
}
