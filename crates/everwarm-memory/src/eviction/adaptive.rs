//! The default: LRU, W-TinyLFU or between them, as would have served best lately.
//!
//! One structure serves all of them: a window in front of a segmented LRU. Shadows, caches of hashes alone, tell
//! which share of the window, and which memory for counts, would get the most hits; the entries follow the shadow that
//! leads. A shadow is exact for small caches, so that the entries can take over its very order; for large ones it sees a
//! sample of the keys, and the entries are divided by how often they were requested.
//!
//! A hit must cost next to nothing: it leaves its slot in a short trail, which the next miss works off. Among hits alone
//! the trail runs over, and keeps the last ones; of the others a mark remains, which spares an entry once.

use super::duel::Duel;
use super::segments::{Segments, Share};
use super::{Order, Seats, Used};

/// Hits that are remembered between two misses.
const TRAIL: usize = 256;

/// The queues of the entries, and what decides about them.
#[derive(Default)]
pub(crate) struct Adaptive {
    segments: Segments,
    trail: Trail,
    /// Begins when the first entry has to leave.
    duel: Option<Box<Duel>>,
}

/// The last slots that were used, in a circle.
struct Trail {
    slots: [u32; TRAIL],
    uses: usize,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            slots: [0; TRAIL],
            uses: 0,
        }
    }
}

impl Adaptive {
    /// Until there is a duel all entries are in the window: so far nobody had to choose.
    fn share(&self) -> Share {
        self.duel.as_ref().map_or(Share::WHOLE, |duel| duel.share())
    }

    /// Notes a use for later.
    #[inline(always)]
    pub(crate) fn trail(&mut self, at: u32) {
        self.trail.slots[self.trail.uses % TRAIL] = at;
        self.trail.uses += 1;
    }

    /// Does for the hits since the last miss what they left to be done.
    fn work_off(&mut self, seats: &mut impl Seats) {
        let uses = std::mem::take(&mut self.trail.uses);
        for one in uses.saturating_sub(TRAIL)..uses {
            let at = self.trail.slots[one % TRAIL];
            let share = self.share();
            self.segments.used(seats, at, share);
            if self.duel.is_some() {
                seats.seat_mut(at).used = Used::NEVER;
                self.requested(seats, at, true);
            }
        }
    }

    /// Lets the shadows know of a request, and follows the one that leads.
    fn requested(&mut self, seats: &mut impl Seats, at: u32, hit: bool) {
        if let Some(duel) = &mut self.duel
            && duel.request(seats.hash(at), hit)
        {
            duel.lend(&mut self.segments, seats);
        }
    }

    /// Begins the duel, with what is known of the entries so far: their order, and how often each was used.
    #[cold]
    fn begin(&mut self, seats: &mut impl Seats) {
        let mut duel = Duel::new(self.segments.len(), self.duel.as_deref());
        let slots = self.segments.oldest_first(seats);
        // Who was used comes twice, first and in its turn: so it is known as used, and the order is that of last uses.
        for &at in &slots {
            let uses = std::mem::replace(&mut seats.seat_mut(at).used, Used::NEVER).times();
            for _ in 0..uses.min(14) {
                duel.request(seats.hash(at), true);
            }
        }
        for at in slots {
            duel.request(seats.hash(at), true);
        }
        duel.lend(&mut self.segments, seats);
        self.duel = Some(Box::new(duel));
    }
}

impl Order for Adaptive {
    const MARKED_ONLY: bool = false;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.work_off(seats);
        self.segments.admitted(seats, at);
        self.requested(seats, at, false);
    }

    #[inline(always)]
    fn touched(&mut self, seats: &mut impl Seats, at: u32) {
        seats.seat_mut(at).mark();
        self.trail(at);
    }

    fn left(&mut self, seats: &mut impl Seats, at: u32) {
        self.work_off(seats);
        self.segments.left(seats, at);
    }

    fn victim(&mut self, seats: &mut impl Seats) -> Option<u32> {
        self.work_off(seats);
        let entries = self.segments.len();
        if self.duel.as_ref().is_none_or(|duel| !duel.suits(entries)) {
            self.begin(seats);
        }
        let duel = self.duel.as_mut()?;
        duel.fit(entries);
        loop {
            let at = self.segments.victim(seats, duel.share(), duel.sketch())?;
            let seat = seats.seat_mut(at);
            if seat.used == Used::NEVER {
                return Some(at);
            }
            seat.used = Used::NEVER;
            self.segments.used(seats, at, duel.share());
        }
    }

    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        self.segments.check(seats, entries)?;
        self.duel.as_ref().map_or(Ok(()), |duel| duel.check())
    }
}

#[cfg(test)]
mod tests {
    use everwarm_core::clock::Instant;

    use super::super::textbook::Row;
    use super::*;

    /// Plays requests for slots, with room for so many, and returns the hits.
    fn play(
        order: &mut Adaptive,
        row: &mut Row,
        room: usize,
        requests: impl Iterator<Item = u32>,
    ) -> usize {
        let mut hits = 0;
        for slot in requests {
            if row.is_taken(slot) {
                hits += 1;
                order.touched(row, slot);
                continue;
            }
            if order.segments.len() == room {
                let victim = order.victim(row).unwrap();
                order.left(row, victim);
                row.vacate(victim);
            }
            row.take(slot, Instant::NEVER);
            order.admitted(row, slot);
            order.check(row, order.segments.len()).unwrap();
        }
        hits
    }

    #[test]
    fn a_loop_that_is_too_long_for_lru_keeps_a_part() {
        let (mut order, mut row) = (Adaptive::default(), Row::new(80));
        play(&mut order, &mut row, 40, (0..80).cycle().take(4_000));
        let hits = play(&mut order, &mut row, 40, (0..80).cycle().take(1_000));
        assert!(hits > 400, "{hits} of 1000");
        assert_ne!(order.share(), Share::WHOLE);
    }

    #[test]
    fn what_is_asked_for_again_soon_makes_it_lru() {
        let (mut order, mut row) = (Adaptive::default(), Row::new(4_000));
        // Each slot twice, ten slots later, and never again.
        let soon =
            |first: u32| (first..first + 2_000).flat_map(|slot| [slot, slot.saturating_sub(10)]);
        let hits = play(&mut order, &mut row, 40, soon(0));
        assert!(hits > 1_800, "{hits} of 2000");
        assert_eq!(order.share(), Share::WHOLE);
    }

    #[test]
    fn hits_alone_leave_marks_that_spare_an_entry_once() {
        let (mut order, mut row) = (Adaptive::default(), Row::new(200));
        play(&mut order, &mut row, 100, 0..101);
        play(&mut order, &mut row, 100, (1..100).cycle().take(10 * TRAIL));
        assert!(row.is_taken(1));
        play(&mut order, &mut row, 100, 101..102);
        assert!(
            (1..100).all(|slot| row.is_taken(slot)),
            "the only one that was not used left"
        );
    }
}
