//! Plays nodes over a shared store and a bus in simulated time, and checks what they serve.
//!
//! Each node is a memory and a stack of the real engine, on tasks that a seeded scheduler runs one at a time. The store and the bus
//! follow core's rules of leases, shards and ears; they are slow, fail, are cut off, restart and are replaced as the seed has it.
//! One seed is one run.
//!
//! - `runtime`, `draw`: the scheduler, and the chance it follows
//! - `weather`: what a seed has in store; `fault`: what is done wrong on purpose
//! - `server`, `network`, `remote`, `hearing`: the shared store, the ways to it, and a process's handle on it and on the bus
//! - `node`: a process, and what its workers do
//! - `history`: what happened; `checker`: what must not have
//! - `play`: one run
#![forbid(unsafe_code)]

pub mod checker;
mod draw;
mod fault;
mod hearing;
pub mod history;
mod network;
mod node;
mod play;
mod remote;
mod runtime;
mod server;
mod weather;

pub use fault::Fault;
pub use play::{Run, play};
pub use weather::Weather;
