//! What goes wrong with the store, with the file and what to do.

use std::path::PathBuf;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the file could not be made.
    #[error("store: cannot create the folder {path}: {cause}; choose a writable place in `store.path`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file could not be opened as a store.
    #[error("store: cannot open {path}: {cause}; check that it is a writable SQLite file, or set `store.path`")]
    Open {
        /// The file, or `:memory:`.
        path: PathBuf,
        /// Why not.
        cause: rusqlite::Error,
    },
    /// The file was written by a newer program.
    #[error("store: {path} has layout {found}, this program knows up to {known}; update it or move the file away")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout's number.
        found: i64,
        /// The newest known layout.
        known: i64,
    },
    /// A read or write failed later on.
    #[error("store: {path}: {cause}; is the disk full or failing?")]
    Access {
        /// The file, or `:memory:`.
        path: PathBuf,
        /// What SQLite says.
        cause: rusqlite::Error,
    },
}
