//! Entries in tables of SQLite: one file, many processes, no server.
//!
//! [`config`] says where and how, [`place`] which files are trusted, [`schema`] what lies in them. [`pool`] has the connections of this
//! process and [`forking`] sees to it that none is carried into a child; [`turns`] gives a step its right to write, and does not hold up
//! an event loop while others have it. Each verb is one transaction ([`writing`], [`reading`]). `docs/guide/sqlite.md` says what users see.
//!
//! ```
//! use everwarm_core::store::{Bytes, Store};
//! use everwarm_store_sql::sqlite::{Config, Sqlite};
//!
//! # let directory = std::env::temp_dir().join(format!("everwarm-doc-sqlite-{}", std::process::id()));
//! # let url = format!("sqlite://{}/cache.db", directory.display());
//! let store = Sqlite::open(Config::from_url(&format!("{url}?max_bytes=64MB"))?)?;
//! store.set("greeting", Bytes::from("hello"), None).now().expect("nobody else writes")?;
//! let found = store.get("greeting").now().expect("it answers at once")?.expect("it was set");
//! assert_eq!(found.bytes, "hello");
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod config;
mod error;
mod facets;
mod forking;
mod place;
mod pool;
mod reading;
mod schema;
mod store;
mod told;
mod turns;
mod writing;

use std::sync::Arc;

pub use config::{Config, Synchronous};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use forking::let_go;
pub use store::Sqlite;

/// Opens the store that a URL says, and makes its file if there is none.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Sqlite::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Sqlite::open(config)?))
}

/// Checks a URL and its options, without touching the disk.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}

/// What makes the tables that a URL names.
///
/// # Errors
/// As [`Config::from_url`].
pub fn ddl(url: &str) -> Result<String, Error> {
    Config::from_url(url).map(|config| schema::ddl(&config.table))
}
