//! Failures that every database has.

use std::io;

use everwarm_core::store::{Failure, FailureKind};

/// The failure of a verb on a closed store.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store is closed",
        "open it again, or close it later",
    )
}

/// The failure of a connection that is not there in time.
pub(crate) fn late(place: &str) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("there was no connection to {place} in time"),
        "look whether the server runs and can be reached, or raise connect_timeout=",
    )
}

/// The failure of what was asked on a connection that ended.
pub(crate) fn ended() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "the connection to the database was lost",
        "look whether the server runs, and whether something else answers at its port",
    )
}

/// The failure of an answer that cannot be.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("the database's answer to {what} cannot be understood"),
        "look what else writes to the tables of this store",
    )
}

/// The failure of a part of a whole that one answer is for.
pub(crate) fn no_answer() -> Failure {
    Failure::new(
        FailureKind::Corruption,
        "the database gave fewer answers than it was asked for",
        "look whether something else answers at its port",
    )
}

/// The failure of a server that cannot be reached.
pub(crate) fn unreachable(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(error) = inner {
        return untrusted(error);
    }
    let (kind, hint) = match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => (
            FailureKind::Timeout,
            "look at the server's load and at the network",
        ),
        io::ErrorKind::PermissionDenied => (
            FailureKind::Authentication,
            "give this user the right to open the socket",
        ),
        _ => (
            FailureKind::Transient,
            "look whether the server runs and can be reached",
        ),
    };
    Failure::new(
        kind,
        format!("the database cannot be reached: {error}"),
        hint,
    )
}

fn untrusted(error: &rustls::Error) -> Failure {
    let is_their = matches!(error, rustls::Error::InvalidCertificate(_));
    let hint = if is_their {
        "name the authority that signed the server's certificate: ca=, and the host as the certificate has it"
    } else {
        "look whether the server speaks TLS, and which certificate it wants of its clients"
    };
    Failure::new(
        FailureKind::Authentication,
        format!("the database and this store do not trust each other: {error}"),
        hint,
    )
}
