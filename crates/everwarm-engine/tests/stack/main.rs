//! Stacks over stores that several "processes" share, in one program: each program of tests takes in the engine anew.

mod batches;
mod begins;
mod behind;
mod copy;
mod failures;
mod histories;
mod late;
mod moving;
mod objects;
mod overtaken;
mod promises;
mod redis;
mod takeovers;
#[path = "../tiers/mod.rs"]
mod tiers;
mod timeouts;
mod trailer;
mod values;
mod windows;
