//! What is known of a key without an entry, and calls that take no entry that is too old.

use std::time::Duration;

use crate::support::World;
use everwarm_core::clock::Instant;
use everwarm_engine::{Cache, Caller, Reason, Settle, Trace, Turn};

fn trace(world: &World<u64>, name: u64) -> Trace {
    let key = world.key(name);
    world.cache.trace(&world.scope, key.hash(), &key)
}

fn begin_since(
    world: &World<u64>,
    name: u64,
    since: u64,
) -> Turn<crate::support::Name, u64, &'static str> {
    let key = world.key(name);
    let ask = world.ask(&key, &[], Caller::default());
    let turn = world.cache.begin_since(ask, Instant::from_nanos(since));
    turn.expect("no wait for itself")
}

#[test]
fn each_way_out_has_its_reason() {
    let world = World::new();
    let second = Instant::ZERO.after(Duration::from_secs(1));
    assert_eq!(trace(&world, 1), Trace::NeverStored);
    world.put_with(1, 1, second, &["a", "b"]);
    assert!(matches!(
        trace(&world, 1),
        Trace::Fresh { ttl: Some(_), .. }
    ));
    world.invalidate("b");
    let by_tag = Trace::Gone(Reason::Invalidated("b".into()));
    assert_eq!(trace(&world, 1), by_tag);
    assert_eq!(world.hit(1), None);
    assert_eq!(trace(&world, 1), by_tag, "after it has left");
    world.put(1, 1);
    assert!(world.delete(1));
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::Deleted));
    world.put(1, 1);
    world.cache.clear_scope(&world.scope);
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::Cleared));
    world.put(1, 1);
    world.cache.clear();
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::AllCleared));
    world.put_with(1, 1, second, &[]);
    world.hand.advance(Duration::from_secs(1));
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::Expired));
    assert_eq!(world.cache.sweep(), 1);
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::Expired));
    world.cache.check();
}

#[test]
fn evicted_forgotten_and_refused() {
    let world = World::with(1, Cache::new);
    world.put(1, 1);
    world.put(2, 2);
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::Evicted));
    let key = world.key(2);
    assert!(world.cache.forget(&world.scope, key.hash(), &key));
    assert_eq!(trace(&world, 2), Trace::Unknown);
    let lead = world.lead(3);
    assert_eq!(trace(&world, 3), Trace::Computing);
    let refused = Settle {
        store: false,
        ..Settle::default()
    };
    assert!(!lead.settle(3, refused).stored);
    assert_eq!(trace(&world, 3), Trace::Gone(Reason::NotStored));
    let too_heavy = Settle {
        too_heavy: true,
        ..refused
    };
    assert!(!world.lead(4).settle(4, too_heavy).stored);
    assert_eq!(trace(&world, 4), Trace::Gone(Reason::TooHeavy));
    world.cache.check();
}

#[test]
fn a_demoted_entry_is_gone_and_its_computation_is_stored() {
    let world = World::new();
    let key = world.key(1);
    let demote = || world.cache.mark_stale(&world.scope, key.hash(), &key);
    world.put(1, 1);
    assert!(demote());
    assert_eq!(trace(&world, 1), Trace::Gone(Reason::MarkedStale));
    let lead = world.lead(1);
    assert!(!demote());
    assert!(lead.settle(2, Settle::default()).stored);
    assert_eq!(world.hit(1), Some(2));
    world.cache.check();
}

#[test]
fn an_entry_that_is_too_old_counts_as_absent_until_it_is_replaced() {
    let world = World::new();
    world.hand.advance(Duration::from_nanos(10));
    world.put(1, 1);
    assert!(matches!(begin_since(&world, 1, 10), Turn::Hit(1)));
    let Turn::Lead(lead) = begin_since(&world, 1, 11) else {
        panic!("the entry is too old");
    };
    assert!(matches!(begin_since(&world, 1, 11), Turn::Wait(_)));
    assert_eq!(world.hit(1), Some(1), "others are served");
    let key = world.key(1);
    let since = |nanos| {
        let since = Instant::from_nanos(nanos);
        world.cache.hit_since(&world.scope, key.hash(), &key, since)
    };
    assert_eq!((since(10), since(11)), (Some(1), None));
    assert!(lead.settle(2, Settle::default()).stored);
    assert_eq!(world.hit(1), Some(2));
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.hits, stats.misses, stats.followers), (4, 2, 1));
}
