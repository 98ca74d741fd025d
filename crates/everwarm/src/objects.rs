//! Verbs of a typed cache on entries that are there: writes under a condition, changes in place, a walk, an end.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use everwarm_engine::{Amendment, Cause, Condition, Place, Put, Written};

use crate::cache::{Cache, texts};
use crate::form::{Lent, Typed};

/// Entries that a walk looks at while it holds a lock.
const STRIDE: u32 = 256;

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Stores a value if there is none; whether it did. A value too heavy for the cache is refused.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// assert_eq!((cache.add(1, "Ada"), cache.add(1, "Bob"), cache.get(&1)), (true, false, Some("Ada")));
    /// ```
    pub fn add(&self, key: K, value: V) -> bool {
        self.put_if(key, value, Condition::Absent)
    }

    /// Stores a value in the place of another; whether there was one.
    pub fn replace(&self, key: K, value: V) -> bool {
        self.put_if(key, value, Condition::Present)
    }

    /// Stores a value if the one that is there was written as `version`, which [`get_with_meta`](Self::get_with_meta) and
    /// [`peek`](Self::peek) give; whether it was. The entry keeps its tags and when it ends.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("carts");
    /// cache.set(1, vec!["lamp"]);
    /// let seen = cache.peek(&1).unwrap();
    /// assert!(cache.compare_and_set(1, seen.version, vec!["lamp", "chair"]));
    /// assert!(!cache.compare_and_set(1, seen.version, vec![]), "another write came between");
    /// ```
    pub fn compare_and_set(&self, key: K, version: u64, value: V) -> bool {
        self.exchange(key, version, value).is_done()
    }

    /// Stores what `change` makes of the value that is there, and gives that; None if there is none. The entry keeps its tags
    /// and when it ends, or goes if the new value is refused. `change` is called again if another write comes between.
    ///
    /// ```
    /// let counts = everwarm::Cache::new("counts");
    /// counts.set("a", 1);
    /// assert_eq!((counts.update("a", |count| count + 1), counts.update("b", |count| count + 1)), (Some(2), None));
    /// ```
    pub fn update(&self, key: K, change: impl Fn(&V) -> V) -> Option<V> {
        loop {
            let seen = self.peek(&key)?;
            let value = change(&seen.value);
            match self.exchange(key.clone(), seen.version, value.clone()) {
                Written::Done => return Some(value),
                Written::Unmet => {}
                // As after `set`, nobody is to read what was replaced.
                Written::Refused => {
                    let (home, hash) = (&self.home, self.hash(&key));
                    let cause = Cause::Replaced;
                    home.engine
                        .delete_because(&home.scope, hash, &Lent(&key), cause);
                    return Some(value);
                }
            }
        }
    }

    /// The entry ends after `ttl` from now; whether it is there.
    pub fn expire<Q: Hash + Eq + ?Sized>(&self, key: &Q, ttl: Duration) -> bool
    where
        K: Borrow<Q>,
    {
        self.amend(key, Amendment::Expire(Some(ttl)))
    }

    /// The entry does not expire; whether it is there.
    pub fn persist<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.amend(key, Amendment::Expire(None))
    }

    /// The ttl that the entry was last given begins anew; whether it is there.
    pub fn touch<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.amend(key, Amendment::Renew)
    }

    /// The entry is fresh no longer; whether it was there. It is as one whose ttl is over: where there is a window after the
    /// ttl, it is still served in that. What is being computed for its key is not affected.
    pub fn mark_stale<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.amend(key, Amendment::Stale)
    }

    /// The entry carries these tags too; whether it is there.
    pub fn add_tags<Q, T>(&self, key: &Q, tags: impl IntoIterator<Item = T>) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        T: Into<Arc<str>>,
    {
        self.amend(key, Amendment::Tag(&texts(tags)))
    }

    /// The keys of all entries that are fresh. A key that stays throughout the walk is given once; of those that come and go
    /// meanwhile some are.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// (0..3).for_each(|key| cache.set(key, "Ada"));
    /// let mut keys: Vec<_> = cache.scan().collect();
    /// keys.sort();
    /// assert_eq!(keys, [0, 1, 2]);
    /// ```
    pub fn scan(&self) -> impl Iterator<Item = K> {
        let mut from = Some(Place::default());
        let parts = std::iter::from_fn(move || {
            let home = &self.home;
            let (keys, next) = home.engine.scan(&home.scope, from?, STRIDE);
            from = next;
            Some(keys)
        });
        parts.flatten().map(|Typed(key)| key)
    }

    /// Ends the cache: all entries leave, and none is stored from here on. Calls still compute, each for itself.
    pub fn close(&self) {
        self.home.engine.close();
    }

    /// Whether the cache was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.home.engine.is_closed()
    }

    fn put_if(&self, key: K, value: V, condition: Condition) -> bool {
        let hash = self.hash(&key);
        self.with_put(hash, key, value, |put| {
            self.home.engine.put_if(put, condition)
        })
        .is_done()
    }

    fn exchange(&self, key: K, version: u64, value: V) -> Written {
        let hash = self.hash(&key);
        self.with_put(hash, key, value, |put| {
            self.home.engine.exchange(put, version)
        })
    }

    fn with_put(
        &self,
        hash: u64,
        key: K,
        value: V,
        act: impl FnOnce(Put<'_, Typed<K>, V>) -> Written,
    ) -> Written {
        let home = &self.home;
        let tags = self.tagging.as_ref().map(|tagging| tagging(&key));
        let outcome = self.judge.outcome(&value);
        let Some(lifetime) = home.lifetime(&home.policy, outcome) else {
            home.scope.count_refused();
            return Written::Refused;
        };
        let key = Typed(key);
        act(Put {
            scope: &home.scope,
            hash,
            weight: home.weigh(&key, &value),
            key,
            value,
            lifetime,
            tags: tags.as_deref().unwrap_or_default(),
        })
    }

    fn amend<Q: Hash + Eq + ?Sized>(&self, key: &Q, amendment: Amendment<'_>) -> bool
    where
        K: Borrow<Q>,
    {
        let home = &self.home;
        let hash = self.hash(key);
        home.engine.amend(&home.scope, hash, &Lent(key), amendment)
    }
}
