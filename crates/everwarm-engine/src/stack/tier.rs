//! A store's place in a stack.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::Store;

/// When what was computed is written to a tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Write {
    /// Before the value is given.
    #[default]
    Through,
    /// Later, by a thread of the engine; lost if the process is killed before.
    Behind,
    /// Not at all: the tier is filled by reads that a farther tier answers.
    Around,
}

/// A store within a stack.
#[derive(Clone, Debug)]
pub struct Tier {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What users see.
    pub label: Arc<str>,
    /// The longest that an entry stays in this tier; `None`: as long as it lives.
    pub ttl: Option<Duration>,
    /// When it is written.
    pub write: Write,
}
