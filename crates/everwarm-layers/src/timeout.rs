//! The layer of time limits: an answer that comes too late is a failure.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};

/// What is over after a while; whoever drives the store has one.
pub trait Timer: Send + Sync {
    /// Is over after this span, and wakes who waits for it then.
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The time that each mebibyte is given besides.
const PER_MEBIBYTE: Duration = Duration::from_millis(10);

/// Bounds how long an answer is waited for: by a deadline for the operation, and 10 ms for each MiB of it.
///
/// Answers that are there at once pass without a look at the time. What is late is abandoned: whether it was done is not
/// known.
#[derive(Clone, Debug)]
pub struct Timeout<T> {
    timer: T,
    deadline: Duration,
}

impl<T: Timer> Timeout<T> {
    /// The deadline of stores that are near: 50 ms.
    pub const NEAR: Duration = Duration::from_millis(50);

    /// Waits for an answer as long as `deadline`.
    pub const fn new(timer: T, deadline: Duration) -> Self {
        Self { timer, deadline }
    }

    /// How long an operation of so many bytes may take.
    fn limit(&self, size: usize) -> Duration {
        let micros = size as u128 * PER_MEBIBYTE.as_micros() / (1 << 20);
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.deadline.saturating_add(Duration::from_micros(micros))
    }
}

impl<T: Timer> Layer for Timeout<T> {
    fn around<'a, R: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, R> + Send + Sync + 'a,
    ) -> Answer<'a, R> {
        let mut answer = match attempt().now() {
            Ok(there) => return Answer::Now(there),
            Err(later) => later,
        };
        let limit = self.limit(size);
        let mut end = self.timer.after(limit);
        Answer::later(poll_fn(move |context| {
            if let Poll::Ready(result) = Pin::new(&mut answer).poll(context) {
                return Poll::Ready(result);
            }
            end.as_mut().poll(context).map(|()| Err(late(verb, limit)))
        }))
    }
}

fn late(verb: Verb, limit: Duration) -> Failure {
    let what = match verb {
        Verb::Read => "a read",
        Verb::Write => "a write",
        Verb::Change => "a change",
        Verb::Life => "a ping or close",
    };
    Failure::new(
        FailureKind::Timeout,
        format!("{what} got no answer from the store within {limit:?}"),
        "see whether the store is overloaded or out of reach",
    )
}
