//! What must never have happened, looked for in a history: the invariants I1 and I4 to I8, and calls that hang.

mod flights;
mod reads;
mod story;

use std::fmt;

use everwarm_core::clock::Instant;

use crate::history::Event;
use crate::weather::Weather;
use story::Story;

/// What an invariant forbids, and happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// When it showed.
    pub at: Instant,
    /// Which invariant it breaks.
    pub invariant: &'static str,
    /// What it was.
    pub said: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.as_nanos() as f64 / 1e9;
        write!(formatter, "{seconds:9.4} {}: {}", self.invariant, self.said)
    }
}

/// All that is wrong with a history.
#[must_use]
pub fn check(history: &[Event], weather: &Weather) -> Vec<Wrong> {
    let story = Story::of(history, weather);
    let mut wrong = reads::check(&story);
    wrong.extend(flights::check(&story));
    wrong.sort_by_key(|wrong| wrong.at);
    wrong
}
