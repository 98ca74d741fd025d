//! Answers that come later, waited for on the calling thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use everwarm_core::store::{Answer, Failure, FailureKind};

/// The longest that any answer may take here.
const PATIENCE: Duration = Duration::from_secs(30);

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The answer, once it is there.
///
/// # Errors
/// The store's failure, or one of kind timeout if the answer does not come within half a minute.
pub fn wait<T>(answer: Answer<'_, T>) -> Result<T, Failure> {
    let mut answer = pin!(answer);
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let until = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(result) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::new(
                FailureKind::Timeout,
                format!("the store gave no answer within {PATIENCE:?}"),
                "see whether it wakes the task that waits for it",
            ));
        }
        thread::park_timeout(left);
    }
}

/// Begins to wait for an answer, and walks away.
pub(crate) fn abandon<T>(answer: Answer<'_, T>) {
    let mut answer = pin!(answer);
    let _ = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}
