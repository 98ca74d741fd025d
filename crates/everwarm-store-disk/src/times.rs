//! The store's own time: it goes on over restarts, and neither jumps nor turns back.
//!
//! It begins as the date. While the machine runs it follows the clock that counts from its start, which nobody can set;
//! after another start it goes on from what the files saw last, or from the date if that is later. So a date that was set
//! wrongly neither brings back what had expired nor lets everything expire at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use everwarm_core::clock::{Clock, Instant};
use twox_hash::XxHash3_64;

/// Threads may read the same clock in another order than they note it, but not by so many nanoseconds.
const TURNED_BACK: u64 = 1_000_000_000;

/// The clocks of a machine.
pub trait Times: Send + Sync {
    /// Which start of the machine this is.
    fn boot(&self) -> u64;

    /// What counts from that start on, time asleep included, and cannot be set.
    fn running(&self) -> Duration;

    /// The date, since 1970.
    fn date(&self) -> Duration;
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemTimes {
    boot: u64,
}

impl Default for SystemTimes {
    fn default() -> Self {
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot: XxHash3_64::oneshot(&boot),
        }
    }
}

impl Times for SystemTimes {
    fn boot(&self) -> u64 {
        self.boot
    }

    #[cfg(target_os = "linux")]
    fn running(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    }

    #[cfg(not(target_os = "linux"))]
    fn running(&self) -> Duration {
        self.date()
    }

    fn date(&self) -> Duration {
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }
}

/// One clock for all, of a machine that never starts again: for tests.
pub(crate) struct OneClock(pub(crate) Arc<dyn Clock>);

impl Times for OneClock {
    fn boot(&self) -> u64 {
        1
    }

    fn running(&self) -> Duration {
        Duration::from_nanos(self.0.now().as_nanos())
    }

    fn date(&self) -> Duration {
        self.running()
    }
}

/// The store's time in this process: a machine's clock and what is added to it.
pub(crate) struct StoreTime {
    times: Arc<dyn Times>,
    added: AtomicU64,
    /// What makes up for a clock that was turned back.
    regained: AtomicU64,
    latest: AtomicU64,
}

impl StoreTime {
    pub(crate) fn new(times: Arc<dyn Times>) -> Self {
        Self {
            times,
            added: AtomicU64::new(0),
            regained: AtomicU64::new(0),
            latest: AtomicU64::new(0),
        }
    }

    pub(crate) fn times(&self) -> Arc<dyn Times> {
        Arc::clone(&self.times)
    }

    pub(crate) fn boot(&self) -> u64 {
        self.times.boot()
    }

    /// What must be added so that it is `floor` now, or the date if that is later.
    pub(crate) fn addition_for(&self, floor: u64) -> u64 {
        nanos(self.times.date())
            .max(floor)
            .wrapping_sub(nanos(self.times.running()))
    }

    /// Whether this is what is added.
    pub(crate) fn is_added(&self, added: u64) -> bool {
        self.added.load(Ordering::Relaxed) == added
    }

    /// Takes over what the files say is to be added.
    pub(crate) fn follow(&self, added: u64) {
        if self.added.swap(added, Ordering::Relaxed) != added {
            self.latest.store(0, Ordering::Relaxed);
        }
    }

    /// The latest instant that was read in this process.
    pub(crate) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Relaxed)
    }

    /// The instant that is now. A clock that turns back does not turn it back, and does not hold it up.
    pub(crate) fn now(&self) -> Instant {
        let read = nanos(self.times.running())
            .wrapping_add(self.added.load(Ordering::Relaxed))
            .wrapping_add(self.regained.load(Ordering::Relaxed));
        let latest = self.latest.fetch_max(read, Ordering::Relaxed);
        if latest.saturating_sub(read) > TURNED_BACK {
            self.regained.fetch_add(latest - read, Ordering::Relaxed);
        }
        Instant::from_nanos(read.max(latest))
    }
}

impl fmt::Debug for StoreTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreTime")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
