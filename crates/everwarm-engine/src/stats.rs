//! Statistics: what happened in a scope or a cache, read at one moment.

use std::ops::AddAssign;

/// Counters of a scope or a whole cache. Every call is a hit, a miss, stale or a bypass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that memory answered.
    pub hits: u64,
    /// Calls that had to compute or to wait for who computed.
    pub misses: u64,
    /// Calls that were given a stale value.
    pub stale: u64,
    /// Computations that began in the background, for callers who were given the old value.
    pub refreshes: u64,
    /// Calls that went past the cache, forced refreshes among them.
    pub bypass: u64,
    /// Computations that began.
    pub computations: u64,
    /// Misses that waited for somebody else's computation.
    pub followers: u64,
    /// Flights that a follower took over.
    pub takeovers: u64,
    /// Calls that computed alone because waiting would have closed a circle.
    pub cycles: u64,
    /// Entries that left for want of room.
    pub evicted: u64,
    /// Entries that left because their time was over.
    pub expired: u64,
    /// Values that a policy refused to store.
    pub refused: u64,
    /// Failures of the cache itself.
    pub errors: u64,
    /// Entries that are there.
    pub entries: u64,
    /// What they weigh; 0 in a cache that has no bound of bytes.
    pub bytes: u64,
}

impl Stats {
    /// All calls.
    ///
    /// ```
    /// use everwarm_engine::Stats;
    ///
    /// assert_eq!(Stats { hits: 2, misses: 1, bypass: 1, ..Stats::default() }.calls(), 4);
    /// ```
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.hits + self.misses + self.stale + self.bypass
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.stale += other.stale;
        self.refreshes += other.refreshes;
        self.bypass += other.bypass;
        self.computations += other.computations;
        self.followers += other.followers;
        self.takeovers += other.takeovers;
        self.cycles += other.cycles;
        self.evicted += other.evicted;
        self.expired += other.expired;
        self.refused += other.refused;
        self.errors += other.errors;
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}
