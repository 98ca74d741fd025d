//! Least recently used: a use makes an entry the newest again.

use super::chain::Chain;
use super::{Order, Seats};

/// The queue, in the order of last uses.
#[derive(Default)]
pub(crate) struct Lru {
    queue: Chain,
}

impl Order for Lru {
    const MARKED_ONLY: bool = false;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue.push(seats, at);
    }

    fn touched(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue.renew(seats, at);
    }

    fn left(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue.unlink(seats, at);
    }

    fn victim(&mut self, _seats: &mut impl Seats) -> Option<u32> {
        self.queue.oldest()
    }

    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        self.queue.check(seats, entries)
    }
}
