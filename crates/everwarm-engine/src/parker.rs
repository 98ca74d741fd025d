//! Parking: how a thread waits for a ticket. It holds nothing of the engine, so a parked thread holds nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// Parks the thread that made it until its waker is called.
#[derive(Debug)]
pub struct Parker(Arc<Signal>);

#[derive(Debug)]
struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Parker {
    /// A parker for this thread.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Signal {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        }))
    }

    /// What wakes it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }

    /// Parks until woken or until `limit` is over, and says whether it was woken. A thread may wake early for neither
    /// reason, so the caller looks at its ticket and its own deadline and parks again.
    pub fn park(&self, limit: Duration) -> bool {
        if !self.0.woken.load(Ordering::Acquire) {
            thread::park_timeout(limit);
        }
        self.0.woken.swap(false, Ordering::AcqRel)
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_not_lost_and_counts_once() {
        let parker = Parker::new();
        parker.waker().wake();
        assert!(parker.park(Duration::MAX));
        assert!(!parker.park(Duration::ZERO));
        let waker = parker.waker();
        let other = thread::spawn(move || waker.wake());
        while !parker.park(Duration::from_secs(10)) {}
        other.join().expect("the waking thread ends");
    }
}
