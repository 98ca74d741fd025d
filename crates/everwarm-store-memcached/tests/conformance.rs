//! The store keeps the contract on one server and on several, whichever way it is asked.

mod support;

use std::sync::Arc;
use std::thread;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_store_memcached::Memcached;
use support::{Way, config};

const FACETS: &[&str] = &["counters", "conditional", "leases", "touch", "health"];

const PLACES: [&str; 3] = [
    "EVERWARM_TEST_MEMCACHED",
    "EVERWARM_TEST_MEMCACHED_SEVERAL",
    "EVERWARM_TEST_MEMCACHED_TLS",
];

/// What is broken on one place.
fn broken(variable: &str, way: Way) -> Vec<String> {
    let Some(config) = config(variable) else {
        return Vec::new();
    };
    let harness = Harness::over(move |_| {
        let store = Memcached::open(config.clone());
        Ok(Arc::new(store.expect("nothing is connected yet")))
    });
    let harness = harness.offering(FACETS);
    let is_kept = |suite| suite == "store" || FACETS.contains(&suite);
    let promises = PROMISES.iter().filter(|promise| is_kept(promise.suite));
    thread::scope(|scope| {
        let threads: Vec<_> = promises
            .map(|promise| {
                let harness = &harness;
                let outcome = scope.spawn(move || way.run(|| check(harness, promise)));
                (promise, outcome)
            })
            .collect();
        let outcomes = threads.into_iter().filter_map(|(promise, thread)| {
            let outcome = thread.join().expect("no panic");
            let what = format!("{variable}: {}: {outcome:?}", promise.name);
            (outcome != Outcome::Kept).then_some(what)
        });
        outcomes.collect()
    })
}

/// Checks all promises on all places at once: they mostly wait for ttls, which are whole seconds here.
fn hold(way: Way) {
    let broken: Vec<String> = thread::scope(|scope| {
        let places = PLACES.map(|place| scope.spawn(move || broken(place, way)));
        let broken = places.map(|place| place.join().expect("no panic"));
        broken.into_iter().flatten().collect()
    });
    assert!(broken.is_empty(), "{way:?}: {broken:#?}");
}

#[test]
fn blocking() {
    hold(Way::Blocking);
}

#[test]
fn awaiting() {
    hold(Way::Awaiting);
}
