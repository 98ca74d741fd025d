//! The typed cache: keys and values of your own types, for threads and tasks alike.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use everwarm_core::clock::Instant;
use everwarm_core::judge::Freshness;
use everwarm_core::settle::Outcome;
use everwarm_engine::{Plain, Seen, Stats};

use crate::behind::Runners;
use crate::builder::Builder;
use crate::form::{Lent, Typed};
use crate::home::{Home, looks_twice};
use crate::judge::Judge;
use crate::link::leave_given;
use crate::renewed::{Renewed, shared};
use crate::stores::{Stores, wait};
use crate::timed::Timed;
use crate::using::Using;

/// Where the entries of a typed cache live, for all of its handles.
type Entries<K, V> = Arc<Home<Typed<K>, V>>;

/// The tags that follow from a key.
pub(crate) type Tagging<K> = Arc<dyn Fn(&K) -> Vec<Arc<str>> + Send + Sync>;

/// A bounded cache in memory, with one computation per key and invalidation that wins. With stores behind it these hold for all
/// processes; then verbs without `_async` wait for the stores on their own thread.
///
/// Clones are handles to the same entries. Threads and tasks share it, also for one key: a task waits for what a thread
/// computes, and the other way round, with any runtime or none.
///
/// - **Values** are cloned to every reader under a lock, so cloning must be cheap: keep what is large in an `Arc`.
/// - **Keys** are compared under a lock and hashed before it. What `Clone` and `Eq` do must not use the cache.
/// - Entries whose time is over leave when they are asked for, when room is needed, and on [`sweep`](Self::sweep).
///
/// ```
/// use everwarm::{Cache, duration::mins};
///
/// let users: Cache<u64, String> = Cache::builder("users").max_entries(10_000).ttl(mins(5)).build()?;
/// let name = users.get_or_compute(&7, || "Ada".to_owned());
/// assert_eq!((name.as_str(), users.get(&7).as_deref()), ("Ada", Some("Ada")));
/// assert_eq!((users.stats().hits, users.stats().misses), (1, 1));
/// # Ok::<(), everwarm::Error>(())
/// ```
pub struct Cache<K: Clone + Eq, V> {
    pub(crate) home: Entries<K, V>,
    pub(crate) tagging: Option<Tagging<K>>,
    pub(crate) judge: Judge<V>,
    pub(crate) runners: Runners,
    pub(crate) timed: Arc<Timed<Entries<K, V>>>,
    /// Whether [every value is kept and there is nothing to say of it but when it ends](crate::alone::is_plain).
    pub(crate) is_plain: bool,
}

impl<K: Clone + Eq, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self {
            home: Arc::clone(&self.home),
            tagging: self.tagging.clone(),
            judge: self.judge.clone(),
            runners: self.runners.clone(),
            timed: Arc::clone(&self.timed),
            is_plain: self.is_plain,
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache of 10,000 entries that do not expire.
    ///
    /// ```
    /// let squares = everwarm::Cache::new("squares");
    /// assert_eq!(squares.get_or_compute(&12, || 144), 144);
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::builder(name)
            .build()
            .expect("the defaults of a cache are valid")
    }

    /// A cache to be described; `name` is what messages call it.
    pub fn builder(name: impl Into<String>) -> Builder<K, V> {
        Builder::new(name.into())
    }

    /// What messages call this cache.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.home.name
    }

    /// The value for `key`; counted as a hit or a miss. After its ttl it is given, and counted as stale, for as long as
    /// [`stale_while_revalidate`](Builder::stale_while_revalidate) says.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// cache.set("a".to_owned(), 1);
    /// assert_eq!((cache.get("a"), cache.get("b")), (Some(1), None));
    /// ```
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Home {
            engine,
            scope,
            policy,
            ..
        } = &*self.home;
        let hash = self.hash(key);
        if let Some(value) = engine.hit(scope, hash, &Lent(key)) {
            return Some(value);
        }
        if self.home.link.is_some() {
            return wait(self.home.get(hash, &Typed(key.to_owned())));
        }
        // Where there is nothing but a ttl, a miss looks once.
        if looks_twice(policy)
            && let Some(served) = engine.take(scope, hash, &Lent(key), Instant::ZERO)
        {
            return Some(served.value);
        }
        engine.missed(scope, hash);
        None
    }

    /// As [`get`](Self::get), in this task.
    pub async fn get_async<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.find(key) {
            Ok(value) => Some(value),
            Err(hash) => self.home.get(hash, &Typed(key.to_owned())).await,
        }
    }

    /// The value for `key` with its age, its remaining time and its tags, while it is fresh; counted as a hit or a miss. Where there
    /// are stores the last of them is asked, since that one numbers the writes.
    pub fn get_with_meta<Q>(&self, key: &Q) -> Option<Seen<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Home { engine, scope, .. } = &*self.home;
        let hash = self.hash(key);
        if self.home.link.is_some() {
            return wait(self.get_with_meta_async(key));
        }
        let found = engine.hit_seen(scope, hash, &Lent(key));
        if found.is_none() {
            engine.missed(scope, hash);
        }
        found
    }

    /// As [`get_with_meta`](Self::get_with_meta), in this task.
    pub async fn get_with_meta_async<Q>(&self, key: &Q) -> Option<Seen<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (hash, owned) = (self.hash(key), Typed(key.to_owned()));
        let Home { engine, scope, .. } = &*self.home;
        let Some(held) = self.home.held(hash, &owned) else {
            let found = engine.hit_seen(scope, hash, &Lent(key));
            if found.is_none() {
                engine.missed(scope, hash);
            }
            return found;
        };
        let found = held.seen().await;
        let found = found.filter(|seen| seen.freshness == Freshness::Fresh);
        match found {
            Some(_) => scope.count_hit(),
            None => engine.missed(scope, hash),
        }
        found
    }

    /// As [`get_with_meta`](Self::get_with_meta), but a stale value is seen too while it is kept. It counts nothing, and the
    /// entry is no likelier to stay for it. It looks into memory alone.
    ///
    /// ```
    /// use everwarm::{Cache, duration::secs};
    ///
    /// let cache = Cache::new("names");
    /// cache.using().ttl(secs(9)).tags(["list"]).set(1, "Ada");
    /// let seen = cache.peek(&1).unwrap();
    /// assert_eq!((seen.value, &*seen.tags[0], seen.ttl <= Some(secs(9))), ("Ada", "list", true));
    /// assert_eq!(cache.stats().calls(), 0);
    /// ```
    pub fn peek<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Seen<V>>
    where
        K: Borrow<Q>,
    {
        let Home { engine, scope, .. } = &*self.home;
        let mut seen = engine.peek(scope, self.hash(key), &Lent(key))?;
        leave_given(&mut seen.tags);
        Some(seen)
    }

    /// Whether there is a fresh value for `key`; counts nothing.
    #[doc(alias = "contains_key")]
    pub fn exists<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Home { engine, scope, .. } = &*self.home;
        match self.home.link {
            None => engine.contains(scope, self.hash(key), &Lent(key)),
            Some(_) => wait(self.exists_async(key)),
        }
    }

    /// As [`exists`](Self::exists), in this task.
    pub async fn exists_async<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (hash, key) = (self.hash(key), Typed(key.to_owned()));
        self.home.exists(hash, &key).await
    }

    /// Stores a value. What is being computed for the key goes to those who wait for it, not into the cache.
    #[doc(alias = "insert")]
    pub fn set(&self, key: K, value: V) {
        let home = &*self.home;
        if self.is_plain
            && let Some(plain) = home.plain(Outcome::Value { ttl: None }, &home.policy)
        {
            let (hash, key) = (self.hash(&key), Typed(key));
            let weight = home.weigh(&key, &value);
            let plain = Plain { weight, ..plain };
            home.engine
                .put_plain((&home.scope, hash, key), value, plain);
            return;
        }
        self.using().set(key, value);
    }

    /// As [`set`](Self::set), in this task.
    pub async fn set_async(&self, key: K, value: V) {
        self.using().set_async(key, value).await;
    }

    /// Makes one key gone, also for who computes it now. Whether it was there.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("names");
    /// cache.set(1, "Ada");
    /// assert_eq!((cache.delete(&1), cache.delete(&1)), (true, false));
    /// ```
    #[doc(alias = "remove")]
    #[doc(alias = "invalidate")]
    pub fn delete<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Home { engine, scope, .. } = &*self.home;
        match self.home.link {
            None => engine.delete(scope, self.hash(key), &Lent(key)),
            Some(_) => wait(self.delete_async(key)),
        }
    }

    /// As [`delete`](Self::delete), in this task.
    pub async fn delete_async<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (hash, key) = (self.hash(key), Typed(key.to_owned()));
        self.home.delete(hash, &key).await
    }

    /// The value for `key`, computed by this thread if it is missing and nobody else computes it.
    ///
    /// # Panics
    /// If `compute` asks for this very key, in this thread or in a future that it polls. A panic of `compute` goes to its
    /// caller only: one of those who wait computes anew.
    #[doc(alias = "get_with")]
    #[doc(alias = "get_or_insert_with")]
    pub fn get_or_compute<Q>(&self, key: &Q, compute: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Home { engine, scope, .. } = &*self.home;
        let hash = self.hash(key);
        match engine.hit_or_absent(scope, hash, &Lent(key)) {
            Ok(value) => value,
            Err(absence) => self.compute((hash, key), absence, compute),
        }
    }

    /// As [`get_or_compute`](Self::get_or_compute), where computing may fail: everyone who waits is given the same error,
    /// and nothing is stored. Who waits for an error of another type computes for itself.
    ///
    /// ```
    /// let cache = everwarm::Cache::new("numbers");
    /// let number = |text: &str| cache.try_get_or_compute(text, || text.parse::<u8>());
    /// assert_eq!(number("7"), Ok(7));
    /// assert!(number("seven").is_err() && !cache.exists("seven"));
    /// ```
    ///
    /// # Errors
    /// What `compute` gave, shared.
    ///
    /// # Panics
    /// As [`get_or_compute`](Self::get_or_compute).
    #[doc(alias = "try_get_with")]
    pub fn try_get_or_compute<Q, E>(
        &self,
        key: &Q,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.find(key).or_else(|hash| {
            let compute = |_| shared(compute().map(Renewed::New));
            self.using().compute((hash, key), compute)
        })
    }

    /// The value for `key`, computed by this task if it is missing and nobody else computes it. If the future is dropped
    /// while it computes, one of those who wait takes over.
    ///
    /// ```
    /// # pollster::block_on(async {
    /// let cache = everwarm::Cache::new("squares");
    /// assert_eq!(cache.get_or_compute_async(&12, async || 144).await, 144);
    /// # });
    /// ```
    ///
    /// # Panics
    /// As [`get_or_compute`](Self::get_or_compute). A task that `compute` spawns and waits for is not known to be a part
    /// of it: if that asks for this key, both wait for ever.
    pub async fn get_or_compute_async<Q, F>(&self, key: &Q, compute: impl FnOnce() -> F) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = V>,
    {
        self.using().get_or_compute_async(key, compute).await
    }

    /// As [`get_or_compute_async`](Self::get_or_compute_async), where computing may fail.
    ///
    /// # Errors
    /// What `compute` gave, shared as [`try_get_or_compute`](Self::try_get_or_compute) shares it.
    ///
    /// # Panics
    /// As [`get_or_compute_async`](Self::get_or_compute_async).
    pub async fn try_get_or_compute_async<Q, E, F>(
        &self,
        key: &Q,
        compute: impl FnOnce() -> F,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<V, E>>,
    {
        self.using().try_get_or_compute_async(key, compute).await
    }

    /// The cache for one call, with a ttl or tags of its own.
    #[must_use = "it does nothing until one of its verbs is called"]
    pub fn using(&self) -> Using<'_, K, V> {
        Using::new(self)
    }

    /// Makes every entry with one of these tags gone, and what is being computed under them: no later caller gets it. It
    /// costs the same for one entry and for a million.
    ///
    /// ```
    /// let cache = everwarm::Cache::builder("users").tags(|id: &u64| [format!("user:{id}")]).build()?;
    /// cache.set(7, "Ada");
    /// cache.invalidate_tags(["user:7"]);
    /// assert_eq!(cache.get(&7), None);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn invalidate_tags<T: Into<Arc<str>>>(&self, tags: impl IntoIterator<Item = T>) {
        let tags = texts(tags);
        wait(self.home.invalidate(&tags));
    }

    /// As [`invalidate_tags`](Self::invalidate_tags), in this task.
    pub async fn invalidate_tags_async<T: Into<Arc<str>>>(
        &self,
        tags: impl IntoIterator<Item = T>,
    ) {
        let tags = texts(tags);
        self.home.invalidate(&tags).await;
    }

    /// Makes everything gone, also what is being computed. Where there are stores that is their whole namespace, with what functions have there.
    #[doc(alias = "invalidate_all")]
    pub fn clear(&self) {
        wait(self.home.clear());
    }

    /// As [`clear`](Self::clear), in this task.
    pub async fn clear_async(&self) {
        self.home.clear().await;
    }

    /// The stores behind it, for functions that share them; None if there are none.
    ///
    /// ```
    /// assert!(everwarm::Cache::<u8, u8>::new("users").stores().is_none());
    /// ```
    #[must_use]
    pub fn stores(&self) -> Option<Stores> {
        self.home.link.as_ref().map(|link| link.stores.clone())
    }

    /// Lets entries go whose time is over; how many left. It locks one shard at a time.
    #[doc(alias = "run_pending_tasks")]
    pub fn sweep(&self) -> usize {
        self.home.engine.sweep()
    }

    /// What happened in this cache.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.home.engine.totals()
    }

    /// How many entries there are, those among them that are over and have not left yet.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.stats().entries).unwrap_or(usize::MAX)
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value that memory has, or the key's hash.
    #[inline]
    pub(crate) fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Result<V, u64>
    where
        K: Borrow<Q>,
    {
        let Home { engine, scope, .. } = &*self.home;
        let hash = self.hash(key);
        engine.hit(scope, hash, &Lent(key)).ok_or(hash)
    }

    #[inline]
    pub(crate) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.home.seed.hash_one(key)
    }
}

impl<K: Clone + Eq, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Cache")
            .field("name", &self.home.name)
            .finish_non_exhaustive()
    }
}

/// Tags as the engine takes them.
pub fn texts<T: Into<Arc<str>>>(tags: impl IntoIterator<Item = T>) -> Vec<Arc<str>> {
    tags.into_iter().map(Into::into).collect()
}
