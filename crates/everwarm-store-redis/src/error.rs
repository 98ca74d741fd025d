//! What servers and connections refuse, as failures of the store. What a server says is never repeated beyond its first word: it may
//! hold names, values and passwords.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use redis::{RedisError, ServerError};

use crate::address::Address;

/// The failure of a verb on a closed store.
pub(crate) fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store is closed",
        "open it again, or close it later",
    )
}

/// The failure of an operation whose time was over.
pub(crate) fn timed_out(address: &Address, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("{address} gave no answer within {after:?}"),
        "look at the server's load and at the network, or raise timeout=",
    )
}

/// The failure of an operation for which no connection was there in time.
pub(crate) fn not_yet(what: &str, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("there was no connection to {what} within {after:?}"),
        "look whether the server runs and can be reached, or raise timeout=",
    )
}

/// The failure of an operation that comes before the next attempt to connect.
pub(crate) fn given_up(what: &str) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the connection to {what} was lost and is made anew"),
        "look whether the server runs and can be reached",
    )
}

/// The failure that an error of the operating system, or of encryption, means.
pub(crate) fn refused(address: &Address, error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(error) = inner {
        return untrusted(address, error);
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
    Failure::new(kind, format!("{address} cannot be reached: {error}"), hint)
}

fn untrusted(address: &Address, error: &rustls::Error) -> Failure {
    let is_their = matches!(error, rustls::Error::InvalidCertificate(_));
    let hint = if is_their {
        "name the authority that signed the server's certificate: ca=, and the host as the certificate has it"
    } else {
        "look whether the server speaks TLS at this port, and which certificate it wants of its clients"
    };
    Failure::new(
        FailureKind::Authentication,
        format!("{address} and this store do not trust each other: {error}"),
        hint,
    )
}

/// The failure that ends a connection.
pub(crate) fn lost(address: &Address, error: &RedisError) -> Failure {
    if error.is_timeout() {
        return Failure::new(
            FailureKind::Timeout,
            format!("{address} gave no answer in time"),
            "look at the server's load and at the network, or raise timeout=",
        );
    }
    if let Some(io) = io_in(error) {
        return refused(address, io);
    }
    ended(address)
}

/// The failure of what was asked on a connection that ended, or that brought what is no reply.
pub(crate) fn ended(address: &Address) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the connection to {address} was lost"),
        "look whether the server runs, and whether something else answers at its port",
    )
}

/// The operating system's error behind one of the library's, which keeps it shared.
fn io_in(error: &RedisError) -> Option<&io::Error> {
    let source = error.source()?;
    let shared = source.downcast_ref::<Arc<dyn Error + Send + Sync>>();
    let shared = shared.and_then(|inner| inner.downcast_ref());
    shared.or_else(|| source.downcast_ref())
}

/// The failure of an answer that no server of this protocol gives.
pub(crate) fn unexpected(what: &str) -> Failure {
    Failure::new(
        FailureKind::Corruption,
        format!("the server's answer to {what} cannot be understood"),
        "look whether a proxy stands between, and what else writes to the same names",
    )
}

/// The failure that a server's error means.
pub(crate) fn answered(error: &ServerError) -> Failure {
    let details = error.details().unwrap_or_default();
    // Redis before 7.0 says first which script it was that met an error.
    let script = details.strip_prefix("Error running script (call to ");
    match script.and_then(|rest| rest.split_once("): ")) {
        Some((_, met)) => answered_as(met),
        None => refusal(error.code(), details),
    }
}

/// The same, of an error that a script met and gave as a text. Redis before 7.0 says first in which line, once or twice.
pub(crate) fn answered_as(mut text: &str) -> Failure {
    while let Some((_, met)) = text
        .strip_prefix("@user_script:")
        .and_then(|rest| rest.split_once(": "))
    {
        text = met;
    }
    let text = text.strip_prefix('-').unwrap_or(text);
    let (code, details) = text.split_once(' ').unwrap_or((text, ""));
    refusal(code, details)
}

fn refusal(code: &str, details: &str) -> Failure {
    let (kind, hint) = meaning(code, details);
    Failure::new(kind, format!("the server refused: {}", word(code)), hint)
}

fn meaning(code: &str, details: &str) -> (FailureKind, &'static str) {
    match code {
        "NOAUTH" | "WRONGPASS" | "DENIED" => (
            FailureKind::Authentication,
            "give the user and the password in the URL: \"redis://user:password@host\"",
        ),
        "NOPERM" => (
            FailureKind::Authentication,
            "give the user the commands and the names that docs/guide/redis.md lists",
        ),
        "OOM" => (
            FailureKind::Capacity,
            "give the server more memory, or an eviction policy such as allkeys-lfu",
        ),
        "WRONGTYPE" => (
            FailureKind::Corruption,
            "look what else writes to the names of this store",
        ),
        "LOADING" | "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "MASTERDOWN" | "READONLY"
        | "NOREPLICAS" | "MISCONF" | "EXECABORT" | "MOVED" | "ASK" | "NOSCRIPT" | "UNBLOCKED" => (
            FailureKind::Transient,
            "it should pass; if not, look at the server's log",
        ),
        // The words of Redis up to 7.0, then those of later ones and of Valkey.
        _ if details.contains("user executing the script")
            || details.starts_with("ACL failure in script") =>
        {
            (
                FailureKind::Authentication,
                "give the user the commands and the names that docs/guide/redis.md lists",
            )
        }
        _ if details.starts_with("unknown command") => (
            FailureKind::Capability,
            "use a server of version 6.2 or later, without renamed commands",
        ),
        _ if details.contains("max number of clients") => (
            FailureKind::Transient,
            "raise maxclients of the server, or use fewer processes",
        ),
        _ if details.contains("maximum allowed size") || details.contains("bulk length") => (
            FailureKind::Capacity,
            "store less under one name, or raise proto-max-bulk-len of the server",
        ),
        _ => (FailureKind::Permanent, "look at the server's log"),
    }
}

/// A code as far as a message repeats it.
fn word(code: &str) -> &str {
    let is_code = |text: &str| text.len() <= 20 && text.bytes().all(|b| b.is_ascii_uppercase());
    if is_code(code) { code } else { "an error" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(line: &str) -> FailureKind {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => answered(&error).kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_server_says_has_its_kind() {
        for (line, kind) in [
            (
                "NOAUTH Authentication required.",
                FailureKind::Authentication,
            ),
            (
                "WRONGPASS invalid username-password pair",
                FailureKind::Authentication,
            ),
            (
                "NOPERM this user has no permissions",
                FailureKind::Authentication,
            ),
            (
                "ERR The user executing the script can't run this command",
                FailureKind::Authentication,
            ),
            (
                "ERR ACL failure in script: User shop has no permissions to run the 'set' command",
                FailureKind::Authentication,
            ),
            ("OOM command not allowed", FailureKind::Capacity),
            (
                "ERR string exceeds maximum allowed size",
                FailureKind::Capacity,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                FailureKind::Transient,
            ),
            ("CLUSTERDOWN The cluster is down", FailureKind::Transient),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                FailureKind::Transient,
            ),
            (
                "MASTERDOWN Link with MASTER is down",
                FailureKind::Transient,
            ),
            (
                "READONLY You can't write against a read only replica.",
                FailureKind::Transient,
            ),
            ("ERR max number of clients reached", FailureKind::Transient),
            (
                "ERR unknown command 'EVALSHA', with args beginning with: ",
                FailureKind::Capability,
            ),
            ("WRONGTYPE Operation against a key", FailureKind::Corruption),
            (
                "ERR Error running script (call to f_0e2e): @user_script:1: WRONGTYPE Operation against a key",
                FailureKind::Corruption,
            ),
            (
                "ERR Error running script (call to f_0e2e): @user_script:1: @user_script: 1: The user executing the script can't run",
                FailureKind::Authentication,
            ),
            (
                "ERR Error running script (call to f_0e2e): @user_script:1: @user_script: 1: -OOM command not allowed",
                FailureKind::Capacity,
            ),
            (
                "ERR Error running script (call to f_0e2e): @user_script:1: @user_script: 1: -READONLY You can't write",
                FailureKind::Transient,
            ),
            ("ERR DB index is out of range", FailureKind::Permanent),
        ] {
            assert_eq!(kind_of(line), kind, "{line}");
        }
    }

    #[test]
    fn what_a_server_says_is_not_repeated() {
        let line = b"-ERR unknown command 'AUTH', with args beginning with: 'hunter2'\r\n";
        let Ok(redis::Value::ServerError(error)) = redis::parse_redis_value(line) else {
            panic!("it is an error");
        };
        assert!(!answered(&error).to_string().contains("hunter2"));
        let Ok(redis::Value::ServerError(error)) =
            redis::parse_redis_value(b"-hunter2 hunter2\r\n")
        else {
            panic!("it is an error");
        };
        assert!(!answered(&error).to_string().contains("hunter2"));
    }

    #[test]
    fn the_systems_errors_are_found_behind_those_of_the_library() {
        let address = Address::Unix("/run/redis.sock".into());
        let failure = |kind| lost(&address, &RedisError::from(io::Error::from(kind))).kind;
        assert_eq!(failure(io::ErrorKind::TimedOut), FailureKind::Timeout);
        assert_eq!(failure(io::ErrorKind::WouldBlock), FailureKind::Timeout);
        assert_eq!(failure(io::ErrorKind::BrokenPipe), FailureKind::Transient);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let inner = io::Error::new(io::ErrorKind::InvalidData, alert);
        let failure = lost(&address, &RedisError::from(inner));
        assert_eq!(failure.kind, FailureKind::Authentication, "{failure}");
    }
}
