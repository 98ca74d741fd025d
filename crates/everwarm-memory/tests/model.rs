//! The memory against a plain map, over random histories; every invariant is verified after every step.
#![cfg(not(feature = "shuttle"))]

use std::collections::HashMap;

use everwarm_core::clock::Instant;
use everwarm_memory::{Bounds, Cause, Look, Memory};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Keep,
    Touch,
    Drop,
}

#[derive(Clone, Debug)]
enum Step {
    /// With a lifetime in quarters of a bucket; none is for ever.
    Insert(u8, Option<u64>),
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
        8 => (key.clone(), prop::option::of(0..40_u64)).prop_map(|(key, life)| Step::Insert(key, life)),
        6 => (key.clone(), verdict).prop_map(|(key, verdict)| Step::Look(key, verdict)),
        2 => key.prop_map(Step::Remove),
        2 => (0..12_u64).prop_map(Step::Sweep),
        1 => (1..5_u8, 0..5_u8).prop_map(|(by, rest)| Step::Retain(by, rest)),
    ]
}

/// The memory, and what it should hold: for each key the payload and the deadline.
struct Pair {
    memory: Memory<u8, u32>,
    model: HashMap<u8, (u32, Instant)>,
    max: usize,
    now: u64,
    payloads: u32,
    /// Few, so that keys share hashes.
    hashes: u64,
}

impl Pair {
    const QUARTER: u64 = 1 << 28;

    fn new(max: usize, hashes: u64) -> Self {
        let memory = Memory::new(Bounds {
            max_entries: max.try_into().unwrap(),
        });
        Self {
            memory,
            model: HashMap::new(),
            max,
            now: 0,
            payloads: 0,
            hashes,
        }
    }

    fn hash(&self, key: u8) -> u64 {
        (u64::from(key) % self.hashes).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn insert(&mut self, key: u8, life: Option<u64>, tells_time: bool) {
        let deadline = life.map_or(Instant::NEVER, |life| {
            Instant::from_nanos(self.now + life * Self::QUARTER)
        });
        let now = if tells_time {
            self.now()
        } else {
            Instant::ZERO
        };
        self.payloads += 1;
        let departed = self
            .memory
            .insert_at(self.hash(key), key, self.payloads, deadline, now);
        let gone: Vec<_> = departed.into_iter().collect();
        if let Some((payload, earlier)) = self.model.insert(key, (self.payloads, deadline)) {
            let cause = if earlier <= now {
                Cause::Expired
            } else {
                Cause::Replaced
            };
            let [gone] = &gone[..] else {
                panic!("{gone:?} left for {key}, which was there")
            };
            assert_eq!((gone.key, gone.payload, gone.cause), (key, payload, cause));
        } else if self.model.len() > self.max {
            let [gone] = &gone[..] else {
                panic!("{gone:?} left a full memory")
            };
            assert_ne!(gone.key, key, "the newcomer left");
            let (payload, deadline) = self.model.remove(&gone.key).expect("who left was there");
            assert_eq!(gone.payload, payload);
            assert_eq!(
                gone.cause,
                if deadline <= now {
                    Cause::Expired
                } else {
                    Cause::Capacity
                }
            );
        } else {
            assert_eq!(gone, []);
        }
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
        assert_eq!(seen, self.model.get(&key).copied());
        let expected = match verdict {
            Verdict::Drop => self.model.remove(&key).map(|(payload, _)| (key, payload)),
            Verdict::Keep | Verdict::Touch => None,
        };
        assert_eq!(gone, expected);
    }

    /// Takes what the model says should go out of it, and compares.
    fn gone(&mut self, mut gone: Vec<(u8, u32)>, goes: impl Fn(u8, Instant) -> bool) {
        let mut expected: Vec<_> = self
            .model
            .extract_if(|&key, &mut (_, deadline)| goes(key, deadline))
            .map(|(key, (p, _))| (key, p))
            .collect();
        gone.sort_unstable();
        expected.sort_unstable();
        assert_eq!(gone, expected);
    }

    fn apply(&mut self, step: &Step, tells_time: bool) {
        match *step {
            Step::Insert(key, life) => self.insert(key, life, tells_time),
            Step::Look(key, verdict) => self.look(key, verdict),
            Step::Remove(key) => {
                let expected = self.model.remove(&key).map(|(payload, _)| (key, payload));
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
        assert_eq!(
            self.memory.timed(),
            self.model
                .values()
                .filter(|entry| entry.1 != Instant::NEVER)
                .count()
        );
        let mut seen = 0;
        self.memory.for_each(|key, payload| {
            assert_eq!(self.model[key].0, *payload);
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
        hashes in prop_oneof![Just(3_u64), Just(64)],
        tells_time: bool,
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut pair = Pair::new(max, hashes);
        for step in &steps {
            pair.apply(step, tells_time);
            pair.check();
        }
    }
}
