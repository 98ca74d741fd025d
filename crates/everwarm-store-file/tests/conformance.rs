//! The file store keeps the contract, by the manual clock and by the wall's.

use everwarm_conformance::Fixture;
use everwarm_store_file::{Config, FileStore};

fn config(fixture: &Fixture) -> Config {
    Config {
        max_bytes: 1 << 25,
        ..Config::in_directory(fixture.directory())
    }
}

mod by_hand {
    use super::{FileStore, Fixture, config};

    everwarm_conformance::store!(|fixture: &Fixture| {
        FileStore::with_clock(&config(fixture), fixture.clock()).expect("a store")
    }; counters, conditional, leases, scan, touch, health);
}

mod by_the_wall {
    use super::{FileStore, Fixture, config};

    everwarm_conformance::store!(|fixture: &Fixture| {
        FileStore::connect(&config(fixture)).expect("a store")
    }; counters, conditional, leases, scan, touch, health);
}
