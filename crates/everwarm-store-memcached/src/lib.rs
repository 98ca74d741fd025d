//! Entries on Memcached: several servers, by meta commands.
//!
//! [`config`] says where and how; [`ring`] which server has a name, [`names`] its key there, [`item`] what lies under that. A
//! namespace is cleared by a number in its keys ([`generation`]), which every question asks for ([`round`]). A question goes by
//! [`link`] to its server ([`node`]), over one of the connections to it: by blocking I/O on a thread that may block ([`blocking`]),
//! else over the one that all tasks share ([`line`](mod@line)). `docs/guide/memcached.md` says what users see.
//!
//! ```
//! use everwarm_store_memcached::{Config, Memcached};
//!
//! // Nothing is connected before it is needed.
//! let store = Memcached::open(Config::from_url("memcached://localhost,cache2:11212")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod batch;
mod blocking;
mod clear;
mod config;
mod dial;
mod error;
mod facets;
mod generation;
mod idle;
mod item;
mod life;
mod line;
mod link;
mod many;
mod names;
mod node;
mod replies;
mod ring;
mod round;
mod store;

use std::sync::Arc;

pub use config::{Config, Credentials, Server, Tls};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::Memcached;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Memcached::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Memcached::open(config)?))
}

/// Checks a URL and its options, without touching a file or a server.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
