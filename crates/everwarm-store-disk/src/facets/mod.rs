//! What the store can do besides its verbs: one facet, one file.

mod conditional;
mod counters;
pub(crate) mod generations;
mod leases;
pub(crate) mod notify;
mod scan;
pub(crate) mod suspend;
mod touch;
