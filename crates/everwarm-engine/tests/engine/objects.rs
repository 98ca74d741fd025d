//! Writes under a condition, changes in place, walks and the end of a cache.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{World, names, settle};
use everwarm_core::clock::Instant;
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::{Amendment, Condition, Place, Plain, Put, Seen, Settle, Turn};

const SECOND: Duration = Duration::from_secs(1);

fn put_if(world: &World<u64>, name: u64, value: u64, condition: Condition) -> bool {
    world
        .cache
        .put_if(put(world, name, value), condition)
        .is_done()
}

fn put(world: &World<u64>, name: u64, value: u64) -> Put<'_, crate::support::Name, u64> {
    let key = world.key(name);
    Put {
        scope: &world.scope,
        hash: key.hash(),
        key,
        value,
        lifetime: Lifetime::ending(Instant::NEVER),
        tags: &[],
        weight: 0,
    }
}

fn amend(world: &World<u64>, name: u64, amendment: Amendment<'_>) -> bool {
    let key = world.key(name);
    world.cache.amend(&world.scope, key.hash(), &key, amendment)
}

fn seen(world: &World<u64>, name: u64) -> Option<Seen<u64>> {
    let key = world.key(name);
    world.cache.peek(&world.scope, key.hash(), &key)
}

fn left(world: &World<u64>, name: u64) -> Option<u64> {
    seen(world, name)?.ttl.map(|ttl| ttl.as_secs())
}

#[test]
fn conditions_are_met_or_nothing_happens() {
    let world = World::new();
    assert!(!put_if(&world, 1, 1, Condition::Present));
    assert!(put_if(&world, 1, 1, Condition::Absent));
    assert!(!put_if(&world, 1, 2, Condition::Absent));
    let first = seen(&world, 1).expect("it was put").version;
    assert!(put_if(&world, 1, 3, Condition::Version(first)));
    assert!(!put_if(&world, 1, 4, Condition::Version(first)));
    assert!(put_if(&world, 1, 5, Condition::Present));
    assert_eq!(world.hit(1), Some(5));
    world.delete(1);
    assert!(!put_if(&world, 1, 6, Condition::Version(first)));
    world.cache.check();
}

#[test]
fn what_was_written_elsewhere_is_put_unless_an_invalidation_came_between() {
    let world = World::new();
    let own: Arc<str> = "own".into();
    let tags = names(&["own", "tag"]);
    let supersede = |value, since| {
        let put = Put {
            tags: &tags,
            ..put(&world, 1, value)
        };
        world.cache.supersede(put, &own, since)
    };
    let before = world.cache.stamp();
    assert!(supersede(1, before));
    assert_eq!(world.hit(1), Some(1));
    // Of two writes of which neither saw the other nothing stays: who came last is for the store to say.
    assert!(!supersede(2, before));
    assert_eq!(world.hit(1), None);
    let invalidations: [fn(&World<u64>); 3] = [
        |world| world.invalidate("tag"),
        |world| world.invalidate("own"),
        |world| {
            world.cache.clear_scope(&world.scope);
        },
    ];
    for invalidate in invalidations {
        let since = world.cache.stamp();
        invalidate(&world);
        assert!(!supersede(3, since));
        assert_eq!(world.hit(1), None);
        assert!(supersede(4, world.cache.stamp()));
        assert_eq!(world.hit(1), Some(4));
        invalidate(&world);
        assert_eq!(world.hit(1), None);
    }
    world.cache.check();
}

#[test]
fn what_is_over_is_not_there() {
    let world = World::new();
    world.put_with(1, 1, Instant::ZERO.after(SECOND), &[]);
    world.put_with(2, 1, Instant::NEVER, &["tag"]);
    world.hand.advance(SECOND);
    world.invalidate("tag");
    for name in [1, 2] {
        assert!(!amend(&world, name, Amendment::Renew));
        assert!(!put_if(&world, name, 2, Condition::Present));
        assert!(put_if(&world, name, 2, Condition::Absent));
    }
    assert_eq!(world.cache.stats(&world.scope).expired, 1);
    world.cache.check();
}

#[test]
fn a_put_ends_the_computation_of_its_key_only_if_it_takes_effect() {
    for (condition, kept) in [(Condition::Present, true), (Condition::Absent, false)] {
        let world = World::new();
        let lead = world.lead(1);
        assert_eq!(put_if(&world, 1, 1, condition), !kept);
        assert_eq!(lead.settle(2, Settle::default()).stored, kept);
    }
}

#[test]
fn a_plain_put_does_what_a_put_does() {
    let world = World::new();
    let end = Instant::ZERO.after(SECOND * 10);
    let put_plain = |name: u64, value: u64| {
        let key = world.key(name);
        let (now, weight) = (world.cache.now(), 0);
        let at = (&*world.scope, key.hash(), key);
        let plain = Plain { now, end, weight };
        world.cache.put_plain(at, value, plain);
    };
    let before = world.lead(1);
    put_plain(1, 1);
    assert!(!before.settle(2, Settle::default()).stored);
    world.put_with(2, 1, end, &[]);
    let [plain, usual] = [1, 2].map(|name| seen(&world, name).expect("it was put"));
    assert_eq!((plain.ttl, &plain.tags), (usual.ttl, &usual.tags));
    put_plain(1, 3);
    assert!(seen(&world, 1).expect("it was put").version > plain.version);
    assert_eq!((world.hit(1), left(&world, 1)), (Some(3), Some(10)));
    world.hand.advance(SECOND * 10);
    assert_eq!(world.hit(1), None);
    world.cache.close();
    put_plain(3, 1);
    assert_eq!(seen(&world, 3), None);
    world.cache.check();
}

#[test]
fn an_exchange_keeps_deadline_tags_and_ttl() {
    let world = World::new();
    world.put_with(1, 1, Instant::ZERO.after(SECOND * 10), &["tag"]);
    world.hand.advance(SECOND * 4);
    let before = seen(&world, 1).expect("it was put");
    assert!(
        world
            .cache
            .exchange(put(&world, 1, 2), before.version)
            .is_done()
    );
    assert!(
        !world
            .cache
            .exchange(put(&world, 1, 3), before.version)
            .is_done()
    );
    let after = seen(&world, 1).expect("it was exchanged");
    assert!(after.version > before.version);
    let expected = Seen {
        value: 2,
        age: Duration::ZERO,
        version: after.version,
        ..before
    };
    assert_eq!(after, expected);
    assert!(amend(&world, 1, Amendment::Renew));
    assert_eq!(left(&world, 1), Some(10));
    world.invalidate("tag");
    assert_eq!(world.hit(1), None);
}

#[test]
fn amendments_change_the_deadline_and_nothing_else() {
    let world = World::new();
    world.put(1, 1);
    let version = seen(&world, 1).expect("it was put").version;
    assert!(amend(&world, 1, Amendment::Renew));
    assert_eq!(
        left(&world, 1),
        None,
        "what does not expire has no ttl to renew"
    );
    assert!(amend(&world, 1, Amendment::Expire(Some(SECOND * 10))));
    world.hand.advance(SECOND * 4);
    assert_eq!(left(&world, 1), Some(6));
    assert!(amend(&world, 1, Amendment::Renew));
    world.hand.advance(SECOND * 4);
    assert!(amend(&world, 1, Amendment::Renew));
    assert_eq!(
        left(&world, 1),
        Some(10),
        "it was given ten, however often it was renewed"
    );
    assert!(amend(&world, 1, Amendment::Expire(None)));
    assert_eq!(left(&world, 1), None);
    let entry = seen(&world, 1).expect("it stays");
    assert_eq!((entry.version, entry.age), (version, SECOND * 8));
    world.cache.check();
}

#[test]
fn what_is_stale_is_gone_and_its_computation_is_kept() {
    let world = World::new();
    world.put(1, 1);
    let lead = world.refresh(1);
    assert!(amend(&world, 1, Amendment::Stale));
    assert!(!amend(&world, 1, Amendment::Stale));
    assert_eq!(world.hit(1), None);
    assert!(lead.settle(2, Settle::default()).stored);
    assert_eq!(world.hit(1), Some(2));
    world.cache.check();
}

#[test]
fn tags_added_later_count_from_then_on() {
    let world = World::new();
    world.put_with(1, 1, Instant::NEVER, &["a"]);
    world.invalidate("b");
    let added = names(&["b", "a"]);
    assert!(amend(&world, 1, Amendment::Tag(&added)));
    assert!(amend(&world, 1, Amendment::Tag(&added)));
    assert_eq!(seen(&world, 1).expect("it stays").tags, names(&["a", "b"]));
    assert_eq!(
        world.hit(1),
        Some(1),
        "what was before is none of its concern"
    );
    world.invalidate("b");
    assert_eq!(world.hit(1), None);
}

#[test]
fn a_walk_gives_what_stays_exactly_once() {
    let world = World::new();
    (0..60).for_each(|name| world.put(name, name));
    let other = World {
        cache: std::sync::Arc::clone(&world.cache),
        scope: world.cache.scope(),
        hand: world.hand.clone(),
    };
    other.put(100, 100);
    let (mut place, mut given, mut step) = (Place::default(), Vec::new(), 0);
    loop {
        let (keys, next) = world.cache.scan(&world.scope, place, 7);
        given.extend(keys.into_iter().map(|key| key.1));
        // Odd keys come, go and change meanwhile; even ones stay, and are set again.
        world.put(step * 2, 0);
        world.delete(step * 4 + 1);
        world.put(1_001 + step * 2, 0);
        step += 1;
        match next {
            Some(next) => place = next,
            None => break,
        }
    }
    let even: Vec<u64> = given.iter().copied().filter(|key| key % 2 == 0).collect();
    assert_eq!(
        even.iter().copied().collect::<BTreeSet<_>>().len(),
        even.len()
    );
    assert!((0..60).step_by(2).all(|key| even.contains(&key)));
    assert!(!given.contains(&100), "each scope has its own keys");
    world.cache.check();
}

#[test]
fn a_closed_cache_keeps_nothing_and_calls_go_past_it() {
    let world = World::new();
    world.put(1, 1);
    let lead = world.lead(2);
    world.cache.close();
    world.cache.close();
    assert!(world.cache.is_closed());
    assert!(!lead.settle(2, settle(&[])).stored);
    world.put(1, 1);
    assert!(!put_if(&world, 1, 1, Condition::Absent));
    assert_eq!((world.hit(1), world.hit(2)), (None, None));
    let before = world.cache.stats(&world.scope);
    let Turn::Alone(lead) = world.begin(1) else {
        panic!("nobody waits for anybody in a closed cache")
    };
    assert!(matches!(world.begin(1), Turn::Alone(_)));
    assert!(!lead.settle(1, settle(&[])).stored);
    assert!(!world.refresh(1).settle(1, settle(&[])).stored);
    let after = world.cache.stats(&world.scope);
    assert_eq!(
        (after.bypass, after.misses, after.entries),
        (3, before.misses, 0)
    );
    world.cache.check();
}
