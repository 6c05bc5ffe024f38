//! The store: a SQLite file that holds the *outbox*, the events that the broker has not acknowledged yet.
//!
//! An event is written here before anything else happens to it, and leaves in one of two ways, each counted: the
//! broker acknowledged it, or it expired by age or number. Time is passed in.

mod changes;
mod error;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

pub use changes::StoredChange;
pub use error::StoreError;

use crate::config::settings::StoreSettings;

/// Names one stored event. Later events have greater ids, also across restarts; 0 is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxId(i64);

/// An event that waits for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its place in the order.
    pub id: OutboxId,
    /// The camera's name.
    pub camera: String,
    /// The wire message as JSON.
    pub json: Vec<u8>,
    /// When it was stored, to the millisecond.
    pub created: Timestamp,
}

/// What became of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Waiting now, those of earlier runs included.
    pub waiting: u64,
    /// Acknowledged by the broker since the store was opened.
    pub published: u64,
    /// Given up by age, by number, or as unreadable, since the store was opened.
    pub expired: u64,
}

const LAYOUT: i64 = 2;

struct Inner {
    connection: Connection,
    path: PathBuf,
    max_age: Duration,
    max_events: u64,
    counts: OutboxCounts,
}

impl Inner {
    fn access(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::Access { path: path.clone(), source }
    }

    /// Runs a `DELETE` and tells how many rows went.
    fn delete(&mut self, sql: &str, value: i64) -> Result<u64, StoreError> {
        let access = self.access();
        let gone = self.connection.prepare_cached(sql).and_then(|mut s| s.execute([value])).map_err(access)? as u64;
        self.counts.waiting = self.counts.waiting.saturating_sub(gone);
        Ok(gone)
    }

    /// Keeps the number of waiting events within bounds; the oldest go.
    fn expire_surplus(&mut self) -> Result<u64, StoreError> {
        let surplus = self.counts.waiting.saturating_sub(self.max_events);
        if surplus == 0 {
            return Ok(0);
        }
        let sql = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT ?1)";
        let gone = self.delete(sql, i64::try_from(surplus).unwrap_or(i64::MAX))?;
        self.counts.expired += gone;
        Ok(gone)
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
                        .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
                }
                Connection::open(file)
            }
        };
        let failed = |source| StoreError::Open { path: path.clone(), source };
        let connection = opened.map_err(failed)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if found > LAYOUT {
            return Err(StoreError::Newer { path, found, known: LAYOUT });
        }
        // WAL with NORMAL survives a crash of the program; a power cut may take the last moments, but spares an SD
        // card one flush an event.
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = NORMAL;
                 PRAGMA busy_timeout = 2000;
                 CREATE TABLE IF NOT EXISTS outbox (
                     id INTEGER PRIMARY KEY AUTOINCREMENT,
                     camera TEXT NOT NULL,
                     json BLOB NOT NULL,
                     created_ms INTEGER NOT NULL
                 );
                 {}
                 PRAGMA user_version = {LAYOUT};",
                changes::TABLES
            ))
            .map_err(failed)?;
        let waiting: i64 = connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).map_err(failed)?;
        let counts = OutboxCounts { waiting: waiting.unsigned_abs(), ..OutboxCounts::default() };
        let max_events = settings.max_events.max(1) as u64;
        Ok(Self(Arc::new(Mutex::new(Inner { connection, path, max_age: settings.max_age, max_events, counts }))))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves SQLite consistent, so the events are still worth saving.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Stores an event's wire message. When more wait than the settings allow, the oldest expire.
    ///
    /// # Errors
    /// The disk does not take it; the event is then not stored.
    pub fn push_event(&self, camera: &str, json: &[u8], now: Timestamp) -> Result<OutboxId, StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        inner
            .connection
            .prepare_cached("INSERT INTO outbox (camera, json, created_ms) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.execute(params![camera, json, now.as_millisecond()]))
            .map_err(access)?;
        let id = OutboxId(inner.connection.last_insert_rowid());
        inner.counts.waiting += 1;
        inner.expire_surplus()?;
        Ok(id)
    }

    /// The next events after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<Pending>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<Vec<Pending>> {
            let mut statement = inner
                .connection
                .prepare_cached("SELECT id, camera, json, created_ms FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let rows = statement.query_map(params![after.0, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(Pending {
                    id: OutboxId(row.get(0)?),
                    camera: row.get(1)?,
                    json: row.get(2)?,
                    created: Timestamp::from_millisecond(row.get(3)?).unwrap_or(Timestamp::UNIX_EPOCH),
                })
            })?;
            rows.collect()
        };
        read().map_err(inner.access())
    }

    /// The id of the newest event ever stored.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn newest(&self) -> Result<OutboxId, StoreError> {
        let inner = self.inner();
        inner
            .connection
            .query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'", [], |row| row.get(0))
            .map(OutboxId)
            .map_err(inner.access())
    }

    /// Deletes an event that the broker has acknowledged. False if it had expired meanwhile.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn acknowledge(&self, id: OutboxId) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let gone = inner.delete("DELETE FROM outbox WHERE id = ?1", id.0)?;
        inner.counts.published += gone;
        Ok(gone > 0)
    }

    /// Deletes an event that can never be published, and counts it as expired.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn discard(&self, id: OutboxId) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let gone = inner.delete("DELETE FROM outbox WHERE id = ?1", id.0)?;
        inner.counts.expired += gone;
        Ok(())
    }

    /// Expires what is too old at `now` or too many, oldest first. Returns how many went.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        let age_ms = i64::try_from(inner.max_age.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.as_millisecond().saturating_sub(age_ms);
        let gone = inner.delete("DELETE FROM outbox WHERE created_ms < ?1", oldest)?;
        inner.counts.expired += gone;
        Ok(gone + inner.expire_surplus()?)
    }

    /// What became of the events so far.
    pub fn counts(&self) -> OutboxCounts {
        self.inner().counts
    }
}
