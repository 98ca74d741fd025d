//! Processes that are killed, and that fork nothing: what was acknowledged is there.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use everwarm_conformance::Fixture;
use everwarm_core::store::Store;

use crate::support::{Config, Sqlite, config, now, put, store, text};

const PLACE: &str = "EVERWARM_TEST_CRASH";

/// In the child: writes, and says so, until it is killed.
#[test]
fn child() {
    let Ok(url) = std::env::var(PLACE) else {
        return;
    };
    let store = Sqlite::open(Config::from_url(&url).unwrap()).unwrap();
    for number in 0.. {
        put(
            &store,
            &format!("n{number}"),
            &format!("value {number} ").repeat(50),
        );
        // What is printed is not held back.
        eprintln!("{number}");
    }
}

/// Starts a process that writes until it is killed, after so many writes; how many it had acknowledged.
fn killed(fixture: &Fixture, synchronous: &str, after: u64) -> u64 {
    let place = fixture.directory().join("cache.db");
    let url = format!("sqlite://{}?synchronous={synchronous}", place.display());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(PLACE, url)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut acknowledged = 0;
    for line in said.lines() {
        let line = line.unwrap();
        if let Ok(number) = line.trim().parse::<u64>() {
            acknowledged = number + 1;
            if acknowledged == after {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(acknowledged >= after);
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    for (synchronous, after) in [("normal", 700), ("normal", 31), ("full", 40), ("off", 300)] {
        let fixture = Fixture::default();
        let acknowledged = killed(&fixture, synchronous, after);
        let store = store(&fixture);
        for number in 0..acknowledged {
            let expected = format!("value {number} ").repeat(50);
            assert_eq!(
                text(&store, &format!("n{number}")),
                Some(expected),
                "{synchronous}"
            );
        }
        put(&store, "more", "x");
        assert_eq!(text(&store, "more").as_deref(), Some("x"));
    }
}

#[test]
fn the_lease_of_who_was_killed_ends() {
    let fixture = Fixture::default();
    let clock = fixture.clock();
    let open = || Sqlite::open_by(config(&fixture), fixture.clock()).unwrap();
    let (first, second) = (open(), open());
    let span = Duration::from_secs(5);
    now(first.leases().unwrap().lease("name", 1, span)).unwrap();
    drop(first);
    let grant = now(second.leases().unwrap().lease("name", 2, span)).unwrap();
    assert!(matches!(grant, everwarm_core::store::Grant::Held(left) if left <= span));
    clock.advance(span);
    let grant = now(second.leases().unwrap().lease("name", 2, span)).unwrap();
    assert_eq!(grant, everwarm_core::store::Grant::Granted);
}
