//! Many entries of a typed cache at once, which is one trip to each of its stores.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::cache::Cache;
use crate::form::Typed;
use crate::held_many::Setting;
use crate::stores::wait;
use crate::using::Using;

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// The values of those of `keys` that are there, by key; each is counted as a [`get`](Self::get). What memory lacks is asked of
    /// the stores together.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// cache.set_many([(1, "Ada"), (2, "Bob")]);
    /// let found = cache.get_many([&1, &2, &3]);
    /// assert_eq!((found.len(), found[&1], found.get(&3)), (2, "Ada", None));
    /// ```
    pub fn get_many<'k, Q>(&self, keys: impl IntoIterator<Item = &'k Q>) -> HashMap<K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized + 'k,
    {
        wait(self.get_many_async(keys))
    }

    /// As [`get_many`](Self::get_many), in this task.
    pub async fn get_many_async<'k, Q>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
    ) -> HashMap<K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized + 'k,
    {
        let keys = self.each_once(keys);
        let found = self.home.get_many(keys).await;
        found
            .into_iter()
            .map(|(Typed(key), value)| (key, value))
            .collect()
    }

    /// Stores each value as [`set`](Self::set) does; of a key that is given twice the last one. All go to the stores together.
    ///
    /// ```
    /// use everwarm::{Cache, duration::secs};
    ///
    /// let cache = Cache::new("names");
    /// cache.set_many([(1, "Ada"), (2, "Bob")]);
    /// cache.using().ttl(secs(9)).tags(["guests"]).set_many([(3, "Eve")]);
    /// cache.invalidate_tags(["guests"]);
    /// assert_eq!((cache.get(&2), cache.get(&3)), (Some("Bob"), None));
    /// ```
    pub fn set_many(&self, entries: impl IntoIterator<Item = (K, V)>) {
        self.using().set_many(entries);
    }

    /// As [`set_many`](Self::set_many), in this task.
    pub async fn set_many_async(&self, entries: impl IntoIterator<Item = (K, V)>) {
        self.using().set_many_async(entries).await;
    }

    /// Makes these keys gone, also for who computes them now; how many were there. All go from the stores together.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// cache.set_many([(1, "Ada"), (2, "Bob")]);
    /// assert_eq!((cache.delete_many([&1, &2, &3]), cache.len()), (2, 0));
    /// ```
    pub fn delete_many<'k, Q>(&self, keys: impl IntoIterator<Item = &'k Q>) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized + 'k,
    {
        wait(self.delete_many_async(keys))
    }

    /// As [`delete_many`](Self::delete_many), in this task.
    pub async fn delete_many_async<'k, Q>(&self, keys: impl IntoIterator<Item = &'k Q>) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized + 'k,
    {
        let keys = self.each_once(keys);
        self.home.delete_many(&keys).await
    }

    /// Each key with its hash, once.
    fn each_once<'k, Q>(&self, keys: impl IntoIterator<Item = &'k Q>) -> Vec<(u64, Typed<K>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized + 'k,
    {
        let keys: HashSet<&Q> = keys.into_iter().collect();
        let hashed = |key: &Q| (self.hash(key), Typed(key.to_owned()));
        keys.into_iter().map(hashed).collect()
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Using<'_, K, V> {
    /// As [`Cache::set_many`].
    pub fn set_many(self, entries: impl IntoIterator<Item = (K, V)>) {
        wait(self.set_many_async(entries));
    }

    /// As [`Cache::set_many_async`].
    pub async fn set_many_async(self, entries: impl IntoIterator<Item = (K, V)>) {
        if !self.plan().stores() {
            return;
        }
        let (cache, judge) = (self.cache, self.judge());
        let last: HashMap<K, V> = entries.into_iter().collect();
        let settings = last.into_iter().map(|(key, value)| Setting {
            hash: cache.hash(&key),
            tags: self.tags_of(&key),
            outcome: judge.outcome(&value),
            key: Typed(key),
            value,
        });
        let settings = settings.collect();
        cache.home.set_many(settings, &self.policy()).await;
    }
}
