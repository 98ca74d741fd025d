//! Plays traces of requests through Everwarm's orders of eviction, and through the ones they are measured by.
//!
//! - `trace`: sequences of requested keys: read from files, or generated
//! - `twins`: LRU, W-TinyLFU and Belady's MIN, written from their papers and sharing no code with the orders
//! - `play`: one trace through one cache; get, and put if it was not there
//! - `grid`: traces by sizes by caches, and the promise that `adaptive` keeps on them
#![forbid(unsafe_code)]

pub mod grid;
pub mod play;
pub mod trace;
pub mod twins;
