//! Space: what goes when the store grows too old or too large. Pictures go before history, history before what waits.

use std::time::Duration;

use jiff::Timestamp;

use super::{Inner, Store, StoreError};

/// Rows that are looked at, and deleted, in one step.
const STEP: i64 = 50;

const OLDEST_PICTURES: &str = "event IN (SELECT event FROM pictures ORDER BY created_ms LIMIT ?1)";
const OLDEST_SENT: &str = "id IN (SELECT id FROM events WHERE sent = 1 ORDER BY id LIMIT ?1)";
const OLDEST_WAITING: &str = "id IN (SELECT id FROM events WHERE sent = 0 ORDER BY id LIMIT ?1)";

impl Inner {
    /// Deletes the rows that fit `condition`, in which `?1` is `value`, and tells how many went.
    pub(super) fn delete(&mut self, table: &str, condition: &str, value: i64) -> Result<u64, StoreError> {
        let sql = format!("DELETE FROM {table} WHERE {condition}");
        let deleted = self.connection.prepare_cached(&sql).and_then(|mut statement| statement.execute([value]));
        let gone = deleted.map_err(self.access())? as u64;
        self.dirty |= gone > 0;
        Ok(gone)
    }

    /// As [`Self::delete`], of the rows among the `oldest` that were made before `before_ms`. In steps from the oldest on,
    /// so that the young ones are never read.
    fn delete_aged(&mut self, table: &str, oldest: &str, before_ms: i64) -> Result<u64, StoreError> {
        let condition = format!("{} AND created_ms < ?1", oldest.replace("?1", &STEP.to_string()));
        let mut all = 0;
        loop {
            let gone = self.delete(table, &condition, before_ms)?;
            all += gone;
            if gone < STEP.unsigned_abs() {
                return Ok(all);
            }
        }
    }

    /// Counts waiting messages that went without having been sent.
    pub(super) fn give_up(&mut self, messages: u64) {
        self.counts.waiting = self.counts.waiting.saturating_sub(messages);
        self.counts.expired += messages;
    }

    /// What is used of the file, bytes.
    pub(super) fn bytes(&self) -> rusqlite::Result<u64> {
        let number =
            |sql: &str| -> rusqlite::Result<i64> { self.connection.prepare_cached(sql)?.query_row([], |r| r.get(0)) };
        let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
        Ok((pages * number("PRAGMA page_size")?).unsigned_abs())
    }

    /// Keeps messages and bytes within bounds; the oldest go. Returns how many waiting messages did.
    pub(super) fn expire_surplus(&mut self) -> Result<u64, StoreError> {
        let mut expired = 0;
        let surplus = self.counts.waiting.saturating_sub(self.settings.max_events.max(1) as u64);
        if surplus > 0 {
            // Else one that the broker has would be counted as given up.
            self.write().map_err(self.access())?;
            expired = self.delete("events", OLDEST_WAITING, i64::try_from(surplus).unwrap_or(i64::MAX))?;
            self.give_up(expired);
        }
        while self.bytes().map_err(self.access())? > self.settings.max_bytes {
            let pictures = self.delete("pictures", OLDEST_PICTURES, 1)?;
            self.counts.pictures_expired += pictures;
            if pictures > 0 {
                continue;
            }
            self.write().map_err(self.access())?;
            if self.delete("events", OLDEST_SENT, STEP)? > 0 {
                continue;
            }
            let gone = self.delete("events", OLDEST_WAITING, STEP)?;
            self.give_up(gone);
            expired += gone;
            if gone == 0 {
                break;
            }
        }
        Ok(expired)
    }

    /// Makes room on a full disk. Nothing that waits is given up for it: deleting frees pages within the file, and a few
    /// are enough to go on. Faults are passed over, since a full disk is one.
    pub(super) fn relieve(&mut self) {
        let begin_log_anew = |inner: &Self| {
            let _ = inner.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        };
        begin_log_anew(self);
        self.counts.pictures_expired += self.delete("pictures", OLDEST_PICTURES, STEP).unwrap_or_default();
        let _ = self.delete("events", OLDEST_SENT, STEP);
        begin_log_anew(self);
    }
}

impl Store {
    /// Expires what is too old at `now`, or too much. Returns how many messages that waited went.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        inner.write().map_err(inner.access())?;
        let waiting = before(now, inner.settings.max_age);
        let kept = before(now, inner.settings.keep);
        let gone = inner.delete_aged("events", OLDEST_WAITING, waiting)?;
        inner.give_up(gone);
        inner.delete_aged("events", OLDEST_SENT, kept)?;
        inner.delete_aged("pictures", OLDEST_PICTURES, kept)?;
        Ok(gone + inner.expire_surplus()?)
    }

    /// Deletes messages that were sent, and pictures, if they are older than `age` at `now`. What waits stays. Returns
    /// how many messages and pictures went.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn purge(&self, age: Duration, now: Timestamp) -> Result<(u64, u64), StoreError> {
        let mut inner = self.inner();
        let oldest = before(now, age);
        let messages = inner.delete_aged("events", OLDEST_SENT, oldest)?;
        Ok((messages, inner.delete_aged("pictures", OLDEST_PICTURES, oldest)?))
    }
}

/// The moment `age` ago, milliseconds.
fn before(now: Timestamp, age: Duration) -> i64 {
    now.as_millisecond().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
