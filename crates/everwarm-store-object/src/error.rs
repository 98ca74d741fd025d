//! What goes wrong on the way to a service, as failures of the store. What a service says in words is never repeated: it may hold names
//! and signatures.

use std::io;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};

use crate::config::Config;
use crate::names::LONGEST;

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
        format!("use names of {LONGEST} bytes at most"),
    )
}

/// The failure of bytes that are too many, on the way there or back.
pub(crate) fn too_large(length: u64, most: u64) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("{length} bytes are too many, where {most} are the limit"),
        "store less under one name, or raise max_value=",
    )
}

/// The failure of an operation for which no connection was there in time.
pub(crate) fn not_connected(place: &str, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("there was no connection to {place} within {after:?}"),
        "look whether the service can be reached, or raise connect_timeout=",
    )
}

/// The failure that an error of the operating system, or of encryption, means.
pub(crate) fn unreachable(place: &str, error: &io::Error) -> Failure {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let hint = match error {
            rustls::Error::InvalidCertificate(_) => {
                "name the authority that signed the service's certificate: ca=, and the host as the certificate has it"
            }
            _ => "look whether the service speaks TLS at this port",
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
        "look whether the service runs and can be reached",
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
            "look whether the service runs and can be reached",
        )
    };
    Failure::new(FailureKind::Transient, format!("{place} {what}"), hint)
}

/// The failure of who has no credentials and asked the machine for some in vain.
pub(crate) fn nobody(place: &str) -> Failure {
    Failure::new(
        FailureKind::Authentication,
        format!(
            "there are no credentials: {place}, which gives them to machines of the cloud, cannot be reached"
        ),
        "set the variables of the cloud, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or say anonymous=true",
    )
}

/// The failure of an object that holds something else than what this store writes.
pub(crate) fn damaged(config: &Config) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("an object of {config} is not as this store writes it"),
        "give the store a prefix of its own, and look who else writes below it",
    )
}

/// The failure of a change that others were faster than, each time.
pub(crate) fn contended(config: &Config, tries: u32) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("others changed the same object of {config} {tries} times meanwhile"),
        "try again later; an object takes some ten changes in a second",
    )
}

/// The failure of a change where the service does not compare.
pub(crate) fn careless(config: &Config) -> Failure {
    Failure::new(
        FailureKind::Capability,
        format!(
            "{config} takes conditional writes whose condition does not hold, so nothing can be changed in one step"
        ),
        "use a service or a version that honours If-None-Match and If-Match, or do without leases, counters, tags and changes in place",
    )
}

/// What a service answered that is no success.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The code of the error, which is one of the service's words and none of ours.
    pub(crate) code: String,
}

impl Refusal {
    /// Whether it is the bucket that is missing, and not an object in it.
    pub(crate) fn is_of_bucket(&self) -> bool {
        matches!(self.code.as_str(), "NoSuchBucket" | "ContainerNotFound")
    }
}

/// The failure that a refusal means; `None`: a client of ours gave up by itself.
pub(crate) fn refused(config: &Config, refusal: Option<&Refusal>) -> Failure {
    let (status, code) = refusal.map_or((0, ""), |refusal| (refusal.status, refusal.code.as_str()));
    let (kind, what, hint) = match (status, code) {
        (401 | 403, _) | (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => (
            FailureKind::Authentication,
            "refuses who asks",
            "give credentials that may get, put, delete and list there; see that this machine's clock is right",
        ),
        (404, _) => (
            FailureKind::Permanent,
            "is not there",
            "make the bucket, or see that the URL names the right one",
        ),
        (413 | 507, _) | (_, "EntityTooLarge" | "RequestBodyTooLarge") => (
            FailureKind::Capacity,
            "has no room for it",
            "store less under one name, or give the service more room",
        ),
        (300..=399, _)
        | (_, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => (
            FailureKind::Permanent,
            "is in another region",
            "name its region in the URL: region=eu-central-1",
        ),
        (408 | 409 | 412 | 429 | 500.., _)
        | (_, "SlowDown" | "InternalError" | "RequestTimeout") => (
            FailureKind::Transient,
            "cannot answer now",
            "it should pass; if not, look at the service's state and at how much is asked of it",
        ),
        _ => (
            FailureKind::Permanent,
            "cannot be used as it was asked",
            "look at the URL's bucket, region and endpoint, and at the credentials",
        ),
    };
    Failure::new(kind, format!("{config} {what}"), hint)
}
