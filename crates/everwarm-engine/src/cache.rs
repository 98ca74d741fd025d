//! The cache: one bounded memory, its flights and its authority, shared by scopes; and the verbs that need no turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_memory::{Bounds, Cause, Departed, Memory};
use hashbrown::Equivalent;

use crate::authority::{Authority, Faults};
use crate::entry::{Entry, Key};
use crate::flights::{Flights, Seats};
use crate::scope::Scope;
use crate::shim::{Mutex, MutexGuard};
use crate::stats::Stats;
use crate::ticker::Ticker;

/// A cache for values `V` under keys `K`, whose computations fail with `E`.
///
/// It never runs a computation: it says whose turn it is, and takes the value. Values and errors are cloned under a shard's
/// lock, so cloning must be cheap and run no code of the user; they are dropped when no lock is held.
pub struct Cache<K: Key, V, E> {
    pub(crate) memory: Memory<K, Entry<V>, K::Lock>,
    pub(crate) flights: Flights<K, V, E>,
    pub(crate) authority: Authority,
    pub(crate) ticker: Ticker,
    scopes: Mutex<Scopes>,
    faults: Faults,
}

#[derive(Default)]
struct Scopes {
    last: u32,
    by_id: BTreeMap<u32, Arc<Scope>>,
    /// What happened in scopes that are gone.
    before: Stats,
}

/// A value to be put.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a, K, V> {
    /// The function, or the object API.
    pub scope: &'a Arc<Scope>,
    /// The key's hash.
    pub hash: u64,
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// When the entry ends; [`Instant::NEVER`] for an entry that stays.
    pub deadline: Instant,
    /// The entry's tags.
    pub tags: &'a [Arc<str>],
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// An empty cache.
    #[must_use]
    pub fn new(bounds: Bounds, ticker: Ticker) -> Arc<Self> {
        Arc::new(Self::build(Memory::new(bounds), ticker, Faults::default()))
    }

    /// An empty cache of one shard, for threads that exclude each other anyway.
    #[must_use]
    pub fn unsharded(bounds: Bounds, ticker: Ticker) -> Arc<Self> {
        Arc::new(Self::build(
            Memory::with_shards(bounds, 1),
            ticker,
            Faults::default(),
        ))
    }

    /// A cache with a planted fault, to show that schedule exploration finds it.
    #[cfg(feature = "shuttle")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_fault(bounds: Bounds, ticker: Ticker, fault: crate::authority::Fault) -> Arc<Self> {
        Arc::new(Self::build(Memory::new(bounds), ticker, Faults(fault)))
    }

    fn build(memory: Memory<K, Entry<V>, K::Lock>, ticker: Ticker, faults: Faults) -> Self {
        Self {
            flights: Flights::new(memory.shards()),
            memory,
            authority: Authority::new(faults),
            ticker,
            scopes: Mutex::new(Scopes::default()),
            faults,
        }
    }

    /// A scope of its own for one function, or for the object API.
    pub fn scope(&self) -> Arc<Scope> {
        let mut scopes = self.scopes.lock();
        scopes.last += 1;
        let scope = Arc::new(Scope::new(scopes.last, self.memory.shards()));
        scopes.by_id.insert(scope.id(), Arc::clone(&scope));
        scope
    }

    /// Lets a scope go whose function is gone: its entries leave, its statistics stay in the totals. Says how many left.
    pub fn drop_scope(&self, scope: &Scope) -> usize {
        let left = self.clear_scope(scope);
        let mut scopes = self.scopes.lock();
        let removed = scopes.by_id.remove(&scope.id());
        if removed.is_some() {
            scopes.before += Stats {
                entries: 0,
                ..scope.counters.read()
            };
        }
        drop(scopes);
        left
    }

    /// Puts a value: what is computed for the key meanwhile goes to its own callers only.
    pub fn put(&self, put: Put<'_, K, V>) {
        let stamp = self.authority.stamp();
        let tags = self.authority.intern(put.tags);
        let entry = Entry {
            value: put.value,
            stamp,
            written: self.ticker.now(),
            tags,
        };
        let mut seats = self.seats(put.hash);
        let doomed = seats.vacate(put.hash, &put.key);
        let departed = self.store(put.scope, put.hash, put.key, (entry, put.deadline));
        drop(seats);
        drop(doomed);
        self.let_go(put.scope, departed);
    }

    /// Makes one key gone, also for who computes it: callers who come later do not get that value, and it is not stored.
    /// Says whether an entry was there.
    pub fn delete<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) -> bool {
        let mut seats = self.seats(hash);
        let doomed = seats.vacate(hash, key);
        let removed = self.memory.remove(hash, key);
        drop(seats);
        drop(doomed);
        if removed.is_some() {
            scope.counters.entries.drop_one();
        }
        removed.is_some()
    }

    /// Makes what was computed, and is being computed, under these tags gone: one store for each tag.
    pub fn invalidate_tags(&self, tags: &[Arc<str>]) {
        if !tags.is_empty() {
            self.authority.invalidate_tags(tags);
        }
    }

    /// Makes everything of a scope gone, also what is being computed. Says how many entries left.
    pub fn clear_scope(&self, scope: &Scope) -> usize {
        self.authority.invalidate_scope(&scope.mark);
        if scope.counters.is_empty() {
            return 0;
        }
        self.release(|key| key.scope() == scope.id())
    }

    /// Makes everything gone, also what is being computed. Says how many entries left.
    pub fn clear(&self) -> usize {
        self.authority.invalidate_all();
        self.release(|_| true)
    }

    /// Lets expired entries go, without touching the others. Says how many left.
    pub fn sweep(&self) -> usize {
        let swept = self.memory.sweep(self.ticker.now());
        for (key, _) in &swept {
            self.with_scope(key.scope(), |scope| {
                scope.counters.entries.drop_one();
                scope.counters.expired.bump();
            });
        }
        swept.len()
    }

    /// How many entries have a deadline, so that a sweeper knows whether there is work ahead.
    pub fn timed(&self) -> usize {
        self.memory.timed()
    }

    /// The clock.
    #[must_use]
    pub fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    /// The clock's reading, from which deadlines are reckoned.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.ticker.now()
    }

    /// What happened in a scope.
    #[must_use]
    pub fn stats(&self, scope: &Scope) -> Stats {
        scope.counters.read()
    }

    /// What happened in all scopes, those that are gone among them.
    #[must_use]
    pub fn totals(&self) -> Stats {
        let scopes = self.scopes.lock();
        let mut totals = scopes.before;
        scopes
            .by_id
            .values()
            .for_each(|scope| totals += scope.counters.read());
        totals
    }

    /// Shows every value to `visit`, shard by shard, under the shard's lock and without allocating: for garbage collectors.
    pub fn for_each_value(&self, mut visit: impl FnMut(&V)) {
        self.memory.for_each(|_, entry| visit(&entry.value));
    }

    /// Verifies what must hold between memory and counters while no thread is at work.
    ///
    /// # Panics
    /// If it does not hold.
    #[doc(hidden)]
    pub fn check(&self) {
        self.memory.check().expect("the memory's invariants");
        assert_eq!(
            self.totals().entries,
            self.memory.len() as u64,
            "entries counted and held"
        );
    }

    pub(crate) fn seats(&self, hash: u64) -> MutexGuard<'_, Seats<K, V, E>> {
        self.flights.lock(self.memory.shard_of(hash))
    }

    /// Stores an entry; what leaves is returned, for [`let_go`](Self::let_go) when no lock is held.
    pub(crate) fn store(
        &self,
        scope: &Scope,
        hash: u64,
        key: K,
        entry: (Entry<V>, Instant),
    ) -> Departed<K, Entry<V>> {
        // Counted before it is there, so that nobody can count it out before it was counted in.
        scope.counters.entries.bump();
        let (entry, deadline) = entry;
        let now = entry.written;
        self.memory.insert_at(hash, key, entry, deadline, now)
    }

    /// Counts the entries that an insertion let go, and drops them.
    pub(crate) fn let_go(&self, inserted_by: &Scope, departed: Departed<K, Entry<V>>) {
        for gone in departed {
            let count = |scope: &Scope| {
                scope.counters.entries.drop_one();
                match gone.cause {
                    Cause::Capacity => scope.counters.evicted.bump(),
                    Cause::Expired => scope.counters.expired.bump(),
                    Cause::Replaced => {}
                }
            };
            let id = gone.key.scope();
            if id == inserted_by.id() {
                count(inserted_by)
            } else {
                self.with_scope(id, count)
            }
        }
    }

    pub(crate) fn keeps_doomed(&self) -> bool {
        self.faults.keep_doomed()
    }

    fn release(&self, leaves: impl Fn(&K) -> bool) -> usize {
        let released = self.memory.retain(|key, _| !leaves(key));
        for (key, _) in &released {
            self.with_scope(key.scope(), |scope| scope.counters.entries.drop_one());
        }
        released.len()
    }

    fn with_scope(&self, id: u32, count: impl FnOnce(&Scope)) {
        if let Some(scope) = self.scopes.lock().by_id.get(&id) {
            count(scope);
        }
    }
}

impl<K: Key, V, E> std::fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cache")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
