//! What the store can do besides, a facet in each file. It tells nobody of changes: DynamoDB's streams are for one reader or two.

mod conditional;
mod counters;
mod generations;
mod health;
mod leases;
mod markers;
mod scan;
mod suspend;
mod touch;

/// How often a write is tried again that was kept from an item by the writes of others.
const TRIES: usize = 12;
