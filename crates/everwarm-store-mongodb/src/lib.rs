//! Entries in a collection of MongoDB.
//!
//! [`config`] says where and how; [`link`] is the way there for all processes that inherit a store, [`server`] that of one, over the
//! official driver. An entry and its lease are one document ([`entry`]), which every verb changes by one command whose conditions the
//! server checks by its own clock ([`steps`]). The markers of tags lie in documents beside them, one for each shard of a namespace
//! ([`shards`]). `docs/guide/mongodb.md` says what users see.
//!
//! ```
//! use everwarm_store_mongodb::{Config, MongoDb};
//!
//! // Nothing is connected before it is needed.
//! let store = MongoDb::open(Config::from_url("mongodb://app:secret@localhost/shop?collection=cache")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod asked;
mod config;
mod entry;
mod error;
mod facets;
mod link;
mod server;
mod shards;
mod steps;
mod store;
mod watch;

use std::sync::Arc;

pub use config::{Config, Written};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::MongoDb;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant.
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(MongoDb::open(config)))
}

/// Checks a URL and its options, without touching a file or a server.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
