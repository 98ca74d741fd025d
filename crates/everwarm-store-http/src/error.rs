//! What goes wrong on the way to a server, as failures of the store. What a server says in words is never repeated: it may hold names,
//! values and tokens.

use std::io;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};

use crate::contract::{LONGEST_NAME, kind_of};

/// The failure of a verb on a closed store.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store is closed",
        "open it again, or close it later",
    )
}

/// The failure of a name that is too long.
pub(crate) fn long_name(length: usize) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("a name of {length} bytes is too long for the store"),
        format!("use names of {LONGEST_NAME} bytes at most"),
    )
}

/// The failure of bytes that are too many, on the way there or back.
pub(crate) fn too_large(length: u64, most: u64) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("{length} bytes are too many, where {most} are the limit"),
        "store less under one name, or raise max_value= and the server's --max-body",
    )
}

/// The failure of an operation whose time was over.
pub(crate) fn timed_out(place: &str, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("{place} gave no answer within {after:?}"),
        "look at the server's load and at the network, or raise timeout=",
    )
}

/// The failure of an operation for which no connection was there in time.
pub(crate) fn not_connected(place: &str, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("there was no connection to {place} within {after:?}"),
        "look whether the server runs and can be reached, or raise connect_timeout=",
    )
}

/// The failure that an error of the operating system, or of encryption, means.
pub(crate) fn refused(place: &str, error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let hint = match error {
            rustls::Error::InvalidCertificate(_) => {
                "name the authority that signed the server's certificate: ca=, and the host as the certificate has it"
            }
            _ => "look whether the server speaks TLS at this port",
        };
        return Failure::new(
            FailureKind::Authentication,
            format!("{place} and this store do not trust each other: {error}"),
            hint,
        );
    }
    let kind = match error.kind() {
        io::ErrorKind::TimedOut => FailureKind::Timeout,
        _ => FailureKind::Transient,
    };
    Failure::new(
        kind,
        format!("{place} cannot be reached: {error}"),
        "look whether the server runs and can be reached",
    )
}

/// The failure of what was asked on a connection that ended before the answer was there, or that brought what is no HTTP.
pub(crate) fn lost(place: &str, error: &hyper::Error) -> Failure {
    let (what, hint) = if error.is_parse() {
        (
            "gave an answer that is no HTTP",
            "look what else answers at its port, and whether it speaks TLS",
        )
    } else {
        (
            "ended the connection before its answer was there",
            "look whether the server runs and can be reached",
        )
    };
    Failure::new(FailureKind::Transient, format!("{place} {what}"), hint)
}

/// The failure of an answer that no server of the contract gives.
pub(crate) fn stranger(place: &str, status: u16) -> Failure {
    let kind = match kind_of(status, None) {
        // What answers is not the store: that it knows no such path says nothing of an entry.
        FailureKind::Capability => FailureKind::Permanent,
        kind => kind,
    };
    Failure::new(
        kind,
        format!("{place} gave an answer of status {status} that is not of Everwarm's contract"),
        "look which server answers there, and whether the prefix of the URL is right; redirects are not followed",
    )
}

/// The failure of an answer whose body is not what the contract says.
pub(crate) fn unexpected(place: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("the answer of {place} cannot be understood"),
        "look whether the server is of the same version, and whether a proxy changes what it says",
    )
}

/// The failure that a server tells of.
pub(crate) fn answered(place: &str, status: u16, said: Option<&str>) -> Failure {
    let kind = kind_of(status, said);
    let hint = match kind {
        FailureKind::Authentication if status == 502 => {
            "the server may not ask its own store: look at the server's log"
        }
        FailureKind::Authentication => {
            "give the server's token: token_env=NAME or token_file=/path"
        }
        FailureKind::Capacity => {
            "store less under one name, or give the server and its store more room"
        }
        FailureKind::Capability => {
            "the server's store has no such facet: name those that it has in the URL, facets=counters,scan"
        }
        FailureKind::Timeout | FailureKind::Transient => {
            "it should pass; if not, look at the server's load and at its store"
        }
        FailureKind::Permanent | FailureKind::Corruption | FailureKind::Closed => {
            "look at the server's log"
        }
    };
    Failure::new(
        kind,
        format!("{place} refused: {status}, {}", kind.name()),
        hint,
    )
}
