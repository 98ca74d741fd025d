//! Entries in tables of MySQL and MariaDB.

mod dial;
mod entry;
mod error;
mod facets;
mod listening;
mod names;
mod own;
mod pool;
mod script;
mod statements;
mod store;
mod sweep;

pub use store::Mysql;

use crate::server::config::Config;
use names::Names;

/// What makes the tables of a store.
pub(crate) fn ddl(config: &Config) -> String {
    Names::of(config).ddl()
}
