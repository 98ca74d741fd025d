//! Everwarm's engine: decisions meet effects.
//!
//! A [`Cache`] is a bounded memory with single flight, invalidation that wins, and statistics. It never calls user code:
//! it says whose [`Turn`] it is, and the caller computes, waits or returns.
//!
//! The rooms: `cache` and `objects` the verbs that need no turn · `hit` the path of a hit · `begin` whose turn it is · `flights` the
//! computations that run and their seats · `lead` and `ticket` what a caller holds · `waits` who waits for whom ·
//! `authority` and `tags` validity without clocks · `version` the numbers of writes · `scope` and `stats` what was counted ·
//! `primitives` leases and limiters that users hold · `stack` the stores behind memory, shared with other processes · `what_if` what would have been at other sizes · `listener` who is told of entries that left · `departures` and `trace` why a
//! key has no entry · `windows` what an entry is worth after its ttl or before its end · `ticker` time and chance · `process` forks · `parker` how a thread waits.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use everwarm_engine::{Ask, Bounds, Cache, Caller, Key, Settle, Ticker, Turn};
//!
//! #[derive(Clone, PartialEq, Eq)]
//! struct Name(u32, &'static str);
//! impl Key for Name {
//!     type Lock = everwarm_engine::DefaultLock;
//!     fn scope(&self) -> u32 { self.0 }
//! }
//!
//! let bounds = Bounds::entries(NonZeroUsize::MIN);
//! let cache = Cache::<Name, u64, ()>::new(bounds, Ticker::system());
//! let scope = cache.scope();
//! let key = Name(scope.id(), "answer");
//! let hash = 42;
//!
//! assert!(cache.hit(&scope, hash, &key).is_none());
//! let ask = Ask { scope: &scope, hash, key: &key, tags: &[], caller: Caller::default(), again: false };
//! match cache.begin(ask).unwrap() {
//!     Turn::Lead(lead) => assert!(lead.settle(6 * 7, Settle::default()).stored),
//!     _ => unreachable!("nobody else asks"),
//! }
//! assert_eq!(cache.hit(&scope, hash, &key), Some(42));
//! assert_eq!(cache.stats(&scope).calls(), 2);
//! ```
#![forbid(unsafe_code)]

mod authority;
mod begin;
mod bulkhead;
mod cache;
mod departures;
mod entry;
mod flights;
mod hit;
mod lead;
mod listener;
mod objects;
mod parker;
pub mod primitives;
mod process;
mod recording;
mod scope;
mod shim;
mod sitting;
mod slide;
pub mod stack;
mod stats;
mod tags;
mod ticker;
mod ticket;
mod trace;
mod version;
mod waits;
mod what_if;
mod windows;

#[cfg(feature = "shuttle")]
#[doc(hidden)]
pub use authority::Fault;
pub use begin::{Ask, SelfWait, Turn};
pub use bulkhead::{Bulkhead, Line, Permit};
pub use cache::{Cache, Put};
pub use departures::Reason;
pub use entry::{Key, Seen};
pub use everwarm_core::flight::LeadId;
pub use everwarm_core::generation::Stamp;
pub use everwarm_memory::{Bounds, DefaultLock, Eviction, Place, RawMutex};
pub use hit::Absence;
pub use lead::{Lead, Settle, Settled};
pub use listener::{Cause, Listener};
pub use objects::{Amendment, Condition, Written};
pub use parker::Parker;
pub use process::{after_fork, process};
pub use scope::Scope;
pub use sitting::{Plain, Sitting};
pub use stats::Stats;
pub use tags::Negative;
pub use ticker::{Chance, FineTicker, ManualHand, Ticker};
pub use ticket::{Arrival, Ticket};
pub use trace::{Ahead, Trace};
pub use waits::Caller;
pub use what_if::WhatIf;
pub use windows::{Offer, Old, Served};
