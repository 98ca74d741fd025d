//! The store keeps the contract at moto, a stand-in for S3, and at Azurite, one for Azure.

mod support;

use std::sync::{Arc, Mutex};
use std::thread;

use everwarm_conformance::{Harness, Outcome, PROMISES, Promise, check};
use everwarm_store_object::Config;
use support::{azurite, moto, open};

const FACETS: &[&str] = &[
    "counters",
    "conditional",
    "leases",
    "scan",
    "touch",
    "generations",
    "suspend",
    "health",
];

/// How many promises are looked at at once: what takes long is the wait for ttls, and moto answers one question at a time.
const AT_ONCE: usize = 16;

#[test]
fn it_keeps_its_promises_at_moto() {
    if let Some(config) = moto() {
        hold(&config);
    }
}

/// Azurite takes long to install: by hand it is `eval "$(scripts/servers/up azurite)"`, and this with `--ignored`.
#[test]
#[ignore = "needs EVERWARM_TEST_AZURE"]
fn it_keeps_its_promises_at_azurite() {
    if let Some(config) = azurite() {
        hold(&config);
    }
}

fn hold(config: &Config) {
    let config = config.clone();
    let harness = Harness::over(move |fixture| {
        // A place of its own: a sweep looks at all that is there.
        let mut config = config.clone();
        let number = *fixture.once(everwarm_network::chance::number);
        config.prefix = format!("{}/{number:x}", config.prefix);
        Ok(Arc::new(open(&config)))
    });
    let harness = harness.offering(FACETS);
    let is_kept = |suite| suite == "store" || FACETS.contains(&suite);
    let promises = PROMISES.iter().filter(|promise| is_kept(promise.suite));
    let (timed, others): (Vec<_>, Vec<_>) = promises.partition(|promise| is_timed(promise.name));
    let broken = Mutex::new(Vec::new());
    // Those that count seconds first: what the others ask at once makes each answer late.
    for promises in [timed, others] {
        checked(&harness, &promises, &broken);
    }
    let broken = broken.into_inner().expect("no panic");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Whether a promise is about spans of time.
fn is_timed(name: &str) -> bool {
    let words = ["ttl", "expired", "by_itself", "longest_span", "outlives"];
    words.iter().any(|word| name.contains(word))
}

fn checked(harness: &Harness, promises: &[&Promise], broken: &Mutex<Vec<String>>) {
    let promises = Mutex::new(promises.iter());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(promise) = next(&promises) {
                    let outcome = check(harness, promise);
                    if outcome != Outcome::Kept {
                        let what = format!("{}: {outcome:?}", promise.name);
                        broken.lock().expect("no panic").push(what);
                    }
                }
            });
        }
    });
}

fn next<T>(left: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    left.lock().expect("no panic").next()
}
