//! How entries end: by their time, their tags, their scope and for want of room, each counted where it belongs.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{World, names, settle};
use everwarm_core::clock::Instant;
use everwarm_core::judge::Freshness;
use everwarm_engine::{Seen, Settle};

#[test]
fn tags_reach_entries_and_nothing_else() {
    let world = World::new();
    world.put_with(1, 1, Instant::NEVER, &["a", "b"]);
    world.put_with(2, 2, Instant::NEVER, &["b"]);
    world.put(3, 3);
    world.lead_with(4, &["c"]).settle(4, settle(&names(&["a"])));
    world.invalidate("nobody has this");
    assert_eq!(
        [1, 2, 3, 4].map(|name| world.hit(name)),
        [Some(1), Some(2), Some(3), Some(4)]
    );
    world.invalidate("a");
    assert_eq!(
        [1, 2, 3, 4].map(|name| world.hit(name)),
        [None, Some(2), Some(3), None]
    );
    world.cache.invalidate_tags(&names(&["b", "c"]));
    assert_eq!(
        [1, 2, 3, 4].map(|name| world.hit(name)),
        [None, None, Some(3), None]
    );
    world.cache.check();
}

#[test]
fn scopes_share_a_memory_and_are_cleared_apart() {
    let world = World::<u64>::new();
    let other = World {
        cache: Arc::clone(&world.cache),
        scope: world.cache.scope(),
        hand: world.hand.clone(),
    };
    world.put(1, 1);
    other.put(1, 2);
    assert_eq!((world.hit(1), other.hit(1)), (Some(1), Some(2)));
    assert_eq!(world.cache.drop_scope(&world.scope), 1);
    assert_eq!((world.hit(1), other.hit(1)), (None, Some(2)));
    assert_eq!(
        world.cache.totals().hits,
        3,
        "what a scope counted stays in the totals"
    );
    assert_eq!(world.cache.totals().entries, 1);
    world.cache.check();
}

#[test]
fn entries_end_with_their_time() {
    let world = World::new();
    let second = Duration::from_secs(1);
    world.put_with(1, 1, Instant::ZERO.after(second * 2), &[]);
    world.put_with(2, 2, Instant::ZERO.after(second * 2), &["tag"]);
    world.put(3, 3);
    world.hand.advance(second);
    let (key, forever) = (world.key(2), world.key(3));
    let seen = Seen {
        value: 2,
        age: second,
        ttl: Some(second),
        freshness: Freshness::Fresh,
        tags: names(&["tag"]),
        version: 2,
    };
    assert_eq!(
        world.cache.peek(&world.scope, key.hash(), &key),
        Some(seen.clone())
    );
    assert_eq!(
        world.cache.hit_seen(&world.scope, key.hash(), &key),
        Some(seen)
    );
    assert_eq!(
        world
            .cache
            .peek(&world.scope, forever.hash(), &forever)
            .map(|seen| seen.ttl),
        Some(None)
    );
    assert_eq!(world.cache.timed(), 2);
    world.hand.advance(second);
    assert!(!world.cache.contains(&world.scope, key.hash(), &key));
    assert_eq!((world.hit(1), world.hit(3)), (None, Some(3)));
    assert_eq!(world.cache.sweep(), 1);
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.hits, stats.expired, stats.entries), (2, 2, 1));
    world.cache.check();
}

#[test]
fn what_capacity_evicts_is_counted_where_it_belongs() {
    let world = World::with(2, |bounds, ticker| {
        let eviction = everwarm_engine::Eviction::Fifo;
        everwarm_engine::Cache::new(everwarm_engine::Bounds { eviction, ..bounds }, ticker)
    });
    let other = World {
        cache: Arc::clone(&world.cache),
        scope: world.cache.scope(),
        hand: world.hand.clone(),
    };
    world.put(1, 1);
    world.put(2, 2);
    other.put(1, 3);
    other.put(2, 4);
    assert_eq!(
        (
            world.cache.stats(&world.scope).evicted,
            world.cache.stats(&world.scope).entries
        ),
        (2, 0)
    );
    assert_eq!(
        (
            other.cache.stats(&other.scope).evicted,
            other.cache.stats(&other.scope).entries
        ),
        (0, 2)
    );
    world.cache.check();
}

#[test]
fn expired_entries_make_room_before_live_ones() {
    let world = World::with(2, everwarm_engine::Cache::new);
    world.put(1, 1);
    world.put_with(2, 2, Instant::from_nanos(1), &[]);
    world.hand.advance(Duration::from_nanos(1));
    world.lead(3).settle(3, Settle::default());
    assert_eq!((world.hit(1), world.hit(3)), (Some(1), Some(3)));
    let stats = world.cache.totals();
    assert_eq!((stats.expired, stats.evicted, stats.entries), (1, 0, 2));
}
