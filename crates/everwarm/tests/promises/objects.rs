//! Entries that are there: written under conditions, changed in place, walked over, and closed.

use std::collections::HashSet;
use std::thread;

use everwarm::Cache;
use everwarm::duration::{mins, secs};
use everwarm::testing::ManualClock;

#[test]
fn writes_have_conditions() {
    let cache: Cache<String, u8> = Cache::builder("conditions")
        .tags(|key: &String| [format!("key:{key}")])
        .build()
        .expect("its options are valid");
    assert!(!cache.replace("a".into(), 1));
    assert!(cache.add("a".into(), 2) && !cache.add("a".into(), 3));
    assert!(cache.replace("a".into(), 4));
    let seen = cache.peek("a").expect("it is there");
    assert_eq!((seen.value, &*seen.tags[0]), (4, "key:a"));
    assert!(cache.compare_and_set("a".into(), seen.version, 5));
    assert!(!cache.compare_and_set("a".into(), seen.version, 6));
    assert!(!cache.compare_and_set("b".into(), seen.version, 6));
    cache.invalidate_tags(["key:a"]);
    assert!(cache.add("a".into(), 7), "what is invalid is not there");
    assert_eq!(cache.get_or_compute("a", || 8), 7);
}

#[test]
fn updates_are_not_lost() {
    let cache: Cache<u8, u64> = Cache::new("counts");
    cache.set(1, 0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..100).for_each(|_| _ = cache.update(1, |count| count + 1)));
        }
    });
    assert_eq!(
        (cache.get(&1), cache.update(2, |count| count + 1)),
        (Some(800), None)
    );
}

#[test]
fn a_conditional_write_that_is_too_heavy_says_so() {
    let cache: Cache<u8, String> = Cache::builder("texts")
        .max_bytes(10_000, |_, text: &String| text.len() as u64)
        .build()
        .unwrap();
    let heavy = || "x".repeat(10_000);
    assert!(!cache.add(1, heavy()));
    cache.set(1, "light".into());
    let version = cache.peek(&1).unwrap().version;
    assert!(!cache.replace(1, heavy()));
    assert!(!cache.compare_and_set(1, version, heavy()));
    assert_eq!(cache.get(&1).as_deref(), Some("light"));
    assert_eq!(cache.stats().refused, 3);
    assert_eq!(cache.update(1, |_| heavy()), Some(heavy()));
    assert_eq!((cache.get(&1), cache.stats().refused), (None, 4));
}

#[test]
fn lives_are_changed_in_place() {
    let clock = ManualClock::new();
    let cache: Cache<u8, u8> = Cache::builder("lives")
        .ttl(mins(1))
        .clock(&clock)
        .build()
        .expect("its options are valid");
    let ttl = |key: u8| cache.peek(&key).map(|seen| seen.ttl);
    (1..5).for_each(|key| cache.set(key, key));
    assert!(cache.expire(&1, secs(5)) && cache.persist(&2) && !cache.persist(&9));
    assert_eq!(
        (ttl(1), ttl(2), ttl(3)),
        (Some(Some(secs(5))), Some(None), Some(Some(mins(1))))
    );
    clock.advance(secs(30));
    assert!(cache.touch(&3) && cache.mark_stale(&4) && !cache.touch(&1));
    assert_eq!(
        (ttl(1), ttl(2), ttl(3), ttl(4)),
        (None, Some(None), Some(Some(mins(1))), None)
    );
    assert!(cache.add_tags(&2, ["late"]) && !cache.add_tags(&1, ["late"]));
    cache.invalidate_tags(["late"]);
    assert!(!cache.exists(&2) && cache.exists(&3));
}

#[test]
fn a_walk_gives_every_key_once() {
    let cache: Cache<u32, ()> = Cache::new("walk");
    (0..5_000).for_each(|key| cache.set(key, ()));
    let keys: Vec<u32> = cache
        .scan()
        .inspect(|key| _ = key % 2 == 0 && cache.delete(key))
        .collect();
    assert_eq!(
        (keys.len(), HashSet::<u32>::from_iter(keys).len()),
        (5_000, 5_000)
    );
    assert!(cache.scan().all(|key| key % 2 == 1));
}

#[test]
fn a_closed_cache_computes_and_keeps_nothing() {
    let cache: Cache<u8, u8> = Cache::new("closed");
    cache.set(1, 1);
    cache.close();
    assert!(cache.is_closed() && cache.is_empty());
    cache.set(1, 1);
    assert!(!cache.add(1, 1));
    assert_eq!((cache.get_or_compute(&1, || 2), cache.get(&1)), (2, None));
}
