//! One call of a typed cache that does not compute what it was served.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use everwarm_core::error::Error;

use crate::behind::{Behind, Task, Work};
use crate::call::unlimited;
use crate::job::alone;
use crate::patience::Refuse;
use crate::renewed::{Old, Renewed, anew, shared};
use crate::share::Share;
use crate::using::Using;

/// A cache for one call that does not compute what it was served: what [`Using::in_background`] gives. What computes outlives the
/// call, so it borrows nothing.
#[must_use = "it does nothing until one of its verbs is called"]
pub struct InBackground<'a, K: Clone + Eq, V>(pub(crate) Using<'a, K, V>);

impl<K, V> InBackground<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    pub fn get_or_compute<Q>(self, key: &Q, compute: impl FnOnce() -> V + Send + 'static) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Ok(value) = self.run(key, |_| anew(compute()));
        value
    }

    /// As [`Cache::try_get_or_compute`](crate::Cache::try_get_or_compute).
    ///
    /// # Errors
    /// What `compute` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute`](crate::Cache::get_or_compute).
    pub fn try_get_or_compute<Q, E>(
        self,
        key: &Q,
        compute: impl FnOnce() -> Result<V, E> + Send + 'static,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
    {
        self.run(key, |_| shared(compute().map(Renewed::New)))
    }

    /// As [`Cache::get_or_compute_async`](crate::Cache::get_or_compute_async).
    ///
    /// # Panics
    /// As [`Cache::get_or_compute_async`](crate::Cache::get_or_compute_async).
    pub async fn get_or_compute_async<Q, F>(
        self,
        key: &Q,
        compute: impl FnOnce() -> F + Send + 'static,
    ) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = V> + Send + 'static,
    {
        let compute = |_| {
            let computing = compute();
            async { anew(computing.await) }
        };
        let Ok(value) = self.run_async(key, compute).await;
        value
    }

    /// As [`Cache::try_get_or_compute_async`](crate::Cache::try_get_or_compute_async).
    ///
    /// # Errors
    /// What `compute` gave, shared.
    ///
    /// # Panics
    /// As [`Cache::get_or_compute_async`](crate::Cache::get_or_compute_async).
    pub async fn try_get_or_compute_async<Q, E, F>(
        self,
        key: &Q,
        compute: impl FnOnce() -> F + Send + 'static,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: Send + Sync + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let compute = |_| {
            let computing = compute();
            async { shared(computing.await.map(Renewed::New)) }
        };
        self.run_async(key, compute).await
    }

    pub(crate) fn run<Q, X: Share + Send + 'static>(
        self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X> + Send + 'static,
    ) -> Result<V, X>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.run_within(key, compute, unlimited())
    }

    /// As [`run`](Self::run), under limits of time where there is something to refuse with.
    pub(crate) fn run_within<Q, X: Share + Send + 'static>(
        mut self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X> + Send + 'static,
        refuse: Refuse<impl FnOnce(Error) -> Result<V, X>>,
    ) -> Result<V, X>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.0.goes_past() {
            return alone(compute(None));
        }
        match self.0.look(key) {
            Ok(value) => Ok(value),
            Err((hash, key)) => {
                let (cache, judge) = (self.0.cache, self.0.judge());
                let background = cache.runners.background.as_deref();
                let behind = Behind {
                    home: Arc::clone(&cache.home),
                    run: background.map(|run| run as &dyn Fn(Work)),
                    timed: &cache.timed,
                };
                let judge = move |value: &V| judge.outcome(value);
                let call = self.0.call(hash, &key);
                call.run_behind(behind, (compute, judge), refuse)
            }
        }
    }

    pub(crate) async fn run_async<Q, X: Share + Send + 'static, F>(
        self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> F + Send + 'static,
    ) -> Result<V, X>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = Result<Renewed<V>, X>> + Send + 'static,
    {
        self.run_within_async(key, compute, unlimited()).await
    }

    /// As [`run_async`](Self::run_async), under limits of time where there is something to refuse with.
    pub(crate) async fn run_within_async<Q, X: Share + Send + 'static, F>(
        mut self,
        key: &Q,
        compute: impl FnOnce(Option<Old<V>>) -> F + Send + 'static,
        refuse: Refuse<impl FnOnce(Error) -> Result<V, X>>,
    ) -> Result<V, X>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = Result<Renewed<V>, X>> + Send + 'static,
    {
        if self.0.goes_past() {
            return alone(compute(None).await);
        }
        match self.0.look(key) {
            Ok(value) => Ok(value),
            Err((hash, key)) => {
                let (cache, judge) = (self.0.cache, self.0.judge());
                let spawn = cache.runners.spawn.as_deref();
                let behind = Behind {
                    home: Arc::clone(&cache.home),
                    run: spawn.map(|spawn| spawn as &(dyn Fn(Task) + Sync)),
                    timed: &cache.timed,
                };
                let judge = move |value: &V| judge.outcome(value);
                let call = self.0.call(hash, &key);
                call.run_behind_async(behind, (compute, judge), refuse)
                    .await
            }
        }
    }
}
