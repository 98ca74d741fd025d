//! One call of a typed cache, with what counts for this call alone.

use std::borrow::{Borrow, Cow};
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::policy::Policy;
use everwarm_core::using::{Options, Read};
use everwarm_engine::stack::Place;

use crate::cache::{Cache, texts};
use crate::call::{Call, here, unlimited};
use crate::form::Typed;
use crate::in_background::InBackground;
use crate::in_time::InTime;
use crate::job::alone;
use crate::judge::Judge;
use crate::renewed::{Old, Renewed, anew, shared};
use crate::share::Share;
use crate::stores::wait;

/// A cache for one call: what [`Cache::using`] gives.
///
/// ```
/// use everwarm::{Cache, duration::secs};
///
/// let cache = Cache::new("quotes");
/// let quote = cache.using().ttl(secs(10)).tags(["list:7"]).get_or_compute("ada", || 42);
/// assert_eq!(quote, 42);
/// cache.invalidate_tags(["list:7"]);
/// assert!(!cache.exists("ada"));
/// ```
///
/// # Panics
/// Its verbs panic, with a hint, if their call is told two of [`skip`](Self::skip), [`refresh`](Self::refresh) and
/// [`write_only`](Self::write_only), or one of them and something that narrows what it reads or writes.
#[must_use = "it does nothing until one of its verbs is called"]
pub struct Using<'a, K: Clone + Eq, V> {
    pub(crate) cache: &'a Cache<K, V>,
    /// The ttl that was said for this call; None within: no end.
    ttl: Option<Option<Duration>>,
    tags: Vec<Arc<str>>,
    pub(crate) options: Options,
    /// Where the entry lies in stores, once its key is known.
    place: Option<Place>,
}

impl<'a, K: Hash + Eq + Clone, V: Clone> Using<'a, K, V> {
    pub(crate) fn new(cache: &'a Cache<K, V>) -> Self {
        Self {
            cache,
            ttl: None,
            tags: Vec::new(),
            options: Options::default(),
            place: None,
        }
    }

    /// How long the entry is fresh, if this call stores one; a span of nothing keeps nothing. The jitter of the cache counts
    /// for it too.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(Some(ttl));
        self
    }

    /// The entry does not expire, if this call stores one.
    pub fn no_ttl(mut self) -> Self {
        self.ttl = Some(None);
        self
    }

    /// Tags of the entry, if this call stores one, beside those that the cache makes of its key.
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(texts(tags));
        self
    }

    /// A value that is served old, or near the end of its ttl, is computed anew by what
    /// [`Builder::background`](crate::Builder::background) or [`Builder::spawn`](crate::Builder::spawn) was given, and this
    /// call does not wait for it. Without that this call computes it, as any call does.
    pub fn in_background(self) -> InBackground<'a, K, V> {
        InBackground(self)
    }

    /// This call waits no longer than [`Builder::hard_timeout`](crate::Builder::hard_timeout) and
    /// [`Builder::soft_timeout`](crate::Builder::soft_timeout) say, while what `background` or `spawn` was given computes.
    pub fn in_time(self) -> InTime<'a, K, V> {
        InTime(self)
    }

    /// As [`Cache::set`]; a call that stores nothing sets nothing.
    pub fn set(mut self, key: K, value: V) {
        if !self.plan().stores() {
            return;
        }
        self.add_tags_of(&key);
        let (policy, home) = (self.policy(), &self.cache.home);
        let (hash, outcome) = (self.cache.hash(&key), self.judge().outcome(&value));
        let (entry, kept) = ((hash, Typed(key)), (&*policy, &*self.tags));
        match home.link {
            None => home.put(entry, value, outcome, kept),
            Some(_) => wait(home.set(entry, value, outcome, kept)),
        }
    }

    /// As [`Cache::set_async`].
    pub async fn set_async(mut self, key: K, value: V) {
        if !self.plan().stores() {
            return;
        }
        self.add_tags_of(&key);
        let (policy, home) = (self.policy(), &self.cache.home);
        let (hash, outcome) = (self.cache.hash(&key), self.judge().outcome(&value));
        let (entry, kept) = ((hash, Typed(key)), (&*policy, &*self.tags));
        home.set(entry, value, outcome, kept).await;
    }

    /// As [`Cache::get_or_compute`].
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`].
    pub fn get_or_compute<Q>(self, key: &Q, compute: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.run(key, |_| anew(compute()));
        value
    }

    /// As [`Cache::try_get_or_compute`].
    ///
    /// # Errors
    /// What `compute` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`].
    pub fn try_get_or_compute<Q, E>(
        self,
        key: &Q,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.run(key, |_| shared(compute().map(Renewed::New)))
    }

    /// As [`Cache::get_or_compute_async`].
    ///
    /// # Panics
    /// As [`Cache::get_or_compute_async`].
    pub async fn get_or_compute_async<Q, F>(self, key: &Q, compute: impl FnOnce() -> F) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = V>,
    {
        let Ok(value) = self.run_async(key, async |_| anew(compute().await)).await;
        value
    }

    /// As [`Cache::try_get_or_compute_async`].
    ///
    /// # Errors
    /// What `compute` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute_async`].
    pub async fn try_get_or_compute_async<Q, E, F>(
        self,
        key: &Q,
        compute: impl FnOnce() -> F,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<V, E>>,
    {
        let compute = async |_| shared(compute().await.map(Renewed::New));
        self.run_async(key, compute).await
    }

    #[inline]
    pub(crate) fn run<Q, X: Share>(
        self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
    ) -> Result<V, X>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.options != Options::default() {
            return self.run_as_told(key, compute);
        }
        match self.cache.find(key) {
            Ok(value) => Ok(value),
            Err(hash) => self.compute((hash, key), compute),
        }
    }

    /// As [`run`](Self::run), of a call that is told something.
    #[cold]
    fn run_as_told<Q, X: Share>(
        mut self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
    ) -> Result<V, X>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.goes_past() {
            return alone(compute(None));
        }
        match self.look(key) {
            Ok(value) => Ok(value),
            Err((hash, key)) => {
                let judge = self.judge();
                let judge = |value: &V| judge.outcome(value);
                self.call(hash, &key).run_here(compute, judge)
            }
        }
    }

    /// As [`run`](Self::run), where memory did not answer: apart from it, so that what a hit does is short.
    #[inline(never)]
    pub(crate) fn compute<Q, X: Share>(
        mut self,
        (hash, key): (u64, &Q),
        compute: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
    ) -> Result<V, X>
    where
        Q: ToOwned<Owned = K> + ?Sized,
    {
        let key = self.own(key);
        let judge = self.judge();
        let judge = |value: &V| judge.outcome(value);
        self.call(hash, &key).run_here(compute, judge)
    }

    pub(crate) async fn run_async<Q, X: Share, F>(
        mut self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> F,
    ) -> Result<V, X>
    where
        F: Future<Output = Result<Renewed<V>, X>>,
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.goes_past() {
            return alone(compute(None).await);
        }
        match self.look(key) {
            Ok(value) => Ok(value),
            Err((hash, key)) => {
                let judge = self.judge();
                let judge = |value: &V| judge.outcome(value);
                let call = self.call(hash, &key);
                let mut work = Some((compute, judge));
                call.run_async(&mut work, here, unlimited()).await
            }
        }
    }

    /// The value that is there, or what it takes to ask for it.
    pub(crate) fn look<Q>(&mut self, key: &Q) -> Result<V, (u64, Typed<K>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let read = self.plan().read();
        if read == Read::Any {
            return match self.cache.find(key) {
                Ok(value) => Ok(value),
                Err(hash) => Err((hash, self.own(key))),
            };
        }
        let (hash, owned) = (self.cache.hash(key), self.own(key));
        let found = self.cache.home.find(hash, &owned, read);
        found.ok_or((hash, owned))
    }

    /// The key for an entry, whose tags are added.
    fn own<Q: ToOwned<Owned = K> + ?Sized>(&mut self, key: &Q) -> Typed<K> {
        let key = key.to_owned();
        self.add_tags_of(&key);
        let (key, home) = (Typed(key), &self.cache.home);
        self.place = home.place(&key);
        if let Some(place) = &self.place {
            self.tags = home.tags(place, &self.tags);
        }
        key
    }

    pub(crate) fn call<'b>(&'b self, hash: u64, key: &'b Typed<K>) -> Call<'b, Typed<K>, V> {
        Call {
            home: &self.cache.home,
            policy: self.policy(),
            hash,
            key,
            tags: &self.tags,
            place: self.place.as_ref(),
            plan: self.plan(),
        }
    }

    pub(crate) fn policy(&self) -> Cow<'a, Policy> {
        let policy = &self.cache.home.policy;
        match self.ttl {
            Some(ttl) => Cow::Owned(Policy { ttl, ..*policy }),
            None => Cow::Borrowed(policy),
        }
    }

    /// What says what a value is worth; a ttl that was said for this call goes before the value's own.
    pub(crate) fn judge(&self) -> Judge<V> {
        let mut judge = self.cache.judge.clone();
        if self.ttl.is_some() {
            judge.ttl_of = None;
        }
        judge
    }

    /// The tags of the entry of a key that this call stores.
    pub(crate) fn tags_of(&self, key: &K) -> Vec<Arc<str>> {
        let mut tags = self.tags.clone();
        if let Some(tagging) = &self.cache.tagging {
            tags.extend(tagging(key));
        }
        tags
    }

    fn add_tags_of(&mut self, key: &K) {
        if let Some(tagging) = &self.cache.tagging {
            self.tags.extend(tagging(key));
        }
    }
}
