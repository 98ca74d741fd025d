//! The start: what a process read of shards before it heard of them, and whether that still held when it began to hear.
//!
//! Whatever memory holds came with a reading of the shards that it depends on, which was taken no later. Where a shard still has that
//! number when it is first heard of, nothing happened to it meanwhile, and nothing was missed. A reading that comes later, but is of
//! before, says that something may have been.

use std::collections::BTreeMap;

use crate::mark::Mark;

/// What was read before anything was heard.
///
/// ```
/// use everwarm_core::bus::start::Start;
/// use everwarm_core::mark::Mark;
///
/// let mark = |number| Mark { shard: 0, epoch: 9, number };
/// let mut start = Start::default();
/// assert!(start.read(&[mark(4)]) && start.begins(mark(4)));
/// assert!(start.read(&[mark(5)]) && !start.read(&[mark(3)]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The lowest reading of each shard.
    lowest: BTreeMap<u16, Mark>,
    /// From which reading on each shard is heard of.
    heard: BTreeMap<u16, Mark>,
    /// Whether memory may hold something that came without a reading.
    unread: bool,
}

impl Start {
    /// Takes in the readings that a reply brought; whether what came with them is heard of.
    pub fn read(&mut self, shards: &[Mark]) -> bool {
        let mut is_heard = true;
        for mark in shards {
            match self.heard.get(&mark.shard) {
                // Of another epoch than the one that is heard of is said elsewhere what it means.
                Some(heard) => is_heard &= mark.epoch != heard.epoch || mark.number >= heard.number,
                None => {
                    let lowest = self.lowest.entry(mark.shard).or_insert(*mark);
                    if mark.epoch != lowest.epoch {
                        self.unread = true;
                    } else if mark.number < lowest.number {
                        *lowest = *mark;
                    }
                }
            }
        }
        is_heard
    }

    /// Takes note that memory may hold something that came without a reading.
    pub const fn unread(&mut self) {
        self.unread = true;
    }

    /// A shard is heard of from this reading on; whether nothing was missed of it.
    pub fn begins(&mut self, at: Mark) -> bool {
        self.heard.insert(at.shard, at);
        let lowest = self.lowest.remove(&at.shard);
        !self.unread && lowest.is_none_or(|lowest| lowest == at)
    }

    /// Memory lets go of everything.
    pub fn forget(&mut self) {
        self.lowest.clear();
        self.unread = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mark(shard: u16, epoch: u64, number: u64) -> Mark {
        Mark {
            shard,
            epoch,
            number,
        }
    }

    #[test]
    fn what_was_read_at_another_number_may_have_been_changed() {
        for (read, at, holds) in [
            (vec![], mark(0, 9, 4), true),
            (vec![mark(0, 9, 4)], mark(0, 9, 4), true),
            (vec![mark(1, 9, 3)], mark(0, 9, 4), true),
            (vec![mark(0, 9, 3)], mark(0, 9, 4), false),
            (vec![mark(0, 8, 4)], mark(0, 9, 4), false),
            (vec![mark(0, 9, 4), mark(0, 9, 3)], mark(0, 9, 4), false),
            (vec![mark(0, 8, 4), mark(0, 9, 4)], mark(0, 9, 4), false),
        ] {
            let mut start = Start::default();
            assert!(start.read(&read));
            assert_eq!(start.begins(at), holds, "{read:?}");
        }
    }

    #[test]
    fn what_came_without_a_reading_is_known_of_nothing_until_it_is_let_go_of() {
        let mut start = Start::default();
        start.unread();
        start.read(&[mark(0, 9, 4)]);
        assert!(!start.clone().begins(mark(0, 9, 4)));
        start.forget();
        assert!(start.begins(mark(0, 9, 5)));
    }

    #[test]
    fn a_reading_of_before_that_comes_late_was_not_heard_of() {
        let mut start = Start::default();
        assert!(start.begins(mark(0, 9, 4)));
        assert!(start.read(&[mark(0, 9, 4), mark(1, 9, 2)]));
        assert!(!start.read(&[mark(1, 9, 2), mark(0, 9, 3)]));
        assert!(start.read(&[mark(0, 10, 1)]), "another epoch is heard of");
    }
}
