//! The connections that threads ask on, while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::blocking::Blocking;
use crate::dial::Dial;

/// Connections to one server that threads may use at once; who finds none takes the one that tasks share.
const MOST: usize = 8;
/// How long after a failure no other is made.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections to one server that no thread uses.
#[derive(Default)]
pub(crate) struct Idle {
    threads: Mutex<Vec<ThreadsOwn>>,
    /// Each connection holds one more.
    count: Arc<()>,
    is_growing: AtomicBool,
    is_closed: AtomicBool,
    not_before: Mutex<Option<Instant>>,
}

/// A connection that a thread uses.
pub(crate) struct ThreadsOwn {
    pub(crate) connection: Blocking,
    _one: Arc<()>,
}

impl Idle {
    /// A connection to ask on. Those that ended, or that bring what nobody asked for, are dropped.
    pub(crate) fn take(&self) -> Option<ThreadsOwn> {
        loop {
            let own = self.threads.lock().pop()?;
            if own.connection.is_quiet() {
                return Some(own);
            }
        }
    }

    /// Puts one back whose replies were all read.
    pub(crate) fn put(&self, own: ThreadsOwn) {
        let mut threads = self.threads.lock();
        if !self.is_closed.load(Ordering::Relaxed) {
            threads.push(own);
        }
    }

    /// Drops them all, and whatever is put back later.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.clear();
    }

    /// Drops them all, in the child of a fork, unless a thread of the parent had them in hand.
    pub(crate) fn leave(&self) {
        if let Some(mut threads) = self.threads.try_lock() {
            threads.clear();
        }
    }

    /// Drops them all.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.threads.lock());
        drop(gone);
    }

    /// Makes one more in the background, if there may be more.
    pub(crate) fn grow(self: &Arc<Self>, dial: &Dial) {
        let is_early = self.not_before.lock().is_some_and(|at| Instant::now() < at);
        if is_early || Arc::strong_count(&self.count) > MOST {
            return;
        }
        let Ok(runtime) = everwarm_runtime::handle() else {
            return;
        };
        if self.is_growing.swap(true, Ordering::Relaxed) {
            return;
        }
        let (idle, dial) = (Arc::downgrade(self), dial.clone());
        runtime.spawn_blocking(move || {
            let made = dial.blocking();
            // The store may have been closed meanwhile.
            let Some(idle) = idle.upgrade() else {
                return;
            };
            match made {
                Ok(connection) => idle.put(ThreadsOwn {
                    connection,
                    _one: Arc::clone(&idle.count),
                }),
                Err(_) => *idle.not_before.lock() = Some(Instant::now() + PAUSE),
            }
            idle.is_growing.store(false, Ordering::Relaxed);
        });
    }
}
