//! The lock of tables: the interpreter's own, where there is one.
//!
//! A table is used by attached threads only, and nothing that happens under its lock detaches, waits or runs Python. With a
//! global interpreter lock that leaves nobody to exclude: the lock is there already, so taking another would cost each hit a fifth
//! of its time for nothing. On free-threaded builds the lock is a real one.

use std::sync::Arc;

use everwarm_engine::{Bounds, Listener, Ticker};

use crate::engine::{Engine, Key};
use crate::object::Object;

#[cfg(Py_GIL_DISABLED)]
pub(crate) type TableLock = everwarm_engine::DefaultLock;
#[cfg(not(Py_GIL_DISABLED))]
pub(crate) use attached::Attached as TableLock;

/// An engine with as many shards as there are locks: one, if that is the interpreter's.
pub(crate) fn new_engine(
    bounds: Bounds,
    ticker: Ticker,
    listener: Option<Box<dyn Listener<Key, Object>>>,
) -> Arc<Engine> {
    if cfg!(not(Py_GIL_DISABLED)) {
        return Engine::unsharded(bounds, ticker, listener);
    }
    match listener {
        Some(listener) => Engine::with_listener(bounds, ticker, listener),
        None => Engine::new(bounds, ticker),
    }
}

#[cfg(not(Py_GIL_DISABLED))]
mod attached {
    use std::sync::atomic::{AtomicBool, Ordering};

    use everwarm_engine::RawMutex;
    use lock_api::GuardNoSend;

    /// Taken by being attached. It knows only whether it is taken, to tell a thread that takes it twice.
    pub(crate) struct Attached(AtomicBool);

    // SAFETY: a guard lives between two steps of one attached thread that does not detach in between, so no other thread runs
    // code of a table meanwhile. The same thread finds the mark and does not get a second guard.
    unsafe impl RawMutex for Attached {
        const INIT: Self = Self(AtomicBool::new(false));

        type GuardMarker = GuardNoSend;

        #[inline(always)]
        fn lock(&self) {
            assert!(
                self.try_lock(),
                "a table was used by code that runs under its own lock"
            );
        }

        #[inline(always)]
        fn try_lock(&self) -> bool {
            let free = !self.0.load(Ordering::Relaxed);
            self.0.store(true, Ordering::Relaxed);
            free
        }

        #[inline(always)]
        unsafe fn unlock(&self) {
            self.0.store(false, Ordering::Relaxed);
        }
    }
}
