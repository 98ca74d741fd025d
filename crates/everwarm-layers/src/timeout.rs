//! The layer of time limits: an answer that comes too late is a failure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::deadline::{Pace, allowance};
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};

use crate::Timer;
use crate::shim::Mutex;
use crate::timer::within;

/// How much longer than a single operation one over all entries may take.
const ALL: u32 = 100;

/// Bounds how long an answer is waited for: by a deadline for the operation, and 10 ms for each MiB of it.
///
/// Answers that are there at once pass without a look at the time. What is late is abandoned: whether it was done is not
/// known. What goes over all entries is given a hundred times the deadline.
pub struct Timeout<T> {
    timer: T,
    deadline: Duration,
    pace: Option<(Arc<dyn Clock>, Mutex<Pace>)>,
}

impl<T: Timer> Timeout<T> {
    /// The deadline of stores that are near: 50 ms.
    pub const NEAR: Duration = Duration::from_millis(50);

    /// Waits for an answer as long as `deadline`.
    pub const fn new(timer: T, deadline: Duration) -> Self {
        Self {
            timer,
            deadline,
            pace: None,
        }
    }

    /// Waits for an answer three times as long as nearly all took lately, by `clock`, and never longer than `deadline`.
    pub fn adaptive(timer: T, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            timer,
            deadline,
            pace: Some((clock, Mutex::new(Pace::new(deadline)))),
        }
    }

    /// How long an answer is waited for that has no size.
    pub fn limit(&self) -> Duration {
        match &self.pace {
            Some((clock, pace)) => pace.lock().limit(clock.now()),
            None => self.deadline,
        }
    }

    async fn timed<'a, R: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        answer: Answer<'a, R>,
    ) -> Result<R, Failure> {
        let (more, limit) = match verb {
            Verb::All => return self.bounded(verb, answer, self.deadline * ALL).await,
            Verb::Life | Verb::Listen => return self.bounded(verb, answer, self.deadline).await,
            Verb::Read | Verb::Write | Verb::Change => (allowance(size), self.limit()),
        };
        let Some((clock, pace)) = &self.pace else {
            return self.bounded(verb, answer, limit + more).await;
        };
        let begun = clock.now();
        let result = self.bounded(verb, answer, limit + more).await;
        if result.is_ok() {
            let now = clock.now();
            pace.lock()
                .succeeded(now.since(begun).saturating_sub(more), now);
        }
        result
    }

    async fn bounded<R>(
        &self,
        verb: Verb,
        answer: Answer<'_, R>,
        limit: Duration,
    ) -> Result<R, Failure> {
        let clock = self.pace.as_ref().map(|(clock, _)| &**clock);
        let result = within(answer, &self.timer, clock, limit).await;
        result.unwrap_or_else(|| Err(late(verb, limit)))
    }
}

impl<T: Timer> Layer for Timeout<T> {
    fn around<'a, R: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, R> + Send + Sync + 'a,
    ) -> Answer<'a, R> {
        match attempt().now() {
            Ok(there) => Answer::Now(there),
            Err(later) => Answer::later(self.timed(verb, size, later)),
        }
    }
}

impl<T> fmt::Debug for Timeout<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Timeout")
            .field("deadline", &self.deadline)
            .field("is_adaptive", &self.pace.is_some())
            .finish_non_exhaustive()
    }
}

fn late(verb: Verb, limit: Duration) -> Failure {
    let what = match verb {
        Verb::Read => "a read",
        Verb::Write => "a write",
        Verb::Change => "a change",
        Verb::All => "a clear or sweep",
        Verb::Life => "a ping or close",
        Verb::Listen => "a look at what others did",
    };
    Failure::new(
        FailureKind::Timeout,
        format!("{what} got no answer from the store within {limit:?}"),
        "see whether the store is overloaded or out of reach",
    )
}
