//! How the tiers are: each is asked whether it answers and what it says of itself, all at once and no longer than a limit.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::deadline;
use everwarm_core::health::{Depth, Remark, Report, Seen, Verdict, judge};
use everwarm_core::store::{Failure, FailureKind, Health, Store};

use super::Stack;
use super::beside::Beside;
use super::level::Level;
use super::sleep::Nap;
use crate::ticker::FineTicker;

/// What was seen of a tier.
#[derive(Clone, Debug)]
pub struct Checkup {
    /// What users call it.
    pub label: Arc<str>,
    /// Where it is, without secrets.
    pub place: String,
    /// How long it took to answer, or why it did not.
    pub answered: Result<Duration, Failure>,
    /// What it said of itself.
    pub report: Report,
    /// Its last failure, and how long ago that was.
    pub last_failure: Option<(FailureKind, Duration)>,
    slow_from: Duration,
}

impl Checkup {
    /// What that means, with what its breaker does if it has one.
    #[must_use]
    pub fn verdict(&self, breaker: Option<everwarm_core::breaker::State>) -> Verdict {
        judge(&Seen {
            answered: self.answered.as_ref().copied(),
            slow_from: self.slow_from,
            breaker,
            remarks: &self.report.remarks,
        })
    }
}

impl Stack {
    pub(super) async fn look_over(self: Arc<Self>, depth: Depth, limit: Duration) -> Vec<Checkup> {
        let clock = FineTicker::of(&self.options.ticker);
        let looks = self.levels().map(|level| {
            let limit = self.options.sleep.sleep(limit);
            level.look_over(depth, &clock, limit)
        });
        let mut seen = all(looks).await;
        let beside = self.beside.as_ref().map(Beside::stack);
        let stacks = [Some(&self), beside].into_iter().flatten();
        let mut at = 0;
        for stack in stacks {
            at += stack.tiers.len();
            let owed = stack.owed.count();
            if owed > 0 {
                seen[at - 1].report.remarks.push(owes(owed));
            }
        }
        seen
    }
}

impl Level {
    async fn look_over(&self, depth: Depth, clock: &FineTicker, mut limit: Nap) -> Checkup {
        let info = self.tier.store.info();
        let health = self.tier.store.health();
        let deadline = health.and_then(Health::deadline);
        let slow_from = deadline.unwrap_or_else(|| deadline::of(info.kind)) / 2;
        let mut answered = self.answers(clock, &mut limit).await;
        if let Ok(took) = answered
            && took >= slow_from
            // It may have been the first, which had to connect.
            && let Ok(again) = self.answers(clock, &mut limit).await
        {
            answered = Ok(took.min(again));
        }
        if let Err(failure) = &answered {
            self.tally.error(failure.kind);
        }
        let report = match (&answered, health.filter(|_| depth > Depth::Ping)) {
            (Ok(_), Some(health)) => {
                let told = within(&mut limit, health.report(depth == Depth::Full)).await;
                let told = told.unwrap_or_else(|| Err(silent(&self.tier.label)));
                told.unwrap_or_else(|failure| untold(&failure))
            }
            _ => Report::default(),
        };
        Checkup {
            label: Arc::clone(&self.tier.label),
            place: info.place,
            answered,
            report,
            last_failure: self.tally.last_failure(),
            slow_from,
        }
    }

    /// How long the store takes to answer.
    async fn answers(&self, clock: &FineTicker, limit: &mut Nap) -> Result<Duration, Failure> {
        let begun = clock.now();
        let answered = within(limit, self.tier.store.ping()).await;
        let answered = answered.unwrap_or_else(|| Err(silent(&self.tier.label)));
        answered.map(|()| clock.now().since(begun))
    }
}

fn silent(label: &str) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!("{label} gave no answer in the time that there was for it"),
        "see whether the server is frozen or overloaded, and whether it can be reached",
    )
}

/// What is said of a store that answers and says nothing of itself.
fn untold(failure: &Failure) -> Report {
    Report {
        facts: Vec::new(),
        remarks: vec![Remark::trouble(
            "report",
            format!(
                "it answers, but says nothing of itself: {}",
                failure.message()
            ),
            failure.hint(),
        )],
    }
}

fn owes(owed: u64) -> Remark {
    Remark::trouble(
        "owed",
        format!(
            "{owed} writes, deletions or invalidations could not be done in it: what they are about is a miss here, and may be \
             found by other processes"
        ),
        "they are repeated until it has taken them",
    )
}

/// What `work` comes to, or None once the limit is over.
async fn within<T>(limit: &mut Nap, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => limit.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// What all of them come to, in their order. Those that answer later are asked first.
async fn all<T: Unpin, F: Future<Output = T>>(works: impl Iterator<Item = F>) -> Vec<T> {
    let mut works: Vec<_> = works.map(|work| (Box::pin(work), None)).collect();
    poll_fn(move |context| {
        let mut is_ready = true;
        // Farther stores are rather those whose answers travel: they do so while nearer ones keep the thread.
        for (work, done) in works.iter_mut().rev().filter(|(_, done)| done.is_none()) {
            match Pin::new(work).poll(context) {
                Poll::Ready(told) => *done = Some(told),
                Poll::Pending => is_ready = false,
            }
        }
        match is_ready {
            true => Poll::Ready(
                works
                    .iter_mut()
                    .filter_map(|(_, done)| done.take())
                    .collect(),
            ),
            false => Poll::Pending,
        }
    })
    .await
}
