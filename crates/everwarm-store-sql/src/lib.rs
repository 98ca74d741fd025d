//! Entries in tables of a database: PostgreSQL.
//!
//! [`config`] says where and how; everything else is [`postgres`]. A verb is one statement, or one function of the database where the
//! step has parts that must see each other ([`postgres::schema`], [`postgres::statements`]). It goes over one of a few connections
//! ([`postgres::pool`]), each of which has several questions under way at once ([`postgres::connection`]); one more hears of others
//! ([`postgres::listening`]). `docs/guide/postgresql.md` says what users see.
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

mod config;
mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::sync::Arc;

pub use config::{Address, Config, Credentials, Tls};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use postgres::Postgres;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Postgres::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Postgres::open(config)?))
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
/// As [`Config::from_url`].
pub fn ddl(url: &str) -> Result<String, Error> {
    Config::from_url(url).map(|config| postgres::ddl(&config))
}
