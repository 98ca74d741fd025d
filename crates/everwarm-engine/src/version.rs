//! Versions: the numbers of a shard's writes, which are also the instants of writing.
//!
//! An entry keeps one number for both, so that it does not grow. Numbers only rise; where the clock stands still, or shows
//! the same as a moment ago, a write is dated a nanosecond after the one before. A clock of tests may begin anew at zero:
//! then the numbers go on from where they were, and how far they are ahead of that clock is noted, for ages to be right.

use std::time::Duration;

use everwarm_core::clock::Instant;

/// How far the numbers may run ahead of the clock before it must have been set back.
const SET_BACK: u64 = 1_000_000_000;

/// The numbers of the writes in one shard.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    last: u64,
    ahead: u64,
}

impl Versions {
    /// The number of a write that happens at `now`: above all that were given, and never 0.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        let now = now.as_nanos();
        if now > self.last {
            *self = Self {
                last: now,
                ahead: 0,
            };
        } else {
            self.last = (self.last + 1).max(now + self.ahead);
            if self.last - (now + self.ahead) > SET_BACK {
                self.ahead = self.last - now;
            }
        }
        Instant::from_nanos(self.last)
    }

    /// The time from the write of this number to an instant of the clock as it runs since it was last set back; in whole
    /// microseconds, as numbers may be some nanoseconds ahead.
    pub(crate) fn since(&self, written: Instant, instant: Instant) -> Duration {
        let written = written.as_nanos();
        let ahead = if written < self.ahead { 0 } else { self.ahead };
        let span = instant.since(Instant::from_nanos(written - ahead));
        Duration::from_micros((span + Duration::from_nanos(500)).as_micros() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn numbers_rise_while_the_clock_stands() {
        let mut versions = Versions::default();
        let given = [0, 0, 0, 5, 5, 3].map(|now| versions.next(at(now)).as_nanos());
        assert_eq!(given, [1, 2, 3, 5, 6, 7]);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_true_ages_and_no_number_twice() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let hour = |count: u32| Instant::ZERO.after(HOUR * count);
        let mut versions = Versions::default();
        let before = versions.next(hour(5));
        assert_eq!(versions.since(before, hour(6)), HOUR);
        let first = versions.next(hour(0));
        let second = versions.next(hour(1));
        assert!(before < first && first < second);
        assert_eq!(versions.since(first, hour(1)), HOUR);
        assert_eq!(versions.since(second, hour(3)), HOUR * 2);
        let after = versions.next(hour(9));
        assert!(after > second);
        assert_eq!(versions.since(after, hour(10)), HOUR);
        assert_eq!(versions.since(before, hour(9)), HOUR * 4);
    }
}
