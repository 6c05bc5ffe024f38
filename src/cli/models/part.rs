//! A part: the beginning of a file that is being fetched, kept from one attempt, and one run, to the next.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::hub::Trouble;

/// A file `NAME.part`, and beside it `NAME.part.of`: what it is the beginning of, a hash or a server's mark. What is not
/// known to be the beginning of the file that is wanted is not continued.
pub(super) struct Part {
    target: PathBuf,
    data: PathBuf,
    of: PathBuf,
}

impl Part {
    /// The part of the file that will be at `target`. Its folder is made.
    pub(super) fn at(target: &Path) -> Result<Self, Trouble> {
        let with = |end: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let part = Self { target: target.to_owned(), data: with(".part"), of: with(".part.of") };
        let parent = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(|e| part.disk(&e))?;
        Ok(part)
    }

    /// What it is the beginning of, as it was noted.
    pub(super) fn of(&self) -> Option<String> {
        std::fs::read_to_string(&self.of).ok().map(|of| of.trim().to_owned()).filter(|of| !of.is_empty())
    }

    /// Bytes that are there.
    pub(super) fn length(&self) -> u64 {
        std::fs::metadata(&self.data).map_or(0, |data| data.len())
    }

    /// Opens it to be written on from its end, or anew; `of` is noted first.
    pub(super) fn open(&self, on: bool, of: Option<&str>) -> Result<Writer<'_>, Trouble> {
        let noted = match of {
            Some(of) if on && self.of().as_deref() == Some(of) => Ok(()),
            // Between the two, a part would be taken for the beginning of the wrong file.
            Some(of) => self.clear(on).and_then(|()| std::fs::write(&self.of, of)),
            None => self.clear(on),
        };
        let file = noted.and_then(|()| {
            let mut options = OpenOptions::new();
            let options = if on { options.append(true) } else { options.write(true).truncate(true) };
            options.create(true).open(&self.data)
        });
        file.map(|file| Writer { part: self, file }).map_err(|e| self.disk(&e))
    }

    fn clear(&self, on: bool) -> std::io::Result<()> {
        if on {
            return Ok(());
        }
        match std::fs::remove_file(&self.of) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The sha256 of what is there, in hexadecimal.
    pub(super) fn sha256(&self) -> Result<String, Trouble> {
        sha256(&self.data).map_err(|e| self.disk(&e))
    }

    /// The part is the file: it is put in its place, for good.
    pub(super) fn finish(&self) -> Result<(), Trouble> {
        let finish = || -> std::io::Result<()> {
            std::fs::rename(&self.data, &self.target)?;
            std::fs::remove_file(&self.of)
                .or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
            File::open(self.target.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        finish().map_err(|e| self.disk(&e))
    }

    /// Removes it.
    pub(super) fn discard(&self) {
        for file in [&self.of, &self.data] {
            let _ = std::fs::remove_file(file);
        }
    }

    fn disk(&self, error: &std::io::Error) -> Trouble {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge);
        let problem = match full {
            true => format!(
                "{error}. {} bytes of it are there and are kept: make room and run the same command again",
                self.length()
            ),
            false => error.to_string(),
        };
        Trouble::Disk { file: self.target.display().to_string(), problem }
    }
}

/// Appends to a part.
pub(super) struct Writer<'a> {
    part: &'a Part,
    file: File,
}

impl Writer<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.file.write_all(bytes).map_err(|e| self.part.disk(&e))
    }

    /// Waits until all of it is on the disk.
    pub(super) fn sync(&self) -> Result<(), Trouble> {
        self.file.sync_all().map_err(|e| self.part.disk(&e))
    }
}

/// The sha256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub(super) fn sha256(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
