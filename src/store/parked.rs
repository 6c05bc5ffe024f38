//! What stands still before each camera, so that it is no news after a restart.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{Store, StoreError};
use crate::clip::Embedding;
use crate::config::rules::Severity;
use crate::config::settings::Name;
use crate::frame::UnitBox;
use crate::track::Parked;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS parked (
        camera TEXT NOT NULL,
        event TEXT NOT NULL,
        prompt TEXT NOT NULL,
        told INTEGER NOT NULL,
        present INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        severity TEXT NOT NULL,
        top_score REAL NOT NULL,
        x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
        look BLOB,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        PRIMARY KEY (camera, event)
    )";

const COLUMNS: &str =
    "event, prompt, told, present, sequence, severity, top_score, x0, y0, x1, y1, look, first_ms, last_ms";

impl Store {
    /// What stood still before a camera when it was last kept, oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn parked(&self, camera: &Name) -> Result<Vec<Parked>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<Vec<Parked>> {
            let known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'parked'";
            if inner.connection.query_row(known, [], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(Vec::new());
            }
            let sql = format!("SELECT {COLUMNS} FROM parked WHERE camera = ?1 ORDER BY last_ms");
            let mut statement = inner.connection.prepare(&sql)?;
            let rows = statement.query_map([camera.as_str()], parked)?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
        };
        read().map_err(inner.access())
    }

    /// Keeps what stands still before a camera, in place of what was kept of it.
    ///
    /// # Errors
    /// The disk does not take it; what was kept stays.
    pub fn keep_parked(&self, camera: &Name, all: &[Parked]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = inner.connection.transaction()?;
            // Made here, since a store that never sees a parked thing does not need it.
            transaction.execute(TABLE, [])?;
            transaction.execute("DELETE FROM parked WHERE camera = ?1", [camera.as_str()])?;
            let sql = format!(
                "INSERT OR REPLACE INTO parked (camera, {COLUMNS})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
            );
            let mut statement = transaction.prepare(&sql)?;
            for thing in all {
                let look = thing.look.as_ref().map(|look| look.values().iter().flat_map(|v| v.to_le_bytes()).collect());
                statement.execute(params![
                    camera.as_str(),
                    thing.event,
                    thing.prompt.as_str(),
                    thing.told,
                    thing.present,
                    thing.sequence,
                    thing.severity.as_str(),
                    thing.top_score,
                    thing.area.x0,
                    thing.area.y0,
                    thing.area.x1,
                    thing.area.y1,
                    look as Option<Vec<u8>>,
                    thing.first_seen.as_millisecond(),
                    thing.last_seen.as_millisecond(),
                ])?;
            }
            drop(statement);
            transaction.commit()
        };
        write().map_err(access)?;
        inner.dirty = true;
        Ok(())
    }
}

/// `None` where a row holds what this program would not write.
fn parked(row: &Row<'_>) -> rusqlite::Result<Option<Parked>> {
    let (prompt, severity): (String, String) = (row.get(1)?, row.get(5)?);
    let (Some(prompt), Some(severity)) = (Name::new(&prompt), Severity::parse(&severity)) else { return Ok(None) };
    let look: Option<Vec<u8>> = row.get(11)?;
    let values = |bytes: Vec<u8>| -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    let time = |index: usize| -> rusqlite::Result<Timestamp> {
        Ok(Timestamp::from_millisecond(row.get(index)?).unwrap_or(Timestamp::UNIX_EPOCH))
    };
    Ok(Some(Parked {
        event: row.get(0)?,
        prompt,
        told: row.get(2)?,
        present: row.get(3)?,
        sequence: row.get(4)?,
        severity,
        top_score: row.get(6)?,
        area: UnitBox::new(row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?),
        look: look.and_then(|bytes| Embedding::new(values(bytes))),
        first_seen: time(12)?,
        last_seen: time(13)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::default_store;
    use crate::config::settings::StoreSettings;

    #[test]
    fn what_is_parked_outlives_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings { path: Some(folder.path().join("lookout.db")), ..default_store() };
        let name = |text| Name::new(text).expect("a name");
        let time = |second| Timestamp::from_second(second).expect("a time");
        let car = Parked {
            prompt: name("car"),
            event: "gate-1-car-0".to_owned(),
            told: true,
            present: true,
            sequence: 7,
            severity: Severity::Detection,
            top_score: 0.75,
            area: UnitBox::new(0.25, 0.5, 0.5, 0.75),
            look: Embedding::new(vec![0.6, 0.8]),
            first_seen: time(100),
            last_seen: time(4000),
        };
        let other = Parked { event: "gate-2-car-1".to_owned(), look: None, told: false, ..car.clone() };
        let store = Store::open(&settings).expect("opens");
        assert_eq!(store.parked(&name("gate")).expect("reads"), []);
        store.keep_parked(&name("yard"), std::slice::from_ref(&car)).expect("writes");
        store.keep_parked(&name("gate"), &[car.clone(), other.clone()]).expect("writes");
        drop(store);
        let store = Store::open(&settings).expect("opens");
        assert_eq!(store.parked(&name("gate")).expect("reads"), [car.clone(), other]);
        store.keep_parked(&name("gate"), &[]).expect("writes");
        assert_eq!(store.parked(&name("gate")).expect("reads"), []);
        assert_eq!(store.parked(&name("yard")).expect("reads"), [car]);
    }
}
