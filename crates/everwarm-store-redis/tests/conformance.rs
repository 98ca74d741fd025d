//! The store keeps the contract on every kind of place, whichever way it is asked.

mod support;

use std::sync::Arc;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_store_redis::Redis;
use support::{Way, config};

/// Checks the promises of one suite.
fn hold(variable: &str, way: Way, suite: &str, facets: &[&str]) {
    let Some(config) = config(variable) else {
        return;
    };
    let harness = Harness::over(move |_| {
        let store = Redis::open(config.clone());
        Ok(Arc::new(store.expect("nothing is connected yet")))
    });
    let harness = harness.offering(facets);
    let promises = PROMISES.iter().filter(|promise| promise.suite == suite);
    let outcomes = promises.map(|promise| (promise.name, way.run(|| check(&harness, promise))));
    let broken: Vec<_> = outcomes
        .filter(|(_, outcome)| *outcome != Outcome::Kept)
        .collect();
    assert!(broken.is_empty(), "{way:?}: {broken:#?}");
}

macro_rules! places {
    ($place:ident: $variable:literal) => {
        places! { @ $place: $variable;
            counters conditional leases scan touch generations notify suspend health }
    };
    (@ $place:ident: $variable:literal; $($facet:ident)*) => {
        mod $place {
            const FACETS: &[&str] = &[$(stringify!($facet)),*];
            places! { @@ blocking: Blocking, $variable; store $($facet)* }
            places! { @@ awaiting: Awaiting, $variable; store $($facet)* }
        }
    };
    (@@ $module:ident: $way:ident, $variable:literal; $($suite:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $suite() {
                    crate::hold($variable, crate::Way::$way, stringify!($suite), super::FACETS);
                }
            )*
        }
    };
}

places!(one_server: "EVERWARM_TEST_REDIS");
places!(encrypted: "EVERWARM_TEST_REDIS_TLS");
places!(sentinel: "EVERWARM_TEST_REDIS_SENTINEL");
places!(cluster: "EVERWARM_TEST_REDIS_CLUSTER");
