//! What was learnt of each camera's background, so that a restart does not begin anew.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Store, StoreError};

/// What was learnt for one prompt of one camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCalibration {
    /// The camera's name.
    pub camera: String,
    /// The prompt's name.
    pub prompt: String,
    /// What the prompt was then, and by which model: of another subject it says nothing.
    pub subject: String,
    /// The best tries of the empty scene.
    pub background: Vec<u8>,
    /// What each part of the picture usually scores.
    pub usual: Vec<u8>,
}

/// Made here, since a layout of the file is not worth a number for it.
fn make(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS calibrations (
             camera TEXT NOT NULL,
             prompt TEXT NOT NULL,
             subject TEXT NOT NULL,
             background BLOB NOT NULL,
             usual BLOB NOT NULL,
             learnt_ms INTEGER NOT NULL,
             PRIMARY KEY (camera, prompt)
         );",
    )
}

impl Store {
    /// What was learnt of all cameras, in the order of their names and prompts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn calibrations(&self) -> Result<Vec<StoredCalibration>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<Vec<StoredCalibration>> {
            make(&inner.connection)?;
            let sql = "SELECT camera, prompt, subject, background, usual FROM calibrations ORDER BY camera, prompt";
            let mut statement = inner.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(StoredCalibration {
                    camera: row.get(0)?,
                    prompt: row.get(1)?,
                    subject: row.get(2)?,
                    background: row.get(3)?,
                    usual: row.get(4)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(inner.access())
    }

    /// Keeps what was learnt, in one write.
    ///
    /// # Errors
    /// The disk does not take it; nothing is changed then.
    pub fn keep_calibrations(&self, learnt: &[StoredCalibration], now: Timestamp) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = inner.connection.transaction()?;
            make(&transaction)?;
            for StoredCalibration { camera, prompt, subject, background, usual } in learnt {
                transaction.execute(
                    "INSERT OR REPLACE INTO calibrations (camera, prompt, subject, background, usual, learnt_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![camera, prompt, subject, background, usual, now.as_millisecond()],
                )?;
            }
            transaction.commit()
        };
        write().map_err(access)
    }

    /// Forgets what was learnt for a prompt of a camera, or for all of them.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn forget_calibrations(&self, camera: &str, prompt: Option<&str>) -> Result<(), StoreError> {
        let inner = self.inner();
        let write = || -> rusqlite::Result<()> {
            make(&inner.connection)?;
            let sql = "DELETE FROM calibrations WHERE camera = ?1 AND (?2 IS NULL OR prompt = ?2)";
            inner.connection.execute(sql, params![camera, prompt]).map(|_| ())
        };
        write().map_err(inner.access())
    }
}
