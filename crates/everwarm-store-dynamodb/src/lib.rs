//! Entries in a table of Amazon DynamoDB, whose conditions on one item carry every facet but being told of changes.
//!
//! [`config`] says where and as whom, [`item`] what an entry is in the table, [`store`] and [`facets`] which request a verb is. A
//! request is signed and sent by [`client`], one process having one of its own; [`link`] finds that of this process. [`many`] asks in
//! lots and asks again for what was left over, [`pages`] goes through the names, [`table`] makes the table. DynamoDB tells its time
//! nobody in a condition: [`clock`] is that of this machine, held to what the answers are dated. `docs/guide/dynamodb.md` says what
//! users see.
//!
//! ```
//! use everwarm_store_dynamodb::{Config, DynamoDb};
//!
//! // Nothing is connected before it is needed.
//! let store = DynamoDb::open(Config::from_url("dynamodb://shop-cache?region=eu-central-1")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod client;
mod clock;
mod config;
mod credentials;
mod error;
mod facets;
mod item;
mod link;
mod many;
mod pages;
mod store;
mod table;

use std::sync::Arc;

pub use config::{Config, Keys};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::DynamoDb;
pub use table::commands;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`DynamoDb::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(DynamoDb::open(config)?))
}

/// Checks a URL and its options, without touching a file, a variable or a server.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
