//! S3-FIFO: three queues in order of arrival. Newcomers wait in a small one; what is used there goes on to the main one,
//! what is not leaves and is remembered in a ghost queue. Who comes back while remembered starts in the main queue.
//!
//! After Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023: the small queue has a tenth of the
//! room, the ghost queue names as many as the main one holds, and uses are counted up to three.

use std::collections::{HashMap, VecDeque};

use super::chain::Chain;
use super::{Order, Seats, Used};

const SMALL: u8 = 0;
const MAIN: u8 = 1;
/// More uses do not count.
const MOST: u8 = 3;

/// The two queues of entries, and the one of memories.
#[derive(Default)]
pub(crate) struct S3Fifo {
    small: Chain,
    main: Chain,
    ghosts: Ghosts,
}

impl S3Fifo {
    fn queue(&mut self, queue: u8) -> &mut Chain {
        if queue == SMALL {
            &mut self.small
        } else {
            &mut self.main
        }
    }

    fn promote(&mut self, seats: &mut impl Seats, at: u32) {
        self.small.unlink(seats, at);
        let seat = seats.seat_mut(at);
        (seat.queue, seat.used) = (MAIN, Used::NEVER);
        self.main.push(seats, at);
    }
}

impl Order for S3Fifo {
    const MARKED_ONLY: bool = true;

    fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
        let queue = if self.ghosts.forget(seats.hash(at)) {
            MAIN
        } else {
            SMALL
        };
        seats.seat_mut(at).queue = queue;
        self.queue(queue).push(seats, at);
    }

    fn left(&mut self, seats: &mut impl Seats, at: u32) {
        self.queue(seats.seat(at).queue).unlink(seats, at);
    }

    fn victim(&mut self, seats: &mut impl Seats) -> Option<u32> {
        let entries = self.small.len() + self.main.len();
        while self.main.len() == 0 || self.small.len() * 10 >= entries {
            let Some(at) = self.small.oldest() else { break };
            if seats.seat(at).used.times() <= 1 {
                self.ghosts.remember(seats.hash(at), entries - entries / 10);
                return Some(at);
            }
            self.promote(seats, at);
        }
        loop {
            let at = self.main.oldest()?;
            let uses = seats.seat(at).used.times().min(MOST);
            if uses == 0 {
                return Some(at);
            }
            seats.seat_mut(at).used = Used::exactly(uses - 1);
            self.main.renew(seats, at);
        }
    }

    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
        self.small.check(seats, self.small.len())?;
        self.main.check(seats, self.main.len())?;
        if self.small.len() + self.main.len() != entries {
            return Err(format!(
                "{} and {} entries are queued, {entries} are held",
                self.small.len(),
                self.main.len()
            ));
        }
        self.ghosts.check()
    }
}

/// Hashes of entries that left, in order, as far as they did not come back.
#[derive(Default)]
struct Ghosts {
    queue: VecDeque<(u32, u64)>,
    /// When each left, counted in departures. Who came back is no longer here, though still queued.
    left: HashMap<u32, u64>,
    departures: u64,
}

impl Ghosts {
    /// Remembers one who leaves, and at most `most` in all.
    fn remember(&mut self, hash: u32, most: usize) {
        self.departures += 1;
        self.queue.push_back((hash, self.departures));
        self.left.insert(hash, self.departures);
        while self.queue.len() > most {
            let Some((hash, departure)) = self.queue.pop_front() else {
                break;
            };
            if self.left.get(&hash) == Some(&departure) {
                self.left.remove(&hash);
            }
        }
    }

    /// Whether one was remembered, who no longer is.
    fn forget(&mut self, hash: u32) -> bool {
        self.left.remove(&hash).is_some()
    }

    fn check(&self) -> Result<(), String> {
        let known = |entry: &(u32, u64)| self.left.get(&entry.0) == Some(&entry.1);
        let queued = self.queue.iter().filter(|entry| known(entry)).count();
        if queued == self.left.len() {
            Ok(())
        } else {
            Err(format!(
                "{} ghosts are known, {queued} are queued",
                self.left.len()
            ))
        }
    }
}
