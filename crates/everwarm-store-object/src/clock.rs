//! What time it is at the service.
//!
//! Object stores tell the time in the `Date` of their answers, in whole seconds, and nowhere else. Each answer bounds by how much the
//! service's clock is ahead of ours, since it was made between our question and its arrival; the bounds of several narrow each other.
//! The wall clock of this machine is believed as far as they allow, and corrected to the nearer bound beyond: machines whose clocks
//! agree with the service's have a precision of microseconds, and others are off by a second and a trip at most.

use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

/// By how much an entry may outlive its ttl, where two machines are wrong in opposite ways.
pub(crate) const PRECISION: Duration = Duration::from_secs(2);
/// Clocks drift apart by less than one part in so many.
const DRIFT: i64 = 2_000;
const SECOND: i64 = 1_000_000;

/// The service's clock, as far as this process knows it.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    bounds: Mutex<Option<Bounds>>,
}

/// Between what the service's clock is ahead of the microseconds since the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
    /// When they were learnt.
    at: i64,
}

impl Bounds {
    /// What an answer says that was asked for at `sent`, and has come at `come`.
    fn of(date: i64, sent: i64, come: i64) -> Self {
        Self {
            least: date - come,
            most: date + SECOND - sent,
            at: come,
        }
    }

    /// The same at a later moment: clocks drift.
    fn at(self, now: i64) -> Self {
        let drifted = (now - self.at).max(0) / DRIFT;
        Self {
            least: self.least - drifted,
            most: self.most + drifted,
            at: now,
        }
    }

    /// What both say; where they contradict each other a clock was set, and the newer ones hold.
    fn with(self, newer: Self) -> Self {
        let older = self.at(newer.at);
        let both = Self {
            least: older.least.max(newer.least),
            most: older.most.min(newer.most),
            at: newer.at,
        };
        if both.least <= both.most { both } else { newer }
    }
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            bounds: Mutex::new(None),
        }
    }

    /// A moment, for [`learn`](Self::learn).
    pub(crate) fn moment(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// Takes note of the `Date` of an answer that was asked for at `sent`.
    pub(crate) fn learn(&self, date: &str, sent: i64) {
        let Some(date) = seconds(date) else { return };
        let newer = Bounds::of(date * SECOND, sent, self.moment());
        let mut bounds = self.bounds.lock();
        *bounds = Some(bounds.map_or(newer, |older| older.with(newer)));
    }

    /// Whether the service ever told the time.
    pub(crate) fn is_known(&self) -> bool {
        self.bounds.lock().is_some()
    }

    /// Microseconds since 1970 at the service.
    pub(crate) fn now(&self) -> u64 {
        let moment = self.moment();
        let wall = wall().saturating_sub(moment);
        let bounds = *self.bounds.lock();
        let ahead = bounds.map_or(wall, |bounds| believed(wall, bounds.at(moment)));
        u64::try_from(ahead + moment).unwrap_or(0)
    }

    /// By how much this machine's wall clock is certainly wrong; 0 while it may be right.
    pub(crate) fn wrong_by(&self) -> Duration {
        let moment = self.moment();
        let wall = wall().saturating_sub(moment);
        let bounds = *self.bounds.lock();
        let wrong = bounds.map_or(0, |bounds| (believed(wall, bounds.at(moment)) - wall).abs());
        Duration::from_micros(wrong.unsigned_abs())
    }
}

fn believed(wall: i64, bounds: Bounds) -> i64 {
    wall.clamp(bounds.least, bounds.most)
}

fn wall() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that HTTP servers write.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = date.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next().filter(|name| name.len() == 3)?;
    let month = i64::try_from(MONTHS.find(name)? / 3).ok()? + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut time = parts
        .next()?
        .split(':')
        .map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    // Days since 1970, of years that begin in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Sun, 22 Nov 2026 11:38:25 GMT", 1_795_347_505),
        ] {
            assert_eq!(seconds(date), Some(expected), "{date}");
        }
        for wrong in [
            "",
            "yesterday",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994",
        ] {
            assert_eq!(seconds(wrong), None);
        }
    }

    #[test]
    fn a_clock_that_may_be_right_is_believed_and_another_corrected_as_far_as_is_proven() {
        let bounds = Bounds::of(100 * SECOND, 10_000, 30_000);
        assert_eq!(believed(100 * SECOND + 5, bounds), 100 * SECOND + 5);
        assert_eq!(believed(50 * SECOND, bounds), 100 * SECOND - 30_000);
        assert_eq!(believed(500 * SECOND, bounds), 101 * SECOND - 10_000);
    }

    #[test]
    fn several_answers_narrow_the_bounds() {
        // A clock that is 100.4 s ahead, asked twice with trips of 20 ms.
        let one = Bounds::of(100 * SECOND, 0, 20_000);
        let two = Bounds::of(101 * SECOND, 610_000, 630_000);
        let both = one.with(two);
        assert!(both.least <= 100_400_000 && 100_400_000 <= both.most);
        assert!(both.most - both.least < SECOND - 300_000);
    }

    #[test]
    fn a_clock_that_was_set_is_known_anew_and_drift_widens() {
        let one = Bounds::of(100 * SECOND, 0, 20_000);
        let other = Bounds::of(500 * SECOND, SECOND, SECOND);
        assert_eq!(one.with(other), other);
        let later = one.at(20_000 + 3_600 * SECOND);
        assert!(later.least < one.least - SECOND && one.most + SECOND < later.most);
    }

    #[test]
    fn what_the_service_says_is_learnt() {
        let clock = Clock::new();
        assert!(!clock.is_known());
        clock.learn("Sun, 06 Nov 1994 08:49:37 GMT", clock.moment());
        assert!(clock.is_known());
        assert!(clock.now().abs_diff(784_111_777_500_000) < 2_000_000);
        assert!(clock.wrong_by() > Duration::from_secs(86_400));
    }
}
