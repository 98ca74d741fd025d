//! A clock that only the suites move.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};

/// A clock that stands still until it is advanced. It begins in the year 2027, for stores whose instants are dates.
///
/// ```
/// use std::time::Duration;
/// use everwarm_conformance::ManualClock;
/// use everwarm_core::clock::Clock;
///
/// let clock = ManualClock::default();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now().since(before), Duration::from_secs(3));
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    /// Moves the clock back, as an administrator may do with that of a host.
    pub fn set_back(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_sub(by, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_800_000_000 * 1_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }
}
