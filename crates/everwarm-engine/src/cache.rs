//! The cache: one bounded memory, its flights and its authority, shared by scopes; and the verbs that need no turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::lifetime::Lifetime;
use everwarm_memory::{Bounds, Memory};
use hashbrown::Equivalent;

use crate::authority::{Authority, Faults};
use crate::departures::{Departures, Reason};
use crate::entry::{Entry, Key};
use crate::flights::{Flights, Seats, Sitter};
use crate::listener::{Cause, Incoming, Listener};
use crate::objects::Amendment;
use crate::recording::Event;
use crate::scope::Scope;
use crate::shim::{AtomicU64, Mutex, MutexGuard};
use crate::sitting::Plain;
use crate::stats::Stats;
use crate::ticker::Ticker;
use crate::what_if::Sample;
use crate::windows;

/// A cache for values `V` under keys `K`, whose computations fail with `E`.
///
/// It never runs a computation: it says whose turn it is, and takes the value. Values and errors are cloned under a shard's
/// lock, so cloning must be cheap and run no code of the user; they are dropped when no lock is held.
pub struct Cache<K: Key, V, E> {
    pub(crate) memory: Memory<K, Entry<V>, K::Lock>,
    pub(crate) flights: Flights<K, V, E>,
    pub(crate) authority: Authority,
    pub(crate) departures: Departures,
    pub(crate) ticker: Ticker,
    pub(crate) listener: Option<Box<dyn Listener<K, V>>>,
    pub(crate) sample: Sample<K::Lock>,
    scopes: Mutex<Scopes>,
    /// Not 0 from the end of the cache on.
    pub(crate) closed: AtomicU64,
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
    /// The value's life.
    pub lifetime: Lifetime,
    /// The entry's tags.
    pub tags: &'a [Arc<str>],
    /// What the value weighs, in bytes; ignored in a cache that has no bound of bytes.
    pub weight: u64,
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// An empty cache.
    #[must_use]
    pub fn new(bounds: Bounds, ticker: Ticker) -> Arc<Self> {
        Arc::new(Self::build(Memory::new(bounds), bounds, ticker))
    }

    /// An empty cache that tells `listener` of every entry that leaves.
    #[must_use]
    pub fn with_listener(
        bounds: Bounds,
        ticker: Ticker,
        listener: Box<dyn Listener<K, V>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            listener: Some(listener),
            ..Self::build(Memory::new(bounds), bounds, ticker)
        })
    }

    /// An empty cache of one shard, for threads that exclude each other anyway.
    #[must_use]
    pub fn unsharded(
        bounds: Bounds,
        ticker: Ticker,
        listener: Option<Box<dyn Listener<K, V>>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            listener,
            ..Self::build(Memory::with_shards(bounds, 1), bounds, ticker)
        })
    }

    /// A cache with a planted fault, to show that schedule exploration finds it.
    #[cfg(feature = "shuttle")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_fault(bounds: Bounds, ticker: Ticker, fault: crate::authority::Fault) -> Arc<Self> {
        let faults = Faults(fault);
        Arc::new(Self {
            authority: Authority::new(faults),
            faults,
            ..Self::build(Memory::new(bounds), bounds, ticker)
        })
    }

    fn build(memory: Memory<K, Entry<V>, K::Lock>, bounds: Bounds, ticker: Ticker) -> Self {
        let faults = Faults::default();
        Self {
            flights: Flights::new(memory.shards()),
            memory,
            authority: Authority::new(faults),
            departures: Departures::new(),
            ticker,
            listener: None,
            sample: Sample::new(bounds),
            scopes: Mutex::new(Scopes::default()),
            closed: AtomicU64::new(0),
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
                bytes: 0,
                ..scope.counters.read()
            };
        }
        drop(scopes);
        left
    }

    /// Puts a value: what is computed for the key meanwhile goes to its own callers only.
    pub fn put(&self, put: Put<'_, K, V>) {
        let stamp = self.authority.stamp();
        let (tags, term) = windows::dated(&self.authority.intern(put.tags), &put.lifetime);
        let now = self.ticker.now();
        let incoming = Incoming {
            entry: Entry {
                value: put.value,
                stamp,
                written: now,
                tags,
            },
            term,
            weight: put.weight,
            now,
        };
        self.put_incoming((put.scope, put.hash, put.key), incoming);
    }

    /// As [`put`](Self::put), of a value without tags of which there is nothing to say but when it ends.
    #[inline]
    pub fn put_plain(&self, (scope, hash, key): (&Scope, u64, K), value: V, plain: Plain) {
        let incoming = Incoming::plain((value, self.authority.stamp()), plain.now, plain);
        self.put_incoming((scope, hash, key), incoming);
    }

    #[inline]
    fn put_incoming(&self, (scope, hash, key): (&Scope, u64, K), mut incoming: Incoming<V>) {
        let mut seats = self.seats(hash);
        if self.is_closed() {
            drop(seats);
            return;
        }
        incoming.entry.written = seats.versions.next(incoming.now);
        let doomed = seats.vacate(hash, &key);
        let stored = self.store(scope, hash, key, incoming);
        drop(seats);
        drop(doomed);
        self.let_go(scope, stored);
    }

    /// Makes one key gone, also for who computes it: callers who come later do not get that value, and it is not stored.
    /// Says whether an entry was there.
    pub fn delete<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) -> bool {
        self.delete_because(scope, hash, key, Cause::Deleted)
    }

    /// As [`delete`](Self::delete), for another cause that the listener is to hear.
    pub fn delete_because<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
        cause: Cause,
    ) -> bool {
        self.remove(scope, (hash, key), cause, Some(Reason::Deleted))
    }

    /// Clears a key whose meaning ends with it: nothing is remembered of why it left.
    pub fn forget<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) -> bool {
        self.remove(scope, (hash, key), Cause::Cleared, None)
    }

    /// Demotes the entry of one key: it is judged as if its ttl ended now. Without a window in which stale values are served it has
    /// expired; what is being computed for the key is stored all the same. Says whether a fresh entry was there.
    pub fn mark_stale<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) -> bool {
        self.amend(scope, hash, key, Amendment::Stale)
    }

    fn remove<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        (hash, key): (u64, &Q),
        cause: Cause,
        reason: Option<Reason>,
    ) -> bool {
        let mut seats = self.seats(hash);
        let doomed = seats.vacate(hash, key);
        let removed = self.memory.remove(hash, key);
        drop(seats);
        let there = removed.as_ref().map(|taken| &taken.key);
        if let Some(key) = there.or(doomed.as_ref().map(Sitter::key)) {
            match reason {
                Some(reason) => self.departures.note(key, reason),
                None => self.departures.hush(key),
            }
        }
        drop(doomed);
        if self.sample.holds(hash) {
            self.sample.note(Event::Removed(hash));
        }
        let Some(taken) = removed else {
            return false;
        };
        scope.counters.leave(taken.weight);
        self.tell(&taken.key, &taken.payload.value, cause);
        true
    }

    /// Refuses a value that was to be put: it is not stored, and the one it was to replace goes.
    pub fn refuse<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) {
        scope.counters.refused.bump();
        self.delete_because(scope, hash, key, Cause::Replaced);
    }

    /// Makes what was computed, and is being computed, under these tags gone: one store for each tag.
    pub fn invalidate_tags(&self, tags: &[Arc<str>]) {
        if !tags.is_empty() {
            self.authority.invalidate_tags(tags);
        }
    }

    /// As [`invalidate_tags`](Self::invalidate_tags); what is computed later is not stored either, for a span or until the tags are
    /// [resumed](Self::resume_tags), as often as they were suspended. When the span is over, that is as an invalidation.
    pub fn suspend_tags(&self, tags: &[Arc<str>], span: std::time::Duration) {
        if !tags.is_empty() {
            self.authority.suspend(tags, self.ticker.now().after(span));
        }
    }

    /// As [`invalidate_tags`](Self::invalidate_tags), by one who had suspended them.
    pub fn resume_tags(&self, tags: &[Arc<str>]) {
        if !tags.is_empty() {
            self.authority.resume(tags);
        }
    }

    /// Makes everything of a scope gone, also what is being computed. Says how many entries left.
    pub fn clear_scope(&self, scope: &Scope) -> usize {
        self.authority.invalidate_scope(&scope.mark);
        self.sample.note(Event::Cleared(Some(scope.id())));
        if scope.counters.is_empty() {
            return 0;
        }
        self.release(|key| key.scope() == scope.id(), &Reason::Cleared)
    }

    /// Makes everything gone, also what is being computed. Says how many entries left.
    pub fn clear(&self) -> usize {
        self.authority.invalidate_all();
        self.sample.note(Event::Cleared(None));
        self.release(|_| true, &Reason::AllCleared)
    }

    /// Lets expired entries go, without touching the others. Says how many left.
    pub fn sweep(&self) -> usize {
        let swept = self.memory.sweep(self.ticker.now());
        self.let_go_of_all(swept, Cause::Expired)
    }

    /// How many entries have a deadline, so that a sweeper knows whether there is work ahead.
    pub fn timed(&self) -> usize {
        self.memory.timed()
    }

    /// Counts a read that found nothing where nobody computes.
    pub fn missed(&self, scope: &Scope, hash: u64) {
        scope.counters.missed(self.memory.shard_of(hash));
        if self.sample.holds(hash) {
            self.sampled(scope, hash, None);
        }
    }

    /// Whether values are to be weighed: there is a bound of bytes.
    #[must_use]
    pub fn weighs(&self) -> bool {
        self.memory.weighs()
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

    /// Shows every key to `visit`, as [`for_each_value`](Self::for_each_value) does the values.
    pub fn for_each_key(&self, mut visit: impl FnMut(&K)) {
        self.memory.for_each(|key, _| visit(key));
    }

    /// Verifies what must hold between memory and counters while no thread is at work.
    ///
    /// # Panics
    /// If it does not hold.
    #[doc(hidden)]
    pub fn check(&self) {
        self.memory.check().expect("the memory's invariants");
        let totals = self.totals();
        assert_eq!(
            (totals.entries, totals.bytes),
            (self.memory.len() as u64, self.memory.weight()),
            "entries counted and held, and their weight"
        );
    }

    pub(crate) fn seats(&self, hash: u64) -> MutexGuard<'_, Seats<K, V, E>> {
        self.flights.lock(self.memory.shard_of(hash))
    }

    pub(crate) fn keeps_doomed(&self) -> bool {
        self.faults.keep_doomed()
    }

    fn release(&self, leaves: impl Fn(&K) -> bool, reason: &Reason) -> usize {
        let released = self.memory.retain(|key, _| !leaves(key));
        self.let_go_of_cleared(released, reason)
    }

    /// The scope of that number, if there still is one.
    pub(crate) fn scope_of(&self, id: u32) -> Option<Arc<Scope>> {
        self.scopes.lock().by_id.get(&id).cloned()
    }

    pub(crate) fn with_scope<R>(&self, id: u32, read: impl FnOnce(&Scope) -> R) -> Option<R> {
        self.scopes.lock().by_id.get(&id).map(|scope| read(scope))
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
