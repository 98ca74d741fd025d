//! The calls of the last seconds, by how they ended.

use std::time::Duration;

use super::Outcome;
use crate::clock::Instant;

/// In how many parts a window slides.
const PARTS: u64 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    calls: u32,
    slow: u32,
    failed: u32,
}

/// Counts the calls of the last while. It slides in tenths: what is older than the window is forgotten within a tenth of it.
#[derive(Clone, Debug)]
pub struct Window {
    part: u64,
    /// The number of the part that is counted in, from the clock's origin on.
    at: u64,
    parts: [Part; PARTS as usize],
    sum: Part,
}

impl Window {
    /// An empty one, of this length.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            part: (nanos / PARTS).max(1),
            at: 0,
            parts: [Part::default(); PARTS as usize],
            sum: Part::default(),
        }
    }

    /// Counts a call that ended now, after forgetting what is too old.
    pub fn count(&mut self, outcome: Outcome, now: Instant) {
        self.slide(now.as_nanos() / self.part);
        let slow = u32::from(outcome == Outcome::Slow);
        let failed = u32::from(outcome == Outcome::Failed);
        for part in [&mut self.parts[(self.at % PARTS) as usize], &mut self.sum] {
            part.calls = part.calls.saturating_add(1);
            part.slow = part.slow.saturating_add(slow);
            part.failed = part.failed.saturating_add(failed);
        }
    }

    /// How many there were, at the last count.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.sum.calls
    }

    /// How many of them were slow.
    #[must_use]
    pub const fn slow(&self) -> u32 {
        self.sum.slow
    }

    /// How many of them failed.
    #[must_use]
    pub const fn failed(&self) -> u32 {
        self.sum.failed
    }

    fn slide(&mut self, to: u64) {
        // A clock read before that of the last call counts with it.
        for at in self.at + 1..=to.min(self.at.saturating_add(PARTS)) {
            let old = std::mem::take(&mut self.parts[(at % PARTS) as usize]);
            self.sum.calls = self.sum.calls.saturating_sub(old.calls);
            self.sum.slow = self.sum.slow.saturating_sub(old.slow);
            self.sum.failed = self.sum.failed.saturating_sub(old.failed);
        }
        self.at = self.at.max(to);
    }
}
