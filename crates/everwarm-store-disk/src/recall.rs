//! Slots that a process has read: they count for as long as it was the last that wrote, and has written nothing since.
//!
//! The head says who wrote last. Another process that writes puts itself there before it changes the index, and stays there until
//! this one writes again, which makes it forget. So a reader that finds this process in the head, and no step of it between,
//! need not ask the index once more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use parking_lot::RwLock;

use crate::index::Slot;

/// How many slots are known at most.
const PLACES: usize = 4096;

/// What is known of the index.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    /// How many steps this process has begun.
    steps: AtomicU64,
    /// Whether a step was begun that is not wholly applied.
    is_changing: AtomicBool,
    /// Mapped directly by the hash; made when the first is noted.
    places: RwLock<Vec<Known>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// As of how many steps; 0 where there is none.
    steps: u64,
    slot: Option<Slot>,
}

/// A moment in which the index is as the last step of this process left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(u64);

impl Recall {
    /// A step begins to change the index.
    pub(crate) fn begin(&self) {
        self.is_changing.store(true, SeqCst);
        self.steps.fetch_add(1, SeqCst);
    }

    /// A step is wholly applied.
    pub(crate) fn end(&self) {
        self.is_changing.store(false, SeqCst);
    }

    /// This moment, if no step is going on. To be asked for after the head was read, which named this process.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let steps = self.steps.load(SeqCst);
        (!self.is_changing.load(SeqCst)).then_some(Moment(steps))
    }

    /// The slot of the entry of this hash, if it is known.
    pub(crate) fn find(&self, moment: Moment, hash: u64) -> Option<Slot> {
        let places = self.places.read();
        let known = places.get(place(hash))?;
        known
            .slot
            .filter(|slot| known.steps == moment.0 && slot.hash == hash)
    }

    /// Takes note of the slot of an entry that was read after that moment.
    pub(crate) fn note(&self, moment: Moment, slot: Slot) {
        if self.moment() != Some(moment) {
            return;
        }
        let mut places = self.places.write();
        if places.is_empty() {
            places.resize(PLACES, Known::default());
        }
        places[place(slot.hash)] = Known {
            steps: moment.0,
            slot: Some(slot),
        };
    }
}

fn place(hash: u64) -> usize {
    hash as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Use;

    #[test]
    fn a_slot_is_known_until_the_next_step() {
        let recall = Recall::default();
        recall.begin();
        assert_eq!(recall.moment(), None, "a step is going on");
        recall.end();
        let slot = Slot {
            is: Use::Entry,
            hash: 7,
            place: 64,
            deadline: u64::MAX,
            length: 80,
            is_large: false,
            is_seen: true,
        };
        let moment = recall.moment().expect("no step is going on");
        recall.note(moment, slot);
        assert_eq!(recall.find(moment, 7), Some(slot));
        assert_eq!(recall.find(moment, 7 + PLACES as u64), None);
        recall.begin();
        recall.end();
        recall.note(moment, slot);
        let later = recall.moment().expect("no step is going on");
        assert_eq!(
            recall.find(later, 7),
            None,
            "what was read before is not noted"
        );
    }
}
