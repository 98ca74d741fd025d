//! Driving what stores are asked: on a thread, which parks, or step by step for a task.
//!
//! Embedded stores answer in the first step. What has to wait for another process sleeps by an alarm: it notes when it wants to
//! be asked again, and whoever drives it sees to that.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_engine::stack::Sleep;
use pyo3::prelude::*;

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
    /// It is to be asked again after this time.
    Again(Duration),
}

/// Asks once.
pub(crate) fn step<F: Future + Unpin>(future: &mut F) -> Step<F::Output> {
    AGAIN.set(None);
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Step::Done(answer),
        Poll::Pending => {
            let again = AGAIN
                .take()
                .map(|at| at.saturating_duration_since(Instant::now()));
            Step::Again(again.unwrap_or(SIGNALS))
        }
    }
}

/// Asks once, with nothing of what was met before.
pub(crate) fn step_calmly<F: Future + Unpin>(future: &mut F) -> Step<F::Output> {
    codec::calm();
    step(future)
}

/// Asks until there is an answer, and parks meanwhile; the interpreter is free for others, and signals are seen.
pub(crate) fn drive<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future + Send,
    F::Output: Send,
{
    codec::calm();
    let mut future = Box::pin(future);
    loop {
        let left = match py.detach(|| step(&mut future)) {
            Step::Done(answer) => return Ok(answer),
            Step::Again(left) => left,
        };
        py.detach(|| thread::sleep(left.min(SIGNALS)));
        py.check_signals()?;
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

/// As [`drive`], for what is short and must not be left half done: signals are seen afterwards.
pub(crate) fn finish<F>(py: Python<'_>, future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    codec::calm();
    let mut future = Box::pin(future);
    loop {
        match py.detach(|| step(&mut future)) {
            Step::Done(answer) => return answer,
            Step::Again(left) => py.detach(|| thread::sleep(left)),
        }
    }
}
