//! How many entries all shards together hold, and may hold.

use std::sync::atomic::Ordering::Relaxed;

use crate::shim::AtomicUsize;

/// The count that decides whether somebody must leave.
///
/// Whoever enters a full room takes one entry out in the same turn, so the count is above the bound only by as many as
/// are just then entering, and never once they are done. The count orders nothing but itself: hence `Relaxed`.
pub(crate) struct Room {
    taken: AtomicUsize,
    max: usize,
}

impl Room {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            max,
        }
    }

    /// Counts one in; true if the room was full, and one must leave.
    pub(crate) fn enter(&self) -> bool {
        self.taken.fetch_add(1, Relaxed) >= self.max
    }

    /// Counts `entries` out.
    pub(crate) fn leave(&self, entries: usize) {
        self.taken.fetch_sub(entries, Relaxed);
    }

    /// Entries counted in.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// The bound.
    pub(crate) fn max(&self) -> usize {
        self.max
    }
}
