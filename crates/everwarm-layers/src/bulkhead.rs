//! The layer of bounded concurrency: so many operations at once, so many that wait for their turn, and no more.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};

use crate::Timer;
use crate::shim::Mutex;

/// How many operations there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Berths {
    /// At once.
    pub at_once: usize,
    /// Waiting for their turn.
    pub waiting: usize,
    /// How long they wait.
    pub wait: Duration,
}

/// Lets so many operations through at once.
///
/// - Who finds no place waits, in the order of arrival; who finds that as many wait as may, or has waited for long enough, fails as
///   capacity.
/// - A place that is free is taken by who comes first, newcomer or not: it is never kept for a waiter that nobody looks after.
/// - Pings and the end pass.
pub struct Bulkhead {
    berths: Berths,
    timer: Arc<dyn Timer>,
    places: Mutex<Places>,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Places {
    free: usize,
    next: u64,
    /// Who waits, by arrival; without a waker who was woken and has not run yet.
    waiting: BTreeMap<u64, Option<Waker>>,
}

impl Places {
    fn take(&mut self) -> bool {
        let is_free = self.free > 0;
        self.free -= usize::from(is_free);
        is_free
    }

    /// The first who was not woken yet.
    fn first(&mut self) -> Option<Waker> {
        self.waiting.values_mut().find_map(Option::take)
    }
}

impl Bulkhead {
    /// Places for so many operations, all free; waits are ended by `timer`.
    #[must_use]
    pub fn new(berths: Berths, timer: Arc<dyn Timer>) -> Self {
        Self {
            berths,
            timer,
            places: Mutex::new(Places {
                free: berths.at_once,
                next: 0,
                waiting: BTreeMap::new(),
            }),
            refused: AtomicU64::new(0),
        }
    }

    /// How many operations it has failed.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// A place, if one is free; None if there is room to wait for one.
    fn try_place(&self) -> Result<Option<Place<'_>>, Failure> {
        let mut places = self.places.lock();
        if places.take() {
            return Ok(Some(Place(self)));
        }
        if places.waiting.len() < self.berths.waiting {
            return Ok(None);
        }
        drop(places);
        Err(self.refuse())
    }

    /// A place, waited for as long as may be.
    async fn place(&self) -> Result<Place<'_>, Failure> {
        if let Some(place) = self.try_place()? {
            return Ok(place);
        }
        let mut waiter = Waiter {
            bulkhead: self,
            number: None,
        };
        let mut end = self.timer.after(self.berths.wait);
        poll_fn(move |context| match waiter.poll(context) {
            Poll::Pending => match end.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Err(self.refuse())),
                Poll::Pending => Poll::Pending,
            },
            ready => ready,
        })
        .await
    }

    fn refuse(&self) -> Failure {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let Berths {
            at_once, waiting, ..
        } = self.berths;
        Failure::new(
            FailureKind::Capacity,
            format!(
                "the store was not asked: {at_once} operations are under way, and up to {waiting} wait"
            ),
            "raise `bulkhead`, or see whether the store is overloaded",
        )
    }

    fn wake(&self, waker: Option<Waker>) {
        // Outside the lock: what is woken may run at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Layer for Bulkhead {
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        if matches!(verb, Verb::Life | Verb::Listen) {
            return attempt();
        }
        let later = match self.try_place() {
            Err(failure) => return Answer::failed(failure),
            Ok(None) => None,
            Ok(Some(place)) => match attempt().now() {
                Ok(result) => return Answer::Now(result),
                // What is not awaited yet does nothing, and needs no place.
                Err(later) => {
                    drop(place);
                    Some(later)
                }
            },
        };
        Answer::later(async move {
            let _place = self.place().await?;
            match later {
                Some(later) => later.await,
                None => attempt().await,
            }
        })
    }
}

/// A place among those that are let through, which is free again when this is dropped.
struct Place<'a>(&'a Bulkhead);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.0.places.lock();
        places.free += 1;
        let first = places.first();
        drop(places);
        self.0.wake(first);
    }
}

/// Who waits for a place. One that is dropped gives on the place that it was woken for.
struct Waiter<'a> {
    bulkhead: &'a Bulkhead,
    /// Its number, from when it waits.
    number: Option<u64>,
}

impl<'a> Waiter<'a> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Place<'a>, Failure>> {
        let mut places = self.bulkhead.places.lock();
        if places.take() {
            if let Some(number) = self.number.take() {
                places.waiting.remove(&number);
            }
            return Poll::Ready(Ok(Place(self.bulkhead)));
        }
        let number = match self.number {
            Some(number) => number,
            None if places.waiting.len() >= self.bulkhead.berths.waiting => {
                drop(places);
                return Poll::Ready(Err(self.bulkhead.refuse()));
            }
            None => {
                places.next += 1;
                *self.number.insert(places.next)
            }
        };
        let old = places.waiting.insert(number, Some(context.waker().clone()));
        drop(places);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let mut places = self.bulkhead.places.lock();
        let own = places.waiting.remove(&number);
        let was_woken = matches!(own, Some(None));
        let next = if was_woken && places.free > 0 {
            places.first()
        } else {
            None
        };
        drop(places);
        drop(own);
        self.bulkhead.wake(next);
    }
}
