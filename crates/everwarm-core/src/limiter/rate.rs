//! A rate as users write it: so many in so long.

use std::fmt;
use std::time::Duration;

use crate::duration;
use crate::error::{Error, excerpt};

const EXAMPLES: &str = "write a number and a duration, as in \"100/1m\", \"5/s\" or \"1000/1d\"";

/// So many in each period.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::limiter::Rate;
///
/// let rate = Rate::parse("100/1m")?;
/// assert_eq!((rate.count(), rate.period()), (100, Duration::from_secs(60)));
/// assert_eq!(Rate::parse("5/s")?.period(), Duration::from_secs(1));
/// assert!(Rate::parse("100").is_err());
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    nanos: u64,
}

impl Rate {
    /// The largest count.
    pub const MOST: u64 = 1_000_000_000;

    /// A rate of `count`, from 1 to [`Rate::MOST`], in each `period` above 0.
    ///
    /// # Errors
    /// A `Config` error for any other.
    pub fn new(count: u64, period: Duration) -> Result<Self, Error> {
        match u64::try_from(period.as_nanos()) {
            Ok(nanos @ 1..) if (1..=Self::MOST).contains(&count) && period <= duration::LONGEST => {
                Ok(Self { count, nanos })
            }
            _ => Err(Error::config(
                "a rate is from 1 to 1,000,000,000 in a period of up to a hundred years",
                EXAMPLES,
            )),
        }
    }

    /// The rate that `text` says: a number, a slash and a duration, whose number may be left out where it is 1.
    ///
    /// # Errors
    /// A `Config` error whose hint says what to write instead.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = || {
            let shown = excerpt(text);
            Error::config(format!("the rate {shown:?} is none"), EXAMPLES)
        };
        let (count, period) = text.split_once('/').ok_or_else(refused)?;
        let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|_| digits).ok_or_else(refused)?;
        let period = match period.starts_with(|first: char| first.is_ascii_alphabetic()) {
            true => duration::parse(&format!("1{period}")),
            false => duration::parse(period),
        };
        Self::new(count, period.map_err(|_| refused())?)
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// In how long.
    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    pub(super) fn period_nanos(self) -> u128 {
        self.nanos.into()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{:?}", self.count, self.period())
    }
}
