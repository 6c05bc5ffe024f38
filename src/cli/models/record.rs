//! What was recorded on the first pull of files whose hash the catalogue does not know, and is held to after that.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::fetch::Got;
use super::stage::write_whole;
use crate::clip::catalog::{Entry, RemoteFile};

const NAME: &str = "recorded.toml";
const HEAD: &str = "# What files of the catalogue were on their first pull; later pulls are held to it. `lookout models pull NAME --renew` takes\n\
     # what the server has by then.\n";

/// What is recorded in a models folder.
pub(super) struct Records {
    path: PathBuf,
}

#[derive(Default, Deserialize, Serialize)]
struct Content {
    #[serde(default, rename = "file")]
    files: Vec<Record>,
}

/// One file of a repository, as it was.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Record {
    repo: String,
    /// As in the catalogue.
    revision: String,
    path: String,
    /// What the revision stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Record {
    pub(super) fn new(entry: &Entry, file: &RemoteFile, got: &Got) -> Self {
        Self {
            repo: entry.repo.clone(),
            revision: entry.revision.clone(),
            path: file.path.clone(),
            commit: got.commit.clone(),
            size: got.size,
            sha256: got.sha256.clone(),
        }
    }

    fn is_of(&self, entry: &Entry, path: &str) -> bool {
        self.repo == entry.repo && self.revision == entry.revision && self.path == path
    }
}

impl Records {
    /// Those of a models folder.
    pub(super) fn of(library: &Path) -> Self {
        Self { path: library.join(NAME) }
    }

    /// What is recorded of a file.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub(super) fn find(&self, entry: &Entry, path: &str) -> anyhow::Result<Option<Record>> {
        Ok(self.read()?.files.into_iter().find(|record| record.is_of(entry, path)))
    }

    /// Records these, in place of what was recorded of the same files.
    ///
    /// # Errors
    /// If the records cannot be read or written.
    pub(super) fn add(&self, entry: &Entry, new: Vec<Record>) -> anyhow::Result<()> {
        // Two pulls may end at the same time.
        let lock = self.path.with_extension("lock");
        let lock = File::create(&lock).and_then(|file| file.lock().map(|()| file));
        let _lock = lock.with_context(|| format!("cannot lock {}", self.path.display()))?;
        let mut content = self.read()?;
        content.files.retain(|record| new.iter().all(|new| !record.is_of(entry, &new.path)));
        content.files.extend(new);
        let text = format!("{HEAD}\n{}", toml::to_string(&content)?);
        write_whole(&self.path, &text).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn read(&self) -> anyhow::Result<Content> {
        let name = || self.path.display().to_string();
        match std::fs::read_to_string(&self.path) {
            Ok(text) => toml::from_str(&text).with_context(|| format!("{} cannot be understood", name())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Content::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", name())),
        }
    }
}
