//! The outbox: messages on their way to the broker.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::params;

use super::{Inner, OutboxId, Pending, Store, StoreError, pending};

/// Acknowledgements that are marked together, where no other write comes first.
const MARKED_TOGETHER: usize = 64;

/// Messages that are held in memory while the disk takes none.
const MOST_UNSTORED: usize = 1000;

impl Inner {
    /// Brings to the file what waits in memory and what the broker has acknowledged, in one write: all of it or nothing.
    pub(super) fn write(&mut self) -> rusqlite::Result<()> {
        if self.unstored.is_empty() && self.acknowledged.is_empty() {
            return Ok(());
        }
        let keeps = self.keeps_history();
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO events (id, camera, event, json, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for Pending { id, camera, event, json, created } in &self.unstored {
                insert.execute(params![id.0, camera, event, json, created.as_millisecond()])?;
            }
            let mut mark = transaction.prepare_cached(if keeps {
                "UPDATE events SET sent = 1 WHERE id = ?1"
            } else {
                "DELETE FROM events WHERE id = ?1"
            })?;
            for id in &self.acknowledged {
                mark.execute([id])?;
            }
        }
        transaction.commit()?;
        self.unstored.clear();
        self.acknowledged.clear();
        self.counts.unstored = 0;
        self.dirty = true;
        Ok(())
    }

    fn is_waiting(&self, id: i64) -> Result<bool, rusqlite::Error> {
        if self.acknowledged.contains(&id) {
            return Ok(false);
        }
        self.connection.prepare_cached("SELECT 1 FROM events WHERE id = ?1 AND sent = 0")?.exists([id])
    }

    /// Takes a message out of memory. `None` if it is not there.
    fn take_unstored(&mut self, id: OutboxId) -> Option<Pending> {
        let at = self.unstored.iter().position(|pending| pending.id == id)?;
        let gone = self.unstored.remove(at);
        self.counts.unstored = self.unstored.len() as u64;
        gone
    }
}

impl Store {
    /// Stores a wire message about an event. A full disk is first relieved of pictures and history; if that does not
    /// help, the message waits in memory, and is stored when the disk takes it.
    ///
    /// # Errors
    /// The disk does not take it for now. The message is not lost while the program runs, unless so many wait that
    /// the oldest expire, which is counted.
    pub fn push_event(&self, camera: &str, event: &str, json: &[u8], now: Timestamp) -> Result<OutboxId, StoreError> {
        let mut inner = self.inner();
        inner.newest += 1;
        let id = OutboxId(inner.newest);
        let (camera, event, json) = (camera.to_owned(), event.to_owned(), json.to_vec());
        inner.counts.waiting += 1;
        inner.unstored.push_back(Pending { id, camera, event, json, created: now });
        let written = inner.write().or_else(|_| {
            inner.relieve();
            inner.write()
        });
        if let Err(cause) = written {
            while inner.unstored.len() > MOST_UNSTORED {
                inner.unstored.pop_front();
                inner.give_up(1);
            }
            inner.counts.unstored = inner.unstored.len() as u64;
            return Err(inner.access()(cause));
        }
        inner.expire_surplus()?;
        Ok(id)
    }

    /// The next messages after `after` and up to `to`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn pending(&self, after: OutboxId, to: Option<OutboxId>, limit: usize) -> Result<Vec<Pending>, StoreError> {
        let inner = self.inner();
        let to = to.map_or(i64::MAX, |to| to.0);
        let read = || -> rusqlite::Result<Vec<Pending>> {
            let mut statement = inner.connection.prepare_cached(
                "SELECT id, camera, event, json, created_ms FROM events
                 WHERE sent = 0 AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
            )?;
            let rows = statement.query_map(params![after.0, to, i64::try_from(limit).unwrap_or(i64::MAX)], pending)?;
            rows.collect()
        };
        let mut found = read().map_err(inner.access())?;
        let in_memory = inner.unstored.iter().filter(|pending| pending.id > after && pending.id.0 <= to).cloned();
        found.extend(in_memory);
        found.truncate(limit);
        Ok(found)
    }

    /// The ids of all events about which messages up to `to` wait.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events_waiting(&self, to: OutboxId) -> Result<HashSet<String>, StoreError> {
        let inner = self.inner();
        let read = || -> rusqlite::Result<HashSet<String>> {
            let sql = "SELECT DISTINCT event FROM events WHERE sent = 0 AND id <= ?1";
            inner.connection.prepare_cached(sql)?.query_map([to.0], |row| row.get(0))?.collect()
        };
        let mut found = read().map_err(inner.access())?;
        found.extend(inner.unstored.iter().filter(|pending| pending.id <= to).map(|pending| pending.event.clone()));
        Ok(found)
    }

    /// The id of the newest message ever stored.
    pub fn newest(&self) -> OutboxId {
        OutboxId(self.inner().newest)
    }

    /// Takes a message out of the outbox that the broker has acknowledged. False if it had expired meanwhile. The file
    /// hears of it with the next write, or by [`Self::settle`].
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn acknowledge(&self, id: OutboxId) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        if inner.take_unstored(id).is_some() {
            // It never was in the file.
        } else if inner.is_waiting(id.0).map_err(inner.access())? {
            inner.acknowledged.insert(id.0);
        } else {
            return Ok(false);
        }
        inner.counts.waiting = inner.counts.waiting.saturating_sub(1);
        inner.counts.published += 1;
        if inner.acknowledged.len() >= MARKED_TOGETHER {
            inner.write().map_err(inner.access())?;
        }
        Ok(true)
    }

    /// Deletes a message that can never be published, and counts it as expired.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn discard(&self, id: OutboxId) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let gone =
            if inner.take_unstored(id).is_some() { 1 } else { inner.delete("events", "id = ?1 AND sent = 0", id.0)? };
        inner.give_up(gone);
        Ok(())
    }

    /// Brings the file up to date: what was acknowledged, what had to wait in memory, and, by a checkpoint, what a power
    /// cut would still take. Cheap where nothing has happened.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let access = inner.access();
        inner.write().map_err(&access)?;
        if std::mem::take(&mut inner.dirty) {
            inner.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(access)?;
        }
        Ok(())
    }
}
