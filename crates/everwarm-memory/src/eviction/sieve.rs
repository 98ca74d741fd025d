//! SIEVE: a queue with a hand that spares what was used since it last came by.
//!
//! After Zhang and others, "SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for web caches",
//! NSDI 2024. The hand goes from old to new and wraps; entries do not move in the queue, so a hit sets a mark only.

use super::chain::Chain;
use super::{Order, Seats, Used};

/// The queue, and where the hand rests.
#[derive(Default)]
pub(crate) struct Sieve {
    queue: Chain,
    hand: Option<u32>,
}

impl Order for Sieve {
    const MARKED_ONLY: bool = true;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue.push(seats, at);
    }

    fn left(&mut self, seats: &mut impl Seats, at: u32) {
        if self.hand == Some(at) {
            self.hand = Chain::newer(seats, at);
        }
        self.queue.unlink(seats, at);
    }

    fn victim(&mut self, seats: &mut impl Seats) -> Option<u32> {
        let mut at = self.hand.or(self.queue.oldest())?;
        while seats.seat(at).used != Used::NEVER {
            seats.seat_mut(at).used = Used::NEVER;
            at = Chain::newer(seats, at).or(self.queue.oldest())?;
        }
        self.hand = Some(at);
        Some(at)
    }

    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        self.queue.check(seats, entries)?;
        let mut at = self.queue.oldest();
        while let Some(slot) = at
            && self.hand != at
        {
            at = Chain::newer(seats, slot);
        }
        match (self.hand, at) {
            (Some(hand), None) => Err(format!("the hand rests on {hand}, which is not queued")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::textbook::Row;
    use super::*;

    /// Letters stand for slots: `A` is slot 0.
    struct Table {
        sieve: Sieve,
        seats: Row,
        entries: usize,
    }

    impl Table {
        fn new() -> Self {
            Self {
                sieve: Sieve::default(),
                seats: Row::new(26),
                entries: 0,
            }
        }

        fn admit(&mut self, letters: &str) {
            for letter in letters.bytes() {
                self.sieve
                    .admitted(&mut self.seats, u32::from(letter - b'A'));
                self.entries += 1;
            }
        }

        fn touch(&mut self, letters: &str) {
            for letter in letters.bytes() {
                self.sieve
                    .touched(&mut self.seats, u32::from(letter - b'A'));
            }
        }

        fn leave(&mut self, at: u32) {
            self.sieve.left(&mut self.seats, at);
            self.entries -= 1;
            self.sieve.check(&self.seats, self.entries).unwrap();
        }

        fn evict(&mut self) -> Option<char> {
            let at = self.sieve.victim(&mut self.seats)?;
            self.leave(at);
            Some(char::from(b'A' + u8::try_from(at).unwrap()))
        }
    }

    #[test]
    fn the_hand_spares_the_used_and_goes_on_from_where_it_was() {
        let mut table = Table::new();
        table.admit("ABCDEFG");
        table.touch("ABG");
        // A and B lose their marks, C goes, and the hand rests on D.
        assert_eq!(table.evict(), Some('C'));
        table.admit("H");
        assert_eq!(table.evict(), Some('D'));
        table.admit("I");
        table.touch("AE");
        // E is spared, F goes. The hand then spares G, and takes H although A and B are older.
        assert_eq!(table.evict(), Some('F'));
        assert_eq!(table.evict(), Some('H'));
        // I is the newest: after it the hand wraps; A was marked behind the hand, B was not.
        assert_eq!(table.evict(), Some('I'));
        assert_eq!(table.evict(), Some('B'));
        // E and G lost their marks when they were spared; A lies behind the hand.
        assert_eq!(table.evict(), Some('E'));
        assert_eq!(table.evict(), Some('G'));
        assert_eq!(table.evict(), Some('A'));
        assert_eq!(table.evict(), None);
    }

    #[test]
    fn when_all_were_used_the_oldest_goes() {
        let mut table = Table::new();
        table.admit("ABC");
        table.touch("ABCABC");
        assert_eq!(table.evict(), Some('A'));
        assert_eq!(table.evict(), Some('B'));
    }

    #[test]
    fn the_hand_moves_on_when_its_entry_leaves_for_another_reason() {
        let mut table = Table::new();
        table.admit("ABCD");
        table.touch("A");
        assert_eq!(table.evict(), Some('B'));
        table.leave(2);
        assert_eq!(table.evict(), Some('D'));
        assert_eq!(table.evict(), Some('A'));
    }
}
