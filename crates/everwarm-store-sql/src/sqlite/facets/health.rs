//! What the file says of itself, and whether its place has room.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use everwarm_core::health::{Remark, Report, Room};
use everwarm_core::store::{Answer, Failure, FailureKind, Health};

use crate::sqlite::Sqlite;
use crate::sqlite::config::Synchronous;
use crate::sqlite::error::refused;

/// Less than this is no room for the log.
const LEAST: u64 = 8 << 20;
/// A log that is longer than this is not taken into the file in time.
const LONG_LOG: u64 = 256 << 20;
/// Files up to this size are read as a whole, where a close look is asked for.
const SMALL: u64 = 32 << 20;

impl Sqlite {
    fn look_over(&self, is_full: bool) -> Result<Report, Failure> {
        let config = &self.connections()?.config;
        let used = self.read(|view| view.used())?;
        let above = config.path.parent().unwrap_or(Path::new("/"));
        let system = rustix::fs::statvfs(above);
        let system = system.map_err(|error| refused(above, &error.into()))?;
        let mode = above.metadata().map_err(|error| refused(above, &error))?;
        let log = log_bytes(&config.path);
        let room = Room {
            used,
            most: config.max_bytes,
            free: system.f_bavail.saturating_mul(system.f_frsize),
            least: LEAST,
            mode: mode.mode() & 0o777,
        };
        let mut remarks = room.remarks(is_full);
        if log > LONG_LOG {
            remarks.push(Remark::trouble(
                "log",
                format!("its log has {log} bytes: somebody reads or writes all the time"),
                "look for a process that was stopped, or that keeps a transaction open on the file",
            ));
        }
        let mut facts = room.facts().to_vec();
        facts.extend([
            ("version", format!("sqlite {}", rusqlite::version()).into()),
            ("journal_mode", "wal".into()),
            ("synchronous", config.synchronous.name().into()),
            ("log_bytes", log.into()),
        ]);
        if is_full {
            match self.counted(used) {
                Ok(entries) => facts.push(("entries", entries.into())),
                Err(failure) if failure.kind == FailureKind::Corruption => {
                    remarks.push(Remark::trouble("damage", failure.message(), failure.hint()));
                }
                Err(failure) => return Err(failure),
            }
            if config.synchronous == Synchronous::Off {
                remarks.push(Remark::setting(
                    "durability",
                    "a loss of power may damage the file",
                    "write synchronous=normal, which costs little",
                ));
            }
        }
        Ok(Report { facts, remarks })
    }

    /// How many entries there are, once a small file was looked through for damage.
    fn counted(&self, used: u64) -> Result<u64, Failure> {
        if used <= SMALL {
            let said = self.read(|view| view.row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
            let said: String = said.unwrap_or_default();
            if said != "ok" {
                return Err(Failure::new(
                    FailureKind::Corruption,
                    format!("the file is damaged: {}", said.replace('\n', " ")),
                    "look at the disk; then delete the file, with -wal and -shm, while no process uses it",
                ));
            }
        }
        let entries = self.read(|view| {
            view.row("SELECT count(*) FROM %entries%", [], |row| {
                row.get::<_, i64>(0)
            })
        })?;
        Ok(entries
            .and_then(|entries| u64::try_from(entries).ok())
            .unwrap_or(0))
    }
}

/// Bytes of the log beside the file.
fn log_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().map_or(0, |log| log.len())
}

impl Health for Sqlite {
    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::Now(self.look_over(is_full))
    }
}
