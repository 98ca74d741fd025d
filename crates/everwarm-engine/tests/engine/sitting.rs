//! Computations that are led alone until somebody comes to wait.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Error, Name, World, names, settle, threads};
use everwarm_engine::{
    Absence, Arrival, Ask, Caller, LeadId, Parker, Plain, SelfWait, Settle, Sitting, Turn,
};

fn sit<'a>(world: &'a World<u64>, key: &'a Name) -> Option<Sitting<'a, Name, u64, Error>> {
    let ask = world.ask(key, &[], Caller::default());
    world.cache.sit(ask, Absence::UNKNOWN)
}

/// The right to compute a key that nobody computes.
fn sitting<'a>(world: &'a World<u64>, key: &'a Name) -> Sitting<'a, Name, u64, Error> {
    sit(world, key).expect("nothing is there and nobody computes")
}

/// A caller on a thread of its own that is part of these computations.
fn within(chain: &[LeadId]) -> Caller<'_> {
    let [thread] = threads();
    Caller {
        thread,
        chain,
        blocks_thread: true,
    }
}

#[test]
fn who_comes_to_wait_is_given_the_value() {
    let world = World::<u64>::new();
    let key = world.key(1);
    let leader = sitting(&world, &key);
    assert!(sit(&world, &key).is_none(), "one computes at a time");
    let mut followers = [world.ticket(1), world.ticket(1)];
    assert!(
        followers
            .iter_mut()
            .all(|ticket| ticket.try_arrive().is_none())
    );
    assert!(leader.settle(&7, Settle::default()).stored);
    for follower in &mut followers {
        assert_eq!(follower.try_arrive(), Some(Arrival::Value(7)));
    }
    assert!(sit(&world, &key).is_none(), "an entry is there");
    let stats = world.cache.totals();
    assert_eq!(
        (world.hit(1), stats.misses, stats.followers),
        (Some(7), 3, 2)
    );
    assert_eq!((stats.computations, stats.entries), (1, 1));
    world.cache.check();
}

#[test]
fn who_waited_before_a_deletion_is_given_the_value_that_is_not_stored() {
    for is_put in [false, true] {
        let world = World::<u64>::new();
        let key = world.key(1);
        let leader = sitting(&world, &key);
        let mut before = world.ticket(1);
        if is_put {
            world.put(1, 8);
        } else {
            world.delete(1);
            drop(world.lead(1));
        }
        assert!(!leader.settle(&7, Settle::default()).stored);
        assert_eq!(before.try_arrive(), Some(Arrival::Value(7)));
        assert_eq!(world.hit(1), is_put.then_some(8));
        world.cache.check();
    }
}

#[test]
fn what_is_invalidated_meanwhile_is_not_stored() {
    let clear: fn(&World<u64>) = |world| _ = world.cache.clear();
    let clear_scope: fn(&World<u64>) = |world| _ = world.cache.clear_scope(&world.scope);
    let invalidate: fn(&World<u64>) = |world| world.invalidate("result");
    let delete: fn(&World<u64>) = |world| _ = world.delete(1);
    for verb in [clear, clear_scope, invalidate, delete] {
        let world = World::<u64>::new();
        let key = world.key(1);
        let tags = names(&["result"]);
        // A tag is met only where it is known: some entry carries it.
        world.put_with(2, 0, everwarm_core::clock::Instant::NEVER, &["result"]);
        let leader = sitting(&world, &key);
        verb(&world);
        assert!(!leader.settle(&7, settle(&tags)).stored);
        assert_eq!(world.hit(1), None);
    }
}

#[test]
fn a_value_that_only_ends_is_kept_as_any_other() {
    let world = World::<u64>::new();
    let key = world.key(1);
    let plain = || {
        let now = world.cache.now();
        Plain {
            now,
            end: now.after(Duration::from_secs(9)),
            weight: 0,
        }
    };
    let leader = sitting(&world, &key);
    let mut follower = world.ticket(1);
    assert!(leader.keep(&7, plain()).stored);
    assert_eq!(follower.try_arrive(), Some(Arrival::Value(7)));
    let seen = world.cache.peek(&world.scope, key.hash(), &key).unwrap();
    assert_eq!((seen.value, seen.ttl), (7, Some(Duration::from_secs(9))));
    let clear: fn(&World<u64>) = |world| _ = world.cache.clear();
    let clear_scope: fn(&World<u64>) = |world| _ = world.cache.clear_scope(&world.scope);
    let delete: fn(&World<u64>) = |world| _ = world.delete(1);
    for verb in [clear, clear_scope, delete] {
        world.delete(1);
        let leader = sitting(&world, &key);
        verb(&world);
        assert!(!leader.keep(&8, plain()).stored);
        assert_eq!(world.hit(1), None);
    }
    world.cache.check();
}

#[test]
fn an_error_is_shared_and_who_leaves_hands_over() {
    let world = World::<u64>::new();
    let key = world.key(1);
    let leader = sitting(&world, &key);
    let mut follower = world.ticket(1);
    leader.fail(|| "no");
    assert_eq!(follower.try_arrive(), Some(Arrival::Failed("no")));
    sitting(&world, &key).fail(|| unreachable!("nobody waits for it"));
    let leader = sitting(&world, &key);
    let mut follower = world.ticket(1);
    drop(leader);
    assert_eq!(follower.try_arrive(), Some(Arrival::Again));
    assert_eq!(world.cache.totals().entries, 0);
    assert!(sit(&world, &key).is_some());
}

#[test]
fn who_is_taken_over_keeps_the_value_to_itself() {
    let world = World::<u64>::new();
    let key = world.key(1);
    let leader = sitting(&world, &key);
    let (late, mut other) = (world.ticket(1), world.ticket(1));
    late.take_over();
    assert_eq!(other.try_arrive(), Some(Arrival::Again));
    let next = sitting(&world, &key);
    assert!(!leader.settle(&7, Settle::default()).stored);
    assert!(next.settle(&8, Settle::default()).stored);
    assert_eq!((world.hit(1), world.cache.totals().takeovers), (Some(8), 1));
}

#[test]
fn no_wait_closes_a_circle() {
    let world = World::<u64>::new();
    let (one, two) = (world.key(1), world.key(2));
    let (first, second) = (sitting(&world, &one), sitting(&world, &two));
    let chains = [[first.id()], [second.id()]];
    let itself = world.cache.begin(world.ask(&one, &[], within(&chains[0])));
    assert_eq!(itself.err(), Some(SelfWait { lead: first.id() }));
    let waits = world.begin_with(2, &[], within(&chains[0]));
    assert!(matches!(waits, Turn::Wait(_)));
    let circle = world.begin_with(1, &[], within(&chains[1]));
    assert!(
        matches!(circle, Turn::Alone(_)),
        "the first waits for the second"
    );
    drop((waits, circle));
    let other_way = world.begin_with(1, &[], within(&chains[1]));
    assert!(matches!(other_way, Turn::Wait(_)));
}

#[test]
fn many_threads_compute_each_key_once() {
    let world = World::with(10_000, everwarm_engine::Cache::new);
    let computed = AtomicUsize::new(0);
    let start = Barrier::new(4);
    let call = |name: u64| -> u64 {
        let key = world.key(name);
        if let Some(value) = world.hit(name) {
            return value;
        }
        if let Some(leader) = sit(&world, &key) {
            computed.fetch_add(1, Ordering::Relaxed);
            thread::yield_now();
            leader.settle(&name, Settle::default());
            return name;
        }
        let parker = Parker::new();
        let ask = world.ask(&key, &[], Caller::default());
        match world.cache.begin(ask).expect("no wait for itself") {
            Turn::Hit(value) => value,
            Turn::Wait(mut ticket) => {
                ticket.register(parker.waker());
                loop {
                    match ticket.try_arrive() {
                        Some(Arrival::Value(value)) => return value,
                        Some(other) => panic!("{other:?}"),
                        None => parker.park(Duration::from_secs(60)),
                    };
                }
            }
            Turn::Lead(_) => panic!("who sat has stored it"),
            _ => panic!("nothing is old, and no wait closes a circle"),
        }
    };
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                start.wait();
                for name in 0..2_000 {
                    assert_eq!(call(name), name);
                }
            });
        }
    });
    let stats = world.cache.totals();
    assert_eq!(computed.load(Ordering::Relaxed), 2_000);
    assert_eq!(
        (stats.calls(), stats.computations, stats.entries),
        (8_000, 2_000, 2_000)
    );
    assert_eq!(stats.misses, 2_000 + stats.followers);
    world.cache.check();
}

#[test]
fn who_asks_again_or_with_tags_takes_a_turn() {
    let world = World::<u64>::new();
    let key = world.key(1);
    let tags = names(&["tag"]);
    let (ask, unknown) = (world.ask(&key, &[], Caller::default()), Absence::UNKNOWN);
    assert!(
        world
            .cache
            .sit(Ask { again: true, ..ask }, unknown)
            .is_none()
    );
    assert!(
        world
            .cache
            .sit(Ask { tags: &tags, ..ask }, unknown)
            .is_none()
    );
    assert_eq!(world.cache.totals().misses, 0);
}

#[test]
fn what_came_since_a_reader_found_nothing_is_found() {
    let world = World::<u64>::new();
    let (key, scope) = (world.key(1), &world.scope);
    let ask = world.ask(&key, &[], Caller::default());
    let absent = || world.cache.hit_or_absent(scope, ask.hash, &key);
    let before = absent().expect_err("nothing is there");
    let sitting = world.cache.sit(ask, before).expect("that still holds");
    assert!(sitting.settle(&7, Settle::default()).stored);
    assert_eq!(absent().ok(), Some(7));
    assert!(world.cache.sit(ask, before).is_none(), "an entry is there");
    assert_eq!(world.cache.totals().misses, 1);
}
