//! Durations by their unit, and as the texts that attributes and configurations have.

use std::time::Duration;

pub use everwarm_core::duration::{Short, parse};

/// So many milliseconds.
#[must_use]
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
#[must_use]
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// So many minutes.
///
/// ```
/// use everwarm::duration::{mins, parse, secs};
///
/// assert_eq!(mins(5), secs(300));
/// assert_eq!(mins(5), parse("5m")?);
/// # Ok::<(), everwarm::Error>(())
/// ```
#[must_use]
pub const fn mins(count: u64) -> Duration {
    secs(count.saturating_mul(60))
}

/// So many hours.
#[must_use]
pub const fn hours(count: u64) -> Duration {
    mins(count.saturating_mul(60))
}

/// So many days.
#[must_use]
pub const fn days(count: u64) -> Duration {
    hours(count.saturating_mul(24))
}
