//! Layers: what is wrapped around every verb of a store, one policy per file.
//!
//! - `stack`: [`Layered`], a store behind a layer, which is a store again
//! - `chaos`: faults by chance, for tests
//! - `timeout`: answers that take too long become failures
#![forbid(unsafe_code)]

mod chaos;
mod stack;
mod timeout;

pub use chaos::{Chaos, Odds};
pub use stack::Layered;
pub use timeout::{Timeout, Timer};
