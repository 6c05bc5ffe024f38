//! The file of a prepared tower: blocks of bytes, each with its checksum, and a head at the end that says what they are. It
//! is written from its beginning to its end and appears whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How such a file begins and ends; the last byte changes whenever the rest would be understood otherwise.
const MARK: &[u8; 8] = b"lookout\x02";
/// Where the head is, how long, its checksum, and the mark.
const FOOT: u64 = 8 + 8 + 4 + 8;

/// Some bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    at: u64,
    bytes: u64,
    crc: u32,
}

/// A file that is being written, under another name until it is whole.
pub(super) struct Writer {
    file: BufWriter<File>,
    at: u64,
    path: PathBuf,
    part: PathBuf,
    whole: bool,
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let part = path.with_extension(format!("part{}", std::process::id()));
        let file = BufWriter::with_capacity(1 << 18, File::create(&part)?);
        let mut writer = Self { file, at: 0, path: path.to_owned(), part, whole: false };
        writer.put(MARK)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    pub(super) fn block(&mut self, bytes: &[u8]) -> Result<Block> {
        let block = Block { at: self.at, bytes: bytes.len() as u64, crc: crc32fast::hash(bytes) };
        self.put(bytes)?;
        Ok(block)
    }

    pub(super) fn floats(&mut self, values: &[f32]) -> Result<Block> {
        self.block(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Ends the file with its head, and lets it appear.
    pub(super) fn finish(mut self, head: &[u8]) -> Result<()> {
        let block = self.block(head)?;
        self.put(&block.at.to_le_bytes())?;
        self.put(&block.bytes.to_le_bytes())?;
        self.put(&block.crc.to_le_bytes())?;
        self.put(MARK)?;
        self.file.flush()?;
        std::fs::rename(&self.part, &self.path)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.whole {
            // A full disk needs no half files.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// A file that is read.
pub(super) struct Reader {
    file: File,
    length: u64,
}

impl Reader {
    /// The file, and its head.
    ///
    /// # Errors
    /// What the system says, and what is wrong with the file.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u8>)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = Self { file, length };
        let (mut mark, mut foot) = ([0; MARK.len()], [0; FOOT as usize]);
        if length < MARK.len() as u64 + FOOT {
            return Err(damaged("it is too short"));
        }
        reader.file.read_exact(&mut mark)?;
        if mark != *MARK {
            return Err(damaged("it is no such file"));
        }
        reader.file.seek(SeekFrom::End(-(FOOT as i64)))?;
        reader.file.read_exact(&mut foot)?;
        let [at, bytes] =
            [0, 8].map(|from| foot[from..from + 8].try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX));
        let crc = foot[16..20].try_into().map(u32::from_le_bytes).unwrap_or_default();
        if foot[20..] != *MARK {
            return Err(damaged("its end is missing"));
        }
        let head = reader.block(Block { at, bytes, crc })?;
        Ok((reader, head))
    }

    /// The bytes of a block.
    pub(super) fn block(&mut self, block: Block) -> Result<Vec<u8>> {
        if block.at.checked_add(block.bytes).is_none_or(|end| end > self.length) {
            return Err(damaged("a part of it is missing"));
        }
        let mut bytes = vec![0; block.bytes as usize];
        self.file.seek(SeekFrom::Start(block.at))?;
        self.file.read_exact(&mut bytes)?;
        if crc32fast::hash(&bytes) != block.crc {
            return Err(damaged("a checksum is wrong"));
        }
        Ok(bytes)
    }

    pub(super) fn floats(&mut self, block: Block) -> Result<Vec<f32>> {
        let bytes = self.block(block)?;
        let value = |bytes: &[u8]| bytes.try_into().map(f32::from_le_bytes).unwrap_or_default();
        Ok(bytes.chunks_exact(4).map(value).collect())
    }
}

pub(super) fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written_and_any_change_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("within/it.tower");
        let mut writer = Writer::create(&path).expect("creates");
        let (bytes, floats) = (vec![7; 1000], vec![1.5, -0.25]);
        let blocks = (writer.block(&bytes).expect("writes"), writer.floats(&floats).expect("writes"));
        assert!(!path.exists(), "not whole yet");
        writer.finish(b"head").expect("writes");
        let (mut reader, head) = Reader::open(&path).expect("opens");
        assert_eq!(head, b"head");
        assert_eq!(reader.block(blocks.0).expect("reads"), bytes);
        assert_eq!(reader.floats(blocks.1).expect("reads"), floats);
        let whole = std::fs::read(&path).expect("reads");
        let still_good = |content: &[u8]| {
            std::fs::write(&path, content).expect("writes");
            let read = Reader::open(&path).and_then(|(mut reader, head)| {
                Ok(head == b"head" && reader.block(blocks.0)? == bytes && reader.floats(blocks.1)? == floats)
            });
            read.is_ok_and(|same| same)
        };
        assert!(still_good(&whole));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(!still_good(&changed), "byte {at} changed");
        }
        for length in [0, 1, 8, 20, whole.len() / 2, whole.len() - 1] {
            assert!(!still_good(&whole[..length]), "cut to {length}");
        }
        assert!(!still_good(&[whole.clone(), vec![0]].concat()));
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it.tower");
        drop(Writer::create(&path).expect("creates"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0);
    }
}
