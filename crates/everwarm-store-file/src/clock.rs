//! The clock of files: that of the wall, since files outlive processes and hosts' restarts.

use std::time::{SystemTime, UNIX_EPOCH};

use everwarm_core::clock::{Clock, Instant};

/// Nanoseconds since 1970. Other than most clocks it may be set back; the store takes an entry from the future for a miss.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Instant::ZERO.after(since.unwrap_or_default())
    }
}
