//! A full disk: a log of which nothing is alive gives its room back, though nothing can be written any more.
//!
//! Its last segment is where records are appended, and stays for that. On a disk that has no room it is all the room there is: so the
//! log goes on in the next segment, which is a matter of the head alone, and the files before it go.

use crate::error::Step;
use crate::index::Use;
use crate::writing::Writing;

impl Writing<'_> {
    /// Gives the log's room back if nothing of it is alive, and the disk has none for another segment.
    pub(crate) fn give_room_back(&mut self) -> Step<()> {
        if self.head.live > 0 || self.head.end.is_multiple_of(self.head.segment) || !self.is_full()
        {
            return Ok(());
        }
        self.commit_changes()?;
        if self.all_slots()?.iter().any(|slot| slot.is != Use::Marker) {
            return Ok(());
        }
        self.begin_segment()
    }

    /// Begins the log at the next segment, with nothing in it.
    pub(crate) fn begin_segment(&mut self) -> Step<()> {
        self.go_on_at(self.head.end.next_multiple_of(self.head.segment));
        self.head.start = self.head.end;
        self.commit()
    }

    fn is_full(&self) -> bool {
        let free = self.files.directory.place();
        self.seat.was_full || free.is_ok_and(|(free, _)| free < self.head.segment)
    }
}
