//! Which client opens which URL: one line each.

use std::sync::Arc;

use everwarm_core::error::{Error, ErrorKind, nearest};
use everwarm_core::store::{Failure, FailureKind, Store};

/// Schemes, the feature that builds their client in, and where it is: what opens and checks their URLs, and for databases the `ddl`.
macro_rules! clients {
    ($($($scheme:literal)|+ => $feature:literal, $($client:ident)::+ $(, ddl $ddl:path)?;)+) => {
        const CLIENTS: &[Client] = &[$(Client {
            schemes: &[$($scheme),+],
            feature: $feature,
            #[cfg(feature = $feature)]
            built: Some(Built {
                open: $($client)::+::open,
                check: $($client)::+::check,
                ddl: clients!(@ $($ddl)?),
            }),
            #[cfg(not(feature = $feature))]
            built: None,
        }),+];
    };
    (@) => { None };
    (@ $ddl:path) => { Some($ddl) };
}

clients! {
    "disk" => "disk", everwarm_store_disk;
    "dynamodb" => "dynamodb", everwarm_store_dynamodb, ddl everwarm_store_dynamodb::commands;
    "file" => "file", everwarm_store_file;
    "http" | "https" => "http", everwarm_store_http;
    "memcached" | "memcacheds" => "memcached", everwarm_store_memcached;
    "mongodb" => "mongodb", everwarm_store_mongodb;
    "mongodb+srv" => "mongodb-srv", everwarm_store_mongodb;
    "mysql" | "mariadb" => "mysql", everwarm_store_sql, ddl everwarm_store_sql::ddl;
    "s3" | "gs" | "az" => "object", everwarm_store_object;
    "postgres" | "postgresql" => "postgres", everwarm_store_sql, ddl everwarm_store_sql::ddl;
    "redis" | "rediss" | "redis+unix" | "redis+sentinel" | "redis+cluster" => "redis", everwarm_store_redis;
    "sqlite" => "sqlite", everwarm_store_sql::sqlite, ddl everwarm_store_sql::sqlite::ddl;
}

/// What others call a scheme, and its name here.
const ELSEWHERE: [(&str, &str); 5] = [
    ("unix", "redis+unix"),
    ("valkey", "redis"),
    ("valkeys", "rediss"),
    ("mongo", "mongodb"),
    ("gcs", "gs"),
];

/// What opens the stores of some schemes, where it is built in.
#[derive(Debug)]
pub struct Client {
    /// What its URLs begin with.
    pub schemes: &'static [&'static str],
    /// The feature that builds it in.
    pub feature: &'static str,
    built: Option<Built>,
}

/// What says how the tables of a URL are made.
type Ddl = fn(&str) -> Result<String, Error>;

#[derive(Clone, Copy, Debug)]
struct Built {
    open: fn(&str) -> Result<Arc<dyn Store>, Failure>,
    check: fn(&str) -> Result<(), Error>,
    ddl: Option<Ddl>,
}

/// The schemes of all clients, whether they are built in or not.
pub fn all() -> impl Iterator<Item = &'static str> {
    CLIENTS.iter().flat_map(|client| client.schemes).copied()
}

/// Checks a URL, without opening its store. `install` says how to have a client that is left out of this build.
///
/// ```
/// use everwarm_tiers::schemes;
///
/// let error = schemes::check("redsi://host", |client| format!("add {:?}", client.feature)).unwrap_err();
/// assert_eq!(error.hint(), "did you mean redis:?");
/// ```
///
/// # Errors
/// Of kind `Unsupported` for a client that is left out, else `Config` or `UnknownOption`.
pub fn check(url: &str, install: impl FnOnce(&Client) -> String) -> Result<(), Error> {
    (built(url, install)?.check)(url)
}

/// What makes the tables of the store that a URL names.
///
/// # Errors
/// As [`check`], and `Config` for a store that has none.
pub fn ddl(url: &str, install: impl FnOnce(&Client) -> String) -> Result<String, Error> {
    let built = built(url, install)?;
    let Some(ddl) = built.ddl else {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        return Err(Error::config(
            format!("{scheme}: has no tables"),
            "give the URL of a database: `postgresql://host/database`",
        ));
    };
    ddl(url)
}

/// Opens the store that a URL names.
///
/// # Errors
/// Of kind `Capability` for a client that is left out, `Permanent` for what is no such URL, else what the store says.
pub fn open(url: &str, install: impl FnOnce(&Client) -> String) -> Result<Arc<dyn Store>, Failure> {
    let built = built(url, install).map_err(|error| {
        let kind = match error.kind() {
            ErrorKind::Unsupported => FailureKind::Capability,
            _ => FailureKind::Permanent,
        };
        Failure::new(kind, error.message(), error.hint())
    })?;
    (built.open)(url)
}

fn built(url: &str, install: impl FnOnce(&Client) -> String) -> Result<Built, Error> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut clients = CLIENTS.iter();
    let Some(client) = clients.find(|client| client.schemes.contains(&scheme)) else {
        let known = ELSEWHERE.iter().find(|(name, _)| *name == scheme);
        let near = known.map(|(_, ours)| *ours);
        let hint = match near.or_else(|| nearest(scheme, all())) {
            Some(near) => format!("did you mean {near}:?"),
            None => format!("there are {}", all().collect::<Vec<_>>().join(", ")),
        };
        return Err(Error::config("no store has URLs of this scheme", hint));
    };
    client.built.ok_or_else(|| {
        let message = format!("this build has no client for {scheme}: URLs");
        Error::new(ErrorKind::Unsupported, message, install(client))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_has_one_client() {
        let mut schemes: Vec<_> = all().collect();
        schemes.sort_unstable();
        let count = schemes.len();
        schemes.dedup();
        assert_eq!(schemes.len(), count);
    }

    #[test]
    fn what_is_no_scheme_is_told_the_nearest() {
        let error = check("redsi://host", |_| String::new()).unwrap_err();
        assert_eq!(
            (error.kind(), error.hint()),
            (ErrorKind::Config, "did you mean redis:?")
        );
        let error = check("unix:///run/redis.sock", |_| String::new()).unwrap_err();
        assert_eq!(error.hint(), "did you mean redis+unix:?");
    }
}
