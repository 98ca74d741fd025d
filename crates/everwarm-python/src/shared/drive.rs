//! Driving what stores are asked: on a thread, which parks, or step by step for a task.
//!
//! Embedded stores answer in the first step, and so does every store that may block the thread. Others have their driver woken. What
//! has to wait for another process sleeps by an alarm: it notes when it wants to be asked again, and whoever drives it sees to that.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use everwarm_engine::Parker;
use everwarm_engine::stack::Sleep;
use everwarm_runtime::waiting;
use pyo3::prelude::*;

use crate::ring::Ring;
use crate::waiting::SIGNALS;

use super::codec;

thread_local! {
    /// When what is being asked on this thread wants to be asked again.
    static AGAIN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Sleeps by noting when to be asked again.
#[derive(Debug)]
pub(crate) struct Alarm;

struct Nap(Instant);

impl Future for Nap {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.0 {
            return Poll::Ready(());
        }
        AGAIN.set(Some(AGAIN.get().map_or(self.0, |other| other.min(self.0))));
        Poll::Pending
    }
}

impl Sleep for Alarm {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Nap(Instant::now() + span))
    }
}

/// What a step came to.
pub(crate) enum Step<T> {
    /// The answer.
    Done(T),
    /// It is to be asked again once its waker is called, or after this time.
    Again(Duration),
}

/// Asks once.
fn step<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Step<F::Output> {
    AGAIN.set(None);
    match Pin::new(future).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(answer) => Step::Done(answer),
        Poll::Pending => Step::Again(AGAIN.take().map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        })),
    }
}

/// Asks once, as a thread that only waits, and without a waker: what is embedded needs none.
pub(crate) fn first_step<F: Future + Unpin>(future: &mut F) -> Step<F::Output> {
    waiting(|| step(future, Waker::noop()))
}

/// As [`step_calmly`], for a task that this waker wakes.
pub(crate) fn step_awaited<F>(py: Python<'_>, future: &mut F, waker: &Waker) -> Step<F::Output>
where
    F: Future + Unpin + Send,
    F::Output: Send,
{
    codec::calm();
    py.detach(|| step(future, waker))
}

/// Asks once, detached and with nothing of what was met before. Without a ring nobody is woken, and it is to be asked again with one.
pub(crate) fn step_calmly<F>(py: Python<'_>, future: &mut F, ring: Option<&Ring>) -> Step<F::Output>
where
    F: Future + Unpin + Send,
    F::Output: Send,
{
    codec::calm();
    let waker = ring.map_or(Waker::noop(), Ring::waker);
    py.detach(|| match ring {
        Some(ring) if ring.is_thread() => waiting(|| step(future, waker)),
        _ => step(future, waker),
    })
}

/// Asks until there is an answer, and parks meanwhile; the interpreter is free for others, and signals are seen.
///
/// # Errors
/// What a signal's handler raised: what was asked is walked away from, and whether it was done is not known. The stack leaves nothing
/// half done then; memory is the caller's to put right.
pub(crate) fn drive<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future + Send,
    F::Output: Send,
{
    codec::calm();
    let mut future = Box::pin(future);
    match py.detach(|| first_step(&mut future)) {
        Step::Done(answer) => return Ok(answer),
        Step::Again(_) => py.check_signals()?,
    }
    let parker = Parker::new();
    loop {
        if let Some(answer) = py.detach(|| turn(&mut future, &parker)) {
            return Ok(answer);
        }
        py.check_signals()?;
    }
}

/// As [`drive`], of what has a time limit of its own: nothing is asked by I/O that blocks this thread, and so outlasts it.
pub(crate) fn drive_calmly<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future + Send,
    F::Output: Send,
{
    codec::calm();
    let mut future = Box::pin(future);
    let parker = Parker::new();
    loop {
        let turned = py.detach(|| {
            let until = Instant::now() + SIGNALS;
            parked(until, &parker, || step(&mut future, &parker.waker()))
        });
        if let Some(answer) = turned {
            return Ok(answer);
        }
        py.check_signals()?;
    }
}

/// Asks, and parks until it is time to look for signals; None then.
fn turn<F: Future + Unpin>(future: &mut F, parker: &Parker) -> Option<F::Output> {
    let waker = parker.waker();
    let until = Instant::now() + SIGNALS;
    parked(until, parker, || waiting(|| step(future, &waker)))
}

/// Asks by `step`, and parks in between, until that time at most.
fn parked<T>(until: Instant, parker: &Parker, mut step: impl FnMut() -> Step<T>) -> Option<T> {
    loop {
        let left = match step() {
            Step::Done(answer) => return Some(answer),
            Step::Again(left) => left,
        };
        let slice = until.saturating_duration_since(Instant::now());
        if slice.is_zero() {
            return None;
        }
        parker.park(left.min(slice));
    }
}

/// What is asked, or None once that has taken longer than `limit`.
pub(crate) async fn within<F: Future + Send>(future: F, limit: Duration) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut nap = None;
    poll_fn(move |context| {
        if let Poll::Ready(answer) = future.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        let nap = nap.get_or_insert_with(|| Nap(Instant::now() + limit));
        Pin::new(nap).poll(context).map(|()| None)
    })
    .await
}
