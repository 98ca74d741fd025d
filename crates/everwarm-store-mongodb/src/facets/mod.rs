//! What the store can do besides.

mod conditional;
mod counters;
mod generations;
mod health;
mod leases;
mod scan;
mod suspend;
mod touch;
