//! The store: a SQLite file with the *outbox* (events that the broker has not acknowledged yet), the *history* (those
//! that it has, and pictures), what was changed by message, what was learnt of the cameras, what stands still before them and when
//! they last alerted, and how often Sparkplug's node was born.
//!
//! An event is written here before anything else happens to it, and leaves the outbox in one of two ways, each counted:
//! the broker acknowledged it, or it expired by age, number or space. Time is passed in.

mod births;
mod calibrations;
mod changes;
mod error;
mod history;
mod outbox;
mod parked;
mod pauses;
mod space;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

pub use calibrations::{StoredCalibration, StoredTry};
pub use changes::StoredChange;
pub use error::StoreError;
pub use history::{Kept, Wanted};

use crate::config::settings::StoreSettings;

/// Names one stored message. Later messages have greater ids, also across restarts; 0 is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxId(i64);

/// A message that waits for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its place in the order.
    pub id: OutboxId,
    /// The camera's name.
    pub camera: String,
    /// The id of the event that it is about.
    pub event: String,
    /// The wire message as JSON.
    pub json: Vec<u8>,
    /// When it was stored, to the millisecond.
    pub created: Timestamp,
}

/// What became of the messages, and what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Waiting now, those of earlier runs included.
    pub waiting: u64,
    /// Of these, how many are in memory only, because the disk does not take them.
    pub unstored: u64,
    /// Acknowledged by the broker since the store was opened.
    pub published: u64,
    /// Given up by age, number, space, or as unreadable, since the store was opened.
    pub expired: u64,
    /// Pictures given up for space since the store was opened.
    pub pictures_expired: u64,
    /// What the store takes of the disk, or of the memory where it has no file, bytes; up to 4 MiB of log come on top.
    pub bytes: u64,
}

/// The layout that this program writes. 1 had a table `outbox` alone.
const LAYOUT: i64 = 2;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        camera TEXT NOT NULL,
        event TEXT NOT NULL,
        json BLOB NOT NULL,
        created_ms INTEGER NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS waiting ON events (id) WHERE sent = 0;
    CREATE TABLE IF NOT EXISTS pictures (
        event TEXT PRIMARY KEY,
        created_ms INTEGER NOT NULL,
        jpeg BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS pictures_by_age ON pictures (created_ms);";

const FROM_LAYOUT_1: &str = "
    INSERT INTO events (id, camera, event, json, created_ms)
        SELECT id, camera, coalesce(json_extract(CAST(json AS TEXT), '$.id'), ''), json, created_ms FROM outbox;
    DROP TABLE outbox;";

struct Inner {
    connection: Connection,
    path: PathBuf,
    settings: StoreSettings,
    counts: OutboxCounts,
    /// The id of the newest message.
    newest: i64,
    /// Acknowledged, but not yet marked so in the file: that is done with the next write, to spare an SD card one.
    acknowledged: HashSet<i64>,
    /// What the disk did not take, oldest first. Ids here are greater than any in the file.
    unstored: VecDeque<Pending>,
    /// Something was written since the last checkpoint.
    dirty: bool,
}

impl Inner {
    fn access(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |cause| StoreError::Access { path: path.clone(), cause }
    }

    /// Whether messages are kept after the broker has acknowledged them. In memory there is no room for that.
    fn keeps_history(&self) -> bool {
        self.settings.path.is_some() && !self.settings.keep.is_zero()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What is not marked is sent once more, which is allowed.
        let _ = self.write();
    }
}

/// The opened store. Clones share it; calls are short and may come from any thread.
#[derive(Clone)]
pub struct Store(Arc<Mutex<Inner>>);

impl Store {
    /// Opens or creates the file, and its folder.
    ///
    /// # Errors
    /// Names the path, and why it cannot serve.
    pub fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        let path = settings.path.clone().unwrap_or_else(|| PathBuf::from(":memory:"));
        let opened = match &settings.path {
            None => Connection::open_in_memory(),
            Some(file) => {
                if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    std::fs::create_dir_all(folder)
                        .map_err(|cause| StoreError::Folder { path: folder.to_owned(), cause })?;
                }
                Connection::open(file)
            }
        };
        let failed = |cause| StoreError::Open { path: path.clone(), cause };
        let connection = opened.map_err(failed)?;
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
        let found = number("PRAGMA user_version")?;
        if found > LAYOUT {
            return Err(StoreError::Newer { path, found, known: LAYOUT });
        }
        // WAL with NORMAL survives a crash of the program, and spares an SD card one flush an event; what a power cut may
        // take is bounded by the checkpoints that the outbox makes.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = NORMAL;
                 PRAGMA journal_size_limit = 4194304;
                 PRAGMA busy_timeout = 2000;",
            )
            .map_err(failed)?;
        if found < LAYOUT {
            let from_1 = if found == 1 { FROM_LAYOUT_1 } else { "" };
            let made = format!(
                "BEGIN IMMEDIATE; {TABLES} {} {from_1} PRAGMA user_version = {LAYOUT}; COMMIT;",
                changes::TABLES
            );
            connection.execute_batch(&made).map_err(failed)?;
        }
        let newest = number("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'")?;
        let waiting = number("SELECT count(*) FROM events WHERE sent = 0")?;
        let counts = OutboxCounts { waiting: waiting.unsigned_abs(), ..OutboxCounts::default() };
        Ok(Self(Arc::new(Mutex::new(Inner {
            connection,
            path,
            settings: settings.clone(),
            counts,
            newest,
            acknowledged: HashSet::new(),
            unstored: VecDeque::new(),
            dirty: false,
        }))))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves SQLite consistent, so the events are still worth saving.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a message may wait.
    pub fn max_age(&self) -> Duration {
        self.inner().settings.max_age
    }

    /// What became of the messages so far.
    pub fn counts(&self) -> OutboxCounts {
        let inner = self.inner();
        OutboxCounts { bytes: inner.bytes().unwrap_or_default(), ..inner.counts }
    }
}

/// A row of `id, camera, event, json, created_ms`.
fn pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    Ok(Pending {
        id: OutboxId(row.get(0)?),
        camera: row.get(1)?,
        event: row.get(2)?,
        json: row.get(3)?,
        created: Timestamp::from_millisecond(row.get(4)?).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
