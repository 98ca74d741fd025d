//! What goes wrong on the way to DynamoDB, as failures of the store. What it says in words is never repeated: it may hold names and
//! identities.

use std::error::Error as _;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use hyper_util::client::legacy;
use reqsign_core::ErrorKind;

use crate::item::{LARGEST_VALUE, LONGEST_NAME};

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

/// The failure of bytes that are too many for an item.
pub(crate) fn too_large(length: usize) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("{length} bytes are too many, where an item of DynamoDB holds {LARGEST_VALUE}"),
        "store less under one name, compress it, or put a store for large values behind this one",
    )
}

/// The failure of an answer that does not say what it has to.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("{what} cannot be understood"),
        "look what answers at the endpoint, and whether others write to the table",
    )
}

/// The failure of what lost too many races for an item.
pub(crate) fn contended(what: &str) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("{what}: others changed the item each time"),
        "try again; if it goes on, see who writes to this one name so often",
    )
}

/// The failure of what was left over too often.
pub(crate) fn throttled(left: usize) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the table did not take {left} of the items, however often it was asked"),
        "give the table more capacity, or bill it on demand",
    )
}

/// The failure of a way to the service on which there was no connection in time, or none at all, or none that lasted.
pub(crate) fn lost(place: &str, error: &legacy::Error, limit: Duration) -> Failure {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if io.kind() == io::ErrorKind::TimedOut {
                return Failure::new(
                    FailureKind::Timeout,
                    format!("there was no connection to {place} within {limit:?}"),
                    "look whether the service can be reached, or raise connect_timeout=",
                );
            }
            let inner = io.get_ref().and_then(|inner| inner.downcast_ref());
            if let Some(error) = inner {
                return mistrusted(place, error);
            }
        }
        if let Some(error) = error.downcast_ref() {
            return mistrusted(place, error);
        }
        cause = error.source();
    }
    let what = match error.is_connect() {
        true => "cannot be reached",
        false => "ended the connection before its answer was there",
    };
    Failure::new(
        FailureKind::Transient,
        format!("{place} {what}"),
        "look at the network, and whether the endpoint is the right one",
    )
}

fn mistrusted(place: &str, error: &rustls::Error) -> Failure {
    Failure::new(
        FailureKind::Authentication,
        format!("{place} and this store do not trust each other: {error}"),
        "name the authority that signed the endpoint's certificate: ca=/etc/ssl/ca.pem",
    )
}

/// The failure of an answer that breaks off.
pub(crate) fn broken(place: &str, _error: &dyn Display) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("{place} ended the connection before its answer was there"),
        "look at the network, and whether the endpoint is the right one",
    )
}

/// The failure of an answer that does not come.
pub(crate) fn silent(place: &str, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("{place} gave no answer within {after:?}"),
        "look at the network, and at the service's state",
    )
}

/// The failure of a signature that could not be made.
pub(crate) fn unsigned(error: &reqsign_core::Error) -> Failure {
    match error.kind() {
        ErrorKind::RateLimited | ErrorKind::Unexpected if error.is_retryable() => Failure::new(
            FailureKind::Transient,
            "who gives this machine its credentials cannot be asked",
            "it should pass; if not, look at the role and at the service that gives it",
        ),
        _ => Failure::new(
            FailureKind::Authentication,
            "there are no credentials of AWS to be found",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with profile=, or give this machine a role",
        ),
    }
}

/// The failure that the service tells of: its status, and the name of its exception.
pub(crate) fn answered(place: &str, status: u16, exception: &str) -> Failure {
    let (kind, hint) = match exception {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "LimitExceededException" => (
            FailureKind::Transient,
            "give the table more capacity, bill it on demand, or spread what is asked over more names",
        ),
        "TransactionConflictException"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ReplicatedWriteConflictException" => {
            (FailureKind::Transient, "it should pass; try again")
        }
        "RequestTimeout" => (FailureKind::Timeout, "it should pass; try again"),
        "RequestExpired" | "RequestTimeTooSkewed" => (
            FailureKind::Authentication,
            "set this machine's clock right: signatures are dated",
        ),
        "AccessDeniedException" => (
            FailureKind::Authentication,
            "give this identity the rights that docs/guide/dynamodb.md lists",
        ),
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException" => (
            FailureKind::Authentication,
            "look at the keys, the profile or the role, and at this machine's clock: signatures are dated",
        ),
        "ItemCollectionSizeLimitExceededException" => (
            FailureKind::Capacity,
            "make the table without local indexes",
        ),
        "UnknownOperationException" => (
            FailureKind::Capability,
            "what answers at the endpoint is no complete DynamoDB",
        ),
        _ if status >= 500 => (FailureKind::Transient, "it should pass; try again"),
        _ if matches!(status, 401 | 403) => (
            FailureKind::Authentication,
            "look at the keys, the profile or the role",
        ),
        _ => (
            FailureKind::Permanent,
            "look which table and which endpoint the URL names",
        ),
    };
    let said = match exception {
        "" => format!("status {status}"),
        exception => exception.chars().take(60).collect(),
    };
    Failure::new(kind, format!("{place} refused: {said}"), hint)
}
