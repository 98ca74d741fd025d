//! Least frequently used: one queue for each count of uses, each in the order of last uses.
//!
//! After Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache eviction scheme", 2010. Counts end at
//! 254, so the queues are an array. Nothing ages: what was used much stays, however long ago that was.

use super::chain::Chain;
use super::{Order, Seats};

/// A queue for each count, and counts below which all queues are empty.
#[derive(Default)]
pub(crate) struct Lfu {
    queues: Vec<Chain>,
    least: usize,
}

impl Lfu {
    fn queue(&mut self, uses: u8) -> &mut Chain {
        let uses = usize::from(uses);
        if uses >= self.queues.len() {
            self.queues.resize_with(uses + 1, Chain::default);
        }
        self.least = self.least.min(uses);
        &mut self.queues[uses]
    }
}

impl Order for Lfu {
    const MARKED_ONLY: bool = false;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        let uses = seats.seat(at).used.times();
        self.queue(uses).push(seats, at);
    }

    fn touched(&mut self, seats: &mut impl Seats, at: u32) {
        self.left(seats, at);
        seats.seat_mut(at).mark();
        self.admitted(seats, at);
    }

    fn left(&mut self, seats: &mut impl Seats, at: u32) {
        let uses = seats.seat(at).used.times();
        self.queue(uses).unlink(seats, at);
    }

    fn victim(&mut self, _seats: &mut impl Seats) -> Option<u32> {
        let more = self.queues.get(self.least..)?;
        let (empty, at) = (0..)
            .zip(more)
            .find_map(|(empty, queue)| Some((empty, queue.oldest()?)))?;
        self.least += empty;
        Some(at)
    }

    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        let mut queued = 0;
        for (uses, queue) in self.queues.iter().enumerate() {
            queue.check(seats, queue.len())?;
            queued += queue.len();
            let mut at = queue.oldest();
            while let Some(slot) = at {
                let counted = seats.seat(slot).used.times();
                if usize::from(counted) != uses || uses < self.least {
                    return Err(format!(
                        "slot {slot}, used {counted} times, is queued for {uses}"
                    ));
                }
                at = Chain::newer(seats, slot);
            }
        }
        if queued != entries {
            return Err(format!("{queued} entries are queued, {entries} are held"));
        }
        Ok(())
    }
}
