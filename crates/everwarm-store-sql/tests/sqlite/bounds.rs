//! The file keeps within its bound, and what is over leaves it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_conformance::{Fixture, wait};
use everwarm_core::health::Fact;
use everwarm_core::store::{Bytes, FailureKind, Store};

use crate::support::{Config, Sqlite, config, now, put, text};

const MOST: u64 = 2 << 20;

fn bounded(fixture: &Fixture) -> Sqlite {
    let bounded = Config {
        max_bytes: MOST,
        ..config(fixture)
    };
    Sqlite::open_by(bounded, fixture.clock()).expect("a store")
}

fn fact(store: &Sqlite, name: &str) -> u64 {
    let health = store.health().expect("it says how it is");
    let report = wait(health.report(true)).expect("it says so");
    let fact = report.facts.iter().find(|(known, _)| *known == name);
    match fact {
        Some((_, Fact::Count(count))) => *count,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn what_was_written_first_leaves_where_there_is_no_room() {
    let fixture = Fixture::default();
    let store = bounded(&fixture);
    for number in 0..300 {
        let bytes = Bytes::from(vec![7; 30_000]);
        now(store.set(&format!("n{number}"), bytes, None)).expect("it writes");
        assert!(fact(&store, "used_bytes") <= MOST, "after {number} writes");
    }
    let is_there = |number: i32| now(store.get(&format!("n{number}"))).unwrap().is_some();
    assert!(!is_there(0) && is_there(299));
    let first = (0..300).find(|&number| is_there(number)).unwrap();
    assert!((first..300).all(is_there), "others left than the first");
    assert!(300 - first > 40, "more left than had to: {first}");
    let file = fixture.directory().join("cache.db").metadata().unwrap();
    assert!(file.len() < 2 * MOST, "the file has {} bytes", file.len());
}

#[test]
fn what_has_expired_leaves_with_what_others_write() {
    let fixture = Fixture::default();
    let store = bounded(&fixture);
    let ttl = Some(Duration::from_secs(1));
    for number in 0..100 {
        now(store.set(&format!("old{number}"), Bytes::from("x"), ttl)).unwrap();
    }
    fixture.clock().advance(Duration::from_secs(2));
    assert_eq!(fact(&store, "entries"), 100);
    for number in 0..64 {
        put(&store, &format!("new{number}"), "x");
    }
    assert_eq!(fact(&store, "entries"), 64);
}

#[test]
fn what_is_too_large_is_refused() {
    let store = bounded(&Fixture::default());
    put(&store, "name", "before");
    let most = store.limits().largest_value as usize;
    let failure = now(store.set("name", Bytes::from(vec![0; most + 1]), None)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Capacity);
    assert_eq!(text(&store, "name").as_deref(), Some("before"));
    now(store.set("name", Bytes::from(vec![0; most]), None)).expect("so much is not");
}

#[test]
fn ones_own_messages_are_never_too_many() {
    let fixture = Fixture::default();
    let store = Arc::new(bounded(&fixture));
    let notify = store.notify().expect("it tells");
    let before = notify.change();
    for _ in 0..5_000 {
        put(&*store, "name", "x");
    }
    let told = now(notify.messages(before)).unwrap();
    assert!(!told.gap && told.messages.is_empty());
    assert_eq!(told.up_to, before + 5_000);
    // They are let go of all the same.
    let other = bounded(&fixture);
    let told = now(other.notify().unwrap().messages(before)).unwrap();
    assert!(told.gap && told.messages.len() < 4_400);
}

#[test]
fn a_clock_that_is_set_back_keeps_nothing_for_longer() {
    #[derive(Debug)]
    struct Set(std::sync::atomic::AtomicU64);
    impl everwarm_core::clock::Clock for Set {
        fn now(&self) -> everwarm_core::clock::Instant {
            let nanos = self.0.load(std::sync::atomic::Ordering::Relaxed);
            everwarm_core::clock::Instant::from_nanos(nanos)
        }
    }
    let fixture = Fixture::default();
    let hour = 3_600_000_000_000;
    let clock = Arc::new(Set(hour.into()));
    let store = Sqlite::open_by(config(&fixture), Arc::clone(&clock) as _).expect("a store");
    let minute = Duration::from_secs(60);
    now(store.set("name", Bytes::from("x"), Some(minute))).unwrap();
    let leases = store.leases().unwrap();
    now(leases.lease("name", 1, minute)).unwrap();
    clock
        .0
        .store(hour / 2, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(text(&store, "name"), None);
    let grant = now(leases.lease("name", 2, minute)).unwrap();
    assert_eq!(grant, everwarm_core::store::Grant::Granted);
}
