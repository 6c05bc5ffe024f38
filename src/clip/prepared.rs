//! What was found out about a model on this machine, kept beside its folder for the next start.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::calibration::Calibration;
use super::error::ModelError;
use super::ops::kernels;

/// Changes whenever what is kept would be understood otherwise.
const FORM: &str = "1";

/// Where the calibration of a tower is kept. It is named by all that it depends on, so that one of another file, program or
/// processor is never taken for it.
pub(super) struct Place(Option<PathBuf>);

impl Place {
    /// For a tower in a file with that content. What is embedded has no place.
    pub(super) fn new(file: &str, onnx: &[u8], outputs: &[&str]) -> Self {
        let folder = Path::new(file).parent().filter(|_| Path::new(file).is_file());
        let Some((folder, shelf)) = folder.and_then(|folder| Some((folder.file_name()?, folder.parent()?))) else {
            return Self(None);
        };
        let (bytes, floats) = kernels();
        let mut hash = Sha256::new();
        hash.update(onnx);
        [FORM, env!("CARGO_PKG_VERSION"), &bytes, &floats].iter().chain(outputs).for_each(|part| {
            hash.update([0]);
            hash.update(part);
        });
        let key: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{}-{key}.json", folder.to_string_lossy());
        Self(Some(shelf.join(".prepared").join(name)))
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

/// Whole or not at all.
fn keep(path: &Path, calibration: &Calibration) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&part, serde_json::to_vec(calibration)?)?;
    std::fs::rename(part, path)
}
