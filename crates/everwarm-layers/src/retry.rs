//! The layer of second attempts: a read that failed for the moment is done once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use everwarm_core::clock::Clock;
use everwarm_core::draw::Draw;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::retry::{Budget, Terms, full_jitter, is_worth};
use everwarm_core::store::{Answer, Failure, FailureKind};

use crate::Timer;
use crate::timer::within;

/// Does reads a second time, after a pause of chance, while that stays a tenth of all reads.
///
/// - Counters, leases, writes and all that changes something is done once.
/// - Both attempts and the pause take no longer together than the deadline of one.
pub struct Retry {
    terms: Terms,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    draw: Arc<dyn Draw>,
    budget: AtomicU32,
    again: AtomicU64,
}

impl Retry {
    /// Second attempts by these terms, with a full budget.
    #[must_use]
    pub fn new(
        terms: Terms,
        clock: Arc<dyn Clock>,
        timer: Arc<dyn Timer>,
        draw: Arc<dyn Draw>,
    ) -> Self {
        Self {
            terms,
            clock,
            timer,
            draw,
            budget: AtomicU32::new(Budget::FULL.number()),
            again: AtomicU64::new(0),
        }
    }

    /// How many second attempts there were.
    #[must_use]
    pub fn again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }

    fn earn(&self) {
        // Nearly always it is full, and nothing is written.
        if self.budget.load(Ordering::Relaxed) != Budget::FULL.number() {
            self.change(|budget| Some(budget.earned()));
        }
    }

    fn change(&self, to: impl Fn(Budget) -> Option<Budget>) -> bool {
        let changed = |number| to(Budget::from_number(number)).map(Budget::number);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        self.budget.fetch_update(set, get, changed).is_ok()
    }

    async fn twice<'a, T: Send + 'a>(
        &'a self,
        first: Answer<'a, T>,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Result<T, Failure> {
        let begun = self.clock.now();
        let failure = match first.await {
            Err(failure) if is_worth(failure.kind) => failure,
            other => return other,
        };
        let pause = full_jitter(self.terms.pause, &*self.draw);
        let spent = self.clock.now().since(begun) + pause;
        let left = self.terms.deadline.saturating_sub(spent);
        if left.is_zero() || !self.change(Budget::spent) {
            return Err(failure);
        }
        self.timer.after(pause).await;
        self.again.fetch_add(1, Ordering::Relaxed);
        match within(attempt(), &*self.timer, Some(&*self.clock), left).await {
            Some(result) => result,
            None => Err(late()),
        }
    }
}

impl Layer for Retry {
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        if verb != Verb::Read {
            return attempt();
        }
        self.earn();
        match attempt() {
            Answer::Now(Err(failure)) if is_worth(failure.kind) => {
                Answer::later(self.twice(Answer::failed(failure), attempt))
            }
            Answer::Later(first) => Answer::later(self.twice(Answer::Later(first), attempt)),
            there => there,
        }
    }
}

fn late() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "a read failed, and failed to come within its time when it was done again",
        "see whether the store is overloaded or out of reach",
    )
}
