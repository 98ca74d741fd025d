//! What the store can do besides its verbs: one facet, one file.

mod conditional;
mod counters;
pub(crate) mod generations;
mod health;
mod leases;
mod notify;
pub(crate) mod scan;
mod suspend;
mod touch;
