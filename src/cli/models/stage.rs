//! The stage: a hidden folder in which a model is put together before it appears in the library, whole.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::clip::manifest::Manifest;

/// Within the library; no model is called so.
const HIDDEN: &str = ".partial";

/// The stage of one model. Only one process has it.
pub(super) struct Stage {
    library: PathBuf,
    name: String,
    folder: PathBuf,
    _lock: File,
}

impl Stage {
    /// The stage for a model of that name, with what an earlier run has left there.
    ///
    /// # Errors
    /// If another process has it, or it cannot be made.
    pub(super) fn open(library: &Path, name: &str) -> anyhow::Result<Self> {
        let hidden = library.join(HIDDEN);
        let folder = hidden.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = hidden.join(format!("{name}.lock"));
        let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { library: library.to_owned(), name: name.to_owned(), folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!("another lookout is fetching or importing {name:?} right now"),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Where the model's files are put.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// If it cannot be.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        let cleared = std::fs::remove_dir_all(&self.folder).and_then(|()| std::fs::create_dir_all(&self.folder));
        cleared.with_context(|| format!("cannot clear {}", self.folder.display()))
    }

    /// Writes the manifest and lets the model appear, in place of an older one of that name. After this it is on the disk.
    ///
    /// # Errors
    /// If something cannot be written; then nothing has appeared.
    pub(super) fn install(self, manifest: &Manifest) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("manifest.toml");
        let text = manifest.written(&path.display().to_string())?;
        write_whole(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        let target = self.library.join(&self.name);
        let install = || -> std::io::Result<()> {
            sync_folders(&self.folder)?;
            if target.symlink_metadata().is_ok() {
                let old = self.library.join(HIDDEN).join(format!("{}.old", self.name));
                remove_whatever(&old)?;
                std::fs::rename(&target, &old)?;
                std::fs::rename(&self.folder, &target)?;
                remove_whatever(&old)?;
            } else {
                std::fs::rename(&self.folder, &target)?;
            }
            File::open(&self.library)?.sync_all()
        };
        install().with_context(|| format!("cannot install {}", target.display()))?;
        Ok(target)
    }
}

/// Whether something of a model lies on the stage.
pub(super) fn is_begun(library: &Path, name: &str) -> bool {
    library.join(HIDDEN).join(name).is_dir()
}

/// Removes a model: first from sight, then from the disk, and what lies on the stage of it.
///
/// # Errors
/// If it cannot be.
pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
    let (Some(library), Some(name)) = (folder.parent(), folder.file_name()) else { bail!("{folder:?} is no model") };
    let stage = Stage::open(library, &name.to_string_lossy())?;
    let gone = library.join(HIDDEN).join(format!("{}.old", stage.name));
    let remove = || -> std::io::Result<()> {
        remove_whatever(&gone)?;
        if folder.symlink_metadata().is_ok() {
            std::fs::rename(folder, &gone)?;
            File::open(library)?.sync_all()?;
        }
        remove_whatever(&gone)?;
        remove_whatever(&stage.folder)
    };
    remove().with_context(|| format!("cannot remove {}", folder.display()))
}

fn remove_whatever(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_folders(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// Writes a file so that it is there whole or as it was.
///
/// # Errors
/// What the system says.
pub(super) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
