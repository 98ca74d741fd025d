//! Entries in tables of a database: PostgreSQL, MySQL and MariaDB, or [`sqlite`] in a file.
//!
//! Each is a module of its own, behind a feature; [`server`] is what those behind a connection have in common. In [`postgres`] a verb is one statement, or
//! one function of the database where the step has parts that must see each other ([`postgres::schema`], [`postgres::statements`]). It goes over
//! one of a few connections, each of which has several questions under way at once ([`postgres::connection`]); one more hears of others. In
//! [`mysql`] it is a script of statements in one trip ([`mysql::statements`]), over a connection that nobody else asks meanwhile
//! ([`mysql::pool`]); others are heard by looking for messages ([`mysql::listening`]). `docs/guide/postgresql.md` and `docs/guide/mysql.md` say
//! what users see.
//!
//! ```
//! use everwarm_store_sql::{Config, Postgres};
//!
//! // Nothing is connected before it is needed.
//! let store = Postgres::open(Config::from_url("postgresql://app:secret@localhost/shop?table=cache")?)?;
//! assert!(store.ddl().contains("CREATE TABLE"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
// Where SQLite alone is built nobody needs most of it.
#[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code))]
mod server;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;

use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
#[cfg(feature = "mysql")]
pub use mysql::Mysql;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use server::config::{Address, Config, Credentials, Kind, Tls};

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, as [`Config::from_url`]; `Capability` where this build leaves its database out.
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    match config.kind {
        #[cfg(feature = "postgres")]
        Kind::Postgres => Ok(Arc::new(Postgres::open(config)?)),
        #[cfg(feature = "mysql")]
        Kind::Mysql => Ok(Arc::new(Mysql::open(config)?)),
        #[allow(unreachable_patterns)]
        kind => Err(Failure::new(
            FailureKind::Capability,
            format!("this build has no store for {}", kind.name()),
            "build everwarm-store-sql with the feature of that name",
        )),
    }
}

/// Checks a URL and its options, without touching a server.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}

/// What makes the tables that a URL names: statements for whoever may make them.
///
/// # Errors
/// As [`Config::from_url`], and for a database that this build leaves out.
pub fn ddl(url: &str) -> Result<String, Error> {
    let config = Config::from_url(url)?;
    match config.kind {
        #[cfg(feature = "postgres")]
        Kind::Postgres => Ok(postgres::ddl(&config)),
        #[cfg(feature = "mysql")]
        Kind::Mysql => Ok(mysql::ddl(&config)),
        #[allow(unreachable_patterns)]
        kind => Err(Error::config(
            format!("this build has no store for {}", kind.name()),
            "build everwarm-store-sql with the feature of that name",
        )),
    }
}
