//! The alarms of one runtime: one timer for all who let time pass.
//!
//! Nearly all time limits are over before they count. To set and to end a timer of the runtime's for each would wake its threads each
//! time; here who comes only leaves a place, and one task looks when the earliest that it knew of is due. It is woken before only for
//! one that is earlier still.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Who waits for which instant.
#[derive(Default)]
pub(crate) struct Alarms {
    state: Mutex<State>,
    /// Somebody waits for less than the task does.
    earlier: Notify,
}

#[derive(Default)]
struct State {
    /// By their instants; numbered, since several may have the same.
    waiting: BTreeMap<(Instant, u64), Waker>,
    last: u64,
    /// When the task looks again, if it does.
    looks_at: Option<Instant>,
}

impl Alarms {
    /// The alarms of a runtime, which tells those who wait.
    pub(crate) fn of(runtime: &Handle) -> Arc<Self> {
        let alarms = Arc::new(Self::default());
        runtime.spawn(tell(Arc::clone(&alarms)));
        alarms
    }

    /// Is over after so long.
    pub(crate) fn after(self: &Arc<Self>, span: Duration) -> Alarm {
        let now = Instant::now();
        // What lies beyond the end of time is as good as a century.
        let at = now.checked_add(span).unwrap_or(now + CENTURY);
        Alarm {
            alarms: Arc::clone(self),
            at,
            number: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all who are due; when it is to be done again.
    fn ring(&self) -> Option<Instant> {
        let mut state = self.state();
        let later = state.waiting.split_off(&(Instant::now(), u64::MAX));
        let due = std::mem::replace(&mut state.waiting, later);
        let next = state.waiting.first_key_value().map(|((at, _), _)| *at);
        state.looks_at = next;
        drop(state);
        due.into_values().for_each(Waker::wake);
        next
    }
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Tells those who wait, for as long as the runtime runs.
async fn tell(alarms: Arc<Alarms>) {
    loop {
        let earlier = alarms.earlier.notified();
        match alarms.ring() {
            None => earlier.await,
            // Either is a reason to look.
            Some(at) => drop(timeout_at(at, earlier).await),
        }
    }
}

/// One who waits for an instant.
pub(crate) struct Alarm {
    alarms: Arc<Alarms>,
    at: Instant,
    number: Option<u64>,
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let at = self.at;
        let mut state = self.alarms.state();
        let number = self.number.unwrap_or_else(|| {
            state.last += 1;
            state.last
        });
        let old = state.waiting.insert((at, number), context.waker().clone());
        let is_earlier = state.looks_at.is_none_or(|looks_at| at < looks_at);
        if is_earlier {
            state.looks_at = Some(at);
        }
        drop(state);
        drop(old);
        if is_earlier {
            self.alarms.earlier.notify_one();
        }
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let old = self.alarms.state().waiting.remove(&(self.at, number));
            drop(old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    /// What is given in a runtime whose time goes on as soon as nothing else does.
    fn at_once<T>(work: impl AsyncFnOnce(Arc<Alarms>) -> T) -> T {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("it needs no thread");
        runtime.block_on(work(Alarms::of(runtime.handle())))
    }

    #[test]
    fn each_is_told_at_its_time_and_in_its_order() {
        at_once(async |alarms| {
            let begun = Instant::now();
            let told = |seconds: u64| {
                let alarm = alarms.after(Duration::from_secs(seconds));
                async move {
                    alarm.await;
                    (seconds, begun.elapsed().as_secs())
                }
            };
            let told = [5, 1, 3, 3].map(|seconds| tokio::spawn(told(seconds)));
            for task in told {
                let (seconds, elapsed) = task.await.expect("it ends");
                assert_eq!(seconds, elapsed);
            }
        });
    }

    #[test]
    fn who_does_not_wait_any_longer_leaves_nothing() {
        at_once(async |alarms| {
            let long =
                tokio::time::timeout(Duration::from_secs(1), alarms.after(Duration::from_secs(9)));
            assert!(long.await.is_err());
            assert!(alarms.state().waiting.is_empty());
            alarms.after(Duration::from_secs(2)).await;
            alarms.after(Duration::ZERO).await;
            assert!(alarms.state().waiting.is_empty());
            let mut endless = alarms.after(Duration::MAX);
            let waker = Waker::noop();
            let polled = Pin::new(&mut endless).poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        });
    }
}
