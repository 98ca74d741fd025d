//! Which process this is: a number that grows with every fork.
//!
//! A forked child has the tables of its parent but not its threads, so flights of the parent would never land there.
//! Values stay, flights are forgotten: whatever was begun under an earlier number settles to nothing.

use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// The number of the process that something began in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u64);

impl Process {
    #[inline]
    pub(crate) fn current() -> Self {
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Whether a fork lies between then and now.
    #[inline]
    pub(crate) fn is_parent(self) -> bool {
        self != Self::current()
    }
}

/// The number of this process, counted over forks: what was made under another one belongs to an ancestor.
#[must_use]
pub fn process() -> u64 {
    Process::current().0
}

/// Tells the engine that this process is a child that was just forked.
///
/// To be called in the child before anything else of the engine, while no other thread runs. The parent must not have
/// held a lock of the engine at the fork: a host whose threads call the engine under one global lock has it by that.
pub fn after_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    crate::waits::forget();
}
