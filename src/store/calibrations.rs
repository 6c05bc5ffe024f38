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

/// A part of the empty scene that came near to a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTry {
    /// The camera's name.
    pub camera: String,
    /// The prompt's name.
    pub prompt: String,
    /// How near: a probability, 0..1.
    pub score: f64,
    /// The contender that came nearest: what a model would rather call it.
    pub runner_up: String,
    /// When.
    pub time: Timestamp,
    /// What it looked like.
    pub jpeg: Vec<u8>,
}

const TABLES: [&str; 2] = ["calibrations", "tries"];

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
         );
         CREATE TABLE IF NOT EXISTS tries (
             camera TEXT NOT NULL,
             prompt TEXT NOT NULL,
             score REAL NOT NULL,
             runner_up TEXT NOT NULL,
             tried_ms INTEGER NOT NULL,
             jpeg BLOB NOT NULL
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

    /// The parts of empty scenes that came near to a prompt, nearest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn tries(&self) -> Result<Vec<StoredTry>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<Vec<StoredTry>> {
            make(&inner.connection)?;
            let sql = "SELECT camera, prompt, score, runner_up, tried_ms, jpeg FROM tries ORDER BY score DESC";
            let mut statement = inner.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(StoredTry {
                    camera: row.get(0)?,
                    prompt: row.get(1)?,
                    score: row.get(2)?,
                    runner_up: row.get(3)?,
                    time: Timestamp::from_millisecond(row.get(4)?).unwrap_or(Timestamp::UNIX_EPOCH),
                    jpeg: row.get(5)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(inner.access())
    }

    /// Keeps what was learnt of a camera in place of what was kept of it, in one write.
    ///
    /// # Errors
    /// The disk does not take it; nothing is changed then.
    pub fn keep_calibrations(
        &self,
        camera: &str,
        learnt: &[StoredCalibration],
        tries: &[StoredTry],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = inner.connection.transaction()?;
            make(&transaction)?;
            for table in TABLES {
                transaction.execute(&format!("DELETE FROM {table} WHERE camera = ?1"), [camera])?;
            }
            for StoredCalibration { camera, prompt, subject, background, usual } in learnt {
                transaction.execute(
                    "INSERT INTO calibrations (camera, prompt, subject, background, usual, learnt_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![camera, prompt, subject, background, usual, now.as_millisecond()],
                )?;
            }
            for StoredTry { camera, prompt, score, runner_up, time, jpeg } in tries {
                transaction.execute(
                    "INSERT INTO tries (camera, prompt, score, runner_up, tried_ms, jpeg) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![camera, prompt, score, runner_up, time.as_millisecond(), jpeg],
                )?;
            }
            transaction.commit()
        };
        write().map_err(access)?;
        inner.dirty = true;
        Ok(())
    }

    /// Forgets what was learnt for a prompt of a camera, or for all of them.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn forget_calibrations(&self, camera: &str, prompt: Option<&str>) -> Result<(), StoreError> {
        let inner = self.inner();
        let write = || -> rusqlite::Result<()> {
            make(&inner.connection)?;
            for table in TABLES {
                let sql = format!("DELETE FROM {table} WHERE camera = ?1 AND (?2 IS NULL OR prompt = ?2)");
                inner.connection.execute(&sql, params![camera, prompt])?;
            }
            Ok(())
        };
        write().map_err(inner.access())
    }
}
