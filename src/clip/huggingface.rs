//! A CLIP export without a manifest, used where it lies.

use std::path::Path;

use super::error::ModelError;
use super::export::{self, Given};
use super::manifest::Manifest;

/// Derives the manifest of an export's folder. What had to be assumed is logged.
///
/// # Errors
/// What is missing, or cannot be made sense of, and in which file.
pub fn manifest(folder: &Path) -> Result<Manifest, ModelError> {
    let survey = export::survey(folder, &Given::default(), &Given::default())?;
    for note in &survey.notes {
        tracing::warn!("{}: {note}", folder.display());
    }
    Ok(survey.manifest)
}
