//! Computations that nobody waits for: a value was served, and its successor is computed behind it by whatever the user gave.

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use everwarm_core::error::Error;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_core::using::Plan;
use everwarm_engine::stack::Place;
use everwarm_engine::{DefaultLock, Key};

use crate::call::{Call, Doing};
use crate::errand::Errand;
use crate::home::Home;
use crate::job::Job;
use crate::patience::Refuse;
use crate::renewed::{Old, Renewed};
use crate::share::Share;
use crate::timed::{Due, Timed};

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

/// Where a call's computation goes that its caller does not do.
pub(crate) struct Behind<'a, H, R: ?Sized> {
    /// Where its entries live.
    pub(crate) home: H,
    /// What runs it; None: the caller.
    pub(crate) run: Option<&'a R>,
    /// What is noted for the time when it is due.
    pub(crate) timed: &'a Timed<H>,
}

/// What a call leaves behind for its computation.
struct Rest<K> {
    policy: Policy,
    hash: u64,
    key: K,
    tags: Vec<Arc<str>>,
    place: Option<Place>,
    plan: Plan,
}

impl<K: Key> Rest<K> {
    fn of<V>(call: &Call<'_, K, V>) -> Self {
        Self {
            policy: *call.policy,
            hash: call.hash,
            key: call.key.clone(),
            tags: call.tags.to_vec(),
            place: call.place.cloned(),
            plan: call.plan,
        }
    }

    fn call<'a, V>(&'a self, home: &'a Home<K, V>) -> Call<'a, K, V> {
        Call {
            home,
            policy: Cow::Borrowed(&self.policy),
            hash: self.hash,
            key: &self.key,
            tags: &self.tags,
            place: self.place.as_ref(),
            plan: self.plan,
        }
    }
}

impl<K, V> Call<'_, K, V>
where
    K: Key<Lock = DefaultLock> + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Whether a time limit may end the wait for a computation: the soft one only while there is an old value.
    fn is_limited<C, J>(&self, job: &Job<K, V, C, J>) -> bool {
        self.policy.limit(job.has_old()).is_some()
    }

    /// As [`run`](Self::run), with what runs the computation of a served value's successor, and under limits of time any
    /// computation.
    pub(crate) fn run_behind<X: Share + Send + 'static, H, C, J, R>(
        &self,
        behind: Behind<'_, H, dyn Fn(Work)>,
        work: (C, J),
        refuse: Refuse<R>,
    ) -> Result<V, X>
    where
        H: Deref<Target = Home<K, V>> + Clone + Send + 'static,
        C: FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X> + Send + 'static,
        J: FnOnce(&V) -> Outcome + Send + 'static,
        R: FnOnce(Error) -> Result<V, X>,
    {
        let is_limited = refuse.0.is_some();
        let place = |mut job: Job<K, V, C, J>, served: Option<V>| {
            let is_apart = served.is_some() || is_limited && self.is_limited(&job);
            let Some(background) = behind.run.filter(|_| is_apart) else {
                return Doing::Here(job);
            };
            let (home, rest) = (behind.home.clone(), Rest::of(self));
            let (errand, reply) = Errand::new();
            let place = match served {
                Some(value) => Doing::Behind(value),
                None => Doing::Apart(errand, job.attend(true)),
            };
            background(Box::new(move || {
                job.move_here();
                reply.give(job.run(&rest.call(&home)));
            }));
            place
        };
        let mut work = Some(work);
        let given = self.run(&mut work, place, refuse);
        if let Some((work, due)) = work
            .zip(self.due())
            .filter(|_| behind.run.is_some() && self.plan.stores())
        {
            let rest = Rest::of(self);
            let again = move |home: H| {
                let job = Job::again(&rest.call(&home), work)?;
                Some(Due::Work(Box::new(move || {
                    job.move_here();
                    drop(job.run(&rest.call(&home)));
                })))
            };
            behind.timed.note(self.hash, due, Box::new(again));
        }
        given
    }

    /// As [`run_async`](Self::run_async), with what does for tasks what it does for [`run_behind`](Self::run_behind).
    pub(crate) async fn run_behind_async<X: Share + Send + 'static, H, F, C, J, R>(
        &self,
        behind: Behind<'_, H, dyn Fn(Task) + Sync>,
        work: (C, J),
        refuse: Refuse<R>,
    ) -> Result<V, X>
    where
        H: Deref<Target = Home<K, V>> + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Renewed<V>, X>> + Send + 'static,
        C: FnOnce(Option<Old<V>>) -> F + Send + 'static,
        J: FnOnce(&V) -> Outcome + Send + 'static,
        R: FnOnce(Error) -> Result<V, X>,
    {
        let is_limited = refuse.0.is_some();
        let place = |mut job: Job<K, V, C, J>, served: Option<V>| {
            let is_apart = served.is_some() || is_limited && self.is_limited(&job);
            let Some(spawn) = behind.run.filter(|_| is_apart) else {
                return Doing::Here(job);
            };
            let (home, rest) = (behind.home.clone(), Rest::of(self));
            let (errand, reply) = Errand::new();
            let place = match served {
                Some(value) => Doing::Behind(value),
                None => Doing::Apart(errand, job.attend(false)),
            };
            spawn(Box::pin(async move {
                reply.give(job.run_async(&rest.call(&home)).await);
            }));
            place
        };
        let mut work = Some(work);
        let given = self.run_async(&mut work, place, refuse).await;
        if let Some((work, due)) = work
            .zip(self.due())
            .filter(|_| behind.run.is_some() && self.plan.stores())
        {
            let rest = Rest::of(self);
            let again = move |home: H| {
                let job = Job::again(&rest.call(&home), work)?;
                let computing = async move { drop(job.run_async(&rest.call(&home)).await) };
                Some(Due::Task(Box::pin(computing)))
            };
            behind.timed.note(self.hash, due, Box::new(again));
        }
        given
    }
}
