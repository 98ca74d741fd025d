//! What lies in the file: the tables, the statements on them, and what shows that the file is one of ours.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Failure, FailureKind};
use everwarm_network::chance;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::clock::boot;
use super::error::{Step, Trouble};

/// Says that a file is one of ours: "Ewrm".
const APPLICATION: i32 = 0x4577_726d;
/// The layout of the tables.
const LAYOUT: i32 = 1;
/// A log that was longer for a while is cut to so many bytes.
const LOG: i64 = 16 << 20;
/// How often it is tried to make a file that others make as well.
const PAUSE: Duration = Duration::from_micros(500);

const TABLES: &str = include_str!("tables.sql");

/// The names of a store's tables, as identifiers.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    table: String,
}

impl Sql {
    /// Of the tables whose names begin so.
    pub(crate) fn of(table: &str) -> Self {
        Self {
            table: table.to_owned(),
        }
    }

    /// `text` with names in the places of `%entries%` and the like.
    pub(crate) fn within(&self, text: &str) -> String {
        let mut written = String::with_capacity(2 * text.len());
        for (at, part) in text.split('%').enumerate() {
            match (at % 2, part) {
                (0, _) => written.push_str(part),
                (_, "entries") => written.push_str(&quoted(&self.table)),
                _ => written.push_str(&quoted(&format!("{}_{part}", self.table))),
            }
        }
        written
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What makes the tables.
pub(crate) fn ddl(table: &str) -> String {
    Sql::of(table).within(TABLES)
}

/// What a name begins with, and what no name that begins so reaches: names are UTF-8, which has no byte 0xff.
pub(crate) fn range(prefix: &str) -> (Vec<u8>, Vec<u8>) {
    let from = prefix.as_bytes().to_vec();
    let mut end = from.clone();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(u8::MAX),
    }
    (from, end)
}

/// Sees to it that a new connection is to a file of ours with the tables of this store; why what was there was given up, if it was.
///
/// It waits for as long as `patience` for others who make the same file.
pub(crate) fn settle(
    connection: &Connection,
    path: &Path,
    sql: &Sql,
    patience: Duration,
) -> Step<Option<String>> {
    // What a damaged page says is held against what it can say.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG)?;
    // All that is asked is of one moment: others may be making the same file.
    let moment = connection.unchecked_transaction()?;
    if is_settled(&moment, path, sql)? {
        return Ok(None);
    }
    drop(moment);
    if log_beside(connection, patience)? != "wal" {
        return Err(Failure::new(
            FailureKind::Capability,
            format!(
                "{} lies where SQLite keeps no log beside it",
                path.display()
            ),
            "name a file on a disk of this machine: network file systems do not do",
        )
        .into());
    }
    let begun = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut doubt = None;
    if !is_settled(&begun, path, sql)? {
        begun.pragma_update(None, "application_id", APPLICATION)?;
        begun.pragma_update(None, "user_version", LAYOUT)?;
        begun.execute_batch(&sql.within(TABLES))?;
        doubt = begin(&begun, sql)?;
    }
    begun.commit()?;
    Ok(doubt)
}

/// Has changes written to a log beside the file; the mode that this leads to. Here SQLite itself waits for nobody, whatever its
/// `busy_timeout`: it holds the file to read, and would wait with that for others that do.
fn log_beside(connection: &Connection, patience: Duration) -> Step<String> {
    let begun = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match mode.map_err(Trouble::from) {
            Err(trouble) if trouble.is_busy() && begun.elapsed() < patience => thread::sleep(PAUSE),
            said => return said,
        }
    }
}

/// Whether the file has all that this store needs, and was used since the machine started.
fn is_settled(connection: &Connection, path: &Path, sql: &Sql) -> Step<bool> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, layout) = (number("application_id")?, number("user_version")?);
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, layout) {
        (APPLICATION, LAYOUT) => {}
        (0, 0) if objects == 0 => return Ok(false),
        (APPLICATION, other) => {
            return Err(Failure::new(
                FailureKind::Capability,
                format!(
                    "{} was written by a version with layout {other}",
                    path.display()
                ),
                "name another file, or use the version that wrote it",
            )
            .into());
        }
        _ => {
            return Err(Failure::new(
                FailureKind::Permanent,
                format!("{} is a database of something else", path.display()),
                "give the store a file of its own, which it makes itself",
            )
            .into());
        }
    }
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let state = format!("{}_state", sql.table);
    let there: i64 = connection.query_row(table, [state], |row| row.get(0))?;
    if there == 0 {
        return Ok(false);
    }
    let state = sql.within("SELECT boot FROM %state%");
    let seen: Option<i64> = connection
        .query_row(&state, [], |row| row.get(0))
        .optional()?;
    Ok(seen == Some(boot()))
}

/// Begins in tables that were just made, or goes on after another start of the machine.
fn begin(connection: &Connection, sql: &Sql) -> Step<Option<String>> {
    let run = |text: &str| connection.execute(&sql.within(text), []);
    let state = sql.within("SELECT is_hard FROM %state%");
    let is_hard: Option<bool> = connection
        .query_row(&state, [], |row| row.get(0))
        .optional()?;
    if is_hard == Some(false) {
        for table in ["entries", "leases", "shards", "markers"] {
            run(&format!("DELETE FROM %{table}%"))?;
        }
    }
    if is_hard != Some(true) {
        // Who heard of another file, or of what was lost, is behind by more than is remembered, or ahead.
        run("DELETE FROM %told%")?;
        let first = sql.within("INSERT INTO %told% (id, origin, kind) VALUES (?1, 0, 0)");
        connection.execute(&first, [chance::bigint() >> 16])?;
    }
    run("DELETE FROM %state%")?;
    let state = sql.within("INSERT INTO %state% (boot, is_hard) VALUES (?1, 1)");
    connection.execute(&state, params![boot()])?;
    let why = "the machine ended while the store was in use, and the store began anew, empty";
    Ok((is_hard == Some(false)).then(|| why.to_owned()))
}
