//! Layers: what is wrapped around every verb of a store, one policy per file.
//!
//! - `stack`: [`Layered`], a store behind a layer, which is a store again
//! - `timeout`: answers that take too long become failures
#![forbid(unsafe_code)]

mod stack;
mod timeout;

pub use stack::Layered;
pub use timeout::{Timeout, Timer};
