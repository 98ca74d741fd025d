//! The layer of bounded concurrency: so many operations at once, so many that wait for their turn, and no more.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
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
    /// How long they wait while the store answers nobody: two of these.
    pub wait: Duration,
    /// How long they wait while it answers others.
    pub longest: Duration,
}

/// Lets so many operations through at once.
///
/// - Who finds no place waits, in the order of arrival, for as long as the store answers others. Who finds that as many wait as may,
///   that it answers nobody, or that it has waited for long enough, fails as capacity.
/// - A place that is free is taken by who comes first, newcomer or not: it is never kept for a waiter that nobody looks after.
/// - Pings and the end pass.
pub struct Bulkhead {
    berths: Berths,
    timer: Arc<dyn Timer>,
    clock: Arc<dyn Clock>,
    places: Mutex<Places>,
    /// How many wait.
    line: Arc<AtomicU32>,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Places {
    free: usize,
    next: u64,
    /// Who waits, by arrival; without a waker who was woken and has not run yet.
    waiting: BTreeMap<u64, Option<Waker>>,
    /// When the store answered last.
    answered: Instant,
    /// How often it was found that it answers nobody.
    alarms: u64,
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

    /// Has all look whether the store still answers: who is to be woken.
    fn alarm(&mut self) -> Vec<Waker> {
        self.alarms += 1;
        self.waiting.values_mut().filter_map(Option::take).collect()
    }
}

impl Bulkhead {
    /// Places for so many operations, all free; waits are measured by `clock` and ended by `timer`.
    #[must_use]
    pub fn new(berths: Berths, timer: Arc<dyn Timer>, clock: Arc<dyn Clock>) -> Self {
        Self {
            berths,
            timer,
            clock,
            places: Mutex::new(Places {
                free: berths.at_once,
                next: 0,
                waiting: BTreeMap::new(),
                answered: Instant::ZERO,
                alarms: 0,
            }),
            line: Arc::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// How many wait, now and later.
    #[must_use]
    pub fn line(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.line)
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
            return Ok(Some(Place::of(self)));
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
        let mut patience = Patience::new(self);
        poll_fn(move |context| match waiter.poll(context) {
            Poll::Pending if patience.is_over(context) => Poll::Ready(Err(self.refuse())),
            Poll::Pending => Poll::Pending,
            ready => ready,
        })
        .await
    }

    /// Has all who wait look whether the store still answers.
    fn alarm(&self) {
        let woken = self.places.lock().alarm();
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether it has answered nobody since then for as long as is waited for that.
    fn is_silent(&self, since: Instant) -> bool {
        self.clock.now().since(since) >= self.berths.wait.saturating_mul(2)
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
        .unasked()
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
                Ok(result) => {
                    place.ends(&result);
                    return Answer::Now(result);
                }
                // What is not awaited yet does nothing, and needs no place.
                Err(later) => {
                    drop(place);
                    Some(later)
                }
            },
        };
        Answer::later(async move {
            let place = self.place().await?;
            let result = match later {
                Some(later) => later.await,
                None => attempt().await,
            };
            place.ends(&result);
            result
        })
    }
}

/// A place among those that are let through, which is free again when this is dropped.
struct Place<'a> {
    bulkhead: &'a Bulkhead,
    /// Whether the store answered, once that is known.
    answered: Option<bool>,
}

impl<'a> Place<'a> {
    const fn of(bulkhead: &'a Bulkhead) -> Self {
        Self {
            bulkhead,
            answered: None,
        }
    }

    /// Its operation has ended so.
    fn ends<T>(mut self, result: &Result<T, Failure>) {
        self.answered = Some(match result {
            Ok(_) => true,
            Err(failure) => !matches!(failure.kind, FailureKind::Transient | FailureKind::Timeout),
        });
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let bulkhead = self.bulkhead;
        let mut places = bulkhead.places.lock();
        places.free += 1;
        if places.waiting.is_empty() && self.answered != Some(true) {
            return;
        }
        let mut woken = Vec::new();
        match self.answered {
            Some(true) => places.answered = bulkhead.clock.now(),
            Some(false) if bulkhead.is_silent(places.answered) => woken = places.alarm(),
            Some(false) | None => {}
        }
        woken.extend(places.first());
        drop(places);
        // Outside the lock: what is woken may run at once.
        woken.into_iter().for_each(Waker::wake);
    }
}

/// How long who waits goes on waiting.
struct Patience<'a> {
    bulkhead: &'a Bulkhead,
    begun: Instant,
    /// When the store had answered last, and how often alarm was given, at the last look.
    seen: (Instant, u64),
    /// Whether it had answered nobody by then.
    is_silent: bool,
    span: Duration,
    end: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

impl<'a> Patience<'a> {
    fn new(bulkhead: &'a Bulkhead) -> Self {
        let places = bulkhead.places.lock();
        let seen = (places.answered, places.alarms);
        drop(places);
        Self {
            bulkhead,
            begun: bulkhead.clock.now(),
            seen,
            is_silent: false,
            span: bulkhead.berths.wait,
            end: bulkhead.timer.after(bulkhead.berths.wait),
        }
    }

    /// Whether it is over. Nothing is concluded from one look: the loop of who waits, which takes in the answers, may have stood still.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let bulkhead = self.bulkhead;
        loop {
            let is_due = self.end.as_mut().poll(context).is_ready();
            let places = bulkhead.places.lock();
            let seen = (places.answered, places.alarms);
            drop(places);
            if seen.1 != self.seen.1 && bulkhead.is_silent(self.begun.max(seen.0)) {
                return true;
            }
            let has_answered = seen.0 != self.seen.0;
            self.seen.1 = seen.1;
            if !is_due {
                return false;
            }
            let waited = bulkhead.clock.now().since(self.begun);
            let left = bulkhead.berths.longest.saturating_sub(waited);
            if left.is_zero() {
                return true;
            }
            if !has_answered && self.is_silent {
                bulkhead.alarm();
                return true;
            }
            self.seen = seen;
            self.is_silent = !has_answered;
            // Where it answers, there is ever less to look for: a long line would do little else.
            self.span = match has_answered {
                true => self.span.saturating_mul(2).min(left),
                false => bulkhead.berths.wait,
            };
            self.end = bulkhead.timer.after(self.span);
        }
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
                self.bulkhead.line.fetch_sub(1, Ordering::Relaxed);
            }
            return Poll::Ready(Ok(Place::of(self.bulkhead)));
        }
        let number = match self.number {
            Some(number) => number,
            None if places.waiting.len() >= self.bulkhead.berths.waiting => {
                drop(places);
                return Poll::Ready(Err(self.bulkhead.refuse()));
            }
            None => {
                self.bulkhead.line.fetch_add(1, Ordering::Relaxed);
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
        self.bulkhead.line.fetch_sub(1, Ordering::Relaxed);
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
