//! The store of one file per entry: `file:///dir`.
//!
//! A directory of sixteen rooms, `0` to `f`, each with its files and a lock. An entry is one file: a line of JSON that says
//! its name, when it was written and when it ends, and behind it the bytes as they were set; a value that is JSON stands in one object with them. People can read it, and delete
//! it. A file is written under another name and renamed, so that readers, who take no lock, see whole ones alone; whatever
//! is not exactly what was written is a miss.
//!
//! ```
//! use everwarm_core::store::{Bytes, Store};
//! use everwarm_store_file::{Config, FileStore};
//!
//! # let directory = std::env::temp_dir().join(format!("everwarm-doc-{}", std::process::id()));
//! # let url = format!("file://{}", directory.display());
//! let store = FileStore::connect(&Config::from_url(&format!("{url}?max_bytes=64MB"))?)?;
//! assert!(store.set("greeting", Bytes::from("hello"), None).now().is_ok());
//! let found = store.get("greeting").now().unwrap()?;
//! assert_eq!(found.unwrap().bytes, "hello");
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod clock;
mod config;
mod connect;
mod error;
mod eviction;
mod facets;
mod files;
mod head;
mod health;
mod names;
mod room;
mod store;
mod tally;
mod text;

pub use clock::WallClock;
pub use config::Config;
pub use connect::{check, open};
pub use store::FileStore;
