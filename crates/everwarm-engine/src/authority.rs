//! The authority of a cache: it alone numbers invalidations (in-process generations).
//!
//! A computation takes a stamp, the number of the last invalidation, before it begins; an invalidation leaves its number on
//! the markers it meets. What carries a marker above its own stamp is invalid. Clocks have no part in it.
//!
//! The order inside one invalidation matters: **first the markers, then the number**. A reader that finds an entry valid
//! under number n may note "valid as of n" in the entry (one compare on later hits). Were n+1 published before the markers,
//! a reader could look at the old markers, note n+1, and so hide the entry from the invalidation for good.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use everwarm_core::clock::Instant;
use everwarm_core::generation::{Marker, Stamp, valid};

use crate::departures::Reason;
use crate::shim::{AtomicU64, Mutex};
use crate::tags::{Cells, Mark, Tags, markers};

/// Numbers the invalidations of one cache and keeps its tags.
#[derive(Debug)]
pub(crate) struct Authority {
    number: AtomicU64,
    /// Met by `clear()`.
    cache: Mark,
    /// Held alone, never with another lock: it is both outermost and leaf.
    cells: Mutex<Cells>,
    faults: Faults,
}

impl Authority {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            number: AtomicU64::new(0),
            cache: Mark::new(Marker::default()),
            cells: Mutex::new(Cells::new()),
            faults,
        }
    }

    /// The stamp of what begins at this moment.
    #[inline]
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp::new(self.number.load(Ordering::Acquire))
    }

    /// The markers, at this moment, of what has these tags in this scope.
    pub(crate) fn markers(&self, scope: &Mark, tags: &Tags) -> impl Iterator<Item = Marker> {
        [self.cache.read(), scope.read()]
            .into_iter()
            .chain(markers(tags))
    }

    /// Whether what began at `stamp`, with these tags in this scope, met no invalidation since.
    pub(crate) fn allows(&self, stamp: Stamp, scope: &Mark, tags: &Tags) -> bool {
        valid(stamp, self.markers(scope, tags))
    }

    /// As [`allows`](Self::allows), at the time when `then` was the stamp.
    pub(crate) fn allowed(&self, stamp: Stamp, then: Stamp, scope: &Mark, tags: &Tags) -> bool {
        let markers = self.markers(scope, tags);
        valid(stamp, markers.filter(|marker| !marker.outdates(then)))
    }

    /// Which invalidation met what began at `stamp`, with these tags in this scope, if one did.
    #[inline]
    pub(crate) fn overtaken(&self, stamp: Stamp, scope: &Mark, tags: &Tags) -> Option<Reason> {
        // One that has left its markers and not its number yet has not happened: what is noted under this stamp, it meets.
        if self.stamp() == stamp {
            return None;
        }
        self.met(stamp, scope, tags)
    }

    fn met(&self, stamp: Stamp, scope: &Mark, tags: &Tags) -> Option<Reason> {
        if !valid(stamp, [self.cache.read()]) {
            return Some(Reason::AllCleared);
        }
        if !valid(stamp, [scope.read()]) {
            return Some(Reason::Cleared);
        }
        let tag = tags.as_ref()?.overtaking(stamp)?;
        Some(Reason::Invalidated(tag))
    }

    pub(crate) fn intern(&self, names: &[Arc<str>]) -> Tags {
        if names.is_empty() {
            None
        } else {
            Some(self.cells.lock().intern(names))
        }
    }

    pub(crate) fn invalidate_tags(&self, names: &[Arc<str>]) {
        self.step(|marker, cells, _| names.iter().for_each(|name| cells.strike(name, marker)));
    }

    /// As [`invalidate_tags`](Self::invalidate_tags); nothing is stored under them until some time, or until they are resumed.
    pub(crate) fn suspend(&self, names: &[Arc<str>], until: Instant) {
        let each = |marker, cells: &mut Cells, name| cells.suspend(name, marker, until);
        self.step(|marker, cells, _| names.iter().for_each(|name| each(marker, cells, name)));
    }

    /// As [`invalidate_tags`](Self::invalidate_tags), by one who had suspended them.
    pub(crate) fn resume(&self, names: &[Arc<str>]) {
        self.step(|marker, cells, _| names.iter().for_each(|name| cells.resume(name, marker)));
    }

    /// Whether nothing is to be stored under these tags. Where that is over, this was the last that it kept out.
    pub(crate) fn suspends(&self, tags: &Tags, now: Instant) -> bool {
        let Some(set) = tags.as_deref().filter(|set| set.is_suspended()) else {
            return false;
        };
        self.step(|marker, cells, _| cells.lapse(set, marker, now));
        true
    }

    /// Invalidates one tag and says, in the same step, whether what began at `since` with these tags in this scope had met no
    /// invalidation before: then it is the stamp of what takes the place of everything under that tag.
    pub(crate) fn supersede(
        &self,
        name: &Arc<str>,
        (since, scope, tags): (Stamp, &Mark, &Tags),
    ) -> Option<Stamp> {
        let mut stamp = None;
        self.step(|marker, cells, _| {
            let allowed = self.allows(since, scope, tags);
            cells.strike(name, marker);
            stamp = allowed.then(|| Stamp::new(marker.get()));
        });
        stamp
    }

    pub(crate) fn invalidate_scope(&self, scope: &Mark) {
        self.step(|marker, _, _| scope.strike(marker));
    }

    pub(crate) fn invalidate_all(&self) {
        self.step(|marker, _, cache| cache.strike(marker));
    }

    fn step(&self, strike: impl FnOnce(Marker, &mut Cells, &Mark)) {
        let mut cells = self.cells.lock();
        let number = self.number.load(Ordering::Relaxed) + 1;
        if self.faults.number_first() {
            self.number.store(number, Ordering::Release);
        }
        strike(Marker::new(number), &mut cells, &self.cache);
        self.number.store(number, Ordering::Release);
    }
}

/// A fault that schedule exploration plants to show that it would find it.
#[cfg(feature = "shuttle")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(hidden)]
pub enum Fault {
    /// The engine as it is meant.
    #[default]
    None,
    /// An invalidation publishes its number before its markers.
    NumberFirst,
    /// A lead stores its value although its key was invalidated meanwhile.
    KeepDoomed,
}

/// The planted fault; outside exploration there is none and the checks vanish.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults(#[cfg(feature = "shuttle")] pub(crate) Fault);

impl Faults {
    #[inline]
    pub(crate) fn number_first(self) -> bool {
        #[cfg(feature = "shuttle")]
        return self.0 == Fault::NumberFirst;
        #[cfg(not(feature = "shuttle"))]
        false
    }

    #[inline]
    pub(crate) fn keep_doomed(self) -> bool {
        #[cfg(feature = "shuttle")]
        return self.0 == Fault::KeepDoomed;
        #[cfg(not(feature = "shuttle"))]
        false
    }
}
