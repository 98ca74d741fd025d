//! One call of a typed cache that is given what is there, or an error.

use std::borrow::Borrow;
use std::hash::Hash;

use everwarm_core::error::Error;
use everwarm_core::judge::Freshness;
use everwarm_core::using::Read;
use everwarm_engine::Key;

use crate::call_options::not_cached;
use crate::form::Typed;
use crate::home::Home;
use crate::stores::wait;
use crate::using::Using;

/// A cache for one call that computes nothing: what [`Using::only_if_cached`] gives.
#[must_use = "it does nothing until one of its verbs is called"]
pub struct OnlyIfCached<'a, K: Clone + Eq, V>(pub(crate) Using<'a, K, V>);

impl<K: Hash + Eq + Clone, V: Clone> OnlyIfCached<'_, K, V> {
    /// The value for `key`, also a stale one where a window has it served; within the bounds of the call's
    /// [`max_age`](Using::max_age) and [`max_stale`](Using::max_stale).
    ///
    /// ```
    /// use everwarm::{Cache, ErrorKind, duration::secs, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let quotes = Cache::builder("quotes").clock(&clock).build()?;
    /// quotes.set(7, 1);
    /// clock.advance(secs(5));
    /// let young = |age| quotes.using().max_age(age).only_if_cached().get(&7);
    /// assert_eq!((young(secs(5)), young(secs(4)).unwrap_err().kind()), (Ok(1), ErrorKind::NotCached));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `NotCached`, if there is none; it is counted as a miss.
    ///
    /// # Panics
    /// If its options contradict each other.
    pub fn get<Q>(self, key: &Q) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.get_async(key))
    }

    /// As [`get`](Self::get), in this task.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// # Panics
    /// As [`get`](Self::get).
    pub async fn get_async<Q>(self, key: &Q) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let read = self.0.plan().read();
        let cache = self.0.cache;
        let (hash, key) = (cache.hash(key), Typed(key.to_owned()));
        let found = cache.home.only(hash, &key, read).await;
        found.ok_or_else(|| not_cached(cache.name(), "leave `only_if_cached()` out"))
    }
}

impl<K: Key, V: Clone> Home<K, V> {
    /// The value that is there for a call which takes these entries and computes none; counted.
    pub(crate) async fn only(&self, hash: u64, key: &K, read: Read) -> Option<V> {
        if let Some(old) = self.find_old(hash, key, read) {
            return Some(old);
        }
        let (engine, scope) = (&self.engine, &self.scope);
        if let Some(served) = engine.take(scope, hash, key, self.since(read)) {
            return Some(served.value);
        }
        if let Some(held) = self.held(hash, key)
            && let Some(kept) = held.read(read).await
        {
            match kept.freshness() {
                Freshness::Fresh => scope.count_hit(),
                Freshness::Stale => scope.count_stale(),
            }
            return Some(kept.value);
        }
        engine.missed(scope, hash);
        None
    }
}
