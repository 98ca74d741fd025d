//! What was done, so that a test can show that its fault has happened.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use crate::fault::Way;

// How many deeds are remembered; the counts are of all.
const REMEMBERED: usize = 10_000;

/// A fault that has befallen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// How long after the proxy's start.
    pub after: Duration,
    /// The number of the connection, from 1; 0 for what befell the proxy itself.
    pub connection: u64,
    /// The direction, where it had one.
    pub way: Option<Way>,
    /// The name of its kind.
    pub fault: &'static str,
    /// How many bytes it was about.
    pub bytes: usize,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.6} {} {} {} {}",
            self.after.as_secs_f64(),
            self.connection,
            self.way.map_or("-", Way::name),
            self.fault,
            self.bytes
        )
    }
}

/// The deeds of one proxy.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    latest: VecDeque<Deed>,
    counts: BTreeMap<&'static str, u64>,
}

impl Deeds {
    /// Adds one.
    pub(crate) fn add(&mut self, deed: Deed) {
        *self.counts.entry(deed.fault).or_default() += 1;
        if self.latest.len() == REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back(deed);
    }

    /// How often a kind has befallen.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// The latest, oldest first.
    pub(crate) fn latest(&self) -> Vec<Deed> {
        self.latest.iter().cloned().collect()
    }
}
