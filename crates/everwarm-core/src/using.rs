//! What one call is told to do differently, and what follows from it.

use std::time::Duration;

use crate::clock::Instant;
use crate::error::Error;

/// What a call may be told; the default is an ordinary call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Go past the cache: neither read nor write.
    pub skip: bool,
    /// Compute anew, and store.
    pub refresh: bool,
    /// Be served from the cache, or fail.
    pub only_if_cached: bool,
    /// Take no entry that is older.
    pub max_age: Option<Duration>,
    /// Store nothing.
    pub read_only: bool,
    /// Take no entry at all.
    pub write_only: bool,
}

/// Which entries a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// All that are fresh.
    Any,
    /// Those that are no older than this.
    Within(Duration),
    /// None.
    Nothing,
}

impl Read {
    /// The earliest instant at which an entry that is taken `now` may have been written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::using::Read;
    ///
    /// let now = Instant::from_nanos(50);
    /// assert_eq!(Read::Within(Duration::from_nanos(20)).since(now), Instant::from_nanos(30));
    /// assert_eq!(Read::Any.since(now), Instant::ZERO);
    /// ```
    #[must_use]
    pub fn since(self, now: Instant) -> Instant {
        match self {
            Self::Any => Instant::ZERO,
            Self::Within(age) => {
                let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
                Instant::from_nanos(now.as_nanos().saturating_sub(age))
            }
            Self::Nothing => Instant::NEVER,
        }
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It goes past the cache.
    Skip,
    /// It computes anew whatever is there or is being computed, and stores.
    Refresh,
    /// It takes an entry, or fails.
    Only(Read),
    /// It takes an entry; where there is none it follows who computes, or computes itself.
    Compute {
        /// Which entries it takes.
        read: Read,
        /// Whether what it computes is stored.
        store: bool,
    },
}

impl Plan {
    /// An ordinary call.
    pub const ORDINARY: Self = Self::Compute {
        read: Read::Any,
        store: true,
    };

    /// Which entries the call takes.
    #[must_use]
    pub const fn read(self) -> Read {
        match self {
            Self::Skip | Self::Refresh => Read::Nothing,
            Self::Only(read) | Self::Compute { read, .. } => read,
        }
    }

    /// Whether the call stores what it computes.
    #[must_use]
    pub const fn stores(self) -> bool {
        matches!(self, Self::Refresh | Self::Compute { store: true, .. })
    }
}

/// What follows from a call's options.
///
/// ```
/// use everwarm_core::using::{Options, Plan, plan};
///
/// assert_eq!(plan(&Options::default()), Ok(Plan::ORDINARY));
/// assert_eq!(plan(&Options { refresh: true, ..Options::default() }), Ok(Plan::Refresh));
/// assert!(plan(&Options { refresh: true, skip: true, ..Options::default() }).is_err());
/// ```
///
/// # Errors
/// Of kind `Config`, for options that contradict each other or say twice the same.
pub fn plan(options: &Options) -> Result<Plan, Error> {
    if let Some((one, other)) = contradiction(options) {
        return Err(Error::config(
            format!("a call cannot be told both {one} and {other}"),
            format!("leave one of them out: {one} alone {}", meaning(one)),
        ));
    }
    let read = match (options.write_only, options.max_age) {
        (true, _) => Read::Nothing,
        (false, Some(age)) => Read::Within(age),
        (false, None) => Read::Any,
    };
    Ok(if options.skip {
        Plan::Skip
    } else if options.refresh {
        Plan::Refresh
    } else if options.only_if_cached {
        Plan::Only(read)
    } else {
        Plan::Compute {
            read,
            store: !options.read_only,
        }
    })
}

/// Two options that are not for one call. Those that only narrow what is read or written go together.
fn contradiction(options: &Options) -> Option<(&'static str, &'static str)> {
    let narrowing = [
        ("only_if_cached", options.only_if_cached),
        ("max_age", options.max_age.is_some()),
        ("read_only", options.read_only),
    ];
    let said = |(name, said): &(&'static str, bool)| said.then_some(*name);
    let standing_alone = [
        ("skip", options.skip),
        ("refresh", options.refresh),
        ("write_only", options.write_only),
    ];
    let mut alone = standing_alone.iter().filter_map(said);
    let first = alone.next()?;
    let second = alone.next().or_else(|| narrowing.iter().find_map(said))?;
    Some((first, second))
}

/// What an option that stands alone does.
fn meaning(option: &str) -> &'static str {
    match option {
        "skip" => "neither reads nor writes",
        "refresh" => "computes anew and stores",
        _ => "reads nothing and stores",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(bits: u32) -> Options {
        let bit = |at: u32| bits >> at & 1 == 1;
        Options {
            skip: bit(0),
            refresh: bit(1),
            write_only: bit(2),
            only_if_cached: bit(3),
            max_age: bit(4).then_some(Duration::from_secs(5)),
            read_only: bit(5),
        }
    }

    #[test]
    fn all_combinations() {
        let age = Read::Within(Duration::from_secs(5));
        let compute = |read, store| Plan::Compute { read, store };
        for bits in 0..64 {
            let expected = match bits {
                0b000000 => Some(Plan::ORDINARY),
                0b000001 => Some(Plan::Skip),
                0b000010 => Some(Plan::Refresh),
                0b000100 => Some(compute(Read::Nothing, true)),
                0b001000 | 0b101000 => Some(Plan::Only(Read::Any)),
                0b011000 | 0b111000 => Some(Plan::Only(age)),
                0b010000 => Some(compute(age, true)),
                0b110000 => Some(compute(age, false)),
                0b100000 => Some(compute(Read::Any, false)),
                _ => None,
            };
            assert_eq!(plan(&options(bits)).ok(), expected, "{bits:06b}");
        }
    }

    #[test]
    fn a_contradiction_names_both() {
        let error = plan(&options(0b010010)).expect_err("refresh with max_age");
        assert_eq!(
            error.to_string(),
            "a call cannot be told both refresh and max_age\nhint: leave one of them out: refresh alone computes anew and stores"
        );
    }

    #[test]
    fn an_age_beyond_the_clock_takes_everything() {
        assert_eq!(
            Read::Within(Duration::MAX).since(Instant::from_nanos(7)),
            Instant::ZERO
        );
        assert_eq!(Read::Nothing.since(Instant::ZERO), Instant::NEVER);
    }
}
