//! Threads that meet in one shard, over a thousand random schedules each: `cargo test --features shuttle --test schedules`.
#![cfg(feature = "shuttle")]

use everwarm_core::clock::Instant;
use everwarm_memory::{Bounds, Look, Memory, Newcomer};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{check_random, thread};

const SCHEDULES: usize = 2_000;

/// A payload that knows its key, and is counted while it lives.
struct Proof {
    key: u64,
    alive: Arc<AtomicUsize>,
}

impl Proof {
    fn new(key: u64, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self {
            key,
            alive: Arc::clone(alive),
        }
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

type Table = Memory<u64, Proof>;

fn table(max_entries: usize) -> Arc<Table> {
    Arc::new(Memory::new(Bounds::entries(
        max_entries.try_into().unwrap(),
    )))
}

fn insert(table: &Table, key: u64, alive: &Arc<AtomicUsize>) {
    for gone in table.insert(key, key, Proof::new(key, alive), Instant::from_nanos(key)) {
        assert_eq!(gone.key, gone.payload.key);
    }
}

fn look(table: &Table, key: u64, verdict: impl Fn(()) -> Look<()>) {
    let (_, gone) = table.look(key, &key, |proof, deadline, _| {
        assert_eq!((proof.key, deadline), (key, Instant::from_nanos(key)));
        verdict(())
    });
    assert!(gone.is_none_or(|gone| gone.key == key && gone.payload.key == key));
}

/// Runs the three parts at once, then verifies the table, and that exactly what it holds is alive.
fn explore(max_entries: usize, parts: [fn(&Table, &Arc<AtomicUsize>); 3]) {
    check_random(
        move || {
            let (table, alive) = (table(max_entries), Arc::new(AtomicUsize::new(0)));
            let threads = parts.map(|part| {
                let (table, alive) = (Arc::clone(&table), Arc::clone(&alive));
                thread::spawn(move || part(&table, &alive))
            });
            for thread in threads {
                thread.join().unwrap();
            }
            table.check().unwrap();
            assert_eq!(alive.load(Ordering::SeqCst), table.len());
        },
        SCHEDULES,
    );
}

#[test]
fn insertions_and_removals_of_few_keys() {
    explore(
        2,
        [
            |table, alive| (1..5).for_each(|key| insert(table, key, alive)),
            |table, alive| {
                insert(table, 3, alive);
                drop(table.remove(3, &3));
                insert(table, 1, alive);
            },
            |table, _| {
                for key in 1..5 {
                    look(table, key, Look::Touch);
                    look(table, key, Look::Drop);
                }
            },
        ],
    );
}

#[test]
fn sweeps_among_insertions() {
    explore(
        3,
        [
            |table, alive| (1..6).for_each(|key| insert(table, key, alive)),
            |table, alive| (3..8).rev().for_each(|key| insert(table, key, alive)),
            |table, _| {
                for now in [2, 4] {
                    for swept in table.sweep(Instant::from_nanos(now)) {
                        assert!(swept.key <= now && swept.payload.key == swept.key);
                    }
                }
                drop(table.retain(|key, _| key % 2 == 0));
            },
        ],
    );
}

#[test]
fn two_shards_share_one_bound() {
    let in_other_shard = |key: u64| key | 1 << 32;
    check_random(
        move || {
            let (table, alive) = (table(2_048), Arc::new(AtomicUsize::new(0)));
            assert_ne!(table.shard_of(1), table.shard_of(in_other_shard(1)));
            for key in 1..2_048 {
                insert(
                    &table,
                    if key % 2 == 0 {
                        key
                    } else {
                        in_other_shard(key)
                    },
                    &alive,
                );
            }
            let threads: [_; 3] = std::array::from_fn(|part| {
                let (table, alive) = (Arc::clone(&table), Arc::clone(&alive));
                let key = 5_000 + part as u64;
                thread::spawn(move || {
                    insert(
                        &table,
                        if part == 0 { key } else { in_other_shard(key) },
                        &alive,
                    );
                    assert!(table.len() <= 2_048 + 2, "more are over than are inserting");
                })
            });
            for thread in threads {
                thread.join().unwrap();
            }
            assert!((2_046..=2_048).contains(&table.len()));
            table.check().unwrap();
            assert_eq!(alive.load(Ordering::SeqCst), table.len());
        },
        100,
    );
}

#[test]
fn two_shards_share_one_bound_of_bytes() {
    const MAX: u64 = 100;
    let in_other_shard = |key: u64| key | 1 << 32;
    check_random(
        move || {
            let alive = Arc::new(AtomicUsize::new(0));
            let table = Arc::new(Table::with_shards(
                Bounds {
                    max_bytes: MAX.try_into().ok(),
                    ..Bounds::entries(1_000.try_into().unwrap())
                },
                2,
            ));
            assert_ne!(table.shard_of(1), table.shard_of(in_other_shard(1)));
            let threads: [_; 3] = std::array::from_fn(|part| {
                let (table, alive) = (Arc::clone(&table), Arc::clone(&alive));
                thread::spawn(move || {
                    for (step, weight) in [30, 100, 60, 45].into_iter().enumerate() {
                        let key = (step + part) as u64 % 5;
                        let key = if part == 0 { in_other_shard(key) } else { key };
                        drop(table.admit(
                            Newcomer {
                                hash: key,
                                key,
                                payload: Proof::new(key, &alive),
                                deadline: Instant::NEVER,
                                keep_until: Instant::NEVER,
                                weight,
                            },
                            Instant::ZERO,
                        ));
                        assert!(
                            table.weight() <= MAX + 2 * 100,
                            "more is over than is being inserted"
                        );
                    }
                    drop(table.remove(part as u64, &(part as u64)));
                })
            });
            for thread in threads {
                thread.join().unwrap();
            }
            table.check().unwrap();
            assert_eq!(alive.load(Ordering::SeqCst), table.len());
        },
        SCHEDULES,
    );
}
