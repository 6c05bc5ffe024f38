//! What was changed by message, so that it holds after a restart.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS changes (
        camera TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        changed_ms INTEGER NOT NULL,
        PRIMARY KEY (camera, key)
    );
    CREATE TABLE IF NOT EXISTS revision (number INTEGER NOT NULL);";

/// One changed setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChange {
    /// The camera's name.
    pub camera: String,
    /// Which setting.
    pub key: String,
    /// What it was set to, as JSON.
    pub value: String,
    /// When, to the millisecond.
    pub changed: Timestamp,
}

impl Store {
    /// All changes, in the order of cameras and keys.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn changes(&self) -> Result<Vec<StoredChange>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<Vec<StoredChange>> {
            let sql = "SELECT camera, key, value, changed_ms FROM changes ORDER BY camera, key";
            let mut statement = inner.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(StoredChange {
                    camera: row.get(0)?,
                    key: row.get(1)?,
                    value: row.get(2)?,
                    changed: Timestamp::from_millisecond(row.get(3)?).unwrap_or(Timestamp::UNIX_EPOCH),
                })
            })?;
            rows.collect()
        };
        read().map_err(inner.access())
    }

    /// How many times something was changed since the file was made.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn revision(&self) -> Result<u64, StoreError> {
        let inner = self.inner();
        let sql = "SELECT number FROM revision";
        let number = inner.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
        Ok(number.map_err(inner.access())?.unwrap_or_default().unsigned_abs())
    }

    /// Keeps changes as camera, key and JSON value, or forgets those without a value; all of them or none. Returns the
    /// new revision.
    ///
    /// # Errors
    /// The disk does not take it; nothing is changed then.
    pub fn change(&self, changes: &[(String, String, Option<String>)], now: Timestamp) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        let mut write = || -> rusqlite::Result<u64> {
            let transaction = inner.connection.transaction()?;
            for (camera, key, value) in changes {
                match value {
                    Some(value) => transaction.execute(
                        "INSERT OR REPLACE INTO changes (camera, key, value, changed_ms) VALUES (?1, ?2, ?3, ?4)",
                        params![camera, key, value, now.as_millisecond()],
                    )?,
                    None => transaction
                        .execute("DELETE FROM changes WHERE camera = ?1 AND key = ?2", params![camera, key])?,
                };
            }
            let number: Option<i64> =
                transaction.query_row("SELECT number FROM revision", [], |row| row.get(0)).optional()?;
            let next = number.unwrap_or_default() + 1;
            transaction.execute("DELETE FROM revision", [])?;
            transaction.execute("INSERT INTO revision (number) VALUES (?1)", [next])?;
            transaction.commit()?;
            Ok(next.unsigned_abs())
        };
        write().map_err(access)
    }
}
