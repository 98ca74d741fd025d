//! The disk store keeps the contract, by the manual clock and by the machine's.

use everwarm_conformance::Fixture;
use everwarm_store_disk::{Config, Disk};

fn config(fixture: &Fixture) -> Config {
    Config::new(fixture.directory())
}

mod by_hand {
    use super::{Disk, Fixture, config};

    everwarm_conformance::store!(|fixture: &Fixture| {
        Disk::open_by(config(fixture), fixture.clock()).expect("a store")
    }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
}

mod by_the_machine {
    use super::{Disk, Fixture, config};

    everwarm_conformance::store!(|fixture: &Fixture| {
        Disk::open(config(fixture)).expect("a store")
    }; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
}
