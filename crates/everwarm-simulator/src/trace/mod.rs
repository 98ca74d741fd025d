//! Sequences of requested keys.

mod draw;
mod file;
mod generated;
mod varied;

use std::collections::HashSet;

pub use draw::{Draw, Zipf};
pub use file::{files, read};
pub use generated::generated;
pub use varied::varied;

/// A sequence of requested keys, with a name.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What heads its rows.
    pub name: String,
    /// The keys, in order.
    pub keys: Vec<u64>,
}

impl Trace {
    /// How many different keys are requested.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.keys.iter().collect::<HashSet<_>>().len()
    }
}
