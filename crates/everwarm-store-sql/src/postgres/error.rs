//! What the server and connections refuse, as failures of the store. What a server says is never repeated beyond its code: it may hold
//! names and values.

use std::error::Error as _;
use std::io;

use everwarm_core::store::{Failure, FailureKind};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::server::failure::{ended, unreachable};

/// The failure that an error means.
pub(crate) fn refused(error: &Error) -> Failure {
    if let Some(code) = error.code() {
        return answered(code);
    }
    if error.is_closed() {
        return ended();
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return unreachable(error);
        }
        source = inner.source();
    }
    // The library says what sort of error it is in its text alone.
    let text = error.to_string();
    if ["configuration", "authentication", "TLS"]
        .iter()
        .any(|sort| text.contains(sort))
    {
        return Failure::new(
            FailureKind::Authentication,
            "the database and this store do not agree on how to connect",
            "give user and password in the URL, and tls=false only where the server has no TLS",
        );
    }
    ended()
}

/// Whether a step was undone since it and another one stood in each other's way: it may be done again.
pub(crate) fn is_undone(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .contains(code)
    })
}

/// Whether tables or functions are not there, or are others than they were.
pub(crate) fn is_missing(error: &Error) -> bool {
    let missing = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::FEATURE_NOT_SUPPORTED,
    ];
    error.code().is_some_and(|code| missing.contains(code))
}

fn answered(code: &SqlState) -> Failure {
    let (kind, hint) = meaning(code.code());
    Failure::new(kind, format!("the database refused: {}", code.code()), hint)
}

/// What a code means; the first two characters are its class.
fn meaning(code: &str) -> (FailureKind, &'static str) {
    match code {
        "42501" => (
            FailureKind::Authentication,
            "give the user the rights that docs/guide/postgresql.md lists, or have the tables made by who has them",
        ),
        "53300" => (
            FailureKind::Transient,
            "raise max_connections of the server, or lower connections=",
        ),
        "57014" | "55P03" => (
            FailureKind::Timeout,
            "look at the server's load, its statement_timeout and its lock_timeout",
        ),
        "25006" => (
            FailureKind::Transient,
            "this server takes no writes: name the one that does, or all of them",
        ),
        "3D000" => (
            FailureKind::Permanent,
            "make the database, or name another one",
        ),
        "3F000" => (
            FailureKind::Permanent,
            "make the schema, or name another one with schema=",
        ),
        "22003" => (
            FailureKind::Permanent,
            "a counter would leave 64 bits: delete it, and begin anew",
        ),
        "22P02" => (
            FailureKind::Permanent,
            "what is counted up is no number: count under a name of its own",
        ),
        "42P01" | "42883" | "42703" | "26000" | "0A000" => (
            FailureKind::Transient,
            "tables of this store were changed: they are made anew, or have a DBA do it",
        ),
        "XX001" | "XX002" => (
            FailureKind::Corruption,
            "the database says that its data are damaged: look at the server's log",
        ),
        _ => by_class(code.get(..2).unwrap_or_default()),
    }
}

fn by_class(class: &str) -> (FailureKind, &'static str) {
    match class {
        "28" => (
            FailureKind::Authentication,
            "give user and password in the URL: \"postgresql://user:password@host/database\"",
        ),
        "53" | "54" => (
            FailureKind::Capacity,
            "give the server more room, or store less under one name",
        ),
        "08" | "40" | "57" | "58" => (
            FailureKind::Transient,
            "it should pass; if not, look at the server's log",
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
            ("28P01", FailureKind::Authentication),
            ("28000", FailureKind::Authentication),
            ("42501", FailureKind::Authentication),
            ("53100", FailureKind::Capacity),
            ("53200", FailureKind::Capacity),
            ("54000", FailureKind::Capacity),
            ("53300", FailureKind::Transient),
            ("57P01", FailureKind::Transient),
            ("57P03", FailureKind::Transient),
            ("25006", FailureKind::Transient),
            ("40P01", FailureKind::Transient),
            ("57014", FailureKind::Timeout),
            ("XX001", FailureKind::Corruption),
            ("22003", FailureKind::Permanent),
            ("3D000", FailureKind::Permanent),
            ("42601", FailureKind::Permanent),
        ] {
            let failure = answered(&SqlState::from_code(code));
            assert_eq!(failure.kind, kind, "{code}");
            assert!(failure.message().contains(code) && !failure.hint().is_empty());
        }
    }
}
