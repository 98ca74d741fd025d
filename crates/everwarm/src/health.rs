//! How a typed cache is: whether its stores answer, and what other bounds would give.

use std::hash::Hash;
use std::time::Duration;

use everwarm_core::health::Depth;
use everwarm_engine::WhatIf;

use crate::cache::Cache;
use crate::stores::wait;

/// How long all stores together may take to answer.
const LIMIT: Duration = Duration::from_secs(1);

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Whether the cache can be used: it is not closed, and all its stores answer, within a second together.
    ///
    /// ```
    /// let cache = everwarm::Cache::<u8, u8>::new("names");
    /// assert!(cache.ping());
    /// cache.close();
    /// assert!(!cache.ping());
    /// ```
    #[must_use]
    pub fn ping(&self) -> bool {
        wait(self.ping_async())
    }

    /// As [`ping`](Self::ping), in this task.
    pub async fn ping_async(&self) -> bool {
        if self.is_closed() {
            return false;
        }
        let Some(stores) = self.stores() else {
            return true;
        };
        let tiers = stores.stack().health(Depth::Ping, LIMIT).await;
        tiers.iter().all(|tier| tier.answered.is_ok())
    }

    /// What the hit ratio would have been at half, the same and twice the bounds, since this was asked for the first time: from then on
    /// a part of all keys is watched.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("squares");
    /// cache.what_if(); // It watches from here on.
    /// for _ in 0..2 {
    ///     cache.get_or_compute(&12, || 144);
    /// }
    /// let seen = cache.what_if();
    /// assert_eq!((seen.lookups, seen.same), (2, Some(0.5)));
    /// ```
    pub fn what_if(&self) -> WhatIf {
        self.home.engine.what_if()
    }
}
