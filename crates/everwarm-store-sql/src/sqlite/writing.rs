//! One step: a transaction that has the right to write from its beginning, so that what it reads is what there is.

use std::cell::Cell;
use std::ops::Deref;

use everwarm_core::store::{Bytes, Failure};
use everwarm_network::chance;
use rusqlite::Connection;

use super::clock::NEVER;
use super::config::Synchronous;
use super::error::Step;
use super::pool::{Connections, Kept, set_synchronous};
use super::reading::View;
use super::store::Sqlite;

/// How many writes pass between two looks at what has expired.
const SELDOM: i64 = 64;
/// Expired entries that one write takes with it.
const AT_ONCE: i64 = 256;
/// Entries that leave at once where there is no room.
const LEAVING: i64 = 16;

/// A step under way.
pub(crate) struct Writing<'c> {
    view: View<'c>,
    pub(crate) connections: &'c Connections,
    told: Cell<Option<(i64, i64)>>,
}

impl<'c> Deref for Writing<'c> {
    type Target = View<'c>;

    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

/// Does `work` in one step; `None` while others write.
pub(crate) fn written<T>(
    store: &Sqlite,
    work: &mut impl FnMut(&Writing<'_>) -> Step<T>,
) -> Result<Option<T>, Failure> {
    let connections = store.connections()?;
    let done = connections.write(|kept| step(store, connections, kept, work));
    match done {
        None => Ok(None),
        Some(Ok(done)) => Ok(Some(done)),
        Some(Err(trouble)) if trouble.is_busy() => Ok(None),
        Some(Err(trouble)) => Err(connections.failure(trouble)),
    }
}

/// A transaction, which is undone unless it is committed.
struct Transaction<'c>(&'c Connection);

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // What cannot be undone now is undone by whoever opens the file next.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

fn step<T>(
    store: &Sqlite,
    connections: &Connections,
    kept: &Kept,
    work: &mut impl FnMut(&Writing<'_>) -> Step<T>,
) -> Step<T> {
    loop {
        let view = View {
            kept,
            sql: &connections.sql,
            now: 0,
            clock: None,
        };
        view.run("BEGIN IMMEDIATE", [])?;
        let transaction = Transaction(&kept.connection);
        if connections.config.synchronous != Synchronous::Full && is_hard(&view)? {
            drop(transaction);
            set_hard(&view, connections, false)?;
            continue;
        }
        let writing = Writing {
            view: View {
                now: store.now(),
                ..view
            },
            connections,
            told: Cell::new(None),
        };
        let done = work(&writing)?;
        writing.run("COMMIT", [])?;
        if let Some((first, last)) = writing.told.get() {
            connections.own.add(first, last);
        }
        return Ok(done);
    }
}

fn is_hard(view: &View<'_>) -> Step<bool> {
    let is_hard = view.row("SELECT is_hard FROM %state%", [], |row| row.get(0))?;
    Ok(is_hard.unwrap_or(false))
}

/// Says, before all else and so that it survives a loss of power, whether all that was acknowledged does.
pub(crate) fn set_hard(view: &View<'_>, connections: &Connections, is_hard: bool) -> Step<()> {
    set_synchronous(&view.kept.connection, Synchronous::Full)?;
    let set = view.run("UPDATE %state% SET is_hard = ?1", [is_hard]);
    set_synchronous(&view.kept.connection, connections.config.synchronous)?;
    set.map(drop)
}

impl Writing<'_> {
    /// Puts bytes under a name until then, in place of what was there, and ends its lease; the number of the write.
    pub(crate) fn put(&self, name: &str, bytes: &Bytes, until: i64) -> Step<u64> {
        let version = chance::bigint();
        self.run(
            "INSERT OR REPLACE INTO %entries% (name, version, since, until, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
            (name.as_bytes(), version, self.now, until, &bytes[..]),
        )?;
        let id = self.kept.connection.last_insert_rowid();
        self.end_lease(name)?;
        if id % SELDOM == 0 {
            self.sweep_some(AT_ONCE)?;
        }
        self.keep_within(id)?;
        Ok(version as u64)
    }

    /// Takes away what is under a name, and ends its lease; whether something was.
    pub(crate) fn take(&self, name: &str) -> Step<bool> {
        let was = self.row(
            "DELETE FROM %entries% WHERE name = ?1 RETURNING since <= ?2 AND until > ?2",
            (name.as_bytes(), self.now),
            |row| row.get(0),
        )?;
        self.end_lease(name)?;
        Ok(was.unwrap_or(false))
    }

    fn end_lease(&self, name: &str) -> Step<()> {
        self.run("DELETE FROM %leases% WHERE name = ?1", [name.as_bytes()])?;
        Ok(())
    }

    /// Lets some go that have expired; how many.
    pub(crate) fn sweep_some(&self, most: i64) -> Step<u64> {
        let text = "DELETE FROM %entries% WHERE id IN (
            SELECT id FROM %entries% WHERE until <= ?1 AND until < 9223372036854775807 LIMIT ?2
        )";
        Ok(self.run(text, (self.now.min(NEVER - 1), most))? as u64)
    }

    /// Lets those go that were written first, but for the last one, until the file keeps within its bound.
    fn keep_within(&self, last: i64) -> Step<()> {
        let most = self.connections.config.max_bytes;
        if self.used()? <= most {
            return Ok(());
        }
        // A little more than it must, so that the next writes need not do it again.
        let wanted = most - most / 256;
        while self.used()? > wanted {
            let text = "DELETE FROM %entries% WHERE id IN (
                SELECT id FROM %entries% WHERE id < ?1 ORDER BY id LIMIT ?2
            )";
            if self.run(text, (last, LEAVING))? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Takes note of a message of this step.
    pub(crate) fn note_told(&self, id: i64) {
        let first = self.told.get().map_or(id, |(first, _)| first);
        self.told.set(Some((first, id)));
    }
}

impl View<'_> {
    /// Bytes of the file's pages in use.
    pub(crate) fn used(&self) -> Step<u64> {
        let number = |text| self.row(text, [], |row| row.get::<_, i64>(0));
        let pages = number("PRAGMA page_count")?.unwrap_or(0);
        let free = number("PRAGMA freelist_count")?.unwrap_or(0);
        let size = number("PRAGMA page_size")?.unwrap_or(0);
        Ok(u64::try_from((pages - free) * size).unwrap_or(0))
    }
}
