//! The connections that threads ask on, while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::address::Address;
use crate::blocking::Blocking;
use crate::dial::Dial;
use crate::met::Reign;

/// Connections to one server that threads may use at once; who finds none takes the one that tasks share.
const MOST: usize = 8;
/// How long after a failure no other is made.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections to one server that no thread uses.
pub(crate) struct Idle {
    reign: Arc<Reign>,
    lines: Mutex<Vec<Line>>,
    /// Each connection holds one more.
    count: Arc<()>,
    is_growing: AtomicBool,
    is_closed: AtomicBool,
    not_before: Mutex<Option<Instant>>,
}

/// A connection that a thread uses.
pub(crate) struct Line {
    /// The connection.
    pub(crate) connection: Blocking,
    _one: Arc<()>,
}

impl Idle {
    /// None yet.
    pub(crate) fn new(reign: Arc<Reign>) -> Self {
        Self {
            reign,
            lines: Mutex::default(),
            count: Arc::default(),
            is_growing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            not_before: Mutex::default(),
        }
    }

    /// A connection to ask on. Those that ended, that bring what nobody asked for, or that lead to who was replaced are dropped.
    pub(crate) fn take(&self) -> Option<Line> {
        loop {
            let line = self.lines.lock().pop()?;
            if self.reign.lasts(line.connection.reign) && line.connection.is_quiet() {
                return Some(line);
            }
        }
    }

    /// Puts one back whose replies were all read.
    pub(crate) fn put(&self, line: Line) {
        let mut lines = self.lines.lock();
        if !self.is_closed.load(Ordering::Relaxed) {
            lines.push(line);
        }
    }

    /// Drops them all, and whatever is put back later.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.clear();
    }

    /// Drops them all, in the child of a fork, unless a thread of the parent had them in hand.
    pub(crate) fn leave(&self) {
        if let Some(mut lines) = self.lines.try_lock() {
            lines.clear();
        }
    }

    /// Drops them all.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.lines.lock());
        drop(gone);
    }

    /// Makes one more in the background, if there may be more.
    pub(crate) fn grow(self: &Arc<Self>, dial: &Dial, address: &Address) {
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
        let (idle, dial, address) = (Arc::downgrade(self), dial.clone(), address.clone());
        runtime.spawn_blocking(move || {
            let made = dial.blocking(&address);
            // The store may have been closed meanwhile.
            let Some(idle) = idle.upgrade() else {
                return;
            };
            match made {
                Ok(mut connection) => {
                    connection.reign = idle.reign.begins(&connection.server);
                    idle.put(Line {
                        connection,
                        _one: Arc::clone(&idle.count),
                    });
                }
                Err(_) => *idle.not_before.lock() = Some(Instant::now() + PAUSE),
            }
            idle.is_growing.store(false, Ordering::Relaxed);
        });
    }
}
