//! Entries on Redis and Valkey: one server, the master that sentinels name, or a cluster.
//!
//! [`config`] says where and how, [`keys`] which key holds what, [`store`] and [`facets`] which commands a verb is. A request goes by
//! [`link`] to the server that has its slot ([`topology`], [`map`]), over one of the connections to it ([`node`]): by blocking I/O on
//! a thread that may block, else over the one connection that all tasks share. Connections are made in the background ([`dial`],
//! [`renewed`]) and given up when they fail or fall silent. `docs/guide/redis.md` says what users see.
//!
//! ```
//! use everwarm_store_redis::{Config, Redis};
//!
//! // Nothing is connected before it is needed.
//! let store = Redis::open(Config::from_url("redis://localhost:6379/0")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod address;
mod advice;
mod beginning;
mod blocking;
mod bus;
mod clock;
mod config;
mod deadline;
mod dial;
mod ears;
mod entry;
mod error;
mod facets;
mod handshake;
mod hearing;
mod idle;
mod info;
mod keys;
mod line;
mod link;
mod listening;
mod lots;
mod map;
mod markers;
mod mending;
mod met;
mod node;
mod own;
mod packed;
mod prepared;
mod recalled;
mod refused;
mod renewed;
mod replies;
mod request;
mod script;
mod shared;
mod socket;
mod store;
mod teller;
mod tidings;
mod told;
mod topology;
mod value;

use std::sync::Arc;

pub use address::Address;
pub use config::{Config, Credentials, Hear, Place, Tls};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::Redis;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Redis::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Redis::open(config)?))
}

/// Checks a URL and its options, without touching a file or a server.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
