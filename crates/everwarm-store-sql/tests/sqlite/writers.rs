//! One writes at a time, and nobody is held up by it who has other things to do.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use everwarm_conformance::{Fixture, wait};
use everwarm_core::store::{Bytes, FailureKind, Store};
use everwarm_runtime::waiting;
use rusqlite::Connection;

use crate::support::{Config, Sqlite, config, now, put, store, text};

/// Another program that writes to the file until this is dropped.
struct Other {
    _connection: Connection,
}

impl Other {
    fn writes(fixture: &Fixture) -> Self {
        let connection = Connection::open(fixture.directory().join("cache.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(20)).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self {
            _connection: connection,
        }
    }
}

#[test]
fn a_loop_is_answered_later_while_others_write() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    put(&store, "name", "before");
    let other = Other::writes(&fixture);
    let begun = Instant::now();
    let later = store.set("name", Bytes::from("after"), None).now();
    let took = begun.elapsed();
    let later = later.expect_err("somebody writes");
    assert!(took < Duration::from_millis(500), "it took {took:?}");
    // Who reads waits for nobody.
    assert_eq!(text(&store, "name").as_deref(), Some("before"));
    drop(other);
    wait(later).expect("nobody writes any more");
    assert_eq!(text(&store, "name").as_deref(), Some("after"));
}

#[test]
fn what_is_abandoned_is_not_done() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    put(&store, "name", "before");
    let other = Other::writes(&fixture);
    drop(store.set("name", Bytes::from("after"), None));
    drop(other);
    put(&store, "other", "x");
    assert_eq!(text(&store, "name").as_deref(), Some("before"));
}

#[test]
fn who_only_waits_waits_where_it_is() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    put(&store, "name", "before");
    let other = Other::writes(&fixture);
    let releases = thread::spawn(move || {
        thread::sleep(Duration::from_millis(10));
        drop(other);
    });
    // On a loaded machine the other one may let go late: then the thread may look around.
    let answer = waiting(|| store.set("name", Bytes::from("after"), None));
    waiting(|| wait(answer)).expect("it is free again");
    releases.join().unwrap();
    assert_eq!(text(&store, "name").as_deref(), Some("after"));
}

#[test]
fn who_waits_for_too_long_is_told() {
    let fixture = Fixture::default();
    let store = Sqlite::open(Config {
        busy_timeout: Duration::from_millis(30),
        ..config(&fixture)
    });
    let store = store.expect("a store");
    put(&store, "name", "before");
    let other = Other::writes(&fixture);
    for is_waiting in [false, true] {
        let begun = Instant::now();
        let ask = || wait(store.set("name", Bytes::from("after"), None));
        let failure = if is_waiting { waiting(ask) } else { ask() }.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(failure.hint().contains("busy_timeout"));
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
    drop(other);
    put(&store, "name", "after");
}

#[test]
fn who_opens_a_new_file_waits_for_others_there() {
    let fixture = Fixture::default();
    let reads = Connection::open(fixture.directory().join("cache.db")).unwrap();
    reads.execute_batch("CREATE TABLE begun (at)").unwrap();
    reads.execute_batch("DROP TABLE begun").unwrap();
    // As long as somebody reads, a file cannot be given its log.
    reads
        .execute_batch("BEGIN; SELECT * FROM sqlite_schema")
        .unwrap();
    let leaves = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        drop(reads);
    });
    let store = Sqlite::open(Config {
        busy_timeout: Duration::from_secs(20),
        ..config(&fixture)
    });
    leaves.join().unwrap();
    put(&store.expect("nobody reads any more"), "name", "x");
}

#[test]
fn threads_and_handles_write_at_once() {
    const EACH: i64 = 200;
    let fixture = Fixture::default();
    let first = Arc::new(store(&fixture));
    let second = Arc::new(store(&fixture));
    thread::scope(|scope| {
        for at in 0..4 {
            let store = if at % 2 == 0 { &first } else { &second };
            scope.spawn(move || {
                for _ in 0..EACH {
                    let counters = store.counters().unwrap();
                    wait(counters.incr("n", 1, 0, None)).expect("it has its turn");
                }
            });
        }
    });
    let counted = now(first.counters().unwrap().incr("n", 0, 0, None));
    assert_eq!(counted.unwrap(), 4 * EACH);
}

#[test]
fn a_step_that_fails_leaves_nothing_under_way() {
    let fixture = Fixture::default();
    let store = store(&fixture);
    // What is no number fails in the midst of the step that would count it up.
    put(&store, "text", "no number");
    assert!(now(store.counters().unwrap().incr("text", 1, 0, None)).is_err());
    put(&store, "name", "x");
    assert_eq!(text(&store, "name").as_deref(), Some("x"));
}
