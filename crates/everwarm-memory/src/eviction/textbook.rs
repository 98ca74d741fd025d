//! The orders as their papers write them, over plain lists, and the comparison of the real ones with them.

use std::collections::HashMap;

use everwarm_core::clock::Instant;
use proptest::prelude::*;

use super::{Eviction, Leaving, Part, Seat, Seats};

/// A plain row of seats: what an order sees, without a table.
pub(super) struct Row {
    seats: Vec<Seat>,
    deadlines: Vec<Instant>,
    taken: Vec<bool>,
}

impl Row {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            seats: (0..slots).map(|_| Seat::new()).collect(),
            deadlines: vec![Instant::NEVER; slots],
            taken: vec![false; slots],
        }
    }

    /// Seats an entry in a slot.
    pub(super) fn take(&mut self, at: u32, deadline: Instant) {
        self.seats[at as usize] = Seat::new();
        self.deadlines[at as usize] = deadline;
        self.taken[at as usize] = true;
    }

    /// The entry of a slot is gone.
    pub(super) fn vacate(&mut self, at: u32) {
        self.taken[at as usize] = false;
    }

    /// Whether there is an entry in a slot.
    pub(super) fn is_taken(&self, at: u32) -> bool {
        self.taken[at as usize]
    }
}

impl Seats for Row {
    fn seat(&self, at: u32) -> &Seat {
        &self.seats[at as usize]
    }

    fn seat_mut(&mut self, at: u32) -> &mut Seat {
        &mut self.seats[at as usize]
    }

    fn hash(&self, at: u32) -> u32 {
        at.wrapping_mul(0x9E37_79B9)
    }

    fn deadline(&self, at: u32) -> Instant {
        self.deadlines[at as usize]
    }
}

/// An order over a plain list of keys, the oldest first.
trait Textbook {
    fn enter(&mut self, key: u32, deadline: u64);
    fn used(&mut self, key: u32);
    fn leave(&mut self, key: u32);
    fn victim(&mut self) -> Option<u32>;
}

/// FIFO, and with one line more each LRU, LFU and the order by deadline.
struct Listed {
    eviction: Eviction,
    /// Keys, with uses and deadlines.
    list: Vec<(u32, u8, u64)>,
}

impl Textbook for Listed {
    fn enter(&mut self, key: u32, deadline: u64) {
        self.list.push((key, 0, deadline));
    }

    fn used(&mut self, key: u32) {
        let place = self.list.iter().position(|entry| entry.0 == key).unwrap();
        self.list[place].1 = self.list[place].1.saturating_add(1);
        if matches!(self.eviction, Eviction::Lru | Eviction::Lfu) {
            let entry = self.list.remove(place);
            self.list.push(entry);
        }
    }

    fn leave(&mut self, key: u32) {
        self.list.retain(|entry| entry.0 != key);
    }

    fn victim(&mut self) -> Option<u32> {
        // Of several that are least the first is found.
        let least = match self.eviction {
            Eviction::Lfu => self.list.iter().min_by_key(|entry| entry.1),
            Eviction::Ttl => self.list.iter().min_by_key(|entry| entry.2),
            _ => self.list.first(),
        };
        least.map(|entry| entry.0)
    }
}

/// SIEVE as in its paper's figure: a list, marks, and the key that the hand points to.
#[derive(Default)]
struct Sieve {
    list: Vec<(u32, bool)>,
    hand: Option<u32>,
}

impl Sieve {
    fn place(&self, key: u32) -> usize {
        self.list.iter().position(|entry| entry.0 == key).unwrap()
    }
}

impl Textbook for Sieve {
    fn enter(&mut self, key: u32, _deadline: u64) {
        self.list.push((key, false));
    }

    fn used(&mut self, key: u32) {
        let place = self.place(key);
        self.list[place].1 = true;
    }

    fn leave(&mut self, key: u32) {
        let place = self.place(key);
        self.list.remove(place);
        if self.hand == Some(key) {
            self.hand = self.list.get(place).map(|entry| entry.0);
        }
    }

    fn victim(&mut self) -> Option<u32> {
        if self.list.is_empty() {
            return None;
        }
        let mut place = self.hand.map_or(0, |key| self.place(key));
        while std::mem::take(&mut self.list[place].1) {
            place = (place + 1) % self.list.len();
        }
        self.hand = Some(self.list[place].0);
        self.hand
    }
}

/// S3-FIFO as in its paper's algorithm 1.
#[derive(Default)]
struct S3Fifo {
    small: Vec<u32>,
    main: Vec<u32>,
    /// What left, the oldest first; those who came back leave a gap.
    ghosts: Vec<Option<u32>>,
    uses: HashMap<u32, u8>,
}

impl Textbook for S3Fifo {
    fn enter(&mut self, key: u32, _deadline: u64) {
        self.uses.insert(key, 0);
        let mut remembered = false;
        for ghost in &mut self.ghosts {
            if *ghost == Some(key) {
                *ghost = None;
                remembered = true;
            }
        }
        if remembered {
            self.main.push(key);
        } else {
            self.small.push(key);
        }
    }

    fn used(&mut self, key: u32) {
        let uses = self.uses.get_mut(&key).unwrap();
        *uses = (*uses + 1).min(3);
    }

    fn leave(&mut self, key: u32) {
        self.small.retain(|&other| other != key);
        self.main.retain(|&other| other != key);
    }

    fn victim(&mut self) -> Option<u32> {
        let entries = self.small.len() + self.main.len();
        while !self.small.is_empty() && (self.main.is_empty() || self.small.len() * 10 >= entries) {
            let key = self.small[0];
            if self.uses[&key] <= 1 {
                self.ghosts.push(Some(key));
                let most = entries - entries / 10;
                self.ghosts.drain(..self.ghosts.len().saturating_sub(most));
                return Some(key);
            }
            self.small.remove(0);
            self.main.push(key);
            self.uses.insert(key, 0);
        }
        while let Some(&key) = self.main.first() {
            let uses = self.uses[&key];
            if uses == 0 {
                return Some(key);
            }
            self.uses.insert(key, uses - 1);
            self.main.rotate_left(1);
        }
        None
    }
}

fn textbook(eviction: Eviction) -> Box<dyn Textbook> {
    match eviction {
        Eviction::Sieve => Box::<Sieve>::default(),
        Eviction::S3Fifo => Box::<S3Fifo>::default(),
        _ => Box::new(Listed {
            eviction,
            list: Vec::new(),
        }),
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// With this deadline; who is there already is used.
    Enter(u32, u64),
    Use(u32),
    Leave(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS;
    let step = prop_oneof![
        8 => (key.clone(), 0..9_u64).prop_map(|(key, deadline)| Step::Enter(key, deadline)),
        6 => key.clone().prop_map(Step::Use),
        1 => key.prop_map(Step::Leave),
    ];
    prop::collection::vec(step, 0..400)
}

const KEYS: u32 = 40;

/// Plays the steps on both, with room for so many; slots are keys.
fn compare(eviction: Eviction, room: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut order, mut model) = (Leaving::new(eviction, Part::default()), textbook(eviction));
    let mut row = Row::new(KEYS as usize);
    let mut there = Vec::new();
    for &step in steps {
        match step {
            Step::Enter(key, deadline) if !there.contains(&key) => {
                if there.len() == room {
                    let victim = order.victim(&mut row);
                    prop_assert_eq!(victim, model.victim());
                    order.left(&mut row, victim.unwrap());
                    model.leave(victim.unwrap());
                    there.retain(|&other| Some(other) != victim);
                }
                there.push(key);
                row.take(key, Instant::from_nanos(deadline));
                order.admitted(&mut row, key);
                model.enter(key, deadline);
            }
            Step::Enter(key, _) | Step::Use(key) if there.contains(&key) => {
                order.touched(&mut row, key);
                model.used(key);
            }
            Step::Leave(key) if there.contains(&key) => {
                order.left(&mut row, key);
                model.leave(key);
                there.retain(|&other| other != key);
            }
            _ => {}
        }
        order
            .check(&row, there.len())
            .map_err(TestCaseError::fail)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn each_order_but_the_default_chooses_whom_its_textbook_chooses(
        room in 1..30_usize,
        which in 1..Eviction::ALL.len(),
        steps in steps(),
    ) {
        compare(Eviction::ALL[which], room, &steps)?;
    }
}
