//! What servers and connections refuse, as failures of the store. What a server says is never repeated: it may hold names.

use std::io;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};

use crate::config::Server;

/// The failure of a verb on a closed store.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store is closed",
        "open it again, or close it later",
    )
}

/// The failure of an operation whose time was over.
pub(crate) fn timed_out(server: &Server, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("{server} gave no answer within {after:?}"),
        "look at the server's load and at the network, or raise timeout=",
    )
}

/// The failure of an operation for which no connection was there in time.
pub(crate) fn not_yet(server: &Server, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("there was no connection to {server} within {after:?}"),
        "look whether the server runs and can be reached, or raise timeout=",
    )
}

/// The failure of an operation that comes before the next attempt to connect.
pub(crate) fn given_up(server: &Server) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the connection to {server} was lost and is made anew"),
        "look whether the server runs and can be reached",
    )
}

/// The failure of what was asked on a connection that ended, or that brought what is no reply.
pub(crate) fn ended(server: &Server) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the connection to {server} was lost"),
        "look whether the server runs, and whether something else answers at its port",
    )
}

/// The failure of what more is asked than a connection holds.
pub(crate) fn crowded(server: &Server, most: usize) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("{most} operations wait for {server}"),
        "ask for less at once, or look at the server's load",
    )
}

/// The failure that an error of the operating system, or of encryption, means.
pub(crate) fn refused(server: &Server, error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(error) = inner {
        return untrusted(server, error);
    }
    let (kind, hint) = match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => (
            FailureKind::Timeout,
            "look at the server's load and at the network",
        ),
        _ => (
            FailureKind::Transient,
            "look whether the server runs and can be reached",
        ),
    };
    Failure::new(kind, format!("{server} cannot be reached: {error}"), hint)
}

fn untrusted(server: &Server, error: &rustls::Error) -> Failure {
    let is_their = matches!(error, rustls::Error::InvalidCertificate(_));
    let hint = if is_their {
        "name the authority that signed the server's certificate: ca=, and the host as the certificate has it"
    } else {
        "look whether the server speaks TLS at this port, and which certificate it wants of its clients"
    };
    Failure::new(
        FailureKind::Authentication,
        format!("{server} and this store do not trust each other: {error}"),
        hint,
    )
}

/// The failure of an answer that no server gives to this.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("the server's answer to {what} cannot be understood"),
        "look whether a proxy stands between that does not know meta commands",
    )
}

/// The failure of an item that is none of ours.
pub(crate) fn foreign() -> Failure {
    Failure::new(
        FailureKind::Corruption,
        "what is stored under a name was not written by this store",
        "look what else writes to keys of this store",
    )
}

/// The failure of a step that others kept from being done.
pub(crate) fn contended() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "others kept changing what is under a name",
        "try again, or let fewer change the same name at once",
    )
}

/// The failure that a server's refusal means.
pub(crate) fn answered(word: &str, said: &str) -> Failure {
    let (kind, hint) = meaning(word, said);
    Failure::new(kind, format!("the server refused: {word}"), hint)
}

fn meaning(word: &str, said: &str) -> (FailureKind, &'static str) {
    match word {
        _ if said.contains("authenticat") => (
            FailureKind::Authentication,
            "give the user and the password in the URL: \"memcached://user:password@host\"",
        ),
        "SERVER_ERROR" if said.contains("too large") => (
            FailureKind::Capacity,
            "store less under one name, or raise -I of the server and item_size=",
        ),
        "SERVER_ERROR" if said.contains("memory") => (
            FailureKind::Capacity,
            "give the server more memory, or let it evict",
        ),
        "SERVER_ERROR" => (
            FailureKind::Transient,
            "it should pass; if not, look at the server's log",
        ),
        "ERROR" => (
            FailureKind::Capability,
            "use a server of version 1.6 or later, without a proxy that does not know meta commands",
        ),
        _ => (FailureKind::Permanent, "look at the server's log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_has_its_kind_and_is_not_repeated() {
        for (word, said, kind) in [
            (
                "SERVER_ERROR",
                "object too large for cache",
                FailureKind::Capacity,
            ),
            (
                "SERVER_ERROR",
                "out of memory storing object",
                FailureKind::Capacity,
            ),
            (
                "SERVER_ERROR",
                "temporary failure of hunter2",
                FailureKind::Transient,
            ),
            (
                "CLIENT_ERROR",
                "unauthenticated",
                FailureKind::Authentication,
            ),
            (
                "CLIENT_ERROR",
                "authentication failure",
                FailureKind::Authentication,
            ),
            (
                "CLIENT_ERROR",
                "bad data chunk of hunter2",
                FailureKind::Permanent,
            ),
            ("ERROR", "", FailureKind::Capability),
        ] {
            let failure = answered(word, said);
            assert_eq!(failure.kind, kind, "{word} {said}");
            assert!(!failure.to_string().contains("hunter2"));
        }
    }
}
