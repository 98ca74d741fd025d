//! Entries as objects: S3 and what is compatible with it, Google Cloud Storage, Azure Blob Storage.
//!
//! [`head`] is what stands in front of an entry's bytes, so that an entry and its lease are one object; [`names`] has the keys. What
//! depends on what is there is read, decided and written under the condition that nobody came between ([`changes`]). [`shard`] is the
//! counter of a namespace's invalidations, one small object. object_store says which request each step is and signs it, [`transport`]
//! brings it there, and [`clock`] reads from the answers what time it is at the service. `docs/guide/objects.md` says what users see.
//!
//! ```
//! use everwarm_store_object::{Config, Objects};
//!
//! // Nothing is connected before it is needed.
//! let store = Objects::open(Config::from_url("s3://bucket/cache?region=eu-central-1")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod changes;
mod client;
mod clock;
mod config;
mod error;
mod facets;
mod generations;
mod head;
mod health;
mod lifecycle;
mod names;
mod opening;
mod process;
mod shard;
mod store;
mod transport;

use std::sync::Arc;

pub use config::{Config, Credentials, Service};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::Objects;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Objects::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Objects::open(config)?))
}

/// Checks a URL and its options, without touching a file, a variable or a service.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
