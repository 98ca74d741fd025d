//! The store: its verbs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Entry, Failure, FailureKind, Found, Generations, Health,
    Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};

use super::clock::{self, WallClock, end};
use super::config::{Config, Synchronous};
use super::error::{Step, closed};
use super::pool::Connections;
use super::reading::View;
use super::schema::{Sql, ddl, range};
use super::writing::{Writing, set_hard};

/// Bytes of a name.
pub(crate) const LONGEST_NAME: usize = 1024;
/// Bytes of a value, where the bound leaves room for it: it goes through memory more than once.
const LARGEST: u64 = 256 << 20;
/// Entries, and bytes, of one step.
const AT_ONCE: usize = 500;
const BYTES_AT_ONCE: usize = 4 << 20;

/// A store in a file of SQLite, for many processes at once.
///
/// Who reads waits for nobody. A write that finds others writing for longer than a moment is answered later, unless its thread only
/// waits, and fails as a timeout after the time that [`Config::busy_timeout`] says.
pub struct Sqlite {
    pub(crate) first: Arc<Connections>,
    clock: Arc<dyn Clock>,
    is_closed: AtomicBool,
}

impl Sqlite {
    /// Opens the store, and makes its file if there is none.
    ///
    /// # Errors
    /// `Authentication` for a file that others could change, `Permanent` for one that is not a database of this store, `Capability` for
    /// one that another version wrote, and what SQLite and the system refuse.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Self::open_by(config, Arc::new(WallClock))
    }

    /// As [`open`](Self::open), by another clock than the machine's; its origin is the year 1970.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_by(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let config = config
            .checked()
            .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
        let sql = Arc::new(Sql::of(&config.table));
        let first = Connections::new(config, sql);
        first.read(|_| Ok(()))?;
        Ok(Self {
            first,
            clock,
            is_closed: AtomicBool::new(false),
        })
    }

    /// What makes its tables.
    #[must_use]
    pub fn ddl(&self) -> String {
        ddl(&self.first.config.table)
    }

    pub(crate) fn now(&self) -> i64 {
        clock::now(&*self.clock)
    }

    /// The connections of this process, while the store is open.
    pub(crate) fn connections(&self) -> Result<&Connections, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        Ok(self.first.of_this_process())
    }

    /// Reads by one statement.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&View<'_>) -> Step<T>) -> Result<T, Failure> {
        let connections = self.connections()?;
        connections.read(|kept| {
            work(&View {
                kept,
                sql: &connections.sql,
                now: self.now(),
                clock: Some(&*self.clock),
            })
        })
    }

    /// Reads by several statements, all at one moment of the file.
    pub(crate) fn read_at_once<T>(
        &self,
        work: impl FnOnce(&View<'_>) -> Step<T>,
    ) -> Result<T, Failure> {
        self.read(|view| view.at_once(work))
    }

    /// Whether the store takes such a name and so many bytes.
    pub(crate) fn check(&self, name: &str, bytes: u64) -> Result<(), Failure> {
        let capacity = |message, hint| Err(Failure::new(FailureKind::Capacity, message, hint));
        if name.len() > LONGEST_NAME {
            return capacity(
                format!("a name of {} bytes is too long for the store", name.len()),
                "use names of 1024 bytes at most",
            );
        }
        let most = self.limits().largest_value;
        if bytes > most {
            return capacity(
                format!(
                    "a value of {bytes} bytes is too large for the store, which takes up to {most}"
                ),
                "raise max_bytes, or store less under one name",
            );
        }
        Ok(())
    }

    /// Makes what was acknowledged survive a loss of power, and takes the log into the file as far as nobody needs it.
    fn finish(&self) -> Result<(), Failure> {
        let connections = self.connections()?;
        let done = connections.write(|kept| {
            let view = View {
                kept,
                sql: &connections.sql,
                now: 0,
                clock: None,
            };
            if connections.config.synchronous != Synchronous::Full {
                set_hard(&view, connections, true)?;
            }
            view.row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        match done {
            // Others write: they close it later.
            None => Ok(()),
            Some(Err(trouble)) if trouble.is_busy() => Ok(()),
            Some(done) => done
                .map(drop)
                .map_err(|trouble| connections.failure(trouble)),
        }
    }
}

impl Store for Sqlite {
    fn info(&self) -> Info {
        Info {
            kind: "sqlite",
            place: self.first.config.path.display().to_string(),
            durability: self.first.config.synchronous.durability(),
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: LONGEST_NAME,
            largest_value: LARGEST.min(self.first.config.max_bytes / 4),
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        Answer::Now(self.read(|view| view.found(name)))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        if let Err(failure) = self.check(name, bytes.len() as u64) {
            return Answer::failed(failure);
        }
        self.write(move |writing| {
            writing.put(name, &bytes, end(writing.now, ttl))?;
            writing.tell_key(name)
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        if let Err(failure) = self.check(name, 0) {
            return Answer::failed(failure);
        }
        self.write(move |writing| {
            let was = writing.take(name)?;
            writing.tell_key(name)?;
            Ok(was)
        })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        let read = self.read_at_once(|view| names.iter().map(|name| view.found(name)).collect());
        Answer::Now(read)
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        let checked = entries
            .iter()
            .try_for_each(|entry| self.check(entry.name, entry.bytes.len() as u64));
        if let Err(failure) = checked {
            return Answer::failed(failure);
        }
        self.write_each(entries, entry_bytes, |writing, entry| {
            writing.put(entry.name, &entry.bytes, end(writing.now, entry.ttl))?;
            writing.tell_key(entry.name)
        })
        .map(drop)
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        let checked = names.iter().try_for_each(|name| self.check(name, 0));
        if let Err(failure) = checked {
            return Answer::failed(failure);
        }
        let each = self.write_each(
            names,
            |_| 0,
            |writing, name| {
                let was = writing.take(name)?;
                writing.tell_key(name)?;
                Ok(was)
            },
        );
        each.map(|were| were.into_iter().filter(|&was| was).count() as u64)
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        if prefix.len() > LONGEST_NAME {
            // No name begins so.
            return self.ping().map(|()| 0);
        }
        let (from, end) = range(prefix);
        self.write_in_steps(
            None,
            move |before: &Option<u64>, writing| {
                if before.is_none() {
                    let text = "DELETE FROM %leases% WHERE name >= ?1 AND name < ?2";
                    writing.run(text, (&from, &end))?;
                }
                let text = "DELETE FROM %entries% WHERE id IN (
                    SELECT id FROM %entries% WHERE name >= ?1 AND name < ?2 LIMIT ?3
                ) RETURNING since <= ?4 AND until > ?4";
                let mut statement = writing.prepared(text)?;
                let values = (&from, &end, AT_ONCE as i64, writing.now);
                let were = statement.query_map(values, |row| row.get(0))?;
                let were = were.collect::<rusqlite::Result<Vec<bool>>>()?;
                let is_over = were.len() < AT_ONCE;
                // What is left of the steps before may have been read meanwhile.
                if before.is_none() || is_over {
                    writing.tell_clear(prefix)?;
                }
                Ok((were.into_iter().filter(|&was| was).count(), is_over))
            },
            |before, (gone, is_over)| {
                let cleared = before.unwrap_or(0) + gone as u64;
                *before = Some(cleared);
                is_over.then_some(cleared)
            },
        )
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.write_in_steps(
            0,
            |_, writing| {
                let gone = writing.sweep_some(AT_ONCE as i64)?;
                let is_over = gone < AT_ONCE as u64;
                if is_over {
                    writing.run("DELETE FROM %leases% WHERE until <= ?1", [writing.now])?;
                    writing.sweep_markers()?;
                }
                Ok((gone, is_over))
            },
            |swept, (gone, is_over)| {
                *swept += gone;
                is_over.then_some(*swept)
            },
        )
    }

    fn ping(&self) -> Answer<'_, ()> {
        let said = self.read(|view| view.row("SELECT boot FROM %state%", [], |_| Ok(())));
        Answer::Now(said.map(drop))
    }

    fn close(&self) -> Answer<'_, ()> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Answer::done(());
        }
        let finished = self.finish();
        if let Ok(connections) = self.connections() {
            connections.let_go();
        }
        self.is_closed.store(true, Ordering::Relaxed);
        Answer::Now(finished)
    }

    fn doubts(&self) -> Vec<String> {
        self.connections()
            .map(Connections::doubts)
            .unwrap_or_default()
    }

    fn may_wait(&self) -> bool {
        // For who writes.
        true
    }

    fn after_fork(&self) {
        self.first.of_this_process();
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

fn entry_bytes(entry: &Entry<'_>) -> usize {
    entry.bytes.len()
}

impl Sqlite {
    /// Does the same for many, some of them in each step; what it gave for each.
    pub(crate) fn write_each<'a, I: Sync, T: Send + 'a>(
        &'a self,
        items: &'a [I],
        bytes: impl Fn(&I) -> usize + Send + 'a,
        work: impl Fn(&Writing<'_>, &'a I) -> Step<T> + Send + 'a,
    ) -> Answer<'a, Vec<T>> {
        self.write_in_steps(
            Vec::with_capacity(items.len()),
            move |before: &Vec<T>, writing| {
                let (mut lot, mut size) = (Vec::new(), 0);
                for item in &items[before.len()..] {
                    if lot.len() == AT_ONCE || size > BYTES_AT_ONCE {
                        break;
                    }
                    size += bytes(item);
                    lot.push(work(writing, item)?);
                }
                Ok(lot)
            },
            move |before, lot| {
                before.extend(lot);
                (before.len() == items.len()).then(|| std::mem::take(before))
            },
        )
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sqlite")
            .field("place", &self.first.config.path)
            .finish_non_exhaustive()
    }
}
