//! Lives of items: the server counts whole seconds.
//!
//! An item that is given `n` seconds ends with the n-th tick of the server's clock from then on, which is between `n - 1` and `n` seconds
//! away. So that nothing ends before its ttl, it is given one second more than its ttl, rounded up: it may outlive that by up to two.
//! What a ttl has less than whole seconds is kept beside the item, so that what is said to be left is never more than was set.

use std::time::Duration;

/// The longest ttl: the server's dates have 32 bits and end in the year 2038.
pub(crate) const LONGEST: Duration = Duration::from_secs(5 * 366 * 24 * 60 * 60);
/// By how much an item may outlive its ttl.
pub(crate) const PRECISION: Duration = Duration::from_secs(2);
/// Up to so many seconds are counted from now; what is more the server takes for a date.
const MONTH: u32 = 30 * 24 * 60 * 60;

/// The life of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// As the server counts it; 0: without end.
    seconds: u32,
    /// By how many milliseconds the ttl is less than whole seconds.
    pub(crate) less: u32,
}

impl Life {
    /// Without end, as only our own items are.
    pub(crate) const ENDLESS: Self = Self {
        seconds: 0,
        less: 0,
    };

    /// That of a ttl.
    pub(crate) fn of(ttl: Option<Duration>) -> Self {
        let ttl = ttl.unwrap_or(LONGEST).min(LONGEST);
        // What is less than a millisecond is one, so that nothing is endless by rounding.
        let millis = (ttl.as_micros().div_ceil(1_000) as u64).max(1);
        let whole = millis.div_ceil(1_000);
        Self {
            seconds: whole as u32 + 1,
            less: (whole * 1_000 - millis) as u32,
        }
    }

    /// What an item that is written anew keeps of its life.
    pub(crate) const fn kept(left: Option<u32>, less: u32) -> Self {
        match left {
            // What ends now is given the shortest life: 0 would be none at all.
            Some(0) => Self { seconds: 1, less },
            Some(seconds) => Self { seconds, less },
            None => Self { seconds: 0, less },
        }
    }

    /// How many seconds the server counts.
    pub(crate) const fn seconds(self) -> u32 {
        self.seconds
    }

    /// Whether the server has to be asked for its date.
    pub(crate) const fn is_long(self) -> bool {
        self.seconds > MONTH
    }

    /// What the server is told, whose date is seconds since 1970.
    pub(crate) fn told(self, date: u64) -> u32 {
        if !self.is_long() {
            return self.seconds;
        }
        let at = date.saturating_add(self.seconds.into());
        at.min(i32::MAX as u64) as u32
    }
}

/// What is left of the ttl of an item which the server counts so many seconds for; None if it has no end.
pub(crate) fn left(seconds: Option<u32>, less: u32) -> Option<Duration> {
    let millis = u64::from(seconds?).saturating_sub(1) * 1_000;
    let left = Duration::from_millis(millis.saturating_sub(less.into()).max(1));
    // A date is told by a clock that may be a tick ahead for a moment.
    Some(left.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn what_is_left_at_once_is_what_was_set() {
        for ttl in [1, 999, 1_000, 1_001, 2_500, 3_600_000] {
            let life = Life::of(millis(ttl));
            assert_eq!(left(Some(life.seconds()), life.less), millis(ttl));
            assert!(
                u64::from(life.seconds() - 1) * 1_000 >= ttl,
                "{ttl} ends too early"
            );
            let most = u64::from(life.seconds()) * 1_000;
            assert!(
                most <= ttl + PRECISION.as_millis() as u64,
                "{ttl} ends too late"
            );
        }
        let longest = left(Some(Life::of(None).seconds()), 0);
        assert_eq!(longest, Some(LONGEST));
        assert_eq!(Life::of(Some(Duration::MAX)), Life::of(None));
        assert_eq!(Life::of(Some(Duration::from_nanos(1))), Life::of(millis(1)));
    }

    #[test]
    fn what_is_left_ends_above_nothing() {
        assert_eq!(left(Some(1), 0), millis(1));
        assert_eq!(left(Some(2), 999), millis(1));
        assert_eq!(left(None, 0), None);
    }

    #[test]
    fn more_than_a_month_is_a_date() {
        let day = |days: u64| Life::of(Some(Duration::from_secs(days * 86_400)));
        assert_eq!(day(29).told(1_800_000_000), 29 * 86_400 + 1);
        // A second more than its ttl makes a month too long for a span.
        assert_eq!(day(30).told(1_800_000_000), 1_800_000_000 + 30 * 86_400 + 1);
        assert_eq!(
            day(400).told(1_800_000_000),
            1_800_000_000 + 400 * 86_400 + 1
        );
        assert_eq!(day(1_000).told(2_147_000_000), i32::MAX as u32);
        assert_eq!(Life::ENDLESS.told(1_800_000_000), 0);
    }
}
