//! Computations that see the value that they are to replace, and may say that it still holds.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::in_background::InBackground;
use crate::using::Using;

/// The value that was there before a computation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Old<V> {
    /// The value.
    pub value: V,
    /// The time since it was written.
    pub age: Duration,
    tags: Vec<Arc<str>>,
}

/// What a computation gives that sees the old value.
#[derive(Clone, Debug)]
pub enum Renewed<V> {
    /// Another value.
    New(V),
    /// The old value still holds: it lives anew.
    NotModified(Old<V>),
}

impl<V: Clone> Old<V> {
    pub(crate) fn of(old: &everwarm_engine::Old<V>) -> Self {
        Self {
            value: old.value.clone(),
            age: old.age,
            tags: old.tags(),
        }
    }
}

impl<V> Renewed<V> {
    /// The value, and the tags that it had.
    pub(crate) fn into_parts(self) -> (V, Vec<Arc<str>>) {
        match self {
            Self::New(value) => (value, Vec::new()),
            Self::NotModified(old) => (old.value, old.tags),
        }
    }
}

/// A new value with tags that follow from it: it has them as an old one has its own that lives anew.
pub(crate) const fn tagged<V>(value: V, tags: Vec<Arc<str>>) -> Renewed<V> {
    Renewed::NotModified(Old {
        value,
        age: Duration::ZERO,
        tags,
    })
}

/// What a computation gives that cannot fail and sees nothing.
pub(crate) fn anew<V>(value: V) -> Result<Renewed<V>, Infallible> {
    Ok(Renewed::New(value))
}

/// What a computation gives, its error shared by all who wait.
pub(crate) fn shared<V, E>(given: Result<Renewed<V>, E>) -> Result<Renewed<V>, Arc<E>> {
    given.map_err(Arc::new)
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// As [`get_or_compute`](Self::get_or_compute), but `renew` sees the value that it is to replace, where one of its windows
    /// keeps it: it may say that it still holds. Then that lives anew, with its tags.
    ///
    /// ```
    /// use everwarm::{Cache, Renewed, duration::{hours, mins}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let pages = Cache::builder("pages").ttl(mins(5)).stale_if_error(hours(1)).clock(&clock).build()?;
    /// // What the source has: the page, and which edition of it.
    /// let ask = |edition| pages.get_or_refresh("/", |old| match old {
    ///     Some(old) if old.value == edition => Renewed::NotModified(old),
    ///     _ => Renewed::New(edition),
    /// });
    /// assert_eq!(ask(1), 1);
    /// clock.advance(mins(5));
    /// assert_eq!((ask(1), pages.peek("/").unwrap().ttl), (1, Some(mins(5))));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`get_or_compute`](Self::get_or_compute).
    pub fn get_or_refresh<Q>(&self, key: &Q, renew: impl FnOnce(Option<Old<V>>) -> Renewed<V>) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.using().get_or_refresh(key, renew)
    }

    /// As [`get_or_refresh`](Self::get_or_refresh), where that may fail as in
    /// [`try_get_or_compute`](Self::try_get_or_compute).
    ///
    /// # Errors
    /// What `renew` gave, shared.
    ///
    /// # Panics
    /// As [`get_or_compute`](Self::get_or_compute).
    pub fn try_get_or_refresh<Q, E>(
        &self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, E>,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.using().try_get_or_refresh(key, renew)
    }

    /// As [`get_or_refresh`](Self::get_or_refresh), in this task.
    ///
    /// # Panics
    /// As [`get_or_compute`](Self::get_or_compute).
    pub async fn get_or_refresh_async<Q, F>(
        &self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> F,
    ) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = Renewed<V>>,
    {
        self.using().get_or_refresh_async(key, renew).await
    }

    /// As [`try_get_or_refresh`](Self::try_get_or_refresh), in this task.
    ///
    /// # Errors
    /// What `renew` gave, shared.
    ///
    /// # Panics
    /// As [`get_or_compute`](Self::get_or_compute).
    pub async fn try_get_or_refresh_async<Q, E, F>(
        &self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> F,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<Renewed<V>, E>>,
    {
        self.using().try_get_or_refresh_async(key, renew).await
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Using<'_, K, V> {
    /// As [`Cache::get_or_refresh`].
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`].
    pub fn get_or_refresh<Q>(self, key: &Q, renew: impl FnOnce(Option<Old<V>>) -> Renewed<V>) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.run(key, |old| Ok::<_, Infallible>(renew(old)));
        value
    }

    /// As [`Cache::try_get_or_refresh`].
    ///
    /// # Errors
    /// What `renew` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`].
    pub fn try_get_or_refresh<Q, E>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, E>,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.run(key, |old| shared(renew(old)))
    }

    /// As [`Cache::get_or_refresh_async`].
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`].
    pub async fn get_or_refresh_async<Q, F>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> F,
    ) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = Renewed<V>>,
    {
        let renew = async |old| Ok::<_, Infallible>(renew(old).await);
        let Ok(value) = self.run_async(key, renew).await;
        value
    }

    /// As [`Cache::try_get_or_refresh_async`].
    ///
    /// # Errors
    /// What `renew` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`].
    pub async fn try_get_or_refresh_async<Q, E, F>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> F,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<Renewed<V>, E>>,
    {
        self.run_async(key, async |old| shared(renew(old).await))
            .await
    }
}

impl<K, V> InBackground<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// As [`Cache::get_or_refresh`](crate::Cache::get_or_refresh).
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    pub fn get_or_refresh<Q>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> Renewed<V> + Send + 'static,
    ) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.run(key, |old| Ok::<_, Infallible>(renew(old)));
        value
    }

    /// As [`Cache::try_get_or_refresh`](crate::Cache::try_get_or_refresh).
    ///
    /// # Errors
    /// What `renew` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    pub fn try_get_or_refresh<Q, E>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, E> + Send + 'static,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.run(key, |old| shared(renew(old)))
    }

    /// As [`Cache::get_or_refresh_async`](crate::Cache::get_or_refresh_async).
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    pub async fn get_or_refresh_async<Q, F>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> F + Send + 'static,
    ) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = Renewed<V>> + Send + 'static,
    {
        let renew = |old| {
            let renewing = renew(old);
            async { Ok::<_, Infallible>(renewing.await) }
        };
        let Ok(value) = self.run_async(key, renew).await;
        value
    }

    /// As [`Cache::try_get_or_refresh_async`](crate::Cache::try_get_or_refresh_async).
    ///
    /// # Errors
    /// What `renew` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    pub async fn try_get_or_refresh_async<Q, E, F>(
        self,
        key: &Q,
        renew: impl FnOnce(Option<Old<V>>) -> F + Send + 'static,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<Renewed<V>, E>> + Send + 'static,
    {
        let renew = |old| {
            let renewing = renew(old);
            async { shared(renewing.await) }
        };
        self.run_async(key, renew).await
    }
}
