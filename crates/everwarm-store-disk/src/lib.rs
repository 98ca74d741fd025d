//! The embedded store: one directory, many processes.
//!
//! Entries lie in a log of segments, found through one index; reads take no lock and no memory map, writes one lock. Everything
//! that is read proves that it is whole; what does not is damage, and then the store begins anew, empty. `docs/guide/disk.md` says
//! what users see, each file here how it is done: [`head`] what holds it together, [`record`] what was done, [`index`] where it
//! is, [`files`] reading, [`writing`] the steps and [`apply`] what they change, [`room`] the bounds.
//!
//! ```
//! use everwarm_core::store::{Bytes, Store};
//! use everwarm_store_disk::{Config, Disk};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path();
//! let store = Disk::open(Config::new(path))?;
//! store.set("greeting", Bytes::from("hello"), None).now().expect("it answers at once")?;
//! let again = Disk::open(Config::new(path))?;
//! let found = again.get("greeting").now().expect("it answers at once")?.expect("it was set");
//! assert_eq!(found.bytes, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod anew;
mod apply;
mod buckets;
mod config;
mod connect;
mod directory;
mod error;
mod facets;
mod files;
mod full;
mod harden;
mod head;
mod health;
mod index;
mod large;
mod lock;
mod markers;
mod put;
mod recall;
mod record;
mod reuse;
mod room;
mod store;
mod sweep;
mod times;
mod together;
mod writing;

use std::sync::Arc;

pub use config::Config;
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::{Disk, Usage};
pub use times::{SystemTimes, Times};

/// Opens the store that a URL says.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Disk::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Disk::open(config)?))
}

/// Checks a URL and its options, without touching the disk.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
