//! A computation that runs elsewhere, and its caller's end of it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// What a caller keeps of a computation that runs elsewhere.
pub(crate) struct Errand<T>(Arc<Mutex<State<T>>>);

/// What the computation gives its outcome to. Dropping it says that there is none.
pub(crate) struct Reply<T>(Arc<Mutex<State<T>>>);

enum State<T> {
    Running(Option<Waker>),
    Done(T),
    Gone,
}

impl<T> Errand<T> {
    pub(crate) fn new() -> (Self, Reply<T>) {
        let state = Arc::new(Mutex::new(State::Running(None)));
        (Self(Arc::clone(&state)), Reply(state))
    }

    /// The outcome, once; None if it ended without.
    pub(crate) fn poll(&self, task: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut *state, State::Gone) {
            State::Done(outcome) => Poll::Ready(Some(outcome)),
            State::Gone => Poll::Ready(None),
            State::Running(_) => {
                *state = State::Running(Some(task.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl<T> Reply<T> {
    pub(crate) fn give(self, outcome: T) {
        self.end(State::Done(outcome));
    }

    fn end(&self, end: State<T>) {
        let mut state = self.0.lock();
        let State::Running(waker) = &mut *state else {
            return;
        };
        let waker = waker.take();
        *state = end;
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.end(State::Gone);
    }
}
