//! What the system refuses, as failures of a store.

use everwarm_core::store::{Failure, FailureKind};
use rustix::io::Errno;

/// The failure of what was to be done to a file of the store.
pub(crate) fn failed(what: &str, errno: Errno) -> Failure {
    let (kind, hint) = match errno {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => (
            FailureKind::Capacity,
            "make room on the medium, or give the store a smaller max_bytes",
        ),
        Errno::ROFS | Errno::ACCESS | Errno::PERM => (
            FailureKind::Permanent,
            "let the process write to the directory, or choose another",
        ),
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::INTR | Errno::NOENT => {
            (FailureKind::Transient, "it may work when it is tried again")
        }
        _ => (
            FailureKind::Permanent,
            "see whether the directory and its medium are sound",
        ),
    };
    Failure::new(
        kind,
        format!("a file store could not {what}: {errno}"),
        hint,
    )
}

/// The directory is not one that a store may trust.
pub(crate) fn refused(what: &str, hint: &str) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("a file store refuses its directory: {what}"),
        hint,
    )
}

/// Somebody holds the lock of a room for too long.
pub(crate) fn locked() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "a file store waited too long for the lock of a room",
        "see which process holds it, and whether it was stopped",
    )
}

/// The handle was closed.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the file store is closed",
        "open another one",
    )
}
