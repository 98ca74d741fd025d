//! A store in this process's memory: the table, kept to the contract of stores.
//!
//! Writes of a name happen under the lock of its stripe, which also keeps the name's lease: so both change in one step.
//! Reads take the table's own locks alone. Locks are taken in this order: authority, stripe, news, table.

mod authority;
mod facets;
mod health;
mod news;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::lease::{Lease, Request, reply};
use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Failure, FailureKind, Generations, Grant,
    Health, Info, Leases, Limits, Message, Notify, Scan, Store, Suspend, Touch,
};
use parking_lot::{Mutex, MutexGuard};

use crate::{Bounds, Departed, Memory, Newcomer};

use authority::Authority;
use news::News;

/// By how much the reading of a clock may lag: the engine's is a coarse one.
const COARSE: Duration = Duration::from_millis(10);
/// How many locks the writes of names are spread over.
const STRIPES: usize = 16;
/// Leases in a stripe, ended ones included, before it looks for those.
const LEASES_AT_EASE: usize = 64;

/// A bounded store in this process's memory, with every facet: `memory://`.
///
/// Handles that are made with [`handle`](Self::handle) share what is in it, as processes share a store elsewhere.
///
/// ```
/// use std::sync::Arc;
/// use everwarm_core::clock::{Clock, Instant};
/// use everwarm_core::store::{Bytes, Store};
/// use everwarm_memory::{Bounds, MemoryStore};
///
/// struct Still;
/// impl Clock for Still {
///     fn now(&self) -> Instant { Instant::ZERO }
/// }
///
/// let store = MemoryStore::with_clock(Bounds::entries(100.try_into()?), Arc::new(Still));
/// assert!(store.set("name", Bytes::from("value"), None).now().is_ok());
/// let found = store.handle().get("name").now().unwrap()?.unwrap();
/// assert_eq!(found.bytes, "value");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryStore {
    place: Arc<Place>,
    /// Which of the handles this is.
    own: u64,
    is_closed: AtomicBool,
}

/// What the handles share.
struct Place {
    table: Memory<Box<str>, Held>,
    bounds: Bounds,
    largest: u64,
    hasher: RandomState,
    clock: Arc<dyn Clock>,
    stripes: [Mutex<Stripe>; STRIPES],
    writes: AtomicU64,
    handles: AtomicU64,
    authority: Mutex<Authority>,
    news: News,
}

/// What the table holds under a name.
struct Held {
    bytes: Bytes,
    version: u64,
    until: Instant,
}

impl Held {
    fn found(&self, now: Instant) -> everwarm_core::store::Found {
        everwarm_core::store::Found {
            bytes: self.bytes.clone(),
            remaining: (self.until != Instant::NEVER).then(|| self.until.since(now)),
            version: self.version,
        }
    }
}

/// The leases of some names.
#[derive(Default)]
struct Stripe {
    leases: HashMap<Box<str>, Lease>,
}

impl Stripe {
    /// Asks for something about the lease of a name.
    fn ask(&mut self, name: &str, token: u64, request: Request, now: Instant) -> Grant {
        let (lease, said) = reply(self.leases.get(name).copied(), token, request, now);
        match (lease, self.leases.get_mut(name)) {
            (Some(lease), Some(there)) => *there = lease,
            (Some(lease), None) => self.keep(name, lease, now),
            (None, Some(_)) => {
                self.leases.remove(name);
            }
            (None, None) => {}
        }
        said
    }

    /// Whether a write under this lease may be done.
    fn is_held(&self, name: &str, token: u64, now: Instant) -> bool {
        let lease = self.leases.get(name).copied();
        reply(lease, token, Request::Settle, now).1 == Grant::Granted
    }

    fn keep(&mut self, name: &str, lease: Lease, now: Instant) {
        if self.leases.len() >= LEASES_AT_EASE && self.leases.len() == self.leases.capacity() {
            self.leases.retain(|_, lease| lease.until > now);
        }
        self.leases.insert(name.into(), lease);
    }
}

/// A value on its way in.
struct Write<'a> {
    name: &'a str,
    bytes: Bytes,
    until: Instant,
}

impl MemoryStore {
    /// An empty store, which reads its time from `clock`.
    #[must_use]
    pub fn with_clock(bounds: Bounds, clock: Arc<dyn Clock>) -> Self {
        let hasher = RandomState::new();
        let epoch = hasher.hash_one("epoch");
        Self {
            place: Arc::new(Place {
                table: Memory::new(bounds),
                bounds,
                largest: bounds
                    .max_bytes
                    .map_or(u64::MAX, |max| Place::largest(max.get())),
                hasher,
                clock,
                stripes: Default::default(),
                writes: AtomicU64::new(0),
                handles: AtomicU64::new(1),
                authority: Mutex::new(Authority::new(epoch)),
                news: News::default(),
            }),
            own: 0,
            is_closed: AtomicBool::new(false),
        }
    }

    /// Another handle on the same entries.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self {
            place: Arc::clone(&self.place),
            own: self.place.handles.fetch_add(1, Ordering::Relaxed),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The place, while this handle is open.
    fn open(&self) -> Result<&Place, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Failure::new(
                FailureKind::Closed,
                "the memory store is closed",
                "open another one",
            ));
        }
        Ok(&self.place)
    }

    /// Does something at once, while this handle is open.
    fn at_once<'a, T>(
        &'a self,
        act: impl FnOnce(&'a Place) -> Result<T, Failure>,
    ) -> Answer<'a, T> {
        Answer::Now(self.open().and_then(act))
    }

    fn tell(&self, message: impl FnOnce() -> Message) {
        // A handle that is alone has nobody to tell.
        if self.place.handles.load(Ordering::Relaxed) > 1 {
            self.place.news.tell(self.own, message());
        }
    }

    fn tell_of(&self, name: &str) {
        self.tell(|| Message::Key(name.into()));
    }
}

impl Place {
    const LONGEST_NAME: usize = 1 << 16;
    const OVERHEAD: u64 = Memory::<Box<str>, Held>::OVERHEAD;

    /// The largest value that has room beside a name, within so many bytes for all.
    fn largest(max_bytes: u64) -> u64 {
        let name = (Self::LONGEST_NAME as u64).min(max_bytes / 4);
        max_bytes.saturating_sub(Self::OVERHEAD + name)
    }

    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name)
    }

    fn stripe(&self, hash: u64) -> MutexGuard<'_, Stripe> {
        self.stripes[(hash >> 48) as usize % STRIPES].lock()
    }

    fn until(&self, now: Instant, ttl: Option<Duration>) -> Instant {
        ttl.map_or(Instant::NEVER, |ttl| now.after(ttl))
    }

    /// Shows what is under a name, if it has not expired.
    fn seen<R>(
        &self,
        hash: u64,
        name: &str,
        now: Instant,
        see: impl FnOnce(&Held) -> R,
    ) -> Option<R> {
        let mut found = self.table.find(hash, name)?;
        let (held, until) = found.touched();
        (until > now).then(|| see(held))
    }

    fn get(&self, name: &str) -> Option<everwarm_core::store::Found> {
        let now = self.clock.now();
        self.seen(self.hash(name), name, now, |held| held.found(now))
    }

    fn check_name(name: &str) -> Result<(), Failure> {
        if name.len() > Self::LONGEST_NAME {
            return Err(Failure::new(
                FailureKind::Permanent,
                format!(
                    "a name of {} bytes is too long for a memory store",
                    name.len()
                ),
                format!("names have up to {} bytes", Self::LONGEST_NAME),
            ));
        }
        Ok(())
    }

    /// Puts a value in, under the lock of its stripe. What leaves for it is dropped by the caller, after unlocking.
    fn put(
        &self,
        hash: u64,
        write: Write<'_>,
        now: Instant,
    ) -> Result<(u64, Departed<Box<str>, Held>), Failure> {
        Self::check_name(write.name)?;
        let weight = Self::OVERHEAD + (write.name.len() + write.bytes.len()) as u64;
        if write.bytes.len() as u64 > self.largest || !self.table.fits(weight) {
            return Err(Failure::new(
                FailureKind::Capacity,
                format!(
                    "a value of {} bytes is too large for a memory store",
                    write.bytes.len()
                ),
                "give the store a larger max_bytes",
            ));
        }
        let version = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let newcomer = Newcomer {
            hash,
            key: write.name.into(),
            payload: Held {
                bytes: write.bytes,
                version,
                until: write.until,
            },
            deadline: write.until,
            keep_until: write.until,
            weight,
        };
        Ok((version, self.table.admit(newcomer, now)))
    }

    /// Takes away what is under a name, under the lock of its stripe; whether it was there and had not expired.
    fn take(
        &self,
        hash: u64,
        name: &str,
        now: Instant,
    ) -> (bool, Option<crate::Taken<Box<str>, Held>>) {
        let taken = self.table.remove(hash, name);
        let was = taken
            .as_ref()
            .is_some_and(|taken| taken.payload.until > now);
        (was, taken)
    }
}

impl Store for MemoryStore {
    fn info(&self) -> Info {
        Info {
            kind: "memory",
            place: String::new(),
            durability: Durability::None,
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: Place::LONGEST_NAME,
            largest_value: self.place.largest,
            longest_ttl: None,
            ttl_precision: COARSE,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<everwarm_core::store::Found>> {
        self.at_once(|place| Ok(place.get(name)))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let until = place.until(now, ttl);
            let mut stripe = place.stripe(hash);
            let (_, departed) = place.put(hash, Write { name, bytes, until }, now)?;
            stripe.leases.remove(name);
            self.tell_of(name);
            drop(stripe);
            drop(departed);
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let mut stripe = place.stripe(hash);
            stripe.leases.remove(name);
            let (was, taken) = place.take(hash, name, now);
            self.tell_of(name);
            drop(stripe);
            drop(taken);
            Ok(was)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.at_once(|place| {
            let now = place.clock.now();
            // All at once, so that no lease that is given meanwhile covers a value from before.
            let mut stripes: Vec<_> = place.stripes.iter().map(Mutex::lock).collect();
            for stripe in &mut stripes {
                stripe.leases.retain(|name, _| !name.starts_with(prefix));
            }
            let gone = place.table.retain(|name, _| !name.starts_with(prefix));
            self.tell(|| Message::Clear(prefix.into()));
            drop(stripes);
            Ok(gone
                .iter()
                .filter(|taken| taken.payload.until > now)
                .count() as u64)
        })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.at_once(|place| {
            let now = place.clock.now();
            place.authority.lock().sweep(now);
            for stripe in &place.stripes {
                stripe.lock().leases.retain(|_, lease| lease.until > now);
            }
            Ok(place.table.sweep(now).len() as u64)
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.at_once(|_| Ok(()))
    }

    fn close(&self) -> Answer<'_, ()> {
        self.is_closed.store(true, Ordering::Relaxed);
        Answer::done(())
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryStore")
            .field("entries", &self.place.table.len())
            .finish_non_exhaustive()
    }
}
