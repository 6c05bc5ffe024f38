//! The history: messages that are stored, sent or not, and pictures of events.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{OutboxId, Store, StoreError, pending};

/// Which messages are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Later than this one.
    pub after: OutboxId,
    /// Of this camera only.
    pub camera: Option<String>,
    /// Stored at this time or later.
    pub since: Option<Timestamp>,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its place in the order.
    pub id: OutboxId,
    /// The id of the event that it is about.
    pub event: String,
    /// The wire message as JSON.
    pub json: Vec<u8>,
    /// Whether the broker has acknowledged it.
    pub sent: bool,
}

impl Store {
    /// Stored messages, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn list(&self, wanted: &Wanted, limit: usize) -> Result<Vec<Kept>, StoreError> {
        let inner = self.inner();
        let since = wanted.since.map_or(i64::MIN, Timestamp::as_millisecond);
        let read = || -> rusqlite::Result<Vec<Kept>> {
            let mut statement = inner.connection.prepare_cached(
                "SELECT id, camera, event, json, created_ms, sent FROM events
                 WHERE id > ?1 AND created_ms >= ?2 AND (?3 IS NULL OR camera = ?3) ORDER BY id LIMIT ?4",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![wanted.after.0, since, wanted.camera, limit], |row| {
                let message = pending(row)?;
                Ok(Kept { id: message.id, event: message.event, json: message.json, sent: row.get(5)? })
            })?;
            rows.collect()
        };
        read().map_err(inner.access())
    }

    /// Keeps the picture (JPEG) of an event, where pictures are kept.
    ///
    /// # Errors
    /// The disk does not take it; the picture is then not kept.
    pub fn push_picture(&self, event: &str, jpeg: &[u8], now: Timestamp) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if !inner.keeps_history() || !inner.settings.pictures {
            return Ok(());
        }
        let access = inner.access();
        inner
            .connection
            .prepare_cached("INSERT OR REPLACE INTO pictures (event, jpeg, created_ms) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.execute(params![event, jpeg, now.as_millisecond()]))
            .map_err(access)?;
        inner.dirty = true;
        inner.expire_surplus()?;
        Ok(())
    }

    /// The picture (JPEG) of an event. `None` if there is none, or none any more.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn picture(&self, event: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let inner = self.inner();
        let sql = "SELECT jpeg FROM pictures WHERE event = ?1";
        inner.connection.query_row(sql, [event], |row| row.get(0)).optional().map_err(inner.access())
    }
}
