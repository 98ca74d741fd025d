//! What SQLite and the system refuse, as failures of the store.

use std::io;
use std::path::Path;

use everwarm_core::store::{Failure, FailureKind};
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why a step was not done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The store says so.
    Failed(Failure),
}

/// What a step on the file gives.
pub(crate) type Step<T> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Trouble {
    /// Whether somebody else has what it takes, for now.
    pub(crate) fn is_busy(&self) -> bool {
        let code = self.code();
        matches!(
            code,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    /// Whether the connection is worth nothing more.
    pub(crate) fn is_of_connection(&self) -> bool {
        let fine = [
            ErrorCode::DatabaseBusy,
            ErrorCode::DatabaseLocked,
            ErrorCode::TooBig,
            ErrorCode::DiskFull,
        ];
        self.code().is_some_and(|code| !fine.contains(&code))
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Failed(_) => None,
        }
    }

    /// As a failure of the store in this file.
    pub(crate) fn failure(self, path: &Path) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Sqlite(error) => failed(path, &error),
        }
    }
}

fn failed(path: &Path, error: &rusqlite::Error) -> Failure {
    let path = path.display();
    let rusqlite::Error::SqliteFailure(said, _) = error else {
        return Failure::new(
            FailureKind::Corruption,
            format!("{path} holds what the store did not write"),
            "delete the file, with -wal and -shm, while no process uses it",
        );
    };
    let (kind, hint) = meaning(*said);
    Failure::new(kind, format!("{path} cannot be used: {said}"), hint)
}

fn meaning(said: ffi::Error) -> (FailureKind, &'static str) {
    match (said.code, said.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => (FailureKind::Timeout, BUSY),
        (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => (
            FailureKind::Capacity,
            "free some space there, or lower max_bytes",
        ),
        (ErrorCode::TooBig, _) => (FailureKind::Capacity, "store less under one name"),
        (ErrorCode::NotADatabase, _) => (
            FailureKind::Permanent,
            "name a file that is not there yet, or one that this store made",
        ),
        (ErrorCode::DatabaseCorrupt, _) => (
            FailureKind::Corruption,
            "look at the disk; then delete the file, with -wal and -shm, while no process uses it",
        ),
        (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => (
            FailureKind::Permanent,
            "name a file that this user may write to, in a directory that it may write to",
        ),
        (ErrorCode::CannotOpen, _) => (
            FailureKind::Transient,
            "see whether this user may write to the file and its directory, and raise the limit of open files (ulimit -n)",
        ),
        _ => (
            FailureKind::Transient,
            "look at the disk and at the system's log",
        ),
    }
}

const BUSY: &str =
    "write less at once, look for a process that was stopped while it wrote, or raise busy_timeout";

/// Others were writing for all of the time that a write may wait.
pub(crate) fn busy() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "the file was being written to all the time",
        BUSY,
    )
}

/// The failure that an error of the system means.
pub(crate) fn refused(path: &Path, error: &io::Error) -> Failure {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (FailureKind::Capacity, "free some space there")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => (
            FailureKind::Permanent,
            "name a file in a directory that this user may write to",
        ),
        _ => (
            FailureKind::Transient,
            "look at the disk and at the system's log",
        ),
    };
    Failure::new(
        kind,
        format!("{} cannot be used: {error}", path.display()),
        hint,
    )
}

/// The failure of a file that can only be read.
pub(crate) fn read_only(path: &Path) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("{} can only be read", path.display()),
        "name a file that this user may write to, in a directory that it may write to",
    )
}

/// The failure of a verb on a closed store.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store is closed",
        "open it again, or close it later",
    )
}
