//! What the server, the driver and connections refuse, as failures of the store. What a server says is never repeated beyond its code:
//! it may hold names and values.

use std::io;

use everwarm_core::store::{Failure, FailureKind};
use mongodb::error::{Error, ErrorKind};

/// An entry of that name came in between: nothing was done.
pub(crate) const DUPLICATE: i32 = 11_000;
/// Two writes stood in each other's way: nothing was done.
const CONFLICT: i32 = 112;
/// There is no such collection.
pub(crate) const NO_COLLECTION: i32 = 26;

/// Why a command did not do what it was to do.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server says so, by this code.
    Code(i32),
    /// Anything else.
    Other(Failure),
}

impl Refusal {
    /// What an error of the driver is.
    pub(crate) fn of(error: &Error, place: &str) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Command(command) => Self::Code(command.code),
            kind => Self::Other(by_kind(kind, place)),
        }
    }

    /// Whether nothing was done, since another write came in between: it may be done again.
    pub(crate) const fn is_undone(&self) -> bool {
        matches!(self, Self::Code(DUPLICATE | CONFLICT))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Code(code) => answered(code),
            Refusal::Other(failure) => failure,
        }
    }
}

/// The failure of a verb on a closed store.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store is closed",
        "open it again, or close it later",
    )
}

/// The failure of what cannot be asked, since no server is there.
pub(crate) fn unreachable(place: &str) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("no server of {place} can be reached that takes writes"),
        "look whether they run and can be reached, whether one is primary, and whether tls= is as they have it",
    )
}

/// The failure of an answer that cannot be.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("the server's answer to {what} cannot be understood"),
        "look what else writes to the collection of this store",
    )
}

/// The failure of what was ended before it was done.
pub(crate) fn ended() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "what was asked of the server was ended before it was answered",
        "ask again; if it stays so, this is an error of the store",
    )
}

fn by_kind(kind: &ErrorKind, place: &str) -> Failure {
    match kind {
        ErrorKind::Authentication { .. } => Failure::new(
            FailureKind::Authentication,
            format!("{place} refused who asks"),
            "give user and password in the URL, and authSource= where the user is of another database",
        ),
        ErrorKind::InvalidTlsConfig { .. } => Failure::new(
            FailureKind::Permanent,
            "the files of certificates cannot be used",
            "look at tlsCAFile= and tlsCertificateKeyFile=",
        ),
        ErrorKind::DnsResolve { .. } => Failure::new(
            FailureKind::Transient,
            format!("the servers of {place} cannot be looked up"),
            "look at the name in the URL, and at the resolver of this machine",
        ),
        ErrorKind::ServerSelection { .. } | ErrorKind::Shutdown => unreachable(place),
        ErrorKind::IncompatibleServer { .. } => Failure::new(
            FailureKind::Capability,
            format!("{place} is too old for this store"),
            "use MongoDB 4.4 or later",
        ),
        ErrorKind::Io(error) => unheard(error, place),
        ErrorKind::InvalidArgument { .. }
        | ErrorKind::BsonSerialization(_)
        | ErrorKind::Bson(_) => Failure::new(
            FailureKind::Permanent,
            "the driver refused what it was to ask",
            "look at the options of the URL",
        ),
        ErrorKind::InvalidResponse { .. } | ErrorKind::BsonDeserialization(_) => {
            unexpected("a command")
        }
        _ => Failure::new(
            FailureKind::Transient,
            format!("the connection to {place} was lost"),
            "look whether the server runs, and whether something else answers at its port",
        ),
    }
}

fn unheard(error: &io::Error, place: &str) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => FailureKind::Timeout,
        io::ErrorKind::InvalidData => FailureKind::Authentication,
        _ => FailureKind::Transient,
    };
    Failure::new(
        kind,
        format!("the connection to {place} failed: {}", error.kind()),
        "look whether the server runs and can be reached, and whether tls= is as it has it",
    )
}

fn answered(code: i32) -> Failure {
    let (kind, hint) = meaning(code);
    Failure::new(kind, format!("the server refused: code {code}"), hint)
}

/// What a code means.
const fn meaning(code: i32) -> (FailureKind, &'static str) {
    match code {
        13 | 18 | 33 | 8000 => (
            FailureKind::Authentication,
            "give the user the rights that docs/guide/mongodb.md lists",
        ),
        // The write was done where the primary is, and most others do not have it yet.
        50 | 64 | 202 | 262 => (
            FailureKind::Timeout,
            "look at the load of the servers, and whether most of the replica set runs",
        ),
        79 | 100 => (
            FailureKind::Permanent,
            "w= asks for more servers than there are, or for a rule that there is not",
        ),
        10_334 | 17_280 | 17_419 | 17_420 | 14_031 | 12_501 | 146 | 292 => (
            FailureKind::Capacity,
            "store less under one name, or give the server more room",
        ),
        6 | 7 | 43 | 89 | 91 | 175 | 189 | 237 | 9001 | 10_058 | 10_107 | 11_600 | 11_602
        | 13_435 | 13_436 | DUPLICATE | CONFLICT => (
            FailureKind::Transient,
            "it should pass; if not, look at the server's log",
        ),
        59 | 115 => (
            FailureKind::Capability,
            "use MongoDB 4.4 or later, or a server that does what it does",
        ),
        85 | 86 => (
            FailureKind::Permanent,
            "the collection has another index of this name: drop it, or say make_index=false",
        ),
        _ => (FailureKind::Permanent, "look at the server's log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_has_its_kind() {
        for (code, kind) in [
            (13, FailureKind::Authentication),
            (18, FailureKind::Authentication),
            (64, FailureKind::Timeout),
            (50, FailureKind::Timeout),
            (100, FailureKind::Permanent),
            (10_334, FailureKind::Capacity),
            (14_031, FailureKind::Capacity),
            (10_107, FailureKind::Transient),
            (11_600, FailureKind::Transient),
            (DUPLICATE, FailureKind::Transient),
            (59, FailureKind::Capability),
            (9, FailureKind::Permanent),
        ] {
            let failure = answered(code);
            assert_eq!(failure.kind, kind, "{code}");
            assert!(failure.message().contains(&code.to_string()) && !failure.hint().is_empty());
        }
    }
}
