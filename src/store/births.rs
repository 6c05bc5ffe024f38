//! How often this device was born in Sparkplug's sense, so that a death that comes late is not taken for the newest.

use rusqlite::OptionalExtension;

use super::{Store, StoreError};

impl Store {
    /// The number of the next birth: one more than that before, 0 after 255 and at first. It is kept before it is given
    /// out.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn next_birth(&self) -> Result<u8, StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        let mut write = || -> rusqlite::Result<u8> {
            let transaction = inner.connection.transaction()?;
            // Made here, since most stores never need it.
            transaction.execute("CREATE TABLE IF NOT EXISTS births (number INTEGER NOT NULL)", [])?;
            let before: Option<u8> =
                transaction.query_row("SELECT number FROM births", [], |row| row.get(0)).optional()?;
            let next = before.map_or(0, |before| before.wrapping_add(1));
            transaction.execute("DELETE FROM births", [])?;
            transaction.execute("INSERT INTO births (number) VALUES (?1)", [next])?;
            transaction.commit()?;
            Ok(next)
        };
        write().map_err(access)
    }
}
