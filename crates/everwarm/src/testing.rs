//! What tests need: a clock that only they move.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_engine::{ManualHand, Ticker};

use crate::function;

/// A clock that stands still until it is moved.
///
/// ```
/// use everwarm::{Cache, duration::mins, testing::ManualClock};
///
/// let clock = ManualClock::new();
/// let cache = Cache::builder("pages").ttl(mins(5)).clock(&clock).build()?;
/// cache.set("/".to_owned(), 1);
/// clock.advance(mins(5));
/// assert_eq!(cache.get("/"), None);
/// # Ok::<(), everwarm::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualClock(pub(crate) ManualHand);

impl ManualClock {
    /// A clock at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self(ManualHand::new(Instant::ZERO))
    }

    /// Moves the clock, and the caches that were built with it, forward.
    pub fn advance(&self, span: Duration) {
        self.0.advance(span);
    }

    /// Governs all functions of the process that [`cached`](macro@crate::cached) decorates, until what is returned is
    /// dropped. Of several clocks that do, the last one counts.
    ///
    /// ```
    /// use everwarm::{duration::secs, testing::ManualClock};
    ///
    /// #[everwarm::cached(ttl = "30s")]
    /// fn area(side: u64) -> u64 { side * side }
    ///
    /// let clock = ManualClock::new();
    /// let _held = clock.hold_functions();
    /// area(3);
    /// clock.advance(secs(30));
    /// area(3);
    /// assert_eq!(area::stats().computations, 2);
    /// ```
    pub fn hold_functions(&self) -> Held {
        let ticker = function::ticker().clone();
        self.0.attach(&ticker);
        Held {
            hand: self.0.clone(),
            ticker,
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

/// A clock's hold on the decorated functions; dropping it lets them go.
#[derive(Debug)]
#[must_use = "dropping it lets the functions go at once"]
pub struct Held {
    hand: ManualHand,
    ticker: Ticker,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.hand.detach(&self.ticker);
    }
}
