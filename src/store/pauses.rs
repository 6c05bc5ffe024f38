//! When each prompt last alerted, so that its cooldown outlives a restart.

use jiff::Timestamp;
use rusqlite::params;

use super::{Store, StoreError};
use crate::config::settings::Name;

/// Made here, since a layout of the file is not worth a number for it.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS pauses (
        camera TEXT NOT NULL,
        prompt TEXT NOT NULL,
        alerted_ms INTEGER NOT NULL,
        PRIMARY KEY (camera, prompt)
    )";

impl Store {
    /// When a camera's prompts last alerted, of those for which that was kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn alerted(&self, camera: &Name) -> Result<Vec<(Name, Timestamp)>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<Vec<(Name, Timestamp)>> {
            inner.connection.execute(TABLE, [])?;
            let mut statement = inner.connection.prepare("SELECT prompt, alerted_ms FROM pauses WHERE camera = ?1")?;
            let rows = statement.query_map([camera.as_str()], |row| {
                let (prompt, at): (String, i64) = (row.get(0)?, row.get(1)?);
                Ok(Name::new(&prompt).zip(Timestamp::from_millisecond(at).ok()))
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
        };
        read().map_err(inner.access())
    }

    /// Keeps when a camera's prompts last alerted, in place of what was kept of it.
    ///
    /// # Errors
    /// The disk does not take it; what was kept stays.
    pub fn keep_alerted(&self, camera: &Name, all: &[(Name, Timestamp)]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = inner.connection.transaction()?;
            transaction.execute(TABLE, [])?;
            transaction.execute("DELETE FROM pauses WHERE camera = ?1", [camera.as_str()])?;
            for (prompt, at) in all {
                let row = params![camera.as_str(), prompt.as_str(), at.as_millisecond()];
                transaction
                    .execute("INSERT OR REPLACE INTO pauses (camera, prompt, alerted_ms) VALUES (?1, ?2, ?3)", row)?;
            }
            transaction.commit()
        };
        write().map_err(access)?;
        inner.dirty = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::default_store;
    use crate::config::settings::StoreSettings;

    #[test]
    fn when_a_prompt_alerted_outlives_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings { path: Some(folder.path().join("lookout.db")), ..default_store() };
        let name = |text| Name::new(text).expect("a name");
        let at = |second| Timestamp::from_second(second).expect("a time");
        let store = Store::open(&settings).expect("opens");
        assert_eq!(store.alerted(&name("gate")).expect("reads"), []);
        store.keep_alerted(&name("gate"), &[(name("dog"), at(5)), (name("cat"), at(6))]).expect("writes");
        store.keep_alerted(&name("gate"), &[(name("dog"), at(9))]).expect("writes");
        drop(store);
        let store = Store::open(&settings).expect("opens");
        assert_eq!(store.alerted(&name("gate")).expect("reads"), [(name("dog"), at(9))]);
        assert_eq!(store.alerted(&name("yard")).expect("reads"), []);
    }
}
