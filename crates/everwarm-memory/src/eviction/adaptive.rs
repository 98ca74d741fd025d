//! The default: LRU, W-TinyLFU or between them, as would have served best lately.
//!
//! One structure serves all of them: a window in front of a segmented LRU. Shadows, caches of hashes alone, tell
//! which share of the window, and which memory for counts, would get the most hits; the entries follow the shadow that
//! leads. A shadow is exact for small caches, so that the entries can take over its very order; for large ones it sees a
//! sample of the keys, and the entries are divided by how often they were requested.
//!
//! A hit must cost next to nothing: it leaves its slot in a short trail, which a later miss works off. Among hits alone
//! the trail runs over, and keeps the last ones; of the others a mark remains, which spares an entry once.
//!
//! The counts of requests that many entries need do not lie in the processor's nearest caches. So an entry of a large cache
//! carries its own uses in its seat, and hands them over when they are several, when it may have to leave and its counts
//! are looked at anyway, and when it leaves.

use super::duel::Duel;
use super::segments::{self, CARRIED, Segments, Share};
use super::{Order, Part, Seats};

/// Hits that are remembered between two misses.
const TRAIL: usize = 256;
/// Hits of a large cache that wait until they are worked off together: there the very order of entries and newcomers does
/// not matter.
const BATCH: usize = 32;

/// The queues of the entries, and what decides about them. What each eviction looks at comes first, so that it lies together.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Adaptive {
    segments: Segments,
    /// Begins when the first entry has to leave.
    duel: Option<Box<Duel>>,
    trail: Trail,
    part: Part,
}

/// The last slots that were used, in a circle.
#[repr(C)]
struct Trail {
    uses: usize,
    slots: [u32; TRAIL],
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

    /// Notes a use for later, unless the mark says all of it.
    #[inline(always)]
    pub(crate) fn trail(&mut self, at: u32) {
        self.trail.slots[self.trail.uses % TRAIL] = at;
        self.trail.uses += 1;
    }

    /// Does for the hits since the last time what they left to be done, if that is enough to be worth it.
    #[inline]
    fn catch_up(&mut self, seats: &mut impl Seats) {
        let may_wait = self.duel.as_ref().is_some_and(|duel| duel.is_large());
        if !may_wait || self.trail.uses >= BATCH {
            self.work_off(seats);
        }
    }

    /// Does for the hits since the last time what they left to be done.
    #[inline(never)]
    fn work_off(&mut self, seats: &mut impl Seats) {
        let uses = std::mem::take(&mut self.trail.uses);
        let slots = (uses.saturating_sub(TRAIL)..uses).map(|one| self.trail.slots[one % TRAIL]);
        let Some(duel) = &mut self.duel else {
            slots.for_each(|at| self.segments.used(seats, at, Share::WHOLE));
            return;
        };
        let (is_large, mut share) = (duel.is_large(), duel.share());
        for at in slots {
            self.segments.used(seats, at, share);
            let hash = seats.hash(at);
            let seat = seats.seat_mut(at);
            if is_large && seat.used.times() < CARRIED {
                seat.seen = seat.used;
            } else {
                let uses = seat.take_uses();
                duel.count(hash, if is_large { uses } else { 1 });
            }
            // Another shard sees the ways compared, if this one does not.
            if !duel.shows(hash) {
                if is_large {
                    segments::hush(seats.seat_mut(at));
                }
            } else if duel.request(hash, true) {
                duel.lend(&mut self.segments, seats);
                share = duel.share();
            }
        }
    }

    /// How often an entry was requested; its uses are counted that it carries, unless they are in the trail.
    #[inline(never)]
    fn recount(duel: &mut Duel, seats: &mut impl Seats, at: u32) -> u64 {
        let (hash, seat) = seats.hash_and_seat(at);
        let carried = match duel.is_large() && !seat.is_marked() {
            true => seat.take_uses(),
            false => 0,
        };
        duel.recount(hash, carried)
    }

    /// Has the uses counted that an entry carries.
    #[inline]
    fn hand_over(&mut self, seats: &mut impl Seats, at: u32) {
        let (hash, seat) = seats.hash_and_seat(at);
        let uses = seat.take_uses().min(CARRIED);
        if uses > 0
            && let Some(duel) = &mut self.duel
            && duel.is_large()
        {
            duel.count(hash, uses);
        }
    }

    /// Begins the duel, with what is known of the entries so far: their order, and how often each was used.
    #[cold]
    fn begin(&mut self, seats: &mut impl Seats) {
        let mut duel = Duel::new(self.segments.len(), self.duel.as_deref(), &self.part);
        let slots = self.segments.oldest_first(seats);
        // Who was used comes twice, first and in its turn: so it is known as used, and the order is that of last uses.
        for &at in &slots {
            let uses = seats.seat_mut(at).take_uses();
            for _ in 0..uses.min(14) {
                duel.count(seats.hash(at), 1);
                duel.request(seats.hash(at), true);
            }
        }
        for at in slots {
            duel.count(seats.hash(at), 1);
            duel.request(seats.hash(at), true);
        }
        duel.lend(&mut self.segments, seats);
        self.duel = Some(Box::new(duel));
    }
}

impl Order for Adaptive {
    fn of(part: Part) -> Self {
        Self {
            part,
            ..Self::default()
        }
    }

    fn part(&self) -> Part {
        self.part.clone()
    }

    const MARKED_ONLY: bool = false;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.catch_up(seats);
        self.segments.admitted(seats, at);
        let Some(duel) = &mut self.duel else {
            return;
        };
        if duel.is_large() {
            let seat = seats.seat_mut(at);
            seat.mark();
            seat.seen = seat.used;
        } else {
            duel.count(seats.hash(at), 1);
        }
        if duel.request(seats.hash(at), false) {
            duel.lend(&mut self.segments, seats);
        }
    }

    #[inline(always)]
    fn touched(&mut self, seats: &mut impl Seats, at: u32) {
        let seat = seats.seat_mut(at);
        seat.mark();
        if !seat.is_quiet() {
            self.trail(at);
        }
    }

    fn left(&mut self, seats: &mut impl Seats, at: u32) {
        // Who is in the trail is marked, and not quiet.
        let seat = seats.seat(at);
        if seat.is_marked() && !seat.is_quiet() {
            self.work_off(seats);
        }
        self.hand_over(seats, at);
        self.segments.left(seats, at);
    }

    fn victim(&mut self, seats: &mut impl Seats) -> Option<u32> {
        self.catch_up(seats);
        let entries = self.segments.len();
        if self.duel.as_ref().is_none_or(|duel| !duel.suits(entries)) {
            self.work_off(seats);
            self.begin(seats);
        }
        self.duel.as_mut()?.fit(entries);
        loop {
            let share = self.share();
            let contenders = self.segments.contenders(seats, share);
            let duel = self.duel.as_mut()?;
            let is_patient = duel.sketch().is_patient();
            let count = |seats: &mut _, at| Self::recount(duel, seats, at);
            let at = self.segments.choose(seats, contenders, is_patient, count)?;
            if !seats.seat(at).is_marked() {
                return Some(at);
            }
            if self.trail.uses > 0 {
                self.work_off(seats);
            } else {
                self.hand_over(seats, at);
                self.segments.used(seats, at, self.share());
            }
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
    fn the_other_shards_follow_the_first() {
        let part = Part::first(2);
        let (mut first, mut second) = (Adaptive::of(part.number(0)), Adaptive::of(part.number(1)));
        let mut rows = [Row::new(4_000), Row::new(4_000)];
        play(&mut second, &mut rows[1], 40, 0..60);
        assert_ne!(second.share(), Share::WHOLE);
        let soon = (0..2_000).flat_map(|slot: u32| [slot, slot.saturating_sub(10)]);
        play(&mut first, &mut rows[0], 40, soon);
        assert_eq!(first.share(), Share::WHOLE);
        play(&mut second, &mut rows[1], 40, 60..80);
        assert_eq!(second.share(), Share::WHOLE);
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

    #[test]
    fn an_entry_of_a_large_cache_carries_its_uses_until_it_leaves() {
        let room = 10_000;
        let (mut order, mut row) = (Adaptive::default(), Row::new(room + 1));
        play(&mut order, &mut row, room, 0..room as u32 + 1);
        let count = |order: &Adaptive, row: &Row| {
            order.duel.as_ref().unwrap().sketch().count(row.hash(9_000))
        };
        let before = count(&order, &row);
        play(&mut order, &mut row, room, [9_000; 3].into_iter());
        assert_eq!(count(&order, &row), before);
        order.left(&mut row, 9_000);
        assert_eq!(order.trail.uses, 0, "nobody who left is in the trail");
        assert_eq!(count(&order, &row), before + 3);
    }
}
