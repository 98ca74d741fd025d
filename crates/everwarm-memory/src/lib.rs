//! Everwarm's memory: the bounded, sharded table that every cache of a process stands on.
//!
//! It knows keys, payloads, deadlines and a bound, and nothing of what they mean. A [`Memory`] is a row of shards, each
//! behind a lock of its own and chosen by the hash; shared counts keep the bounds for all of them exactly, and a shard
//! that takes an entry in when the memory is full lets one of its own go.
//!
//! - `shard`: one shard, which ties together the four below it
//! - `slab`: slots in which entries live, addressed by 32 bits
//! - `slots`: the array that they are in, a cache line for each that is as large
//! - `index`: in which slot the entry of a hash is
//! - `eviction`: the order in which entries leave for want of room; one file for each order
//! - `timer`: which entries expire when; expired ones leave without being touched
//! - `room`: the shared counts of entries and of what they weigh
//! - `departed`: what left, and why; it is returned, since dropping it may run code that calls this memory again
//! - `store`: [`MemoryStore`], which keeps the contract of stores over such a table
//! - `processors`: how many there are, by which shards are chosen
//! - `shim`: the locks, real or those of a schedule explorer
//!
//! ```
//! use everwarm_core::clock::Instant;
//! use everwarm_memory::{Bounds, Look, Memory};
//!
//! let memory: Memory<_, _> = Memory::new(Bounds::entries(2.try_into()?));
//! let hash = |key: u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
//! for key in [1, 2] {
//!     assert!(memory.insert(hash(key), key, "payload", Instant::NEVER).is_empty());
//! }
//! assert_eq!(memory.look(hash(1), &1, |payload, _, _| Look::Touch(*payload)), (Some("payload"), None));
//! for gone in memory.insert(hash(3), 3, "payload", Instant::from_nanos(60)) {
//!     assert_eq!(gone.key, 2); // The other one was used.
//! }
//! assert_eq!(memory.sweep(Instant::from_nanos(60))[0].key, 3);
//! assert_eq!(memory.len(), 1);
//! # Ok::<(), std::num::TryFromIntError>(())
//! ```
#![forbid(unsafe_code)]

mod departed;
mod eviction;
mod index;
mod memory;
mod processors;
mod room;
mod shard;
mod shim;
mod slab;
mod slots;
mod store;
mod timer;

pub use departed::{Cause, Departed, Gone, Taken};
pub use eviction::Eviction;
pub use hashbrown::Equivalent;
pub use lock_api::RawMutex;
pub use memory::{Bounds, DefaultLock, Found, Look, Memory, Newcomer, Place, Vacancy};
pub use store::MemoryStore;
