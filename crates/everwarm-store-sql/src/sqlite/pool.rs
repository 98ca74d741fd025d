//! The connections of a process to one file: one that writes, and some that read, each used by one thread at a time.
//!
//! A file that was deleted, or replaced by another, is noticed by the next step, which goes on with what lies at the path.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use everwarm_core::store::Failure;
use everwarm_network::chance;
use everwarm_runtime::{Inside, process_id};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, OpenFlags};

use super::config::{Config, Synchronous};
use super::error::{Step, Trouble, read_only};
use super::forking::note;
use super::place::{self, Identity};
use super::schema::{self, Sql};
use super::told::Own;

/// Connections that wait for the next who reads.
const IDLE: usize = 8;
/// Statements that a connection keeps prepared.
const PREPARED: usize = 64;
/// How long a write waits for another thread of this process before it is said to be busy.
const SHORTLY: Duration = Duration::from_millis(1);

/// A connection, the statements that were written out for it, and which file it is to.
pub(crate) struct Kept {
    pub(crate) connection: Connection,
    texts: RefCell<HashMap<(usize, usize), String>>,
    file: Identity,
}

impl Kept {
    /// The statement that this says, with the names of `sql`'s tables, prepared.
    pub(crate) fn prepared(&self, sql: &Sql, text: &'static str) -> Step<CachedStatement<'_>> {
        // Each lies at one place.
        let place = (text.as_ptr() as usize, text.len());
        let mut texts = self.texts.borrow_mut();
        let text = texts.entry(place).or_insert_with(|| sql.within(text));
        Ok(self.connection.prepare_cached(text)?)
    }
}

/// The connections of one process.
pub(crate) struct Connections {
    pub(crate) config: Config,
    pub(crate) sql: Arc<Sql>,
    /// What tells its own messages from those of others.
    pub(crate) origin: i64,
    pub(crate) own: Own,
    process: u32,
    idle: Mutex<Vec<Kept>>,
    writer: Mutex<Option<Kept>>,
    doubts: Mutex<Vec<String>>,
    child: OnceLock<Arc<Connections>>,
}

impl Connections {
    /// None yet.
    pub(crate) fn new(config: Config, sql: Arc<Sql>) -> Arc<Self> {
        let new = Arc::new(Self {
            config,
            sql,
            origin: chance::bigint(),
            own: Own::default(),
            process: process_id(),
            idle: Mutex::default(),
            writer: Mutex::default(),
            doubts: Mutex::default(),
            child: OnceLock::new(),
        });
        let _inside = Inside::enter();
        note(Arc::downgrade(&new));
        new
    }

    /// Those of this process: of the child that a process forked these are others than its parent's.
    pub(crate) fn of_this_process(self: &Arc<Self>) -> &Arc<Self> {
        let this = process_id();
        let mut own = self;
        while own.process != this {
            own = own
                .child
                .get_or_init(|| Self::new(own.config.clone(), Arc::clone(&own.sql)));
        }
        own
    }

    /// Does `work` with a connection that reads.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Kept) -> Step<T>) -> Result<T, Failure> {
        let _inside = Inside::enter();
        let there = place::there(&self.config.path);
        let kept = self.idle.lock().pop();
        let kept = match kept.filter(|kept| Some(kept.file) == there) {
            Some(kept) => kept,
            None => self
                .connect(false)
                .map_err(|trouble| self.failure(trouble))?,
        };
        let done = work(&kept);
        if done
            .as_ref()
            .err()
            .is_none_or(|error| !error.is_of_connection())
        {
            let mut idle = self.idle.lock();
            if idle.len() < IDLE {
                idle.push(kept);
            }
        }
        done.map_err(|trouble| self.failure(trouble))
    }

    /// Does `work` with the connection that writes; `None` while another thread does.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Kept) -> Step<T>) -> Option<Step<T>> {
        let _inside = Inside::enter();
        let mut seat = self.writer.try_lock_for(SHORTLY)?;
        let done = self.seated(&mut seat).and_then(work);
        if done.as_ref().err().is_some_and(Trouble::is_of_connection) {
            *seat = None;
        }
        Some(done)
    }

    fn seated<'s>(&self, seat: &'s mut MutexGuard<'_, Option<Kept>>) -> Step<&'s Kept> {
        let there = place::there(&self.config.path);
        if seat.as_ref().is_none_or(|kept| Some(kept.file) != there) {
            **seat = None;
            **seat = Some(self.connect(true)?);
        }
        Ok(seat.as_ref().expect("it was just put there"))
    }

    fn connect(&self, writes: bool) -> Step<Kept> {
        let Config {
            path, busy_timeout, ..
        } = &self.config;
        let file = place::made(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        if connection.is_readonly("main")? {
            return Err(read_only(path).into());
        }
        connection.busy_timeout(*busy_timeout)?;
        // Who closes last does not clear up: a fork closes all, and whoever opens the file next goes on where they were.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let doubt = schema::settle(&connection, path, &self.sql, *busy_timeout)?;
        self.doubts.lock().extend(doubt);
        set_synchronous(&connection, self.config.synchronous)?;
        if writes {
            // Who finds others writing waits outside of SQLite.
            connection.busy_timeout(Duration::ZERO)?;
        }
        Ok(Kept {
            connection,
            texts: RefCell::default(),
            file,
        })
    }

    pub(crate) fn failure(&self, trouble: Trouble) -> Failure {
        trouble.failure(&self.config.path)
    }

    /// Why what was there was given up.
    pub(crate) fn doubts(&self) -> Vec<String> {
        self.doubts.lock().clone()
    }

    /// Closes all connections, until they are needed again. Nobody is in SQLite, but for a thread that was stopped there.
    pub(crate) fn let_go(&self) {
        if self.process != process_id() {
            return;
        }
        if let Some(mut idle) = self.idle.try_lock() {
            idle.clear();
        }
        if let Some(mut writer) = self.writer.try_lock() {
            *writer = None;
        }
    }
}

pub(crate) fn set_synchronous(connection: &Connection, synchronous: Synchronous) -> Step<()> {
    connection.pragma_update(None, "synchronous", synchronous.name())?;
    Ok(())
}

impl Drop for Connections {
    fn drop(&mut self) {
        if self.process != process_id() {
            // Those of a parent are not to be touched, not even to close them.
            mem::forget(mem::take(self.idle.get_mut()));
            mem::forget(self.writer.get_mut().take());
        }
    }
}
