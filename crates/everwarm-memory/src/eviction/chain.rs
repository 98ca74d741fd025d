//! A queue of slots from newest to oldest, linked through their seats.

use super::Seats;
use crate::slab::NONE;

/// The two ends of a queue.
pub(super) struct Chain {
    newest: u32,
    oldest: u32,
    slots: usize,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            newest: NONE,
            oldest: NONE,
            slots: 0,
        }
    }
}

impl Chain {
    /// The slot at the old end.
    #[inline]
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// How many slots are queued.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots
    }

    /// The neighbour of slot `at` towards the new end.
    #[inline]
    pub(super) fn newer(seats: &impl Seats, at: u32) -> Option<u32> {
        let newer = seats.seat(at).newer;
        (newer != NONE).then_some(newer)
    }

    /// Queues slot `at` as the newest.
    #[inline(always)]
    pub(super) fn push(&mut self, seats: &mut impl Seats, at: u32) {
        self.slots += 1;
        let older = std::mem::replace(&mut self.newest, at);
        let seat = seats.seat_mut(at);
        (seat.newer, seat.older) = (NONE, older);
        if older == NONE {
            self.oldest = at;
        } else {
            seats.seat_mut(older).newer = at;
        }
    }

    /// Takes slot `at` out of the queue.
    #[inline(always)]
    pub(super) fn unlink(&mut self, seats: &mut impl Seats, at: u32) {
        self.slots -= 1;
        let seat = seats.seat(at);
        let (newer, older) = (seat.newer, seat.older);
        if newer == NONE {
            self.newest = older;
        } else {
            seats.seat_mut(newer).older = older;
        }
        if older == NONE {
            self.oldest = newer;
        } else {
            seats.seat_mut(older).newer = newer;
        }
    }

    /// Makes slot `at`, which is queued, the newest.
    pub(super) fn renew(&mut self, seats: &mut impl Seats, at: u32) {
        if self.newest != at {
            self.unlink(seats, at);
            self.push(seats, at);
        }
    }

    /// Whether `entries` slots are queued and the links agree in both directions.
    pub(super) fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        if self.slots != entries {
            return Err(format!(
                "{} entries are queued, {entries} are held",
                self.slots
            ));
        }
        let (mut queued, mut older, mut at) = (0, NONE, self.oldest);
        while at != NONE {
            let seat = seats.seat(at);
            if seat.older != older {
                return Err(format!(
                    "slot {at} has {} behind it, not {older}",
                    seat.older
                ));
            }
            queued += 1;
            if queued > entries {
                return Err(format!(
                    "more slots are queued than there are entries ({entries})"
                ));
            }
            (older, at) = (at, seat.newer);
        }
        if (queued, older) != (entries, self.newest) {
            return Err(format!(
                "{queued} of {entries} entries are queued, {older} is last, not {}",
                self.newest
            ));
        }
        Ok(())
    }
}
