//! How many processors there are for this process: asked once, since the answer takes reading files.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Zero: nobody has asked yet.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// Processors that this process may use at a time; one, if the system does not say.
pub(crate) fn count() -> usize {
    let known = KNOWN.load(Relaxed);
    if known > 0 {
        return known;
    }
    // Who asks first at the same time finds the same, and nobody waits, also in a forked child.
    let count = thread::available_parallelism().map_or(1, usize::from);
    KNOWN.store(count, Relaxed);
    count
}
