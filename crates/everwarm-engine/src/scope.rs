//! Scopes: a function, or the object API, within the table that a cache's functions share.

use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::generation::Marker;

use crate::stats::Stats;
use crate::tags::Mark;

/// A function or the object API within a cache: its number, its marker and its counters.
#[derive(Debug)]
pub struct Scope {
    id: u32,
    pub(crate) mark: Mark,
    pub(crate) counters: Counters,
}

impl Scope {
    pub(crate) fn new(id: u32, shards: usize) -> Self {
        Self {
            id,
            mark: Mark::new(Marker::default()),
            counters: Counters::new(shards),
        }
    }

    /// The number that the keys of this scope carry.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// A read found nothing, and nobody computes.
    pub fn count_miss(&self) {
        self.counters.misses.bump();
    }

    /// A read was answered by stores behind memory.
    pub fn count_hit(&self) {
        self.counters.elsewhere.bump();
    }

    /// A read was answered by stores behind memory, with a stale value.
    pub fn count_stale(&self) {
        self.counters.stale.bump();
    }

    /// What began as a computation was answered by stores behind memory.
    pub fn recount_as_hit(&self) {
        self.counters.misses.sub(1);
        self.counters.computations.sub(1);
        self.counters.elsewhere.bump();
    }

    /// What began as a computation behind an old value found what somebody else had computed.
    pub fn recount_as_found(&self) {
        self.counters.computations.sub(1);
        self.counters.refreshes.sub(1);
    }

    /// A call went past the cache.
    pub fn count_bypass(&self) {
        self.counters.bypass.bump();
    }

    /// A computation was begun beside another process's, which took too long.
    pub fn count_takeover(&self) {
        self.counters.takeovers.bump();
    }

    /// A call whose computation goes on without it was answered with an old value.
    pub fn recount_as_left(&self) {
        self.counters.recount_as_stale();
    }

    /// What began as a computation was answered by stores behind memory, with a stale value.
    pub fn recount_as_stale(&self) {
        self.counters.computations.sub(1);
        self.counters.recount_as_stale();
    }

    /// A value was not stored because a policy refused it.
    pub fn count_refused(&self) {
        self.counters.refused.bump();
    }

    /// The cache itself failed, and the function answered nevertheless.
    pub fn count_error(&self) {
        self.counters.errors.bump();
    }
}

/// A number that only grows, but for `entries` and `bytes`.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn bump(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened in one shard, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe {
    hits: AtomicU64,
    /// Of computations that were led alone: each was a miss.
    sat: AtomicU64,
    /// Of reads that found nothing where nobody computes.
    missed: AtomicU64,
    /// Entries that came in, but for those that are counted in `entries`.
    entered: AtomicU64,
    /// Entries that were evicted, but for those that are counted in `evicted` and `entries`.
    evicted: AtomicU64,
}

/// Counts one more, where nobody else writes the number at this moment: no locked instruction.
#[inline]
fn count(number: &AtomicU64) {
    number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// What happened in a scope. Each number is the sum of those of the shards and of the one for all.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    shards: Box<[Stripe]>,
    /// Hits that memory did not have.
    elsewhere: Counter,
    pub(crate) misses: Counter,
    pub(crate) stale: Counter,
    pub(crate) refreshes: Counter,
    pub(crate) bypass: Counter,
    pub(crate) computations: Counter,
    pub(crate) followers: Counter,
    pub(crate) takeovers: Counter,
    pub(crate) cycles: Counter,
    pub(crate) evicted: Counter,
    pub(crate) expired: Counter,
    pub(crate) refused: Counter,
    pub(crate) errors: Counter,
    entries: Counter,
    bytes: Counter,
}

impl Counters {
    fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Stripe::default()).collect(),
            ..Self::default()
        }
    }

    /// What began as a miss was given an old value.
    pub(crate) fn recount_as_stale(&self) {
        self.misses.sub(1);
        self.stale.bump();
    }

    /// As [`recount_as_stale`](Self::recount_as_stale), of a follower.
    pub(crate) fn recount_follower_as_stale(&self) {
        self.followers.sub(1);
        self.recount_as_stale();
    }

    /// Whether no entry of the scope is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries() == 0
    }

    /// Counts an entry in.
    pub(crate) fn enter(&self, weight: u64) {
        self.entries.bump();
        if weight > 0 {
            self.bytes.add(weight);
        }
    }

    /// Counts an entry out.
    pub(crate) fn leave(&self, weight: u64) {
        self.entries.sub(1);
        if weight > 0 {
            self.bytes.sub(weight);
        }
    }

    /// Counts an entry without weight in. The caller holds the lock of `shard`, as for [`hit`](Self::hit).
    #[inline(always)]
    pub(crate) fn enter_at(&self, shard: usize) {
        count(&self.shards[shard].entered);
    }

    /// Counts an entry without weight out that was evicted from `shard`. The caller holds the lock of its seats.
    #[inline(always)]
    pub(crate) fn evict_at(&self, shard: usize) {
        count(&self.shards[shard].evicted);
    }

    /// Counts a hit. The caller holds the lock of `shard`, so nobody else writes this number.
    #[inline]
    pub(crate) fn hit(&self, shard: usize) {
        count(&self.shards[shard].hits);
    }

    /// Counts a miss of a read. Nothing has to be locked for it.
    #[inline]
    pub(crate) fn missed(&self, shard: usize) {
        self.shards[shard].missed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a computation that is led alone, and a miss. The caller holds the lock of the seats of `shard`.
    #[inline]
    pub(crate) fn sat(&self, shard: usize) {
        count(&self.shards[shard].sat);
    }

    /// A number of all shards together with the one for all; the latter may be less than nothing.
    fn sum(&self, of: impl Fn(&Stripe) -> &AtomicU64, rest: &Counter) -> u64 {
        let shards = self
            .shards
            .iter()
            .map(|stripe| of(stripe).load(Ordering::Relaxed));
        shards.fold(rest.read(), u64::wrapping_add)
    }

    fn entries(&self) -> u64 {
        let evicted = self.sum(|stripe| &stripe.evicted, &Counter::default());
        self.sum(|stripe| &stripe.entered, &self.entries)
            .wrapping_sub(evicted)
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            hits: self.sum(|stripe| &stripe.hits, &self.elsewhere),
            misses: self
                .sum(|stripe| &stripe.missed, &self.misses)
                .wrapping_add(self.sum(|stripe| &stripe.sat, &Counter::default())),
            stale: self.stale.read(),
            refreshes: self.refreshes.read(),
            bypass: self.bypass.read(),
            computations: self.sum(|stripe| &stripe.sat, &self.computations),
            followers: self.followers.read(),
            takeovers: self.takeovers.read(),
            cycles: self.cycles.read(),
            evicted: self.sum(|stripe| &stripe.evicted, &self.evicted),
            expired: self.expired.read(),
            refused: self.refused.read(),
            errors: self.errors.read(),
            entries: self.entries(),
            bytes: self.bytes.read(),
        }
    }
}
