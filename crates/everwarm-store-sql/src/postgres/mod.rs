//! Entries in tables of PostgreSQL.

mod connection;
mod dial;
mod encrypt;
mod entry;
mod error;
mod facets;
mod listening;
mod own;
mod pool;
pub(crate) mod schema;
pub(crate) mod statements;
mod store;
mod sweep;

pub use store::Postgres;

use crate::server::config::Config;
use schema::Names;

/// What makes the tables and functions of a store.
pub(crate) fn ddl(config: &Config) -> String {
    Names::of(config).ddl()
}
