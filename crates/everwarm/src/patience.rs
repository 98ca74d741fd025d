//! How long calls wait, and the two drivers that do: for threads and for tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::limits::End;
use everwarm_core::policy::Policy;
use everwarm_engine::{Bulkhead, Parker};

use crate::behind::Task;

/// What makes a future that is ready when a span is over.
pub(crate) type Timer = Arc<dyn Fn(Duration) -> Task + Send + Sync>;

/// How long a computation without a lease waits to be let in, where its cache does not say how long calls wait.
const WITHOUT_LEASE: Duration = Duration::from_secs(30);

/// How calls of a cache or a function wait.
#[derive(Default)]
pub(crate) struct Patience {
    /// How long for somebody else's computation; None: as long as it takes.
    pub(crate) wait: Option<Duration>,
    /// What measures time for tasks; without it they wait as long as it takes.
    pub(crate) timer: Option<Timer>,
    /// What lets computations in; None: all of them.
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    /// What lets those in that have no lease, where that lets all in; None without stores.
    pub(crate) without_lease: Option<Arc<Bulkhead>>,
}

impl Patience {
    /// What lets a computation in, and how long it waits for that: as long as it takes where its user has set the bound, and no longer
    /// than for others where only the want of a lease keeps it.
    pub(crate) fn admits(&self, has_lease: bool) -> (Option<&Arc<Bulkhead>>, Option<Duration>) {
        match (&self.bulkhead, &self.without_lease) {
            (None, Some(bulkhead)) if !has_lease => {
                (Some(bulkhead), Some(self.wait.unwrap_or(WITHOUT_LEASE)))
            }
            (bulkhead, _) => (bulkhead.as_ref(), None),
        }
    }
}

/// What makes a caller's outcome of an error of the cache; None for calls that are under no limit of time.
pub(crate) struct Refuse<R>(pub(crate) Option<R>);

/// The times of one call.
pub(crate) struct Times<R> {
    /// Since when the hard limit counts, where there is one.
    begun: Option<Instant>,
    wait: Option<Duration>,
    soft: Option<Duration>,
    hard: Option<Duration>,
    refuse: Option<R>,
}

impl<R> Times<R> {
    /// Those of a call that begins now.
    pub(crate) fn new(policy: &Policy, patience: &Patience, Refuse(refuse): Refuse<R>) -> Self {
        let is_limited = refuse.is_some();
        let hard = policy.hard_limit.filter(|_| is_limited);
        Self {
            begun: hard.map(|_| Instant::now()),
            wait: patience.wait,
            soft: policy.soft_limit.filter(|_| is_limited),
            hard,
            refuse,
        }
    }

    /// How much time the call has left, if it has an end.
    fn left(&self) -> Option<Duration> {
        let (hard, begun) = self.hard.zip(self.begun)?;
        Some(hard.saturating_sub(begun.elapsed()))
    }

    /// What ends a wait for somebody else's computation, and after how long.
    pub(crate) fn of_wait(&self) -> (End, Option<Duration>) {
        match (self.left(), self.wait) {
            (Some(left), Some(wait)) if wait < left => (End::Wait, Some(wait)),
            (None, wait) => (End::Wait, wait),
            (left, _) => (End::Call, left),
        }
    }

    /// For how long to wait for one's own computation: first while there is an old value, then at all.
    pub(crate) fn of_computation(&self, has_old: bool) -> Vec<Option<Duration>> {
        let hard = self.left();
        match self.soft.filter(|_| has_old) {
            Some(soft) => vec![Some(soft), hard.map(|hard| hard.saturating_sub(soft))],
            None => vec![hard],
        }
    }

    /// The outcome of a call whose time is over, or whose computation is gone: as an error says it.
    pub(crate) fn refuse<O>(self, name: &str, is_over: bool) -> O
    where
        R: FnOnce(Error) -> O,
    {
        let error = match self.hard.filter(|_| is_over) {
            Some(limit) => Error::new(
                ErrorKind::Timeout,
                format!("{name} took longer than its hard_timeout of {limit:?}"),
                "write a longer hard_timeout, or keep an old value to serve with stale_if_error",
            ),
            None => Error::new(
                ErrorKind::Unsupported,
                format!("the computation of {name} ended without a value"),
                "it panicked, or what `background` or `spawn` gave it to dropped it: see that there is room",
            ),
        };
        let refuse = self.refuse.expect("only calls under a limit are refused");
        refuse(error)
    }
}

/// Waits on this thread until there is an outcome; None if the limit is over first.
pub(crate) fn park_within<T>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    limit: Option<Duration>,
) -> Option<T> {
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    let parker = Parker::new();
    let waker = parker.waker();
    loop {
        if let Poll::Ready(outcome) = poll(&mut Context::from_waker(&waker)) {
            return Some(outcome);
        }
        let left = end.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return None;
        }
        parker.park(left);
    }
}

/// Waits in this task until there is an outcome; None if the limit is over first.
pub(crate) async fn await_within<T>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    (limit, timer): (Option<Duration>, Option<&Timer>),
) -> Option<T> {
    let mut over = limit.zip(timer).map(|(limit, timer)| timer(limit));
    poll_fn(|task| {
        if let Poll::Ready(outcome) = poll(task) {
            return Poll::Ready(Some(outcome));
        }
        match &mut over {
            Some(over) => over.as_mut().poll(task).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
