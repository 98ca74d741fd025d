//! The engine without stores, in one program: each program of tests takes in the engine anew.
//!
//! Who waits for whom is the process's. So threads are those of one test alone, by `support::threads`, and leads that no cache has numbered
//! have numbers that none will have.

mod batches;
mod bulkhead;
mod entries;
mod generations_interleaved;
mod interleaved;
mod model;
mod objects;
mod primitives;
mod promises;
mod reentry;
mod removals;
mod sitting;
#[path = "../support/mod.rs"]
mod support;
mod suspend;
mod traces;
mod what_if;
mod windows;
