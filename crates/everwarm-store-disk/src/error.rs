//! What the operating system refused, as failures of the store.

use std::io;
use std::path::Path;

use everwarm_core::store::{Failure, FailureKind};
use rustix::io::Errno;

/// Why a step on the files was not done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It failed; the files are as they were.
    Failed(Failure),
    /// What lies in the files was not written by any store.
    Damaged(&'static str),
    /// A part is done, and others should have their turn before the next.
    Again,
}

impl Trouble {
    /// The file of the index ends before a bucket.
    pub(crate) const CUT: Self = Self::Damaged("its index is cut");
    /// A bucket of the index that no store wrote there.
    pub(crate) const BUCKET: Self = Self::Damaged("a bucket of its index");
    /// A slot of the index that no store wrote there.
    pub(crate) const SLOT: Self = Self::Damaged("a slot of its index");
}

/// What a step on the files gives.
pub(crate) type Step<T> = Result<T, Trouble>;

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(refused("the files of the store", &error))
    }
}

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// The failure that an error of the operating system on `what` means.
pub(crate) fn refused(what: &str, error: &io::Error) -> Failure {
    let errno = Errno::from_io_error(error);
    let (kind, hint) = match errno {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => (
            FailureKind::Capacity,
            "free some space there, or lower max_bytes",
        ),
        Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => (
            FailureKind::Permanent,
            "give a directory that this user may write to",
        ),
        Some(Errno::MFILE | Errno::NFILE) => (
            FailureKind::Transient,
            "raise the limit of open files (ulimit -n)",
        ),
        Some(Errno::NOENT) => (
            FailureKind::Transient,
            "leave the directory alone while processes use it; clear the cache instead",
        ),
        _ => (
            FailureKind::Transient,
            "look at the disk and at the system's log",
        ),
    };
    Failure::new(kind, format!("{what} cannot be used: {error}"), hint)
}

/// As [`refused`], of a path.
pub(crate) fn refused_at(path: &Path, error: &io::Error) -> Failure {
    refused(&path.display().to_string(), error)
}

/// The failure of a verb that met damage.
pub(crate) fn damaged(what: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("the store is damaged: {what}; it begins anew, empty"),
        "look at the disk and at what else writes to the directory",
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

/// The failure of a write that found the others busy for too long.
pub(crate) fn busy() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "the store was being written to all the time",
        "write less at once, or look for a process that was stopped while it wrote",
    )
}

/// The failure of a write to a store that can only be read.
pub(crate) fn read_only() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "the store can only be read: its file system or directory is read-only",
        "give a directory that this user may write to",
    )
}
