//! A window in front of a segmented LRU: with a window of 1 % it is W-TinyLFU, with one of 100 % it is LRU.
//!
//! Who is protected does not move when it is used: that would cost the cache lines of four neighbours. It is marked, and goes round
//! when it has become the oldest, as in CLOCK.

use std::collections::HashMap;

use super::chain::Chain;
use super::sketch::{self, Sketch};
use super::{Seat, Seats};

const WINDOW: u8 = 0;
const PROBATION: u8 = 1;
const PROTECTED: u8 = 2;
const SURPLUS: u8 = 3;
/// Protected, and used since it came to its place there.
const RENEWED: u8 = 4;
/// The same, of a large cache: until it goes round its uses change nothing, so that marks are enough.
const QUIET: u8 = 5;
/// Uses that an entry carries before they are counted. They do not age meanwhile: with fifteen, loops were told apart badly.
pub(super) const CARRIED: u8 = 4;
/// How many of those go round at a time before the oldest has to go on probation all the same.
const ROUND: usize = 16;
/// How many entries change over at a time when the window has become smaller.
const STEP: usize = 16;

/// Eras in the time that it takes to move as many entries as there are.
const ERAS: usize = 32;

/// Whether a use of this entry changes nothing but its mark.
#[inline(always)]
pub(super) fn is_quiet(seat: &Seat) -> bool {
    seat.queue == QUIET
}

/// Has marks alone tell of the uses of this entry, if those change nothing.
#[inline]
pub(super) fn hush(seat: &mut Seat) {
    if seat.queue == RENEWED {
        seat.queue = QUIET;
    }
}

/// How large a part of the entries the window holds, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(pub(super) usize);

impl Share {
    /// All are in the window, which is LRU.
    pub(super) const WHOLE: Self = Self(100);

    fn room(self, entries: usize) -> usize {
        if self == Self::WHOLE {
            entries
        } else {
            (entries * self.0 / 100).max(1)
        }
    }
}

/// The three queues, each in the order of last uses.
#[derive(Default)]
pub(super) struct Segments {
    window: Chain,
    probation: Chain,
    protected: Chain,
    /// What another share would no longer hold: it leaves first.
    surplus: Chain,
    /// An entry moves once in an era at most: between two the order would hardly change, and a move costs cache lines.
    era: u8,
    /// Moves in this era.
    moves: usize,
}

impl Segments {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.window.len() + self.probation.len() + self.protected.len() + self.surplus.len()
    }

    /// The slots, in about the order in which they were used.
    pub(super) fn oldest_first(&self, seats: &impl Seats) -> Vec<u32> {
        let mut slots = Vec::with_capacity(self.len());
        for queue in [
            &self.surplus,
            &self.probation,
            &self.protected,
            &self.window,
        ] {
            let mut at = queue.oldest();
            while let Some(slot) = at {
                slots.push(slot);
                at = Chain::newer(seats, slot);
            }
        }
        slots
    }

    #[inline(always)]
    fn queue(&mut self, queue: u8) -> &mut Chain {
        match queue {
            WINDOW => &mut self.window,
            PROBATION => &mut self.probation,
            PROTECTED | RENEWED | QUIET => &mut self.protected,
            _ => &mut self.surplus,
        }
    }

    #[inline(always)]
    fn push(&mut self, seats: &mut impl Seats, at: u32, queue: u8) {
        self.moves += 1;
        if self.moves * ERAS > self.len() {
            (self.era, self.moves) = (self.era.wrapping_add(1), 0);
        }
        let seat = seats.seat_mut(at);
        (seat.queue, seat.era) = (queue, self.era);
        self.queue(queue).push(seats, at);
    }

    #[inline]
    pub(super) fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.push(seats, at, WINDOW);
    }

    /// While there is room for all, who is too many for the window changes over.
    pub(super) fn settle_in(&mut self, seats: &mut impl Seats, share: Share, room: usize) {
        if share != Share::WHOLE && self.len() <= room {
            while self.window.len() > share.room(room) {
                self.change_over(seats);
            }
        }
    }

    #[inline]
    pub(super) fn left(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue(seats.seat(at).queue).unlink(seats, at);
    }

    #[inline]
    pub(super) fn used(&mut self, seats: &mut impl Seats, at: u32, share: Share) {
        if !matches!(seats.seat(at).queue, RENEWED | QUIET) || share == Share::WHOLE {
            self.moved(seats, at, share);
        }
    }

    fn moved(&mut self, seats: &mut impl Seats, at: u32, share: Share) {
        let seat = seats.seat(at);
        let from = seat.queue;
        let to = if matches!(from, WINDOW | SURPLUS) || share == Share::WHOLE {
            WINDOW
        } else {
            PROTECTED
        };
        if from == PROTECTED && to == PROTECTED {
            seats.seat_mut(at).queue = RENEWED;
            return;
        }
        if from == to && seat.era == self.era {
            return;
        }
        self.queue(from).unlink(seats, at);
        self.push(seats, at, to);
        if from == to {
            return;
        }
        let entries = self.len();
        let room = (entries - share.room(entries)) * 4 / 5;
        if to == PROTECTED && self.protected.len() > room {
            self.demote(seats);
        }
    }

    /// The oldest that is protected, and was not used since it came there, goes on probation.
    fn demote(&mut self, seats: &mut impl Seats) {
        for left in (0..ROUND).rev() {
            let Some(at) = self.protected.oldest() else {
                return;
            };
            let seat = seats.seat_mut(at);
            let goes_round = left > 0 && matches!(seat.queue, RENEWED | QUIET);
            if seat.queue == QUIET {
                seat.carry(CARRIED);
            }
            self.protected.unlink(seats, at);
            self.push(seats, at, if goes_round { PROTECTED } else { PROBATION });
            if !goes_round {
                return;
            }
        }
    }

    /// Who should leave so that a newcomer has room.
    pub(super) fn victim(
        &mut self,
        seats: &mut impl Seats,
        share: Share,
        sketch: &Sketch,
    ) -> Option<u32> {
        let contenders = self.contenders(seats, share);
        let count = |seats: &mut _, at| sketch.count(Seats::hash(seats, at));
        self.choose(seats, contenders, sketch.is_patient(), count)
    }

    /// Who may have to leave: of the window, and of the others.
    #[inline]
    pub(super) fn contenders(
        &mut self,
        seats: &mut impl Seats,
        share: Share,
    ) -> (Option<u32>, Option<u32>) {
        if let Some(at) = self.surplus.oldest() {
            return (Some(at), None);
        }
        let room = share.room(self.len());
        for _ in 0..STEP {
            if self.window.len() <= room {
                break;
            }
            self.change_over(seats);
        }
        let main = self.probation.oldest().or(self.protected.oldest());
        let candidate = if self.window.len() >= room {
            self.window.oldest()
        } else {
            None
        };
        (candidate, main)
    }

    /// Which of the contenders it is: the one that was requested less often, as `count` says, or about as often and came later.
    #[inline]
    pub(super) fn choose<S: Seats>(
        &mut self,
        seats: &mut S,
        contenders: (Option<u32>, Option<u32>),
        is_patient: bool,
        mut count: impl FnMut(&mut S, u32) -> u64,
    ) -> Option<u32> {
        match contenders {
            (Some(candidate), Some(main)) => {
                let (newcomer, entry) = (count(seats, candidate), count(seats, main));
                if sketch::prefers(newcomer, entry, is_patient) {
                    self.change_over(seats);
                    Some(main)
                } else {
                    Some(candidate)
                }
            }
            (one, None) => one.or(self.window.oldest()),
            (None, main) => main,
        }
    }

    /// Takes the order of a model with the same keys, known by their hashes; entries that the model lacks become surplus.
    pub(super) fn adopt(&mut self, seats: &mut impl Seats, model: &Self, models: &impl Seats) {
        let slots = self.oldest_first(seats);
        let mut places: HashMap<u32, u32> = slots.iter().map(|&at| (seats.hash(at), at)).collect();
        *self = Self::default();
        for &at in &slots {
            seats.seat_mut(at).queue = SURPLUS;
        }
        for place in model.oldest_first(models) {
            if let Some(at) = places.remove(&models.hash(place)) {
                self.push(seats, at, models.seat(place).queue);
            }
        }
        for at in slots {
            if seats.seat(at).queue == SURPLUS {
                self.push(seats, at, SURPLUS);
            }
        }
    }

    /// Divides the entries by how often they were requested, as if this share had always been the window's.
    pub(super) fn divide(&mut self, seats: &mut impl Seats, share: Share, sketch: &Sketch) {
        if share == Share::WHOLE {
            self.wake(seats);
            return;
        }
        let slots = self.oldest_first(seats);
        let window = share.room(slots.len()).min(slots.len());
        let (others, newest) = slots.split_at(slots.len() - window);
        *self = Self::default();
        for &at in others {
            self.push(seats, at, PROBATION);
        }
        for &at in newest {
            self.push(seats, at, WINDOW);
        }
        for &at in others {
            let carried = u64::from(seats.seat(at).used.times());
            if sketch.count(seats.hash(at)) + carried > 1 {
                self.used(seats, at, share);
            }
        }
    }

    /// Has every use told of again.
    fn wake(&self, seats: &mut impl Seats) {
        let mut next = self.protected.oldest();
        while let Some(at) = next {
            let seat = seats.seat_mut(at);
            if seat.queue == QUIET {
                seat.queue = RENEWED;
                seat.carry(CARRIED);
            }
            next = Chain::newer(seats, at);
        }
    }

    /// The oldest of the window goes on to probation.
    fn change_over(&mut self, seats: &mut impl Seats) {
        if let Some(at) = self.window.oldest() {
            self.window.unlink(seats, at);
            self.push(seats, at, PROBATION);
        }
    }

    pub(super) fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        if self.len() != entries {
            return Err(format!(
                "{} entries are queued, {entries} are held",
                self.len()
            ));
        }
        for (queue, number) in [
            (&self.window, WINDOW),
            (&self.probation, PROBATION),
            (&self.protected, PROTECTED),
            (&self.surplus, SURPLUS),
        ] {
            queue.check(seats, queue.len())?;
            let mut at = queue.oldest();
            while let Some(slot) = at {
                let known = seats.seat(slot).queue;
                if known != number && !(matches!(known, RENEWED | QUIET) && number == PROTECTED) {
                    return Err(format!("slot {slot} is in a queue that is not its own"));
                }
                at = Chain::newer(seats, slot);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use everwarm_core::clock::Instant;

    use super::super::sketch::Ageing;
    use super::super::textbook::Row;
    use super::*;

    #[test]
    fn divided_the_often_requested_are_protected_and_the_newest_are_in_the_window() {
        let (mut segments, mut row) = (Segments::default(), Row::new(10));
        let mut sketch = Sketch::new(10, Ageing::Soon);
        for at in 0..10 {
            row.take(at, Instant::NEVER);
            segments.admitted(&mut row, at);
            for _ in 0..=at % 2 {
                sketch.add(row.hash(at));
            }
        }
        segments.divide(&mut row, Share(20), &sketch);
        segments.check(&row, 10).unwrap();
        let queues: Vec<u8> = (0..10).map(|at| row.seat(at).queue).collect();
        let [often, once] = [PROTECTED, PROBATION];
        assert_eq!(
            queues,
            [
                once, often, once, often, once, often, once, often, WINDOW, WINDOW
            ]
        );
    }

    #[test]
    fn who_was_used_while_protected_goes_round_once_and_not_for_ever() {
        let (mut segments, mut row) = (Segments::default(), Row::new(100));
        let share = Share(1);
        for at in 0..100 {
            row.take(at, Instant::NEVER);
            segments.push(&mut row, at, PROBATION);
        }
        (0..79).for_each(|at| segments.used(&mut row, at, share));
        assert_eq!(segments.protected.len(), 79);
        segments.used(&mut row, 0, share);
        assert_eq!(segments.protected.oldest(), Some(0), "a use moves nobody");
        segments.used(&mut row, 79, share);
        assert_eq!(segments.protected.oldest(), Some(2));
        assert_eq!([0, 1].map(|at| row.seat(at).queue), [PROTECTED, PROBATION]);
        // Where all are in use, a few go round, and then one has to go.
        (2..79).for_each(|at| segments.used(&mut row, at, share));
        segments.used(&mut row, 80, share);
        assert_eq!(row.seat(1 + ROUND as u32).queue, PROBATION);
        assert_eq!(segments.protected.len(), 79);
        segments.check(&row, 100).unwrap();
    }

    #[test]
    fn in_one_era_an_entry_moves_once() {
        let (mut segments, mut row) = (Segments::default(), Row::new(1_000));
        for at in 0..1_000 {
            row.take(at, Instant::NEVER);
            segments.admitted(&mut row, at);
        }
        segments.used(&mut row, 0, Share::WHOLE);
        segments.used(&mut row, 1, Share::WHOLE);
        segments.used(&mut row, 0, Share::WHOLE);
        assert_eq!(segments.oldest_first(&row)[998..], [0, 1]);
        for at in 100..200 {
            segments.used(&mut row, at, Share::WHOLE);
        }
        segments.used(&mut row, 0, Share::WHOLE);
        assert_eq!(segments.oldest_first(&row)[999], 0);
    }
}
