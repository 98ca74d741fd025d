//! Waking threads, a few at a time.
//!
//! When a computation ends that a thousand threads wait for, only one of them can go on: who holds the interpreter. Were all woken
//! at once, the others would fight over it and take longer than one after the other. So a few are woken, and each that has come
//! back wakes the next. On free-threaded builds, where all can go on, all are woken.
//!
//! A place in the queue is never lost: whoever leaves, for whatever reason, gives it on, since the guard does it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use everwarm_engine::Parker;
use parking_lot::Mutex;
use pyo3::prelude::*;

/// How many may be on their way back to the interpreter.
const AT_ONCE: usize = if cfg!(Py_GIL_DISABLED) { usize::MAX } else { 3 };

/// Locked by attached threads only, so that it is free at every fork.
static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    on_their_way: 0,
    called: VecDeque::new(),
});

struct Queue {
    on_their_way: usize,
    /// Those to be woken, in order.
    called: VecDeque<Arc<Sleeper>>,
}

const ASLEEP: u8 = 0;
const WOKEN: u8 = 1;
const GONE: u8 = 2;

struct Sleeper {
    state: AtomicU8,
    waker: Waker,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        QUEUE.lock().called.push_back(self);
        wake_some();
    }
}

/// Wakes who is next, while there is room on the way.
fn wake_some() {
    loop {
        let mut queue = QUEUE.lock();
        if queue.on_their_way >= AT_ONCE {
            return;
        }
        let Some(sleeper) = queue.called.pop_front() else {
            return;
        };
        let woken =
            sleeper
                .state
                .compare_exchange(ASLEEP, WOKEN, Ordering::AcqRel, Ordering::Relaxed);
        queue.on_their_way += usize::from(woken.is_ok());
        drop(queue);
        if woken.is_ok() {
            sleeper.waker.wake_by_ref();
        }
    }
}

/// Where a thread sleeps; getting up, and going away, lets the next one be woken.
pub(crate) struct Bed {
    parker: Parker,
    sleeper: Arc<Sleeper>,
}

impl Bed {
    /// A place for this thread.
    pub(crate) fn new() -> Self {
        let parker = Parker::new();
        let sleeper = Arc::new(Sleeper {
            state: AtomicU8::new(ASLEEP),
            waker: parker.waker(),
        });
        Self { parker, sleeper }
    }

    /// What wakes it, in its turn.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.sleeper))
    }

    /// Sleeps, detached, until woken or until `limit` is over; whether it was woken.
    pub(crate) fn sleep(&self, py: Python<'_>, limit: Duration) -> bool {
        // The parker holds nothing of the engine's, so that no lock of ours is ever taken detached.
        let woken = py.detach(|| self.parker.park(limit));
        self.up(ASLEEP);
        woken
    }

    fn up(&self, then: u8) {
        if self.sleeper.state.swap(then, Ordering::AcqRel) == WOKEN {
            let mut queue = QUEUE.lock();
            queue.on_their_way = queue.on_their_way.saturating_sub(1);
            drop(queue);
            wake_some();
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.up(GONE);
    }
}

/// In a forked child nobody sleeps.
pub(crate) fn after_fork() {
    let left = {
        let mut queue = QUEUE.lock();
        queue.on_their_way = 0;
        std::mem::take(&mut queue.called)
    };
    drop(left);
}
