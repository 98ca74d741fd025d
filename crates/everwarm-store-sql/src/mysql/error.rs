//! What the server and connections refuse, as failures of the store. What a server says is never repeated beyond its number: it may hold
//! names and values.

use everwarm_core::store::{Failure, FailureKind};
use mysql_async::{DriverError, Error, IoError};

use crate::server::failure::{ended, unreachable};

/// The failure that an error means.
pub(crate) fn refused(error: &Error) -> Failure {
    match error {
        Error::Server(said) => answered(said.code),
        Error::Io(IoError::Io(error)) => unreachable(error),
        Error::Io(IoError::Tls(_))
        | Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled
            | DriverError::NoClientSslFlagFromServer
            | DriverError::NoKeyFound,
        ) => Failure::new(
            FailureKind::Authentication,
            "the database and this store do not agree on how to connect",
            "give user and password in the URL, and tls=false only where the server has no TLS",
        ),
        _ => ended(),
    }
}

/// Whether a step was undone since it and another one stood in each other's way: it may be done again.
pub(crate) const fn is_undone(code: u16) -> bool {
    matches!(code, DEADLOCK | CHANGED)
}

/// Whether tables are not there, or are others than they were.
pub(crate) const fn is_missing(code: u16) -> bool {
    matches!(code, 1054 | 1146 | 1932)
}

const DEADLOCK: u16 = 1213;
/// MariaDB: a row is another one than it was when the transaction began.
const CHANGED: u16 = 1020;

/// The failure of what the server answered with this number.
pub(crate) fn answered(code: u16) -> Failure {
    let (kind, hint) = meaning(code);
    Failure::new(kind, format!("the database refused: {code}"), hint)
}

const fn meaning(code: u16) -> (FailureKind, &'static str) {
    match code {
        1044 | 1142 | 1143 | 1227 | 1370 => (
            FailureKind::Authentication,
            "give the user the rights that docs/guide/mysql.md lists, or have the tables made by who has them",
        ),
        1045 | 1130 | 1251 | 1698 | 1820 | 1862 | 3118 | 3159 | 4151 => (
            FailureKind::Authentication,
            "give user and password in the URL: \"mysql://user:password@host/database\", and look from which hosts this user may come",
        ),
        1040 | 1203 | 1226 => (
            FailureKind::Transient,
            "raise max_connections of the server, or lower connections=",
        ),
        1205 => (
            FailureKind::Transient,
            "somebody holds a row for long: nothing was done; look at the server's transactions",
        ),
        1290 | 1792 | 1836 => (
            FailureKind::Transient,
            "this server takes no writes: name the one that does, or all of them",
        ),
        1317 | 1969 | 3024 => (
            FailureKind::Timeout,
            "look at the server's load and its limits of time for statements",
        ),
        1049 => (
            FailureKind::Permanent,
            "make the database, or name another one",
        ),
        1665 => (
            FailureKind::Permanent,
            "set binlog_format to ROW or MIXED: changes are made with READ COMMITTED",
        ),
        1054 | 1146 | 1932 => (
            FailureKind::Transient,
            "tables of this store were changed: they are made anew, or have a DBA do it",
        ),
        1021 | 1037 | 1038 | 1041 | 1114 | 1153 | 1197 | 1206 | 1301 | 1406 | 1534 => (
            FailureKind::Capacity,
            "give the server more room, or store less under one name",
        ),
        1034 | 1194 | 1195 | 1712 | 1877 => (
            FailureKind::Corruption,
            "the database says that its data are damaged: look at the server's log",
        ),
        1020 | 1047 | 1053 | 1077 | 1079 | 1129 | 1152 | 1158 | 1159 | 1160 | 1161 | 1180
        | 1213 | 1927 | 3168 | 4031 => (
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
            (1045, FailureKind::Authentication),
            (1142, FailureKind::Authentication),
            (1114, FailureKind::Capacity),
            (1153, FailureKind::Capacity),
            (1040, FailureKind::Transient),
            (1205, FailureKind::Transient),
            (1213, FailureKind::Transient),
            (1290, FailureKind::Transient),
            (1969, FailureKind::Timeout),
            (1712, FailureKind::Corruption),
            (1049, FailureKind::Permanent),
            (1064, FailureKind::Permanent),
        ] {
            let failure = answered(code);
            assert_eq!(failure.kind, kind, "{code}");
            assert!(failure.message().contains(&code.to_string()) && !failure.hint().is_empty());
        }
    }
}
