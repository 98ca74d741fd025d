//! The memory against a plain map, over random histories; every invariant is verified after every step.
#![cfg(not(feature = "shuttle"))]

use std::collections::HashMap;
use std::num::NonZeroU64;

use everwarm_core::clock::Instant;
use everwarm_memory::{Bounds, Cause, Eviction, Gone, Look, Memory, Newcomer, Taken};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Keep,
    Touch,
    Drop,
}

#[derive(Clone, Debug)]
enum Step {
    /// With a lifetime in quarters of a bucket, none is for ever, and a weight.
    Insert(u8, Option<u64>, u64),
    Look(u8, Verdict),
    Remove(u8),
    /// Time goes on by so many quarters of a bucket, and expired entries are swept.
    Sweep(u64),
    /// Keys that leave this remainder by this divisor go.
    Retain(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..48_u8;
    let verdict =
        prop_oneof![1 => Just(Verdict::Keep), 4 => Just(Verdict::Touch), 1 => Just(Verdict::Drop)];
    prop_oneof![
        8 => (key.clone(), prop::option::of(0..40_u64), 0..60_u64)
            .prop_map(|(key, life, weight)| Step::Insert(key, life, weight)),
        6 => (key.clone(), verdict).prop_map(|(key, verdict)| Step::Look(key, verdict)),
        2 => key.prop_map(Step::Remove),
        2 => (0..12_u64).prop_map(Step::Sweep),
        1 => (1..5_u8, 0..5_u8).prop_map(|(by, rest)| Step::Retain(by, rest)),
    ]
}

/// What an entry should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    payload: u32,
    deadline: Instant,
    weight: u64,
}

impl Held {
    fn taken(self, key: u8) -> Taken<u8, u32> {
        Taken {
            key,
            payload: self.payload,
            weight: self.weight,
        }
    }

    fn gone(self, key: u8, now: Instant, otherwise: Cause) -> Gone<u8, u32> {
        let cause = if self.deadline <= now {
            Cause::Expired
        } else {
            otherwise
        };
        Gone {
            key,
            payload: self.payload,
            weight: self.weight,
            cause,
        }
    }
}

/// The memory, and what it should hold.
struct Pair {
    memory: Memory<u8, u32>,
    model: HashMap<u8, Held>,
    bounds: Bounds,
    now: u64,
    payloads: u32,
    /// Few, so that keys share hashes.
    hashes: u64,
}

impl Pair {
    const QUARTER: u64 = 1 << 28;

    fn new(bounds: Bounds, hashes: u64) -> Self {
        Self {
            memory: Memory::new(bounds),
            model: HashMap::new(),
            bounds,
            now: 0,
            payloads: 0,
            hashes,
        }
    }

    fn weight(&self) -> u64 {
        self.model.values().map(|held| held.weight).sum()
    }

    /// Whether the model holds more than it may.
    fn is_beyond(&self) -> bool {
        self.model.len() > self.bounds.max_entries.get()
            || self
                .bounds
                .max_bytes
                .is_some_and(|max| self.weight() > max.get())
    }

    fn hash(&self, key: u8) -> u64 {
        (u64::from(key) % self.hashes).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn insert(&mut self, key: u8, life: Option<u64>, weight: u64, tells_time: bool) {
        let deadline = life.map_or(Instant::NEVER, |life| {
            Instant::from_nanos(self.now + life * Self::QUARTER)
        });
        let now = if tells_time {
            self.now()
        } else {
            Instant::ZERO
        };
        self.payloads += 1;
        let newcomer = Newcomer {
            hash: self.hash(key),
            key,
            payload: self.payloads,
            deadline,
            keep_until: deadline,
            weight,
        };
        let held = Held {
            payload: self.payloads,
            deadline,
            weight: if self.memory.weighs() { weight } else { 0 },
        };
        let mut gone: Vec<_> = self.memory.admit(newcomer, now).into_iter().collect();
        if !self.memory.fits(weight) {
            assert_eq!(gone, [held.gone(key, now, Cause::Capacity)]);
            return;
        }
        if let Some(before) = self.model.remove(&key) {
            assert_eq!(gone.remove(0), before.gone(key, now, Cause::Replaced));
        }
        self.model.insert(key, held);
        for gone in gone {
            assert!(self.is_beyond(), "{gone:?} left without need");
            assert_ne!(gone.key, key, "the newcomer left");
            let before = self.model.remove(&gone.key).expect("who left was there");
            assert_eq!(gone, before.gone(gone.key, now, Cause::Capacity));
        }
        assert!(!self.is_beyond());
    }

    fn look(&mut self, key: u8, verdict: Verdict) {
        let (seen, gone) = self
            .memory
            .look(self.hash(key), &key, |payload, deadline, shard| {
                assert_eq!(shard, 0);
                let seen = (*payload, deadline);
                match verdict {
                    Verdict::Keep => Look::Keep(seen),
                    Verdict::Touch => Look::Touch(seen),
                    Verdict::Drop => Look::Drop(seen),
                }
            });
        let expected = self.model.get(&key);
        assert_eq!(seen, expected.map(|held| (held.payload, held.deadline)));
        let expected = match verdict {
            Verdict::Drop => self.model.remove(&key).map(|held| held.taken(key)),
            Verdict::Keep | Verdict::Touch => None,
        };
        assert_eq!(gone, expected);
    }

    /// Takes what the model says should go out of it, and compares.
    fn gone(&mut self, mut gone: Vec<Taken<u8, u32>>, goes: impl Fn(u8, Instant) -> bool) {
        let mut expected: Vec<_> = self
            .model
            .extract_if(|&key, held| goes(key, held.deadline))
            .map(|(key, held)| held.taken(key))
            .collect();
        gone.sort_unstable_by_key(|taken| taken.key);
        expected.sort_unstable_by_key(|taken| taken.key);
        assert_eq!(gone, expected);
    }

    fn apply(&mut self, step: &Step, tells_time: bool) {
        match *step {
            Step::Insert(key, life, weight) => self.insert(key, life, weight, tells_time),
            Step::Look(key, verdict) => self.look(key, verdict),
            Step::Remove(key) => {
                let expected = self.model.remove(&key).map(|held| held.taken(key));
                assert_eq!(self.memory.remove(self.hash(key), &key), expected);
            }
            Step::Sweep(quarters) => {
                self.now += quarters * Self::QUARTER;
                let now = self.now();
                self.gone(self.memory.sweep(now), |_, deadline| deadline <= now);
            }
            Step::Retain(by, rest) => {
                self.gone(self.memory.retain(|key, _| key % by != rest), |key, _| {
                    key % by == rest
                });
            }
        }
    }

    fn check(&self) {
        self.memory.check().unwrap();
        assert_eq!(self.memory.len(), self.model.len());
        assert_eq!(self.memory.weight(), self.weight());
        assert_eq!(
            self.memory.timed(),
            self.model
                .values()
                .filter(|held| held.deadline != Instant::NEVER)
                .count()
        );
        let mut seen = 0;
        self.memory.for_each(|key, payload| {
            assert_eq!(self.model[key].payload, *payload);
            seen += 1;
        });
        assert_eq!(seen, self.model.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_memory_is_a_map_that_lets_go(
        max in prop_oneof![Just(1_usize), Just(2), Just(5), Just(24), Just(40)],
        max_bytes in prop_oneof![2 => Just(None), 1 => Just(NonZeroU64::new(50)), 3 => Just(NonZeroU64::new(300))],
        hashes in prop_oneof![Just(3_u64), Just(64)],
        which in 0..Eviction::ALL.len(),
        tells_time: bool,
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let bounds = Bounds { max_bytes, eviction: Eviction::ALL[which], ..Bounds::entries(max.try_into().unwrap()) };
        let mut pair = Pair::new(bounds, hashes);
        for step in &steps {
            pair.apply(step, tells_time);
            pair.check();
        }
    }
}
