//! The store in a file of SQLite: the contract, and what becomes of it when files, processes and writers misbehave.
#![cfg(feature = "sqlite")]

mod bounds;
mod crash;
mod files;
mod support;
mod writers;

mod by_hand {
    use everwarm_conformance::Fixture;

    use crate::support::{Sqlite, config};

    everwarm_conformance::store!(|fixture: &Fixture| {
        Sqlite::open_by(config(fixture), fixture.clock()).expect("a store")
    }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
}

mod by_the_wall {
    use everwarm_conformance::Fixture;

    use crate::support::{Sqlite, config};

    everwarm_conformance::store!(|fixture: &Fixture| {
        let named = everwarm_store_sql::sqlite::Config {
            table: "the \"cache\" of %entries% ä".to_owned(),
            ..config(fixture)
        };
        Sqlite::open(named).expect("a store")
    }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
}
