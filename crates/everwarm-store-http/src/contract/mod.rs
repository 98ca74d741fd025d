//! The words of the contract, which client and server share: paths, headers, and what a failure is called.
//!
//! `docs/reference/http.md` says what each of them means, for who writes a client or a server of his own.

pub mod bodies;
pub mod frames;
mod span;
mod text;

use everwarm_core::store::FailureKind;

pub use span::{seconds, span};
pub use text::{decoded, encoded};

/// The beginning of all paths, after the prefix of the URL.
pub const VERSION: &str = "/v1";
/// What stands before the credentials of a request.
pub const BEARER: &str = "Bearer ";
/// Bytes of a name, at most.
pub const LONGEST_NAME: usize = 1024;
/// Bytes of a body, if nobody said otherwise: as many as both sides take.
pub const LARGEST_BODY: u64 = 64 << 20;

/// The run of the server that answered: another number once it was started anew. An answer without one is of something else.
pub const SERVER: &str = "everwarm-server";
/// Whose request it is, as a number in hexadecimal: a client is not told of what it did itself.
pub const CLIENT: &str = "everwarm-client";
/// A time to live in seconds, with up to nine places after the point; what is without one has no end.
pub const TTL: &str = "everwarm-ttl";
/// The token of a lease, as a number in hexadecimal.
pub const LEASE: &str = "everwarm-lease";
/// By how much a counter changes.
pub const BY: &str = "everwarm-by";
/// Where a counter begins.
pub const INITIAL: &str = "everwarm-initial";
/// Where the next page begins.
pub const NEXT: &str = "everwarm-next";
/// How many bytes the answer to a question about many may have: the first things alone are answered where all are more.
pub const MOST: &str = "everwarm-most";
/// The kind of a failure.
pub const FAILURE: &str = "everwarm-failure";
/// The kind of the store that a server serves.
pub const STORE: &str = "everwarm-store";
/// The facets that it has, with commas between them.
pub const OFFERS: &str = "everwarm-facets";
/// The type of bodies in frames.
pub const FRAMES: &str = "application/vnd.everwarm.v1";

/// The status that tells of a failure of this kind.
#[must_use]
pub const fn status_of(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::Permanent => 400,
        FailureKind::Corruption => 500,
        FailureKind::Capability => 501,
        FailureKind::Authentication => 502,
        FailureKind::Transient | FailureKind::Closed => 503,
        FailureKind::Timeout => 504,
        FailureKind::Capacity => 507,
    }
}

/// The kind of failure that an answer means, by what it says itself, else by its status.
#[must_use]
pub fn kind_of(status: u16, said: Option<&str>) -> FailureKind {
    let named = FailureKind::ALL
        .into_iter()
        .find(|kind| Some(kind.name()) == said);
    match (named, status) {
        // The store behind a server may be opened again; this one is open.
        (Some(FailureKind::Closed), _) => FailureKind::Transient,
        (Some(kind), _) => kind,
        (None, 401 | 403 | 407) => FailureKind::Authentication,
        (None, 408 | 504) => FailureKind::Timeout,
        (None, 413 | 414 | 431 | 507) => FailureKind::Capacity,
        (None, 405 | 501) => FailureKind::Capability,
        (None, 429 | 500..) => FailureKind::Transient,
        (None, _) => FailureKind::Permanent,
    }
}

/// The version of an entry as an entity tag.
#[must_use]
pub fn etag(version: u64) -> String {
    format!("\"{version:x}\"")
}

/// The version that an entity tag names.
#[must_use]
pub fn version(etag: &str) -> Option<u64> {
    let inner = etag.trim().strip_prefix('"')?.strip_suffix('"')?;
    number(inner)
}

/// A number in hexadecimal.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_known_by_its_name_and_by_its_status() {
        for kind in FailureKind::ALL {
            let known = kind_of(status_of(kind), Some(kind.name()));
            let expected = match kind {
                FailureKind::Closed => FailureKind::Transient,
                kind => kind,
            };
            assert_eq!(known, expected);
            assert!(status_of(kind) >= 400);
        }
        for (status, kind) in [
            (302, FailureKind::Permanent),
            (401, FailureKind::Authentication),
            (404, FailureKind::Permanent),
            (413, FailureKind::Capacity),
            (429, FailureKind::Transient),
            (500, FailureKind::Transient),
            (503, FailureKind::Transient),
            (504, FailureKind::Timeout),
        ] {
            assert_eq!(kind_of(status, None), kind, "{status}");
            assert_eq!(kind_of(status, Some("rumour")), kind, "{status}");
        }
    }

    #[test]
    fn an_entity_tag_is_a_version() {
        for number in [0, 1, u64::MAX] {
            assert_eq!(version(&etag(number)), Some(number));
        }
        for tag in [
            "",
            "\"",
            "\"\"",
            "W/\"1\"",
            "1",
            "\"+1\"",
            "\"g\"",
            "\"11112222333344445\"",
        ] {
            assert_eq!(version(tag), None, "{tag}");
        }
    }
}
