//! Layers: what is wrapped around every verb of a store, one policy per file.
//!
//! [`wrap`] puts those that [`Options`] name around a store, in the one order:
//!
//! - `metrics`: counts operations and times them
//! - `trace`: tells a listener of each
//! - `breaker`: leaves alone a store that fails or is slow too often
//! - `bulkhead`: so many operations at once, so many that wait
//! - `retry`: reads once more, within a budget
//! - `timeout`: answers that take too long become failures
//! - `chaos`: faults by chance, for tests
//!
//! and `stack` has [`Layered`], a store behind a layer, which is a store again.
#![forbid(unsafe_code)]

mod breaker;
mod bulkhead;
mod chaos;
mod metrics;
mod options;
mod order;
mod retry;
mod shim;
mod stack;
mod timeout;
mod timer;
mod trace;

pub use breaker::Breaker;
pub use bulkhead::{Berths, Bulkhead};
pub use chaos::{Chaos, Odds};
pub use metrics::{Counted, Metrics};
pub use options::{Limit, Options, Wishes};
pub use order::{Means, Watch, Wrapped, wrap};
pub use retry::Retry;
pub use stack::Layered;
pub use timeout::Timeout;
pub use timer::Timer;
pub use trace::{End, Trace, Tracer};
