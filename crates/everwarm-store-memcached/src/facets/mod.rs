//! What a Memcached store can do beside the verbs of all stores, one facet per file. It has no names to scan, no step over several
//! items, which generations would need, and nothing that tells others.

mod conditional;
mod counters;
mod health;
mod leases;
mod touch;
