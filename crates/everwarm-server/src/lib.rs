//! The reference server of the contract: any store behind HTTP, with tokens, TLS and limits.
//!
//! [`accept`] takes connections, [`request`] lets in who may ask and reads what they send within limits, [`routes`] says what is
//! asked, and [`entries`], [`many`], [`generations`] and [`others`] have the store do it. [`news`] tells each client what the others
//! did. What is written goes on when who asked for it is gone, so that it is told of.
//!
//! ```
//! use std::sync::Arc;
//! use everwarm_server::{Options, serve};
//! # use everwarm_core::clock::{Clock, Instant};
//! # struct Still;
//! # impl Clock for Still { fn now(&self) -> Instant { Instant::ZERO } }
//! # let bounds = everwarm_memory::Bounds::entries(100.try_into()?);
//! # let store = Arc::new(everwarm_memory::MemoryStore::with_clock(bounds, Arc::new(Still)));
//!
//! let server = serve(store, Options::new("127.0.0.1:0"))?;
//! assert_ne!(server.address().port(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
// The links of the first page are for those who read the code.
#![allow(rustdoc::private_intra_doc_links)]

mod accept;
mod entries;
mod generations;
mod many;
mod news;
mod options;
mod others;
mod reply;
mod request;
mod routes;
mod server;
mod serving;
mod tls;

pub use options::{Identity, Options};
pub use routes::{ROUTES, Route};
pub use server::{Server, serve};

/// The description of the contract (OpenAPI 3.1), which the server gives under `/v1/openapi.json`.
pub const OPENAPI: &str = include_str!("../openapi.json");
