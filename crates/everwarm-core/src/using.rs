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
    /// Take an entry that is kept for errors too, if its ttl ended no longer ago.
    pub max_stale: Option<Duration>,
    /// Store nothing.
    pub read_only: bool,
    /// Take no entry at all.
    pub write_only: bool,
}

/// Which entries a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// All that are served to whoever asks.
    Any,
    /// Those within these bounds.
    Within(Bounds),
    /// None.
    Nothing,
}

/// How old an entry may be that a call takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Its greatest age; None: any.
    pub age: Option<Duration>,
    /// How long ago its ttl may have ended, if it is kept; None: as its own windows say. This is the request directive
    /// `max-stale` of HTTP (RFC 9111, 5.2.1.2).
    pub stale: Option<Duration>,
}

impl Read {
    /// Those that are no older than this.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::using::Read;
    ///
    /// let read = Read::no_older(Duration::from_nanos(20));
    /// assert_eq!(read.since(Instant::from_nanos(50)), Instant::from_nanos(30));
    /// ```
    #[must_use]
    pub const fn no_older(age: Duration) -> Self {
        Self::Within(Bounds {
            age: Some(age),
            stale: None,
        })
    }

    /// Whether it depends on the age of an entry which of them are taken.
    #[must_use]
    pub const fn asks_age(self) -> bool {
        matches!(self, Self::Within(Bounds { age: Some(_), .. }))
    }

    /// How long ago the ttl of an entry may have ended that is served without computing, where its windows say otherwise.
    #[must_use]
    pub const fn stale(self) -> Option<Duration> {
        match self {
            Self::Within(bounds) => bounds.stale,
            Self::Any | Self::Nothing => None,
        }
    }

    /// Whether an entry that is kept is served `now` without computing, where its windows say otherwise.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::using::{Bounds, Read};
    ///
    /// let read = Read::Within(Bounds { stale: Some(Duration::from_nanos(20)), ..Bounds::default() });
    /// let takes = |now| read.takes_old(Instant::from_nanos(5), Instant::from_nanos(now));
    /// assert_eq!([4, 25, 26].map(takes), [true, true, false]);
    /// assert!(!Read::Any.takes_old(Instant::from_nanos(5), Instant::from_nanos(5)));
    /// ```
    #[must_use]
    pub fn takes_old(self, fresh_until: Instant, now: Instant) -> bool {
        self.stale()
            .is_some_and(|stale| now <= fresh_until.after(stale))
    }

    /// The earliest instant at which an entry that is taken `now` may have been written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::using::Read;
    ///
    /// let now = Instant::from_nanos(50);
    /// assert_eq!(Read::no_older(Duration::from_nanos(20)).since(now), Instant::from_nanos(30));
    /// assert_eq!(Read::Any.since(now), Instant::ZERO);
    /// ```
    #[must_use]
    pub fn since(self, now: Instant) -> Instant {
        match self {
            Self::Any | Self::Within(Bounds { age: None, .. }) => Instant::ZERO,
            Self::Within(Bounds { age: Some(age), .. }) => {
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
    let bounds = Bounds {
        age: options.max_age,
        stale: options.max_stale,
    };
    let read = if options.write_only {
        Read::Nothing
    } else if bounds == Bounds::default() {
        Read::Any
    } else {
        Read::Within(bounds)
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
        ("max_stale", options.max_stale.is_some()),
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
            max_stale: bit(6).then_some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn all_combinations() {
        let compute = |read, store| Plan::Compute { read, store };
        for bits in 0..128 {
            let (age, stale) = (options(bits).max_age, options(bits).max_stale);
            let read = match (age, stale) {
                (None, None) => Read::Any,
                (age, stale) => Read::Within(Bounds { age, stale }),
            };
            let expected = match bits & 0b101111 {
                0b000000 => Some(compute(read, true)),
                0b100000 => Some(compute(read, false)),
                0b001000 | 0b101000 => Some(Plan::Only(read)),
                0b000001 if read == Read::Any => Some(Plan::Skip),
                0b000010 if read == Read::Any => Some(Plan::Refresh),
                0b000100 if read == Read::Any => Some(compute(Read::Nothing, true)),
                _ => None,
            };
            assert_eq!(plan(&options(bits)).ok(), expected, "{bits:07b}");
        }
        assert_eq!(plan(&options(0)), Ok(Plan::ORDINARY));
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
            Read::no_older(Duration::MAX).since(Instant::from_nanos(7)),
            Instant::ZERO
        );
        assert_eq!(Read::Nothing.since(Instant::ZERO), Instant::NEVER);
    }
}
