//! A cache in the process: one computation per key, invalidation that wins, for threads and tasks alike.
//!
//! A [`Cache`] has keys and values of your own types:
//!
//! ```
//! use everwarm::{Cache, duration::mins};
//!
//! let users = Cache::builder("users").max_entries(10_000).ttl(mins(5)).build()?;
//! assert_eq!(users.get_or_compute(&7_u64, || "Ada"), "Ada"); // computed
//! assert_eq!(users.get_or_compute(&7_u64, || "Bob"), "Ada"); // from memory
//! # Ok::<(), everwarm::Error>(())
//! ```
//!
//! [`cached`](macro@cached) makes a function remember what it gave:
//!
//! ```
//! #[everwarm::cached(ttl = "5m", tags = ["user:{id}"])]
//! fn profile(id: u64) -> Result<String, std::num::ParseIntError> {
//!     Ok(format!("profile of {id}"))
//! }
//!
//! assert_eq!(profile(7)?, profile(7)?);
//! assert_eq!(profile::stats().computations, 1);
//! profile::invalidate(7);
//! # Ok::<(), std::num::ParseIntError>(())
//! ```
//!
//! Both work in threads and in tasks of any runtime, together: everyone who asks for a missing value waits for the one
//! computation of it. None of it starts a thread or a runtime, but for the thread that [`refresh_in_thread`] is asked for, and what
//! stores take: with the feature of its kind a cache has a store behind its memory that processes share, also those of Python.
#![forbid(unsafe_code)]

mod admission;
mod alone;
#[cfg(feature = "stores")]
mod backing;
mod behind;
mod builder;
mod cache;
mod call;
mod call_options;
mod chain;
mod counting;
pub mod duration;
mod enrolled;
mod errand;
mod explanation;
mod form;
mod freshness;
mod function;
mod health;
mod held;
mod held_many;
mod home;
mod in_background;
mod in_time;
mod job;
mod judge;
pub mod key;
mod link;
mod many;
mod objects;
mod only_if_cached;
mod patience;
mod remote;
mod renewed;
mod share;
mod stores;
pub mod testing;
#[cfg(feature = "stores")]
mod tier;
mod timed;
mod told;
mod using;
mod values;
mod verdict;
#[cfg(feature = "stores")]
mod wire;

pub use behind::{Task, Work};
pub use builder::Builder;
pub use cache::Cache;
pub use call_options::CallOptions;
pub use counting::{Count, Integer};
pub use enrolled::{invalidate_tags, invalidate_tags_async, refresh_in_thread, run_due};
pub use everwarm_core::error::{Error, ErrorKind};
pub use everwarm_core::policy::RefreshAhead;
pub use everwarm_core::store;
pub use everwarm_engine::stack::TierStats;
pub use everwarm_engine::{Cause, Eviction, Seen, Stats, WhatIf};
/// Makes a struct or an enum part of keys, by its content.
///
/// A struct is written as the record of its fields, as Python's dataclasses are; an enum's value without fields as a member
/// of an enumeration. `#[key(class = "shop.models.Point")]` on the type names the Python class that it stands for: module
/// and name. Without it the class is the module and the name of the type itself.
///
/// ```
/// use everwarm::{ToKey, key::Writer};
///
/// #[derive(ToKey)]
/// #[key(class = "shop.Point")]
/// struct Point { x: i32, y: i32 }
///
/// let mut writer = Writer::new();
/// Point { x: 1, y: 2 }.write(&mut writer)?;
/// assert_eq!(writer.as_bytes(), b"\xe1\x44shop\x45Point\x02\x41x\x11\x01\x41y\x11\x02");
/// # Ok::<(), everwarm::key::Limit>(())
/// ```
pub use everwarm_macros::ToKey;
/// Makes a function remember what it gave for the same arguments.
///
/// Of calls with the same arguments one computes, in whatever thread or task, and all get what it gave. The function may
/// be `async`, with any runtime or none. What it returns is cloned for each caller. A `Result`, under whatever name, is
/// kept if it is `Ok`; an error goes to all who wait, and the next call computes anew, unless an option says otherwise.
///
/// | option | meaning |
/// |---|---|
/// | `ttl = "5m"` | how long an entry is fresh; for ever unless said otherwise |
/// | `ttl_of = \|page\| page.max_age` | what says a value's own ttl: an `Option<Duration>`; None: `ttl` counts; nothing: it is not kept |
/// | `jitter = 0.1` | by up to which fraction each ttl is shortened at random |
/// | `stale_while_revalidate = "1h"` | how long after its ttl a value is served while it is computed anew |
/// | `stale_if_error = "1d"` | how long after its ttl a value is served in place of an `Err` |
/// | `error_backoff = "10s"` | after that, how long before the next attempt |
/// | `refresh_ahead = 0.8` | after which fraction of its ttl a value is computed anew; `"xfetch"`: at random |
/// | `refresh_every = "30s"` | how old a value in use is when [`run_due`] or [`refresh_in_thread`] has it computed anew |
/// | `sliding = 0.5` | a read has the ttl begin anew once no more than this fraction of it is left |
/// | `sliding_max_age = "30d"` | the age at which it ends all the same |
/// | `negative_ttl = "10s"` | how long a None, or `Ok(None)`, is kept |
/// | `negative_growth = 2.0`, `negative_max_ttl = "1h"` | by what that grows with each further one in a row, and up to what |
/// | `negative_errors = true` | an `Err` is kept so long too |
/// | `background = run` | what runs a computation behind a value that is served, an `fn(`[`Work`]`)` |
/// | `spawn = run` | the same for an `async` function, an `fn(`[`Task`]`)` |
/// | `hard_timeout = "2s"` | how long a call takes at most: then it is given the old value, or an `Err` |
/// | `soft_timeout = "200ms"` | how long it takes while there is an old value, which it is given then |
/// | `wait_timeout = "30s"` | how long it waits for what another call computes, before it computes itself |
/// | `timer = sleep` | what measures that for an `async` function, an `fn(Duration)` that gives a future |
/// | `max_computations = 8` | how many computations run at once; as many as are asked for unless said otherwise |
/// | `max_entries = 1000` | how many entries there may be; 10,000 unless said otherwise |
/// | `eviction = Eviction::Lru` | which entry leaves when there is no room; [adaptive](Eviction) unless said otherwise |
/// | `max_bytes = "100MB"`, `max_entry_bytes = "1MB"` | what all entries, and one, may weigh; a number counts bytes |
/// | `weigher = \|page\| page.len() as u64` | what says how much a value, or what is in its `Ok`, weighs |
/// | `when = \|page\| page.is_whole` | which values, or what is in their `Ok`, are kept; all unless said otherwise |
/// | `tags_from_result = \|page\| [page.author]` | further tags of an entry, of the value, or of what is in its `Ok` |
/// | `on_remove = \|key, value, cause\| ...` | is told of each entry that left memory: its stored name, what it was, and [why](Cause) |
/// | `tags = ["user:{id}"]` | names to invalidate entries by, with [`invalidate_tags`] |
/// | `key = "{user.id}"` | what tells calls apart; all arguments unless said otherwise |
/// | `cache_none = false` | a None, or `Ok(None)`, is returned and not kept |
/// | `name = "shop.price"` | what the function is called in stored names; its path unless said otherwise |
/// | `version = "2"`, `namespace = "shop"` | further parts of stored names |
/// | `cache = SHOP` | its entries lie in the stores of this cache, too, and in its namespace |
/// | `schema = "1"` | what stands for the schema of its values in stored names there |
///
/// The places of a template are parameters, with `.field` and `[index]` behind them. Every argument that is part of the
/// key has a type that is [`ToKey`](trait@ToKey); a template of tags shows its own with `Display`.
///
/// Beside a function `price` there is a type `price` with its verbs. They take the function's arguments.
///
/// | verb | what it does |
/// |---|---|
/// | `price::invalidate(sku)` | makes the entry gone, also for who computes it now |
/// | `price::mark_stale(sku)` | makes the entry as one whose ttl is over |
/// | `price::peek(sku)` | the entry with its age, remaining time and tags, if it is there; counts nothing |
/// | `price::prime(value, sku)` | stores a value as if the call had given it |
/// | `price::explain(sku)` | [why](Explanation) a call would be a hit or a miss; counts nothing |
/// | `price::refresh(sku)` | computes anew, whatever is there |
/// | `price::using(options, sku)` | the call, told [to do differently](CallOptions) |
/// | `price::only_if_cached(sku)` | what is there, or an error of kind `NotCached`; computes nothing |
/// | `price::uncached(sku)` | the function itself |
/// | `price::key(sku)` | the stored name of the call |
/// | `price::clear()`, `price::stats()` | all entries gone; what happened |
///
/// With `cache` these wait for its stores where they change an entry, and `invalidate`, `mark_stale`, `prime` and `clear` have siblings
/// for tasks: `price::invalidate_async(sku).await`.
///
/// A method has them beside it, with its name before theirs: `shop.price_invalidate(sku)`, `Shop::price_stats()`. It needs
/// `key =`, which says whether instances share entries (`"{sku}"`) or not (`"{self.id}{sku}"`). All instances of a type
/// have one bound.
///
/// ```
/// #[everwarm::cached(ttl = "1h", max_entries = 1_000)]
/// fn price(sku: &str) -> Option<u32> {
///     (sku == "lamp").then_some(30)
/// }
///
/// assert_eq!((price("lamp"), price("lamp")), (Some(30), Some(30)));
/// assert_eq!((price::stats().hits, price::stats().computations), (1, 1));
/// price::prime(Some(25), "lamp");
/// assert_eq!(price("lamp"), Some(25));
/// ```
///
/// A value that is served old, or near the end of its ttl, is computed anew by the caller who met it; the others are served
/// meanwhile. With `background` or `spawn` that caller is served too: the computation is handed over, with the arguments, which
/// are therefore owned.
///
/// ```
/// use std::thread;
///
/// #[everwarm::cached(ttl = "5m", stale_while_revalidate = "1h", background = |work| { thread::spawn(work); })]
/// fn page(path: String) -> String {
///     format!("the page {path}")
/// }
///
/// assert_eq!(page("/".to_owned()), "the page /");
/// ```
///
/// # Panics
/// The function panics if its computation asks for its own key.
///
/// # Errors
/// An argument larger than 16 MiB once encoded, or nested deeper than 128 levels, is part of no key: such a call computes
/// every time, and is counted as an error and a bypass.
pub use everwarm_macros::cached;
pub use explanation::Explanation;
pub use function::Shared;
pub use in_background::InBackground;
pub use in_time::InTime;
pub use key::ToKey;
pub use only_if_cached::OnlyIfCached;
pub use renewed::{Old, Renewed};
pub use stores::Stores;
#[cfg(feature = "stores")]
pub use tier::{Step, Tier};
pub use timed::Refreshing;
pub use using::Using;
pub use verdict::Nothing;

/// What the attribute's code is made of. It changes without notice.
#[doc(hidden)]
pub mod expansion {
    pub use crate::behind::Task;
    pub use crate::cache::texts;
    pub use crate::function::{Declaration, Function, Missing, Over};
    pub use crate::key::{Limit, Writer};
    pub use crate::values::Values;
    pub use crate::verdict::{Ended, Failing, Plain, Refused, Unrefused, Verdict};
    #[cfg(feature = "stores")]
    pub use crate::wire::{Wire, Written};
    pub use everwarm_core::policy::{Negative, Policy, RefreshAhead, Sliding};
    pub use everwarm_core::settle::Outcome;
}

/// The guide and the README, whose Rust is run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/rust.md")]
#[doc = include_str!("../../../README.md")]
mod documents {}
