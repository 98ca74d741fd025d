//! Soonest deadline first: what would expire next leaves, what never expires comes last, and of equals the oldest leaves.

use std::collections::BTreeMap;

use everwarm_core::clock::Instant;

use super::{Order, Seats};

/// A deadline, and a number that makes it unique and later ones greater.
type Turn = (Instant, u64);

/// The entries by deadline.
#[derive(Default)]
pub(crate) struct Ttl {
    queue: BTreeMap<Turn, u32>,
    /// For each slot where it is queued.
    turns: Vec<Turn>,
    admitted: u64,
}

impl Order for Ttl {
    const MARKED_ONLY: bool = true;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        self.admitted += 1;
        let turn = (seats.deadline(at), self.admitted);
        let slot = at as usize;
        if slot >= self.turns.len() {
            self.turns.resize(slot + 1, turn);
        }
        self.turns[slot] = turn;
        self.queue.insert(turn, at);
    }

    fn rescheduled(&mut self, seats: &impl Seats, at: u32) {
        let turn = &mut self.turns[at as usize];
        self.queue.remove(turn);
        turn.0 = seats.deadline(at);
        self.queue.insert(*turn, at);
    }

    fn left(&mut self, _seats: &mut impl Seats, at: u32) {
        self.queue.remove(&self.turns[at as usize]);
    }

    fn victim(&mut self, _seats: &mut impl Seats) -> Option<u32> {
        self.queue.values().next().copied()
    }

    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        if self.queue.len() != entries {
            return Err(format!(
                "{} entries are queued, {entries} are held",
                self.queue.len()
            ));
        }
        match self
            .queue
            .iter()
            .find(|&(turn, &at)| self.turns[at as usize] != *turn || seats.deadline(at) != turn.0)
        {
            Some((turn, at)) => Err(format!(
                "slot {at} is queued for {:?}, which is not its turn",
                turn.0
            )),
            None => Ok(()),
        }
    }
}
