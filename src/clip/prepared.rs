//! What was found out about a model on this machine, kept beside its folder for the next start.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calibration::Calibration;
use super::error::ModelError;
use super::manifest::Manifest;
use super::ops::kernels;
use super::ready;

/// Changes whenever what is kept would be understood otherwise.
const FORM: &str = "2";
/// How the names of such files end.
const CALIBRATION: &str = ".json";
const PHRASES: &str = ".phrases.json";

/// The file beside a model's folder whose name holds all that its content depends on, so that one of another file, program
/// or processor is never taken for it.
fn beside(folder: &Path, parts: &[&[u8]], ending: &str) -> Option<PathBuf> {
    let of_program = [FORM.as_bytes(), env!("CARGO_PKG_VERSION").as_bytes()];
    kept_as(folder, &[&of_program, parts].concat(), ending)
}

/// A file beside a model's folder, named by these parts.
pub(super) fn kept_as(folder: &Path, parts: &[&[u8]], ending: &str) -> Option<PathBuf> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let key: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // A folder named `.` or `..` has a name too.
    let folder = folder.canonicalize().ok()?;
    let name = folder.file_name()?.to_string_lossy();
    Some(folder.parent()?.join(".prepared").join(format!("{name}-{key}{ending}")))
}

/// What a file is known by that is not read for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    bytes: u64,
    /// Since 1970.
    modified: Duration,
}

impl Identity {
    /// Of a file as it is now.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let data = path.metadata()?;
        Ok(Self { bytes: data.len(), modified: data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default() })
    }
}

/// Where the embeddings of a model's phrases are kept.
pub(super) struct PhrasePlace(PathBuf);

impl PhrasePlace {
    /// For the model in a folder with that manifest, and with the files that the embeddings depend on as they are now: those
    /// without a hash in the manifest are known by their sizes and times.
    pub(super) fn new(folder: &Path, manifest: &Manifest) -> Option<Self> {
        let files = &manifest.files;
        let mut parts = vec![serde_json::to_vec(&manifest.text).ok()?];
        for file in [&files.text, &files.tokenizer].into_iter().chain(&files.weights) {
            parts.push(match &file.sha256 {
                Some(hash) => hash.to_lowercase().into_bytes(),
                None => serde_json::to_vec(&Identity::of(&folder.join(&file.path)).ok()?).ok()?,
            });
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        beside(folder, &parts, PHRASES).map(Self)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Where the calibration of a tower is kept.
pub(super) struct Place(Option<PathBuf>);

impl Place {
    /// For the tower of a model in a folder, with the hash of that file's content. What is embedded has no place.
    pub(super) fn new(folder: Option<&Path>, hash: &str, outputs: &[&str]) -> Self {
        let (bytes, floats) = kernels();
        let parts = [hash.as_bytes(), bytes.as_bytes(), floats.as_bytes()];
        let parts: Vec<&[u8]> = parts.into_iter().chain(outputs.iter().map(|output| output.as_bytes())).collect();
        Self(folder.and_then(|folder| beside(folder, &parts, CALIBRATION)))
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

/// A file that is kept about a model.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it is for, for people.
    pub purpose: &'static str,
}

/// All that is kept about the model in a folder, in the order of names.
pub fn kept(folder: &Path) -> Vec<Kept> {
    // A folder named `.` or `..` has a name too; one that has just been removed is known by what it was called.
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let Some((name, shelf)) = whole.file_name().zip(whole.parent()) else { return Vec::new() };
    let begins = format!("{}-", name.to_string_lossy());
    let all = std::fs::read_dir(shelf.join(".prepared")).into_iter().flatten().flatten();
    // The key after the name has no dash: a longer name is another model's.
    let own = |file: &str| file.strip_prefix(&begins).is_some_and(|key| !key.contains('-'));
    let one = |entry: std::fs::DirEntry| {
        let file = entry.file_name().to_string_lossy().into_owned();
        let purpose = if file.ends_with(ready::ENDING) {
            "the image tower in 8 bits, ready for the next start"
        } else if file.ends_with(PHRASES) {
            "embeddings of phrases"
        } else if file.ends_with(CALIBRATION) {
            "which layers bear 8 bits"
        } else {
            "left over from a start that was broken off"
        };
        let bytes = entry.metadata().map(|data| data.len()).unwrap_or_default();
        own(&file).then(|| Kept { path: entry.path(), bytes, purpose })
    };
    let mut kept: Vec<Kept> = all.filter_map(one).collect();
    kept.sort_by(|a, b| a.path.cmp(&b.path));
    kept
}

/// Removes all that is kept about the model in a folder.
pub fn forget(folder: &Path) {
    for kept in kept(folder) {
        let _ = std::fs::remove_file(kept.path);
    }
}

/// Whole or not at all.
pub(super) fn keep(path: &Path, what: &impl Serialize) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("part{}", std::process::id()));
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
        for name in ["clip-0a1b.json", "clip-0a1b.phrases.json", "clip-0a1b.part12", "clip-small-0a1b.json"] {
            keep(&shelf.join(name), &[1.0]).expect("keeps");
        }
        std::fs::write(shelf.join("clip-2c3d.tower"), [0; 10]).expect("writes");
        let kept: Vec<_> =
            kept(&folder.path().join("clip")).into_iter().map(|kept| (kept.bytes, kept.purpose)).collect();
        assert_eq!((kept.len(), kept[3].0), (4, 10), "{kept:?}");
        assert!(kept[3].1.contains("image tower") && kept[2].1.contains("phrases"), "{kept:?}");
        forget(&folder.path().join("clip"));
        let left: Vec<_> = std::fs::read_dir(shelf).expect("reads").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["clip-small-0a1b.json"]);
    }
}
