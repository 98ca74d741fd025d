//! The store keeps the contract in its default tables, in tables with names of the user's own, and over TLS.

mod support;

use std::sync::Arc;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_core::store::Store;
use everwarm_store_sql::{Config, Kind, Mysql, Postgres};

const FACETS: &[&str] = &[
    "counters",
    "conditional",
    "leases",
    "scan",
    "touch",
    "generations",
    "notify",
    "suspend",
    "health",
];

/// Checks the promises of one suite.
fn hold(config: Option<Config>, suite: &str) {
    let Some(config) = config else {
        return;
    };
    let harness = Harness::over(move |_| {
        let config = config.clone();
        let store: Arc<dyn Store> = match config.kind {
            Kind::Postgres => Arc::new(Postgres::open(config).expect("nothing is connected yet")),
            Kind::Mysql => Arc::new(Mysql::open(config).expect("nothing is connected yet")),
        };
        Ok(store)
    });
    let harness = harness.offering(FACETS);
    let promises = PROMISES.iter().filter(|promise| promise.suite == suite);
    let outcomes = promises.map(|promise| (promise.name, check(&harness, promise)));
    let broken: Vec<_> = outcomes
        .filter(|(_, outcome)| *outcome != Outcome::Kept)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Tables that no default name stands in for, and that a crash of the server would empty.
fn named() -> Option<Config> {
    let mut config = support::config("conformance \"of\" %entries% ä")?;
    config.schema = Some("public".to_owned());
    config.unlogged = true;
    config.connections = 1;
    Some(config)
}

/// The same, in words that end an identifier of MySQL; a connection waits for another one's question.
fn named_mysql() -> Option<Config> {
    let mut config = support::mysql("conformance `of` %entries% ä")?;
    config.connections = 2;
    Some(config)
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
    by_default: crate::support::config("conformance");
        store counters conditional leases scan touch generations notify suspend health;
    by_name: crate::named();
        store counters conditional leases scan touch generations notify suspend health;
    encrypted: crate::support::encrypted("conformance");
        store notify;
    mysql: crate::support::mysql("conformance");
        store counters conditional leases scan touch generations notify suspend health;
    mysql_by_name: crate::named_mysql();
        store counters conditional leases scan touch generations notify suspend health;
    mysql_encrypted: crate::support::encrypted_mysql("conformance");
        store notify;
}
