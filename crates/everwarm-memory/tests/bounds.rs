//! What a memory holds is what it was told to hold, and what leaves it is dropped outside its locks.
#![cfg(not(feature = "shuttle"))]

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread;

use everwarm_core::clock::Instant;
use everwarm_memory::{Bounds, Cause, Eviction, Look, Memory, Newcomer, Place};

/// A mixer with 64 good bits (the last steps of MurmurHash3).
fn hash(key: u64) -> u64 {
    let mut bits = key.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    bits ^ (bits >> 33)
}

fn memory<T>(max_entries: usize) -> Memory<u64, T> {
    Memory::new(Bounds::entries(max_entries.try_into().unwrap()))
}

/// One whose order is simple enough to say who leaves.
fn sieve<T>(max_entries: usize) -> Memory<u64, T> {
    Memory::new(Bounds {
        eviction: Eviction::Sieve,
        ..Bounds::entries(max_entries.try_into().unwrap())
    })
}

fn holds<T>(memory: &Memory<u64, T>, key: u64) -> bool {
    memory
        .look(hash(key), &key, |_, _, _| Look::Keep(()))
        .0
        .is_some()
}

#[test]
fn a_memory_of_n_entries_holds_n_distinct_keys_and_no_more() {
    for max in [1, 2, 3, 100, 5_000, 20_000] {
        let memory = memory(max as usize);
        for key in 0..max {
            assert!(
                memory
                    .insert(hash(key), key, key, Instant::NEVER)
                    .is_empty(),
                "{key} of {max} found no room"
            );
        }
        assert_eq!(memory.len() as u64, max);
        assert!((0..max).all(|key| holds(&memory, key)));
        for key in max..2 * max {
            let causes: Vec<Cause> = memory
                .insert(hash(key), key, key, Instant::NEVER)
                .into_iter()
                .map(|gone| gone.cause)
                .collect();
            assert_eq!(causes, [Cause::Capacity]);
            assert!(holds(&memory, key));
        }
        assert_eq!(memory.len() as u64, max);
        memory.check().unwrap();
    }
}

#[test]
fn shards_are_few_for_few_entries_and_all_are_used() {
    let counts = [1, 1_023, 2_047, 2_048, 5_000].map(|max| memory::<()>(max).shards());
    assert_eq!(counts, [1, 1, 1, 2, 4]);
    // Four for each processor are enough.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let most = 1 << (4 * processors).min(16).ilog2();
    assert_eq!(memory::<()>(1_000_000).shards(), most);
    let memory =
        Memory::<u64, ()>::with_shards(Bounds::entries(1_000_000.try_into().unwrap()), usize::MAX);
    let mut keys = [0; 16];
    for key in 0..16_000 {
        keys[memory.shard_of(hash(key))] += 1;
    }
    assert!(
        keys.iter().all(|&keys| (800..1_200).contains(&keys)),
        "{keys:?}"
    );
}

#[test]
fn a_shard_without_entries_of_its_own_refuses_when_others_hold_all() {
    let memory = memory(2_048);
    for key in 0..2_048 {
        assert!(memory.insert(key, key, (), Instant::NEVER).is_empty());
    }
    let other = 1 << 32;
    assert_ne!(memory.shard_of(other), memory.shard_of(0));
    let gone: Vec<u64> = memory
        .insert(other, 9_999, (), Instant::NEVER)
        .into_iter()
        .map(|gone| gone.key)
        .collect();
    assert_eq!(gone, [9_999]);
    assert_eq!(memory.len(), 2_048);
    memory.check().unwrap();
}

#[test]
fn keys_of_one_hash_are_told_apart() {
    let memory = memory(100);
    for key in 0..100 {
        assert!(memory.insert(7, key, key, Instant::NEVER).is_empty());
    }
    assert_eq!(memory.remove(7, &50).map(|taken| taken.payload), Some(50));
    assert_eq!(
        memory.look(7, &51, |payload, _, _| Look::Keep(*payload)),
        (Some(51), None)
    );
    memory.check().unwrap();
}

#[test]
fn an_entry_that_was_touched_or_replaced_is_spared_and_one_that_was_only_read_is_not() {
    let memory = sieve(4);
    let evicted = |key: u64| {
        memory
            .insert(hash(key), key, (), Instant::NEVER)
            .into_iter()
            .map(|gone| gone.key)
            .collect::<Vec<_>>()
    };
    assert!((1..=4).all(|key| evicted(key).is_empty()));
    assert_eq!(evicted(1), [1], "replaced");
    assert_eq!(
        memory.look(hash(2), &2, |_, _, _| Look::Touch(())),
        (Some(()), None)
    );
    assert_eq!(
        memory.look(hash(3), &3, |_, _, _| Look::Keep(())),
        (Some(()), None)
    );
    assert_eq!(evicted(5), [3]);
    assert_eq!(evicted(6), [4]);
}

#[test]
fn expired_entries_make_room_before_live_ones() {
    let memory = sieve(3);
    let (soon, late) = (Instant::from_nanos(10), Instant::from_nanos(1 << 40));
    for (key, deadline) in [(1, late), (2, soon), (3, Instant::NEVER)] {
        assert!(memory.insert(hash(key), key, (), deadline).is_empty());
    }
    let insert = |key: u64| {
        let gone = memory
            .insert_at(hash(key), key, (), late, soon)
            .into_iter()
            .next()
            .unwrap();
        (gone.key, gone.cause)
    };
    assert_eq!(insert(4), (2, Cause::Expired));
    assert_eq!(insert(5), (1, Cause::Capacity));
    memory.check().unwrap();
}

#[test]
fn an_expired_entry_that_leaves_in_its_turn_has_expired() {
    let memory = sieve(2);
    let at = Instant::from_nanos;
    // Filed in one bucket: the search looks at key 2 first, which is pending, and gives up before key 1.
    for (key, deadline) in [(1, 10), (2, 1_000)] {
        assert!(memory.insert(hash(key), key, (), at(deadline)).is_empty());
    }
    let gone = memory
        .insert_at(hash(3), 3, (), at(1_000), at(20))
        .into_iter()
        .next()
        .unwrap();
    assert_eq!((gone.key, gone.cause), (1, Cause::Expired));
}

#[test]
fn a_replaced_entry_had_expired_or_had_not() {
    let memory = memory(3);
    let at = Instant::from_nanos;
    let insert = |payload, deadline, now| {
        let gone = memory
            .insert_at(hash(1), 1, payload, at(deadline), at(now))
            .into_iter()
            .next();
        gone.map(|gone| (gone.payload, gone.cause))
    };
    assert_eq!(insert("a", 10, 0), None);
    assert_eq!(insert("b", 20, 9), Some(("a", Cause::Replaced)));
    assert_eq!(insert("c", 30, 20), Some(("b", Cause::Expired)));
    assert_eq!(memory.len(), 1);
}

#[test]
fn a_sweep_takes_what_is_due_to_the_nanosecond_and_nothing_else() {
    let memory = memory(5_000);
    let second = 1 << 30;
    let deadlines = [
        1,
        second - 1,
        second,
        second + 1,
        second + 2,
        90 * second,
        u64::MAX - 1,
    ];
    for deadline in deadlines {
        assert!(
            memory
                .insert(hash(deadline), deadline, (), Instant::from_nanos(deadline))
                .is_empty()
        );
    }
    assert!(memory.insert(hash(0), 0, (), Instant::NEVER).is_empty());
    let mut swept = Vec::new();
    for now in [
        0,
        1,
        second,
        second + 1,
        80 * second,
        u64::MAX - 1,
        u64::MAX,
    ] {
        let mut keys: Vec<u64> = memory
            .sweep(Instant::from_nanos(now))
            .into_iter()
            .map(|taken| taken.key)
            .collect();
        keys.sort_unstable();
        swept.push(keys);
        memory.check().unwrap();
    }
    let expected: [&[u64]; 7] = [
        &[],
        &[1],
        &[second - 1, second],
        &[second + 1],
        &[second + 2],
        &[90 * second, u64::MAX - 1],
        &[],
    ];
    assert_eq!(swept, expected);
    assert_eq!((memory.len(), memory.timed()), (1, 0));
}

#[test]
fn a_deadline_that_keeps_moving_costs_no_memory_and_counts_as_it_stands() {
    let memory = memory(10);
    let second = 1 << 30;
    // Earlier each time, which is filed anew each time; then later each time, which is not.
    for deadline in (1..=1_000).rev().chain(1..=1_000) {
        drop(memory.insert(hash(1), 1, deadline, Instant::from_nanos(deadline * second)));
        memory.check().unwrap();
    }
    assert_eq!(memory.sweep(Instant::from_nanos(1_000 * second - 1)), []);
    let swept = memory.sweep(Instant::from_nanos(1_000 * second));
    assert_eq!((swept.len(), swept[0].payload), (1, 1_000));
}

/// Calls the memory it was in when it is dropped, which would never end under one of its locks.
struct Returns {
    to: Weak<Memory<u64, Returns>>,
    drops: Rc<Cell<u32>>,
}

impl Drop for Returns {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        if let Some(memory) = self.to.upgrade() {
            memory.for_each(|_, _| ());
            assert!(memory.remove(hash(77), &77).is_none());
        }
    }
}

#[test]
fn payloads_are_dropped_outside_the_locks() {
    let memory = Rc::new(memory(2));
    let drops = Rc::new(Cell::new(0));
    let at = Instant::from_nanos;
    let insert = |key, deadline| {
        let payload = Returns {
            to: Rc::downgrade(&memory),
            drops: Rc::clone(&drops),
        };
        drop(memory.insert(hash(key), key, payload, at(deadline)));
        drops.get()
    };
    assert_eq!((insert(1, 1), insert(1, 1)), (0, 1), "replaced");
    assert_eq!((insert(2, 1), insert(3, 1)), (1, 2), "evicted");
    drop(memory.look(hash(3), &3, |_, _, _| Look::Drop(())));
    assert_eq!(drops.get(), 3, "dropped by a reader");
    drop(memory.sweep(at(1)));
    assert_eq!(drops.get(), 4, "swept");
    assert_eq!((insert(4, 1), insert(5, 1)), (4, 4));
    drop(memory.remove(hash(4), &4));
    assert_eq!(drops.get(), 5, "removed");
    drop(memory.retain(|_, _| false));
    assert_eq!(drops.get(), 6, "not retained");
    assert!(memory.is_empty());
}

#[test]
fn threads_share_one_bound() {
    let memory = Arc::new(memory(5_000));
    thread::scope(|scope| {
        for thread in 0..4 {
            let memory = &memory;
            scope.spawn(move || {
                for key in 0..10_000 {
                    let key = key * 4 + thread;
                    drop(memory.insert(hash(key), key, (), Instant::from_nanos(key)));
                    if key % 3 == 0 {
                        memory.remove(hash(key / 2), &(key / 2));
                    }
                    if key % 1_000 == 0 {
                        drop(memory.sweep(Instant::from_nanos(key / 2)));
                    }
                    assert!(memory.len() <= 5_004);
                }
            });
        }
    });
    memory.check().unwrap();
}

fn weighed(max_bytes: u64, shards: usize) -> Memory<u64, ()> {
    let bounds = Bounds {
        max_bytes: max_bytes.try_into().ok(),
        eviction: Eviction::Sieve,
        ..Bounds::entries(1_000_000.try_into().unwrap())
    };
    Memory::with_shards(bounds, shards)
}

/// The keys that leave for a newcomer, in order.
fn admit(memory: &Memory<u64, ()>, key: u64, weight: u64) -> Vec<u64> {
    let newcomer = Newcomer {
        hash: hash(key),
        key,
        payload: (),
        deadline: Instant::NEVER,
        keep_until: Instant::NEVER,
        weight,
    };
    let departed = memory.admit(newcomer, Instant::ZERO).into_iter();
    departed.map(|gone| gone.key).collect()
}

#[test]
fn a_heavy_newcomer_pushes_out_as_many_as_it_needs_and_no_more() {
    let memory = weighed(100, 1);
    assert!((0..10).all(|key| admit(&memory, key, 10).is_empty()));
    assert_eq!(admit(&memory, 10, 25), [0, 1, 2]);
    assert_eq!((memory.len(), memory.weight()), (8, 95));
    assert_eq!(admit(&memory, 11, 5), []);
    assert_eq!(admit(&memory, 12, 100).len(), 9);
    assert_eq!((memory.len(), memory.weight()), (1, 100));
    memory.check().unwrap();
}

#[test]
fn a_newcomer_that_is_too_heavy_pushes_out_nobody() {
    let memory = weighed(100, 1);
    assert!((0..10).all(|key| admit(&memory, key, 10).is_empty()));
    assert!(memory.fits(100) && !memory.fits(101));
    assert_eq!(admit(&memory, 10, 101), [10]);
    assert_eq!((memory.len(), memory.weight()), (10, 100));
}

#[test]
fn a_newcomer_makes_itself_room_in_every_shard() {
    let memory = weighed(1_000, 16);
    for key in 0..1_000 {
        admit(&memory, key, 5);
    }
    assert!(memory.weight() > 900);
    let gone = admit(&memory, 1_000, 800);
    assert!(holds(&memory, 1_000) && !gone.contains(&1_000));
    assert!((800..=1_000).contains(&memory.weight()));
    memory.check().unwrap();
}

#[test]
fn a_replaced_entry_is_weighed_anew_and_is_not_the_one_that_leaves() {
    let memory = weighed(100, 1);
    assert!((0..4).all(|key| admit(&memory, key, 20).is_empty()));
    assert_eq!(admit(&memory, 0, 40), [0]);
    assert_eq!(memory.weight(), 100);
    // It is the oldest and too heavy now, yet others go for it.
    assert_eq!(admit(&memory, 0, 70), [0, 1, 2]);
    assert_eq!((memory.len(), memory.weight()), (2, 90));
    assert_eq!(admit(&memory, 0, 1), [0]);
    assert_eq!(memory.weight(), 21);
    memory.check().unwrap();
}

#[test]
fn what_leaves_says_what_it_weighed() {
    let memory = weighed(100, 1);
    let weigh = |key, weight| admit(&memory, key, weight);
    assert!((0..4).all(|key| weigh(key, 10 + key).is_empty()));
    assert_eq!(
        memory.remove(hash(1), &1).map(|taken| taken.weight),
        Some(11)
    );
    let (_, taken) = memory.look(hash(2), &2, |_, _, _| Look::Drop(()));
    assert_eq!(taken.map(|taken| taken.weight), Some(12));
    assert_eq!(memory.weight(), 23);
    let weights: u64 = memory
        .retain(|_, ()| false)
        .iter()
        .map(|taken| taken.weight)
        .sum();
    assert_eq!((weights, memory.weight()), (23, 0));
}

#[test]
fn threads_share_one_bound_of_bytes() {
    let memory = weighed(10_000, 8);
    thread::scope(|scope| {
        for thread in 0..4 {
            let memory = &memory;
            scope.spawn(move || {
                for key in 0..10_000 {
                    let key = key * 4 + thread;
                    admit(memory, key % 5_000, key % 977);
                    if key % 3 == 0 {
                        memory.remove(hash(key / 2), &(key / 2));
                    }
                    assert!(memory.weight() <= 10_000 + 4 * 977);
                }
            });
        }
    });
    memory.check().unwrap();
}

#[test]
fn another_deadline_is_the_one_that_counts() {
    let memory = Memory::<u64, u64>::new(Bounds::entries(NonZeroUsize::new(100).expect("a bound")));
    let at = Instant::from_nanos;
    for key in 0..4 {
        drop(memory.insert(key, key, key, if key < 2 { at(5) } else { Instant::NEVER }));
    }
    let redate = |key: u64, deadline| {
        memory
            .find(key, &key)
            .expect("it is there")
            .redate(deadline)
    };
    redate(0, Instant::NEVER);
    redate(1, at(9));
    redate(2, at(5));
    for nanos in 0..1_000 {
        redate(3, at(2_000_000_000_000 - nanos * 1_000_000_000));
    }
    assert_eq!(memory.timed(), 3);
    let swept = |now| -> Vec<u64> {
        memory
            .sweep(at(now))
            .into_iter()
            .map(|taken| taken.key)
            .collect()
    };
    assert_eq!((swept(5), swept(9)), (vec![2], vec![1]));
    assert_eq!(memory.len(), 2);
    memory
        .check()
        .expect("filings that do not count any more are let go");
}

#[test]
fn what_is_kept_beyond_its_deadline_leaves_at_its_end() {
    let memory = Memory::<u64, u64>::new(Bounds::entries(NonZeroUsize::new(2).expect("a bound")));
    let at = |second: u64| Instant::from_nanos(second * 2_000_000_000);
    let newcomer = |key: u64, deadline, keep_until| Newcomer {
        hash: key,
        key,
        payload: key,
        deadline: at(deadline),
        keep_until: at(keep_until),
        weight: 0,
    };
    drop(memory.admit(newcomer(0, 1, 5), Instant::ZERO));
    drop(memory.admit(newcomer(1, 3, 3), Instant::ZERO));
    let shown = memory.look(0, &0, |_, deadline, _| Look::Keep(deadline)).0;
    assert_eq!(shown, Some(at(1)));
    let swept = |now| -> Vec<u64> {
        let swept = memory.sweep(at(now)).into_iter();
        swept.map(|taken| taken.key).collect()
    };
    assert_eq!(swept(2), []);
    assert_eq!(swept(3), [1]);
    let mut found = memory.find(0, &0).expect("it is kept");
    assert_eq!(found.kept_until(), at(5));
    found.redate_and_keep(at(2), at(9));
    drop(found);
    memory.check().expect("the end is filed");
    assert_eq!(swept(8), []);
    // What takes its slot ends when it says itself.
    assert_eq!(swept(9), [0]);
    drop(memory.admit(newcomer(2, 10, 10), Instant::ZERO));
    assert_eq!(swept(10), [2]);
    assert_eq!(memory.timed(), 0);
}

#[test]
fn a_walk_comes_to_every_entry_once() {
    let memory = Memory::<u64, u64>::with_shards(
        Bounds::entries(NonZeroUsize::new(1_000).expect("a bound")),
        4,
    );
    for key in 0..100_u64 {
        let hash = key << 32;
        drop(memory.insert(hash | key, key, key, Instant::NEVER));
    }
    let (mut shown, mut place) = (Vec::new(), Some(Place::default()));
    while let Some(from) = place {
        place = memory.walk(from, 3, |key, payload, deadline| {
            assert_eq!((*key, deadline), (*payload, Instant::NEVER));
            shown.push(*key);
        });
    }
    shown.sort_unstable();
    assert_eq!(shown, (0..100).collect::<Vec<_>>());
}
