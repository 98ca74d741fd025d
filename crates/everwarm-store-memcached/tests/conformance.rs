//! The store keeps the contract on one server and on several, whichever way it is asked.

mod support;

use std::sync::Arc;
use std::thread;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_store_memcached::Memcached;
use support::{Way, config};

const FACETS: &[&str] = &["counters", "conditional", "leases", "touch", "health"];

/// Checks all promises at once: they mostly wait for ttls, which are whole seconds here.
fn hold(variable: &str, way: Way) {
    let Some(config) = config(variable) else {
        return;
    };
    let harness = Harness::over(move |_| {
        let store = Memcached::open(config.clone());
        Ok(Arc::new(store.expect("nothing is connected yet")))
    });
    let harness = harness.offering(FACETS);
    let is_kept = |suite| suite == "store" || FACETS.contains(&suite);
    let promises = PROMISES.iter().filter(|promise| is_kept(promise.suite));
    let broken: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = promises
            .map(|promise| {
                let harness = &harness;
                let outcome = scope.spawn(move || way.run(|| check(harness, promise)));
                (promise.suite, promise.name, outcome)
            })
            .collect();
        let outcomes = threads
            .into_iter()
            .map(|(suite, name, thread)| (suite, name, thread.join().expect("no panic")));
        outcomes
            .filter(|(.., outcome)| *outcome != Outcome::Kept)
            .collect()
    });
    assert!(broken.is_empty(), "{way:?}: {broken:#?}");
}

macro_rules! places {
    ($($place:ident: $variable:literal)*) => {
        $(mod $place {
            #[test]
            fn blocking() {
                crate::hold($variable, crate::Way::Blocking);
            }

            #[test]
            fn awaiting() {
                crate::hold($variable, crate::Way::Awaiting);
            }
        })*
    };
}

places! {
    one_server: "EVERWARM_TEST_MEMCACHED"
    several_servers: "EVERWARM_TEST_MEMCACHED_SEVERAL"
    encrypted: "EVERWARM_TEST_MEMCACHED_TLS"
}
