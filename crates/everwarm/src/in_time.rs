//! One call of a typed cache that waits no longer than it may.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use everwarm_core::error::Error;

use crate::in_background::InBackground;
use crate::patience::Refuse;
use crate::renewed::{Renewed, shared};
use crate::using::Using;

/// A cache for one call that waits no longer than it may: what [`Using::in_time`] gives. What computes may outlive the call, so it
/// borrows nothing; a value that comes late is stored if it is still valid.
#[must_use = "it does nothing until one of its verbs is called"]
pub struct InTime<'a, K: Clone + Eq, V>(pub(crate) Using<'a, K, V>);

impl<K, V> InTime<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// As [`Cache::try_get_or_compute`](crate::Cache::try_get_or_compute), within the time limits of the cache.
    ///
    /// # Errors
    /// What `compute` gave, shared; `E` of an [`Error`](crate::Error) of kind `Timeout` if that takes too long and there is no old
    /// value, of kind `Unsupported` if it ends without a value, since it panicked or was dropped, and of kind `Config` without a
    /// [`background`](crate::Builder::background).
    ///
    /// # Panics
    /// If the computation asks for its own key.
    pub fn try_get_or_compute<Q, E>(
        self,
        key: &Q,
        compute: impl FnOnce() -> Result<V, E> + Send + 'static,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: From<Error> + Send + Sync + 'static,
    {
        if self.0.cache.runners.background.is_none() {
            return refused(lacking("background(|work| { std::thread::spawn(work); })"));
        }
        let compute = |_| shared(compute().map(Renewed::New));
        InBackground(self.0).run_within(key, compute, Refuse(Some(refused)))
    }

    /// As [`try_get_or_compute`](Self::try_get_or_compute), in this task.
    ///
    /// # Errors
    /// As [`try_get_or_compute`](Self::try_get_or_compute), and of kind `Config` without [`spawn`](crate::Builder::spawn) and
    /// [`timer`](crate::Builder::timer).
    ///
    /// # Panics
    /// As [`try_get_or_compute`](Self::try_get_or_compute).
    pub async fn try_get_or_compute_async<Q, E, F>(
        self,
        key: &Q,
        compute: impl FnOnce() -> F + Send + 'static,
    ) -> Result<V, Arc<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        E: From<Error> + Send + Sync + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let cache = self.0.cache;
        if cache.runners.spawn.is_none() {
            return refused(lacking("spawn(|task| { tokio::spawn(task); })"));
        }
        if cache.home.patience.timer.is_none() {
            return refused(lacking("timer(tokio::time::sleep)"));
        }
        let compute = |_| {
            let computing = compute();
            async { shared(computing.await.map(Renewed::New)) }
        };
        let call = InBackground(self.0);
        call.run_within_async(key, compute, Refuse(Some(refused)))
            .await
    }
}

fn refused<V, E: From<Error>>(error: Error) -> Result<V, Arc<E>> {
    Err(Arc::new(E::from(error)))
}

fn lacking(option: &str) -> Error {
    Error::config(
        "this call has nothing to wait within its time limits with",
        format!("add {option} to the builder"),
    )
}
