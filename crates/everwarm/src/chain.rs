//! The computations that the running call is part of: on this thread, at this moment.
//!
//! A task has no number of its own without a runtime, but while a leader's future is polled, all that it calls runs on this
//! thread, so the leads that are being polled are the chain of whatever asks.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_engine::LeadId;

static LAST_THREAD: AtomicU64 = AtomicU64::new(0);

/// The number of no thread that runs.
pub(crate) const NOWHERE: u64 = 0;

thread_local! {
    static THREAD: u64 = LAST_THREAD.fetch_add(1, Ordering::Relaxed) + 1;
    static CHAIN: RefCell<Vec<LeadId>> = const { RefCell::new(Vec::new()) };
}

/// The number of this thread; [`NOWHERE`] for one that is ending.
pub(crate) fn thread() -> u64 {
    THREAD.try_with(|number| *number).unwrap_or(NOWHERE)
}

/// The leads whose computations the running call is part of, outermost first.
pub(crate) fn leads() -> Vec<LeadId> {
    CHAIN
        .try_with(|chain| chain.borrow().clone())
        .unwrap_or_default()
}

/// Runs `work` as a part of the computation of `lead`.
#[inline(always)]
pub(crate) fn within<R>(lead: LeadId, work: impl FnOnce() -> R) -> R {
    let _link = Link::new(lead);
    work()
}

/// A lead in the chain; dropping it, also while unwinding, takes it out.
struct Link;

impl Link {
    #[inline(always)]
    fn new(lead: LeadId) -> Self {
        // A thread that is ending has no chain: its last calls only lose the check for circles.
        let _ = CHAIN.try_with(|chain| chain.borrow_mut().push(lead));
        Self
    }
}

impl Drop for Link {
    #[inline(always)]
    fn drop(&mut self) {
        let _ = CHAIN.try_with(|chain| chain.borrow_mut().pop());
    }
}
