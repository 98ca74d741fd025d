//! Verbs of a typed cache on entries that are there: writes under a condition, changes in place, a walk, an end.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use everwarm_core::judge::Freshness;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::store;
use everwarm_engine::stack::TierStats;
use everwarm_engine::{Amendment, Cause, Condition, Place, Put, Written};

use crate::cache::{Cache, texts};
use crate::form::{Lent, Typed};
use crate::stores::wait;

/// Entries that a walk looks at while it holds a lock.
const STRIDE: u32 = 256;
/// How often a change is tried where other writes come between.
const TRIES: usize = 10_000;

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Stores a value if there is none; whether it did. A value too heavy for the cache is refused.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// assert_eq!((cache.add(1, "Ada"), cache.add(1, "Bob"), cache.get(&1)), (true, false, Some("Ada")));
    /// ```
    pub fn add(&self, key: K, value: V) -> bool {
        wait(self.add_async(key, value))
    }

    /// As [`add`](Self::add), in this task.
    pub async fn add_async(&self, key: K, value: V) -> bool {
        self.put_if(key, value, Condition::Absent).await
    }

    /// Stores a value in the place of another; whether there was one.
    pub fn replace(&self, key: K, value: V) -> bool {
        wait(self.replace_async(key, value))
    }

    /// As [`replace`](Self::replace), in this task.
    pub async fn replace_async(&self, key: K, value: V) -> bool {
        self.put_if(key, value, Condition::Present).await
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
        wait(self.compare_and_set_async(key, version, value))
    }

    /// As [`compare_and_set`](Self::compare_and_set), in this task.
    pub async fn compare_and_set_async(&self, key: K, version: u64, value: V) -> bool {
        self.exchange(key, version, value).await.is_done()
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
        wait(self.update_async(key, change))
    }

    /// As [`update`](Self::update), in this task.
    pub async fn update_async(&self, key: K, change: impl Fn(&V) -> V) -> Option<V> {
        let (home, hash) = (&self.home, self.hash(&key));
        let typed = Typed(key.clone());
        for _ in 0..TRIES {
            let seen = match home.held(hash, &typed) {
                Some(held) => held.seen().await?,
                None => home.engine.peek(&home.scope, hash, &typed)?,
            };
            let value = change(&seen.value);
            match self
                .exchange(key.clone(), seen.version, value.clone())
                .await
            {
                Written::Done => return Some(value),
                Written::Unmet => {}
                // As after `set`, nobody is to read what was replaced.
                Written::Refused => {
                    match home.held(hash, &typed) {
                        Some(_) => drop(home.delete(hash, &typed).await),
                        None => {
                            let cause = Cause::Replaced;
                            home.engine.delete_because(&home.scope, hash, &typed, cause);
                        }
                    }
                    return Some(value);
                }
            }
        }
        None
    }

    /// What is left of an entry's ttl; [`Duration::MAX`] of one that does not expire, None if there is none that is fresh. It counts
    /// nothing, and asks the stores where there are any.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use everwarm::{Cache, duration::mins, testing::ManualClock};
    ///
    /// let cache = Cache::builder("names").clock(&ManualClock::new()).build()?;
    /// cache.set(1, "Ada");
    /// cache.using().ttl(mins(5)).set(2, "Bob");
    /// assert_eq!([1, 2, 3].map(|key| cache.ttl(&key)), [Some(Duration::MAX), Some(mins(5)), None]);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn ttl<Q>(&self, key: &Q) -> Option<Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.ttl_async(key))
    }

    /// As [`ttl`](Self::ttl), in this task.
    pub async fn ttl_async<Q>(&self, key: &Q) -> Option<Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (home, hash, key) = (&self.home, self.hash(key), Typed(key.to_owned()));
        let (freshness, left) = match home.held(hash, &key) {
            Some(held) => held.left().await?,
            None => {
                let seen = home.engine.peek(&home.scope, hash, &key)?;
                (seen.freshness, seen.ttl)
            }
        };
        (freshness == Freshness::Fresh).then(|| left.unwrap_or(Duration::MAX))
    }

    /// The entry ends at `when`, by the clock of the system; at once if that is past. Whether it is there.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use everwarm::{Cache, duration::mins};
    ///
    /// let cache = Cache::new("names");
    /// cache.set(1, "Ada");
    /// assert!(cache.expire_at(&1, SystemTime::now() + mins(5)) && cache.ttl(&1) <= Some(mins(5)));
    /// assert!(cache.expire_at(&1, SystemTime::UNIX_EPOCH) && !cache.exists(&1));
    /// ```
    pub fn expire_at<Q>(&self, key: &Q, when: SystemTime) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.expire_at_async(key, when))
    }

    /// As [`expire_at`](Self::expire_at), in this task.
    pub async fn expire_at_async<Q>(&self, key: &Q, when: SystemTime) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let left = when.duration_since(SystemTime::now());
        self.expire_async(key, left.unwrap_or_default()).await
    }

    /// The entry ends after `ttl` from now; whether it is there.
    pub fn expire<Q>(&self, key: &Q, ttl: Duration) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.expire_async(key, ttl))
    }

    /// As [`expire`](Self::expire), in this task.
    pub async fn expire_async<Q>(&self, key: &Q, ttl: Duration) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.amend(key, Amendment::Expire(Some(ttl))).await
    }

    /// The entry does not expire; whether it is there.
    pub fn persist<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.persist_async(key))
    }

    /// As [`persist`](Self::persist), in this task.
    pub async fn persist_async<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.amend(key, Amendment::Expire(None)).await
    }

    /// The ttl that the entry was last given begins anew; whether it is there.
    pub fn touch<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.touch_async(key))
    }

    /// As [`touch`](Self::touch), in this task.
    pub async fn touch_async<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.amend(key, Amendment::Renew).await
    }

    /// The entry is fresh no longer; whether it was there. It is as one whose ttl is over: where there is a window after the
    /// ttl, it is still served in that. What is being computed for its key is not affected.
    pub fn mark_stale<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        wait(self.mark_stale_async(key))
    }

    /// As [`mark_stale`](Self::mark_stale), in this task.
    pub async fn mark_stale_async<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.amend(key, Amendment::Stale).await
    }

    /// The entry carries these tags too; whether it is there.
    pub fn add_tags<Q, T>(&self, key: &Q, tags: impl IntoIterator<Item = T>) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        T: Into<Arc<str>>,
    {
        let tags = texts(tags);
        wait(self.amend(key, Amendment::Tag(&tags)))
    }

    /// As [`add_tags`](Self::add_tags), in this task.
    pub async fn add_tags_async<Q, T>(&self, key: &Q, tags: impl IntoIterator<Item = T>) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        T: Into<Arc<str>>,
    {
        let tags = texts(tags);
        self.amend(key, Amendment::Tag(&tags)).await
    }

    /// The keys of all entries of memory that are fresh: stores know digests of keys. A key that stays throughout the walk is given once; of those that come and go
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

    /// The keys of [`scan`](Self::scan) that begin with a text.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("users");
    /// ["user:1", "user:2", "group:1"].map(|key| cache.set(key.to_owned(), ()));
    /// let mut users: Vec<String> = cache.scan_prefix("user:").collect();
    /// users.sort();
    /// assert_eq!(users, ["user:1", "user:2"]);
    /// ```
    pub fn scan_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = K> + use<'a, K, V>
    where
        K: AsRef<str>,
    {
        self.scan()
            .filter(move |key| key.as_ref().starts_with(prefix))
    }

    /// Ends the cache: all entries leave, and none is stored from here on. Calls still compute, each for itself.
    pub fn close(&self) {
        self.home.engine.close();
        if let Some(stores) = self.stores() {
            wait(stores.stack().close());
        }
    }

    /// Waits until the writes that are queued for its stores are done.
    pub fn flush(&self) {
        wait(self.flush_async());
    }

    /// As [`flush`](Self::flush), in this task.
    pub async fn flush_async(&self) {
        if let Some(stores) = self.stores() {
            stores.stack().flush().await;
        }
    }

    /// What each of its stores did, near to far.
    #[must_use]
    pub fn tiers(&self) -> Vec<TierStats> {
        let stores = self.stores();
        stores.map_or_else(Vec::new, |stores| stores.stack().stats())
    }

    /// Whether the cache was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.home.engine.is_closed()
    }

    async fn put_if(&self, key: K, value: V, condition: Condition) -> bool {
        let hash = self.hash(&key);
        let Some((lifetime, tags)) = self.keeps(&key, &value) else {
            return false;
        };
        let (home, key) = (&self.home, Typed(key));
        let written = match home.held(hash, &key) {
            Some(held) => {
                let condition = match condition {
                    Condition::Absent => store::Condition::Absent,
                    Condition::Present => store::Condition::Present,
                    Condition::Version(version) => store::Condition::Version(version),
                };
                held.put_if(value, (lifetime, &tags), condition).await
            }
            None => home.engine.put_if(
                self.putting((hash, key), value, (lifetime, &tags)),
                condition,
            ),
        };
        written.is_done()
    }

    async fn exchange(&self, key: K, version: u64, value: V) -> Written {
        let hash = self.hash(&key);
        let Some((lifetime, tags)) = self.keeps(&key, &value) else {
            return Written::Refused;
        };
        let (home, key) = (&self.home, Typed(key));
        match home.held(hash, &key) {
            Some(held) => held.exchange(&value, version).await,
            None => home
                .engine
                .exchange(self.putting((hash, key), value, (lifetime, &tags)), version),
        }
    }

    /// The life and the tags of a value, if it is one to keep.
    fn keeps(&self, key: &K, value: &V) -> Option<(Lifetime, Vec<Arc<str>>)> {
        let home = &self.home;
        let outcome = self.judge.outcome(value);
        let lifetime = home.lifetime(&home.policy, outcome);
        let lifetime = lifetime.filter(|_| {
            home.policy.max_entry_bytes.is_none() || home.admits(&Typed(key.clone()), value)
        });
        let Some(lifetime) = lifetime else {
            home.scope.count_refused();
            return None;
        };
        let tags = self.tagging.as_ref().map(|tagging| tagging(key));
        Some((lifetime, tags.unwrap_or_default()))
    }

    pub(crate) fn putting<'a>(
        &'a self,
        (hash, key): (u64, Typed<K>),
        value: V,
        (lifetime, tags): (Lifetime, &'a [Arc<str>]),
    ) -> Put<'a, Typed<K>, V> {
        Put {
            scope: &self.home.scope,
            hash,
            weight: self.home.weigh(&key, &value),
            key,
            value,
            lifetime,
            tags,
        }
    }

    async fn amend<Q>(&self, key: &Q, amendment: Amendment<'_>) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (home, hash) = (&self.home, self.hash(key));
        match home.link {
            None => home.engine.amend(&home.scope, hash, &Lent(key), amendment),
            Some(_) => home.amend(hash, &Typed(key.to_owned()), amendment).await,
        }
    }
}
