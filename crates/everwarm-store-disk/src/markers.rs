//! The markers that a process read, for as long as no tag was invalidated: the counter in the head says so.
//!
//! A marker changes with an invalidation alone, which moves the counter in the same step; what is read after the head may be newer
//! than it, and then invalidates more than it must for one read.

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::error::Step;
use crate::files::{Look, slot_of};
use crate::head::Head;
use crate::index::{Index, Use};

/// Markers that a process remembers.
const REMEMBERED: usize = 4096;

/// The markers that were read.
#[derive(Debug, Default)]
pub(crate) struct Markers(RwLock<HashMap<u64, Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    life: u64,
    counter: u64,
    marker: Marker,
}

/// One marker: its number, and how long it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) number: u64,
    pub(crate) deadline: u64,
}

impl Markers {
    /// The marker of a hash that is kept beyond `needed`.
    pub(crate) fn read(
        &self,
        (head, index): (&Head, &Index),
        hash: u64,
        needed: u64,
    ) -> Step<Look<Marker>> {
        if let Some(known) = self.0.read().get(&hash)
            && known.life == head.life
            && known.counter == head.number
            && known.marker.deadline >= needed
        {
            return Ok(Look::There(known.marker));
        }
        let marker = match slot_of(index, hash, Use::Marker)? {
            Look::There((_, slot)) => Marker {
                number: slot.place,
                deadline: slot.deadline,
            },
            Look::Absent => return Ok(Look::Absent),
            Look::Unclear => return Ok(Look::Unclear),
        };
        if marker.deadline < needed {
            return Ok(Look::Absent);
        }
        let mut known = self.0.write();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let counter = head.number;
        known.insert(
            hash,
            Known {
                life: head.life,
                counter,
                marker,
            },
        );
        Ok(Look::There(marker))
    }
}
