//! The markers that a process read, for as long as no tag was invalidated: the counter in the head says so.
//!
//! A marker changes with an invalidation alone, which moves the counter in the same step, and lies in the index before the head says
//! so; what is read after the head may be newer than it, and then invalidates more than it must for one read.

use std::collections::HashMap;

use everwarm_core::mark::{Mark, Tag};
use parking_lot::RwLock;

use crate::error::Step;
use crate::files::{Look, slot_of};
use crate::head::Head;
use crate::index::{Index, Use};

/// Markers that a process remembers.
const REMEMBERED: usize = 4096;

/// The markers that were read.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    known: RwLock<HashMap<u64, Known>>,
    /// Those of the last reading that found all: readers of one function ask for the same again and again.
    last: RwLock<Last>,
}

#[derive(Debug, Default)]
struct Last {
    life: u64,
    counter: u64,
    namespace: String,
    tags: Vec<Tag>,
    markers: Vec<Option<Mark>>,
    /// When the first of them ends.
    deadline: u64,
}

impl Last {
    /// Whether it was of these tags, and its markers are kept beyond `needed`.
    fn is_of(&self, (namespace, tags): (&str, &[Tag]), needed: u64) -> bool {
        self.deadline >= needed && self.tags == tags && self.namespace == namespace
    }
}

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
    /// The markers of these tags, if they are those of the last reading.
    pub(crate) fn again(
        &self,
        head: &Head,
        (namespace, tags): (&str, &[Tag]),
        needed: u64,
    ) -> Option<Vec<Option<Mark>>> {
        let last = self.last.read();
        let is_same = last.life == head.life
            && last.counter == head.number
            && last.is_of((namespace, tags), needed);
        is_same.then(|| last.markers.clone())
    }

    /// The life and the counter of the last reading, if that was of these tags.
    pub(crate) fn counter(
        &self,
        (namespace, tags): (&str, &[Tag]),
        needed: u64,
    ) -> Option<(u64, u64)> {
        let last = self.last.read();
        last.is_of((namespace, tags), needed)
            .then_some((last.life, last.counter))
    }

    /// Takes note of a reading, whose first marker ends at `deadline`.
    pub(crate) fn note(
        &self,
        head: &Head,
        (namespace, tags): (&str, &[Tag]),
        markers: &[Option<Mark>],
        deadline: u64,
    ) {
        let mut last = self.last.write();
        (last.life, last.counter) = (head.life, head.number);
        last.deadline = deadline;
        namespace.clone_into(&mut last.namespace);
        tags.clone_into(&mut last.tags);
        markers.clone_into(&mut last.markers);
    }

    /// The marker of a hash that is kept beyond `needed`.
    pub(crate) fn read(
        &self,
        (head, index): (&Head, &Index),
        hash: u64,
        needed: u64,
    ) -> Step<Look<Marker>> {
        if let Some(known) = self.known.read().get(&hash)
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
        let mut known = self.known.write();
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
