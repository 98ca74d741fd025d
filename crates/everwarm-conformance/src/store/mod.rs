//! What every store promises, in the order of its contract; facets are in the files of their names.

pub(crate) mod conditional;
pub(crate) mod counters;
pub(crate) mod generations;
pub(crate) mod health;
mod keeping;
pub(crate) mod leases;
mod life;
mod names;
pub(crate) mod notify;
mod random;
pub(crate) mod scan;
pub(crate) mod suspend;
mod threads;
pub(crate) mod touch;
mod ttl;

pub(crate) use keeping::*;
pub(crate) use life::*;
pub(crate) use names::*;
pub(crate) use random::*;
pub(crate) use threads::*;
pub(crate) use ttl::*;

use std::time::Duration;

/// Long enough not to end during a check.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// The facets by their names, and whether a store offers each.
pub(crate) fn offered(store: &dyn everwarm_core::store::Store) -> [(&'static str, bool); 9] {
    [
        ("counters", store.counters().is_some()),
        ("conditional", store.conditional().is_some()),
        ("leases", store.leases().is_some()),
        ("scan", store.scan().is_some()),
        ("touch", store.touch().is_some()),
        ("generations", store.generations().is_some()),
        ("notify", store.notify().is_some()),
        ("suspend", store.suspending().is_some()),
        ("health", store.health().is_some()),
    ]
}
