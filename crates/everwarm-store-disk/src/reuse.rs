//! Using a part of the disk again: where most of the log is dead, its oldest segments are emptied and written anew.
//!
//! The hand of [`crate::room`] moves when the bound is reached. Long before, a store whose entries are set again and again would
//! have written all of its room, each page of it fresh, and the system would be busy bringing to the disk what nobody reads.
//! The index knows what is alive, so the dead need not be looked at.
//! At the bound, the hand does as much with what it has passed.

use crate::error::Step;
use crate::index::{Slot, Use};
use crate::writing::Writing;

/// So much of the log stays, dead or not: others learn from it what was changed.
const KEPT: u64 = 64 << 20;
/// Entries that are moved in one go.
const MOVED: usize = 128;

impl Writing<'_> {
    /// Empties the oldest segments if they hold little, at the moment at which a record of so many bytes begins another one.
    pub(crate) fn reuse(&mut self, bytes: u64) -> Step<()> {
        let segment = self.head.segment;
        if bytes <= segment - self.head.end % segment {
            return Ok(());
        }
        let kept = KEPT.max(2 * self.head.live);
        let to = self.head.end.saturating_sub(kept) / segment * segment;
        // A long index takes too long to be read for one segment.
        if to < self.head.start + segment || self.index.bytes() > segment / 4 {
            return Ok(());
        }
        self.commit_changes()?;
        let mut old = self.all_slots()?;
        old.retain(|slot| slot.is != Use::Marker && slot.place < to);
        old.sort_unstable_by_key(|slot| slot.place);
        let to = old
            .get(MOVED)
            .map_or(to, |slot| slot.place / segment * segment);
        if to <= self.head.start {
            return Ok(());
        }
        self.move_all(old.iter().take_while(|slot| slot.place < to))?;
        self.head.start = to;
        self.is_reused = true;
        self.commit()
    }

    fn move_all<'s>(&mut self, slots: impl Iterator<Item = &'s Slot>) -> Step<()> {
        for slot in slots {
            self.settle(slot.hash)?;
            if slot.deadline <= self.now {
                self.take_slot(slot)?;
            } else {
                self.move_on(slot)?;
            }
        }
        Ok(())
    }
}
