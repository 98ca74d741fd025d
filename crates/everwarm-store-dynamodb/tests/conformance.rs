//! The store keeps the contract on both stand-ins for DynamoDB that can be had: all of it on dynalite; on moto, which needs many
//! milliseconds for a request and is asked one at a time, what is not about many at once or fractions of a second.

mod support;

use std::sync::Arc;
use std::thread;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_store_dynamodb::{Config, DynamoDb};

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

/// Checks the promises of one suite, all of them at once: most of their time they wait.
fn hold(config: Option<Config>, suite: &str) {
    let Some(config) = config else {
        return;
    };
    let harness = Harness::over(move |_| {
        let store = DynamoDb::open(config.clone());
        Ok(Arc::new(store.expect("nothing is connected yet")))
    });
    let harness = harness.offering(FACETS);
    let promises = PROMISES.iter().filter(|promise| promise.suite == suite);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let checks: Vec<_> = promises
            .map(|promise| scope.spawn(|| (promise.name, check(&harness, promise))))
            .collect();
        let done = checks.into_iter().map(|check| check.join());
        done.collect::<Result<_, _>>().expect("none panics")
    });
    let broken: Vec<_> = outcomes
        .into_iter()
        .filter(|(_, outcome)| *outcome != Outcome::Kept)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

macro_rules! places {
    ($($place:ident: $config:expr; $($suite:ident)*;)*) => {
        $(mod $place {
            $(
                #[test]
                fn $suite() {
                    crate::hold($config, stringify!($suite));
                }
            )*
        })*
    };
}

places! {
    dynalite: crate::support::config(crate::support::DYNALITE, "conformance");
        store counters conditional leases scan touch generations suspend health;
    moto: crate::support::config(crate::support::MOTO, "conformance");
        conditional scan touch health;
}
