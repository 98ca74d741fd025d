//! What one call of a typed cache is told: which entries it takes, and whether it stores.

use std::hash::Hash;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::using::{Plan, Read, plan};
use everwarm_engine::Key;

use crate::home::Home;
use crate::only_if_cached::OnlyIfCached;
use crate::using::Using;

impl<'a, K: Hash + Eq + Clone, V: Clone> Using<'a, K, V> {
    /// The call goes past the cache: what it computes is for it alone, it waits for nobody, and no time limit counts. It is counted as a
    /// bypass.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("quotes");
    /// cache.set(7, 1);
    /// assert_eq!(cache.using().skip().get_or_compute(&7, || 2), 2);
    /// assert_eq!(cache.get(&7), Some(1));
    /// ```
    pub fn skip(mut self) -> Self {
        self.options.skip = true;
        self
    }

    /// The value is computed whatever is there; until then other callers are given the old one.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("quotes");
    /// cache.set(7, 1);
    /// assert_eq!(cache.using().refresh().get_or_compute(&7, || 2), 2);
    /// assert_eq!(cache.get(&7), Some(2));
    /// ```
    pub fn refresh(mut self) -> Self {
        self.options.refresh = true;
        self
    }

    /// The call takes no entry that is older. Where there are stores they are asked, since they alone know how old an entry is that memory
    /// has from them.
    ///
    /// ```
    /// use everwarm::{Cache, duration::secs, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let quotes = Cache::builder("quotes").clock(&clock).build()?;
    /// quotes.set(7, 1);
    /// clock.advance(secs(5));
    /// assert_eq!(quotes.using().max_age(secs(5)).get_or_compute(&7, || 2), 1);
    /// assert_eq!(quotes.using().max_age(secs(4)).get_or_compute(&7, || 2), 2);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn max_age(mut self, age: Duration) -> Self {
        self.options.max_age = Some(age);
        self
    }

    /// The call takes an entry that is kept for errors, too, if its ttl ended no longer ago (`max-stale` of RFC 9111).
    ///
    /// ```
    /// use everwarm::{Cache, duration::{hours, mins}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let quotes = Cache::builder("quotes").ttl(mins(5)).stale_if_error(hours(1)).clock(&clock).build()?;
    /// let ask = || quotes.using().max_stale(mins(2)).try_get_or_compute(&7, || Ok::<_, String>(2));
    /// quotes.set(7, 1);
    /// clock.advance(mins(7));
    /// assert_eq!(ask(), Ok(1));
    /// clock.advance(mins(1));
    /// assert_eq!(ask(), Ok(2));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn max_stale(mut self, span: Duration) -> Self {
        self.options.max_stale = Some(span);
        self
    }

    /// The call stores nothing of its own: what it computes is for it and those who wait for it.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("quotes");
    /// assert_eq!(cache.using().read_only().get_or_compute(&7, || 1), 1);
    /// assert!(!cache.exists(&7));
    /// ```
    pub fn read_only(mut self) -> Self {
        self.options.read_only = true;
        self
    }

    /// The call takes no entry: it computes, or waits for who does, and stores.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("quotes");
    /// cache.set(7, 1);
    /// assert_eq!(cache.using().write_only().get_or_compute(&7, || 2), 2);
    /// assert_eq!(cache.get(&7), Some(2));
    /// ```
    pub fn write_only(mut self) -> Self {
        self.options.write_only = true;
        self
    }

    /// The call is given what is there, or an error: it takes no computation.
    ///
    /// ```
    /// use everwarm::ErrorKind;
    ///
    /// let cache = everwarm::Cache::new("quotes");
    /// cache.set(7, 1);
    /// assert_eq!(cache.using().only_if_cached().get(&7), Ok(1));
    /// assert_eq!(cache.using().only_if_cached().get(&8).unwrap_err().kind(), ErrorKind::NotCached);
    /// ```
    pub fn only_if_cached(mut self) -> OnlyIfCached<'a, K, V> {
        self.options.only_if_cached = true;
        OnlyIfCached(self)
    }

    /// What the call does.
    ///
    /// # Panics
    /// If two options contradict each other: it is the line of code that is wrong, whatever is cached.
    #[track_caller]
    pub(crate) fn plan(&self) -> Plan {
        plan(&self.options).unwrap_or_else(|contradiction| panic!("{contradiction}"))
    }

    /// Whether the call goes past the cache, and is counted so.
    #[track_caller]
    pub(crate) fn goes_past(&self) -> bool {
        let skips = self.plan() == Plan::Skip;
        if skips {
            self.cache.home.scope.count_bypass();
        }
        skips
    }
}

impl<K: Key, V: Clone> Home<K, V> {
    /// The earliest instant at which an entry of memory may have been written.
    pub(crate) fn since(&self, read: Read) -> Instant {
        // Only stores know how old a value is that memory has from them.
        match read.asks_age() && self.link.is_some() {
            true => Instant::NEVER,
            false => read.since(self.now()),
        }
    }

    /// The fresh value that memory has for a call that takes these entries, or the old one that it takes.
    pub(crate) fn find(&self, hash: u64, key: &K, read: Read) -> Option<V> {
        let Self { engine, scope, .. } = self;
        let fresh = match self.since(read) {
            Instant::ZERO => engine.hit(scope, hash, key),
            Instant::NEVER => None,
            since => engine.hit_since(scope, hash, key, since),
        };
        fresh.or_else(|| self.find_old(hash, key, read))
    }

    /// The value that memory keeps in case of an error, for a call that takes it all the same.
    pub(crate) fn find_old(&self, hash: u64, key: &K, read: Read) -> Option<V> {
        read.stale()?;
        let since = self.since(read);
        self.engine.take_old(&self.scope, (hash, key), read, since)
    }
}
