//! A world that tests move by hand: its clock, its timer, its chance, and answers that are given when the test says so.
#![allow(dead_code)]

pub(crate) mod shelf;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use everwarm_conformance::ManualClock;
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::draw::{Draw, FixedDraw};
use everwarm_core::store::{Answer, Failure, FailureKind};
use everwarm_layers::{Means, Timer};

/// A clock and its timer. What waits for a time sees that it has come when it is polled.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<ManualClock>);

impl World {
    pub(crate) fn pass(&self, span: Duration) {
        self.0.advance(span);
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    pub(crate) fn timer(&self) -> Arc<dyn Timer> {
        Arc::new(self.clone())
    }

    pub(crate) fn means(&self) -> Means {
        Means {
            clock: self.clock(),
            timer: self.timer(),
            draw: draw(1.0),
            tracer: None,
        }
    }
}

pub(crate) fn draw(unit: f64) -> Arc<dyn Draw> {
    Arc::new(FixedDraw(unit))
}

impl Clock for World {
    fn now(&self) -> Instant {
        self.0.now()
    }
}

impl Timer for World {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let end = self.now().after(span);
        Box::pin(poll_fn(move |_| match self.now() >= end {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }
}

/// An answer that is given later, by the test.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Behind>>);

/// What is behind a gate: the answer, and who waits for it.
type Behind = (Option<Result<u32, FailureKind>>, Option<Waker>);

impl Gate {
    pub(crate) fn give(&self, result: Result<u32, FailureKind>) {
        let mut gate = self.0.lock().expect("no test panics");
        gate.0 = Some(result);
        if let Some(waker) = gate.1.take() {
            waker.wake();
        }
    }

    pub(crate) fn answer<'a>(&self) -> Answer<'a, u32> {
        let gate = self.clone();
        Answer::later(poll_fn(move |context| {
            let mut gate = gate.0.lock().expect("no test panics");
            match gate.0 {
                Some(result) => Poll::Ready(result.map_err(failure)),
                None => {
                    gate.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

pub(crate) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "what happened", "what to do")
}

pub(crate) fn failed<'a, T>(kind: FailureKind) -> Answer<'a, T> {
    Answer::failed(failure(kind))
}

/// What an answer is by now: None, if it is still to come. Failures by their kind.
pub(crate) fn look<T>(answer: &mut Answer<'_, T>) -> Option<Result<T, FailureKind>> {
    look_with(answer, Waker::noop())
}

pub(crate) fn look_with<T>(
    answer: &mut Answer<'_, T>,
    waker: &Waker,
) -> Option<Result<T, FailureKind>> {
    match Pin::new(answer).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(result) => Some(result.map_err(|failure| failure.kind)),
        Poll::Pending => None,
    }
}

/// What an answer is that is there, or comes when it is first looked at.
pub(crate) fn now<T>(mut answer: Answer<'_, T>) -> Result<T, FailureKind> {
    look(&mut answer).expect("the answer is there")
}

/// Counts how often it is woken.
#[derive(Default)]
pub(crate) struct Bell(AtomicUsize);

impl Bell {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    pub(crate) fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
