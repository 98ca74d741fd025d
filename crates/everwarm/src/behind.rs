//! Computations that nobody waits for: a value was served, and its successor is computed behind it by whatever the user gave.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use everwarm_core::error::Error;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::{DefaultLock, Key};

use crate::call::{Call, Job, Place};
use crate::errand::Errand;
use crate::home::Home;
use crate::patience::Refuse;
use crate::renewed::{Old, Renewed};
use crate::share::Share;

/// Work that is to be run, once, on another thread. Dropping it is allowed: a later caller begins anew.
pub type Work = Box<dyn FnOnce() + Send>;

/// Work that is to be awaited, once, by another task. Dropping it is allowed: a later caller begins anew.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs such work; None: the caller who finds it due.
#[derive(Clone, Default)]
pub(crate) struct Runners {
    pub(crate) background: Option<Arc<dyn Fn(Work) + Send + Sync>>,
    pub(crate) spawn: Option<Arc<dyn Fn(Task) + Send + Sync>>,
}

/// What a call leaves behind for its computation.
struct Rest<H, K> {
    home: H,
    policy: Policy,
    hash: u64,
    key: K,
}

impl<H: Deref<Target = Home<K, V>>, K: Key, V: Clone> Rest<H, K> {
    fn new(home: H, call: &Call<'_, K, V>) -> Self {
        Self {
            home,
            policy: call.policy,
            hash: call.hash,
            key: call.key.clone(),
        }
    }

    fn call(&self) -> Call<'_, K, V> {
        Call {
            home: &self.home,
            policy: self.policy,
            hash: self.hash,
            key: &self.key,
            tags: &[],
            refresh: false,
        }
    }
}

impl<K, V> Call<'_, K, V>
where
    K: Key<Lock = DefaultLock> + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// As [`run`](Self::run), with `background` to run the computation of a served value's successor, and under limits of time any
    /// computation.
    pub(crate) fn run_behind<X: Share + Send + 'static, C, J, R>(
        &self,
        (home, background): (
            impl Deref<Target = Home<K, V>> + Send + 'static,
            Option<&dyn Fn(Work)>,
        ),
        compute: C,
        judge: J,
        refuse: Refuse<R>,
    ) -> Result<V, X>
    where
        C: FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X> + Send + 'static,
        J: FnOnce(&V) -> Outcome + Send + 'static,
        R: FnOnce(Error) -> Result<V, X>,
    {
        let is_limited = refuse.0.is_some();
        let place = |mut job: Job<K, V, C, J>, served: Option<V>| {
            let Some(background) = background.filter(|_| served.is_some() || is_limited) else {
                return Place::Here(job);
            };
            let rest = Rest::new(home, self);
            let (errand, reply) = Errand::new();
            let place = match served {
                Some(value) => Place::Behind(value),
                None => Place::Apart(errand, job.attend(true)),
            };
            background(Box::new(move || {
                job.move_here();
                reply.give(job.run(&rest.call()));
            }));
            place
        };
        self.run(compute, judge, place, refuse)
    }

    /// As [`run_async`](Self::run_async), with `spawn` to do what `background` does for [`run_behind`](Self::run_behind).
    pub(crate) async fn run_behind_async<X: Share + Send + 'static, F, C, J, R>(
        &self,
        (home, spawn): (
            impl Deref<Target = Home<K, V>> + Send + Sync + 'static,
            Option<&(dyn Fn(Task) + Sync)>,
        ),
        compute: C,
        judge: J,
        refuse: Refuse<R>,
    ) -> Result<V, X>
    where
        F: Future<Output = Result<Renewed<V>, X>> + Send + 'static,
        C: FnOnce(Option<Old<V>>) -> F + Send + 'static,
        J: FnOnce(&V) -> Outcome + Send + 'static,
        R: FnOnce(Error) -> Result<V, X>,
    {
        let is_limited = refuse.0.is_some();
        let place = |mut job: Job<K, V, C, J>, served: Option<V>| {
            let Some(spawn) = spawn.filter(|_| served.is_some() || is_limited) else {
                return Place::Here(job);
            };
            let rest = Rest::new(home, self);
            let (errand, reply) = Errand::new();
            let place = match served {
                Some(value) => Place::Behind(value),
                None => Place::Apart(errand, job.attend(false)),
            };
            spawn(Box::pin(async move {
                reply.give(job.run_async(&rest.call()).await);
            }));
            place
        };
        self.run_async(compute, judge, place, refuse).await
    }
}
