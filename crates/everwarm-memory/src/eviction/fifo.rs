//! First in, first out: a use changes nothing.

use super::chain::Chain;
use super::{Order, Seats};

/// The queue.
#[derive(Default)]
pub(crate) struct Fifo {
    queue: Chain,
}

impl Order for Fifo {
    const MARKED_ONLY: bool = true;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue.push(seats, at);
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
