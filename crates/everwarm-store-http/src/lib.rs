//! Entries behind HTTP: a client of the contract that `everwarm serve` keeps, and whoever else writes a server for it.
//!
//! [`contract`] has the words that both sides say, [`config`] where and how, [`store`] and [`facets`] which request a verb is. A
//! request goes by [`link`] over a connection of its own for as long as it lasts ([`dial`]): what is abandoned ends its connection,
//! so no answer is given to another question. [`hearing`] asks in the background what others did. `docs/guide/http.md` says what
//! users see, `docs/reference/http.md` what each request means.
//!
//! ```
//! use everwarm_store_http::{Config, Http};
//!
//! // Nothing is connected before it is needed.
//! let store = Http::open(Config::from_url("http://localhost:8080")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod config;
pub mod contract;
mod dial;
mod error;
mod facets;
mod heard;
mod hearing;
mod link;
mod question;
mod store;

use std::sync::Arc;

pub use config::{Config, FACETS, Secret, Token};
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Store};
pub use store::Http;

/// Opens the store that a URL says. Nothing is connected yet.
///
/// # Errors
/// `Permanent` for a URL that cannot be meant, and as [`Http::open`].
pub fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let config = Config::from_url(url)
        .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
    Ok(Arc::new(Http::open(config)?))
}

/// Checks a URL and its options, without touching a file, a variable or a server.
///
/// # Errors
/// As [`Config::from_url`].
pub fn check(url: &str) -> Result<(), Error> {
    Config::from_url(url).map(|_| ())
}
