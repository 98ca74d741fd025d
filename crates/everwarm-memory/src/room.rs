//! How many entries all shards together hold, and may hold, and how much they weigh.

use std::num::NonZeroU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::shim::{AtomicU64, AtomicUsize};

/// The counts that decide whether somebody must leave.
///
/// Whoever enters a full room takes one entry out in the same turn, so the count is above the bound only by as many as
/// are just then entering, and never once they are done. The same holds for the weight: whoever makes it heavier stays
/// until it is within the bound again, and takes out entries of all shards in turn, its own last, if need be. Then the
/// last who made it heavier has either seen it within the bound or found every shard empty. The counts order nothing but
/// themselves: hence `Relaxed`.
pub(crate) struct Room {
    taken: AtomicUsize,
    max: usize,
    weight: AtomicU64,
    max_weight: Option<NonZeroU64>,
}

impl Room {
    pub(crate) fn new(max: usize, max_weight: Option<NonZeroU64>) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            max,
            weight: AtomicU64::new(0),
            max_weight,
        }
    }

    /// Whether there is no room but that of others. Who leaves for a newcomer then gives it theirs: neither is counted.
    pub(crate) fn is_full(&self) -> bool {
        self.taken() >= self.max
    }

    /// Counts one in; true if the room was full, and one must leave.
    pub(crate) fn enter(&self) -> bool {
        self.taken.fetch_add(1, Relaxed) >= self.max
    }

    /// Counts `entries` out, with what they weighed together.
    pub(crate) fn leave(&self, entries: usize, weight: u64) {
        if entries > 0 {
            self.taken.fetch_sub(entries, Relaxed);
        }
        if weight > 0 {
            self.weight.fetch_sub(weight, Relaxed);
        }
    }

    /// An entry weighs `after` from here on, not `before`.
    pub(crate) fn reweigh(&self, before: u64, after: u64) {
        // One step, so that the weight never counts both.
        self.weight.fetch_add(after.wrapping_sub(before), Relaxed);
    }

    /// Entries counted in.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// The bound of entries.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// What the entries weigh together.
    pub(crate) fn weight(&self) -> u64 {
        self.weight.load(Relaxed)
    }

    /// Whether entries are weighed.
    #[inline]
    pub(crate) fn weighs(&self) -> bool {
        self.max_weight.is_some()
    }

    /// Whether an entry of this weight has room, if need be alone.
    pub(crate) fn fits(&self, weight: u64) -> bool {
        self.max_weight.is_none_or(|max| weight <= max.get())
    }

    /// Whether the entries weigh more than they may.
    #[inline]
    pub(crate) fn is_too_heavy(&self) -> bool {
        self.max_weight.is_some_and(|max| self.weight() > max.get())
    }
}
