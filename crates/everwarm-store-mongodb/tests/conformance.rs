//! The store keeps the contract.

mod support;

use std::sync::Arc;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_store_mongodb::MongoDb;

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

/// Checks the promises of one suite.
fn hold(suite: &str) {
    let Some(config) = support::config("conformance") else {
        return;
    };
    let harness = Harness::over(move |_| Ok(Arc::new(MongoDb::open(config.clone()))));
    let harness = harness.offering(FACETS);
    let promises = PROMISES.iter().filter(|promise| promise.suite == suite);
    let outcomes = promises.map(|promise| (promise.name, check(&harness, promise)));
    let broken: Vec<_> = outcomes
        .filter(|(_, outcome)| *outcome != Outcome::Kept)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

macro_rules! suites {
    ($($suite:ident)*) => {
        $(
            #[test]
            fn $suite() {
                hold(stringify!($suite));
            }
        )*
    };
}

suites!(store counters conditional leases scan touch generations suspend health);
