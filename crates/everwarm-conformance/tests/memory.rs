//! The memory store keeps the contract, with every facet.

use everwarm_conformance::Fixture;
use everwarm_memory::{Bounds, MemoryStore};

fn open(fixture: &Fixture) -> MemoryStore {
    let bounds = Bounds {
        max_bytes: (1 << 25).try_into().ok(),
        ..Bounds::entries(100_000.try_into().expect("not zero"))
    };
    let clock = fixture.clock();
    fixture
        .once(|| MemoryStore::with_clock(bounds, clock))
        .handle()
}

everwarm_conformance::store!(open; counters, conditional, leases, scan, touch, generations, notify, suspend, health);
