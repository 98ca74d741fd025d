//! The clock of a file that outlives processes and starts of the machine: that of the wall.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everwarm_core::clock::{Clock, Instant};

/// What never ends, ends then.
pub(crate) const NEVER: i64 = i64::MAX;

/// Time since 1970. It may be set back; an entry from the future is a miss then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Instant::ZERO.after(since.unwrap_or_default())
    }
}

/// Microseconds of a clock: what tables hold.
pub(crate) fn now(clock: &dyn Clock) -> i64 {
    (clock.now().as_nanos() / 1_000) as i64
}

/// When what begins now and lasts for so long ends; `None`: never.
pub(crate) fn end(now: i64, span: Option<Duration>) -> i64 {
    span.map_or(NEVER, |span| {
        let micros = i64::try_from(span.as_micros()).unwrap_or(NEVER);
        now.saturating_add(micros)
    })
}

/// What is left until then; `None`: it does not end.
pub(crate) fn left(now: i64, until: i64) -> Option<Duration> {
    let left = u64::try_from(until.saturating_sub(now)).unwrap_or(0);
    (until != NEVER).then(|| Duration::from_micros(left))
}

/// Which start of the machine this is; 0 where the system does not say.
pub(crate) fn boot() -> i64 {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if id.is_empty() {
        return 0;
    }
    let digest = blake3::hash(&id);
    let first = digest.as_bytes().first_chunk::<8>().copied();
    first.map_or(0, |first| i64::from_le_bytes(first) & i64::MAX)
}
