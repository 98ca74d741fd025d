//! A listener hears of every entry that left, once, with its cause and when no lock is held; and weights are counted.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use crate::support::{Error, Name, World, names};
use everwarm_core::clock::Instant;
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::{
    Bounds, Cache, Cause, Condition, Eviction, Listener, Put, Settle, Ticker, Written,
};
use proptest::prelude::*;

type Heard = Arc<Mutex<Vec<(u64, u64, Cause)>>>;

/// Notes what it hears: name, value and cause.
struct Ear(Heard);

impl Listener<Name, u64> for Ear {
    fn on_remove(&self, key: &Name, value: &u64, cause: Cause) {
        self.0.lock().unwrap().push((key.1, *value, cause));
    }
}

/// A world of so many entries and, if need be, bytes, and what its listener hears.
fn world(max_entries: usize, max_bytes: Option<u64>) -> (World<u64>, Heard) {
    let heard = Heard::default();
    let ear = Box::new(Ear(Arc::clone(&heard)));
    let world = World::with(max_entries, |bounds, ticker| {
        let max_bytes = max_bytes.and_then(NonZeroU64::new);
        Cache::with_listener(
            Bounds {
                max_bytes,
                eviction: Eviction::Fifo,
                ..bounds
            },
            ticker,
            ear,
        )
    });
    (world, heard)
}

fn told(heard: &Heard) -> Vec<(u64, u64, Cause)> {
    std::mem::take(&mut heard.lock().unwrap())
}

#[test]
fn every_way_out_has_its_cause() {
    let (world, heard) = world(2, None);
    let soon = Instant::from_nanos(1);
    world.put(1, 10);
    world.put(1, 11);
    assert_eq!(told(&heard), [(1, 10, Cause::Replaced)]);
    world.delete(1);
    assert_eq!(told(&heard), [(1, 11, Cause::Deleted)]);
    world.delete(1);
    assert_eq!(told(&heard), []);
    for name in 1..=3 {
        world.put(name, 20 + name);
    }
    assert_eq!(told(&heard), [(1, 21, Cause::Capacity)]);
    world.cache.clear_scope(&world.scope);
    assert_eq!(told(&heard).len(), 2);
    world.put(1, 30);
    world.cache.clear();
    assert_eq!(told(&heard), [(1, 30, Cause::Cleared)]);
    world.put_with(1, 40, Instant::NEVER, &["tag"]);
    world.invalidate("tag");
    assert_eq!(told(&heard), [], "nobody has found it");
    assert_eq!(world.hit(1), None);
    assert_eq!(told(&heard), [(1, 40, Cause::Invalidated)]);
    world.put_with(1, 41, Instant::NEVER, &["tag"]);
    world.invalidate("tag");
    world.put(1, 42);
    assert_eq!(told(&heard), [(1, 41, Cause::Invalidated)]);
    world.lead(2).settle(50, Settle::default());
    world.refresh(2).settle(51, Settle::default());
    assert_eq!(told(&heard), [(2, 50, Cause::Replaced)]);
    world.cache.drop_scope(&world.scope);
    assert!(told(&heard).iter().all(|heard| heard.2 == Cause::Cleared));
    world.put_with(1, 60, soon, &[]);
    world.hand.advance(Duration::from_nanos(1));
    assert_eq!(world.hit(1), None);
    assert_eq!(told(&heard), [(1, 60, Cause::Expired)]);
    world.hand.advance(Duration::from_secs(1));
    world.put_with(1, 61, world.cache.now(), &[]);
    world.cache.sweep();
    assert_eq!(told(&heard), [(1, 61, Cause::Expired)]);
}

#[test]
fn entries_that_are_there_when_the_cache_is_dropped_are_not_told_of() {
    let (world, heard) = world(2, None);
    world.put(1, 10);
    drop(world);
    assert_eq!(told(&heard), []);
}

/// Uses the cache whatever it hears.
struct Meddler(OnceLock<Weak<Cache<Name, u64, Error>>>, Heard);

impl Listener<Name, u64> for Meddler {
    fn on_remove(&self, key: &Name, value: &u64, cause: Cause) {
        let cache = self
            .0
            .get()
            .and_then(Weak::upgrade)
            .expect("a cache in use");
        let again = Name(key.0, key.1 + 1);
        assert!(
            !cache.contains(&cache.scope(), key.hash(), key),
            "it is gone"
        );
        self.1.lock().unwrap().push((key.1, *value, cause));
        if *value > 0 {
            cache.put(Put {
                scope: &cache.scope(),
                hash: again.hash(),
                key: again,
                value: value - 1,
                lifetime: Lifetime::ending(Instant::NEVER),
                tags: &[],
                weight: 0,
            });
        }
        cache.sweep();
    }
}

#[test]
fn a_listener_may_use_the_cache() {
    let heard = Heard::default();
    let meddler = Arc::new(Meddler(OnceLock::new(), Arc::clone(&heard)));
    struct Shared(Arc<Meddler>);
    impl Listener<Name, u64> for Shared {
        fn on_remove(&self, key: &Name, value: &u64, cause: Cause) {
            self.0.on_remove(key, value, cause);
        }
    }
    let world = World::with(1, |bounds, ticker| {
        Cache::with_listener(bounds, ticker, Box::new(Shared(Arc::clone(&meddler))))
    });
    meddler.0.set(Arc::downgrade(&world.cache)).unwrap();
    world.put(1, 3);
    world.delete(1);
    // The put of 2 lets nothing go; its successor lets it go, and so on.
    assert_eq!(told(&heard), [(1, 3, Cause::Deleted)]);
    world.put(9, 0);
    assert_eq!(
        told(&heard),
        [(2, 2, Cause::Capacity), (9, 0, Cause::Capacity)]
    );
}

const OVERHEAD: u64 = 200;

#[test]
fn a_conditional_write_that_is_too_heavy_is_refused_and_changes_nothing() {
    let (world, heard) = world(100, Some(10_000));
    let put = |name, value, weight| {
        let key = world.key(name);
        Put {
            scope: &world.scope,
            hash: key.hash(),
            key,
            value,
            lifetime: Lifetime::ending(Instant::NEVER),
            tags: &[],
            weight,
        }
    };
    let absent = |put| world.cache.put_if(put, Condition::Absent);
    assert_eq!(absent(put(1, 10, 10_000)), Written::Refused);
    assert_eq!(absent(put(1, 11, 1_000)), Written::Done);
    assert_eq!(absent(put(1, 12, 1_000)), Written::Unmet);
    let heavy = || put(1, 13, 10_000);
    assert_eq!(
        world.cache.put_if(heavy(), Condition::Present),
        Written::Refused
    );
    let key = world.key(1);
    let seen = world.cache.peek(&world.scope, key.hash(), &key).unwrap();
    assert_eq!(
        world.cache.exchange(heavy(), seen.version),
        Written::Refused
    );
    assert_eq!((told(&heard), world.hit(1)), (vec![], Some(11)));
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.refused, stats.entries), (3, 1));
    world.cache.check();
}

#[test]
fn a_value_that_is_too_heavy_is_refused_and_takes_its_forerunner_along() {
    let (world, heard) = world(100, Some(10_000));
    let put = |name, value, weight| {
        let key = world.key(name);
        world.cache.put(Put {
            scope: &world.scope,
            hash: key.hash(),
            key,
            value,
            lifetime: Lifetime::ending(Instant::NEVER),
            tags: &[],
            weight,
        });
    };
    put(1, 10, 1_000);
    put(2, 20, 1_000);
    let bytes = world.cache.stats(&world.scope).bytes;
    assert!((2_000..2_000 + 2 * OVERHEAD).contains(&bytes), "{bytes}");
    put(1, 11, 10_000);
    put(3, 30, u64::MAX);
    assert_eq!(told(&heard), [(1, 10, Cause::Replaced)]);
    assert_eq!(
        (world.hit(1), world.hit(2), world.hit(3)),
        (None, Some(20), None)
    );
    let stats = world.cache.stats(&world.scope);
    assert_eq!(
        (stats.refused, stats.entries, stats.bytes),
        (2, 1, bytes / 2)
    );
    let heavy = Settle {
        weight: 10_000,
        ..Settle::default()
    };
    assert!(!world.lead(4).settle(40, heavy).stored);
    put(5, 50, 9_500);
    assert_eq!(told(&heard), [(2, 20, Cause::Capacity)]);
    world
        .cache
        .refuse(&world.scope, world.key(5).hash(), &world.key(5));
    assert_eq!(told(&heard), [(5, 50, Cause::Replaced)]);
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.refused, stats.entries, stats.bytes), (4, 0, 0));
    world.cache.check();
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        name: u64,
        ttl: Option<u64>,
        tagged: bool,
        weight: u64,
    },
    Hit(u64),
    Delete(u64),
    Invalidate,
    Clear(bool),
    Advance(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..12_u64;
    prop_oneof![
        8 => (name.clone(), prop::option::of(1..20_u64), any::<bool>(), 0..2_000_u64)
            .prop_map(|(name, ttl, tagged, weight)| Step::Put { name, ttl, tagged, weight }),
        4 => name.clone().prop_map(Step::Hit),
        2 => name.prop_map(Step::Delete),
        1 => Just(Step::Invalidate),
        1 => any::<bool>().prop_map(Step::Clear),
        2 => (1..10_u64).prop_map(Step::Advance),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_stored_is_there_or_was_told_of_once(
        max_entries in 1..12_usize,
        max_bytes in prop::option::of(500..5_000_u64),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let (world, heard) = world(max_entries, max_bytes);
        let mut stored = HashMap::new();
        for (step, value) in steps.iter().zip(0_u64..) {
            let refused = world.cache.totals().refused;
            match *step {
                Step::Put { name, ttl, tagged, weight } => {
                    let key = world.key(name);
                    let deadline = ttl.map_or(Instant::NEVER, |ttl| {
                        world.cache.now().after(Duration::from_nanos(ttl))
                    });
                    world.cache.put(Put {
                        scope: &world.scope,
                        hash: key.hash(),
                        key,
                        value,
                        lifetime: Lifetime::ending(deadline),
                        tags: &names(if tagged { &["tag"] } else { &[] }),
                        weight,
                    });
                    if world.cache.totals().refused == refused {
                        stored.insert(value, name);
                    }
                }
                Step::Hit(name) => drop(world.hit(name)),
                Step::Delete(name) => drop(world.delete(name)),
                Step::Invalidate => world.invalidate("tag"),
                Step::Clear(true) => drop(world.cache.clear()),
                Step::Clear(false) => drop(world.cache.clear_scope(&world.scope)),
                Step::Advance(nanos) => world.hand.advance(Duration::from_nanos(nanos)),
                Step::Sweep => drop(world.cache.sweep()),
            }
            for (name, value, _) in told(&heard) {
                prop_assert_eq!(stored.remove(&value), Some(name), "told twice, or of what was not there");
            }
            let mut held = HashSet::new();
            world.cache.for_each_value(|value| {
                held.insert(*value);
            });
            prop_assert_eq!(held, stored.keys().copied().collect::<HashSet<_>>());
            world.cache.check();
        }
    }
}

#[test]
fn an_unlistened_cache_of_one_shard_is_a_cache_like_any_other() {
    let cache = Cache::<Name, u64, Error>::unsharded(
        Bounds::entries(10.try_into().unwrap()),
        Ticker::system(),
        None,
    );
    assert_eq!((cache.weighs(), cache.totals().bytes), (false, 0));
}
