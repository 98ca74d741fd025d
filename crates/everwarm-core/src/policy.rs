//! What a cache is asked to do with values and errors, and the lifetimes that follow from it.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::clock::Instant;
use crate::draw::Draw;
use crate::duration;
use crate::error::Error;
use crate::lifetime::{Lifetime, Spans};
use crate::slide::Slide;

/// How long values and errors are kept, and when they are computed anew.
///
/// The default keeps every value, None too, without end, and no error.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::policy::Policy;
///
/// let policy = Policy { ttl: Some(Duration::from_secs(60)), jitter: 0.1, ..Policy::default() };
/// assert!(policy.validate().is_ok());
/// let error = Policy { jitter: 2.0, ..policy }.validate().unwrap_err();
/// assert_eq!(error.message(), "jitter=2.0 is no fraction of the ttl");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// How long a value is fresh; None: it does not expire.
    pub ttl: Option<Duration>,
    /// By up to which fraction each ttl is shortened at random, so that entries written together do not expire
    /// together. It counts for whatever ttl an entry has, also one of its own.
    pub jitter: f64,
    /// When a fresh value is computed anew ahead of the end of its ttl.
    pub refresh_ahead: Option<RefreshAhead>,
    /// How reads lengthen the life of a value.
    pub sliding: Option<Sliding>,
    /// How long after its ttl a value is served while it is computed anew (RFC 5861).
    pub stale_while_revalidate: Option<Duration>,
    /// How long after its ttl a value is served if computing it anew fails (RFC 5861).
    pub stale_if_error: Option<Duration>,
    /// After such a failure, how long the old value is served before the next attempt.
    pub error_backoff: Duration,
    /// Remembering "nothing" and the errors that the user named; None: "nothing" is a value, and errors are not kept.
    pub negative: Option<Negative>,
    /// Whether None is kept.
    pub cache_none: bool,
    /// A value that weighs more is not kept.
    pub max_entry_bytes: Option<NonZeroU64>,
    /// How long a caller waits for a computation while there is an old value to serve.
    pub soft_limit: Option<Duration>,
    /// How long a caller waits for a computation at all.
    pub hard_limit: Option<Duration>,
}

/// When a fresh value is computed anew ahead of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RefreshAhead {
    /// Once this fraction of the ttl has passed.
    Fraction(f64),
    /// At random, the earlier the longer the computation took: XFetch (Vattani, Chierichetti, Lowenstein: Optimal
    /// Probabilistic Cache Stampede Prevention, VLDB 2015). The draw is made when the value is written, not at each
    /// read, so that a hit stays one comparison. A `beta` above 1 favours earlier refreshes.
    XFetch {
        /// The weight of the computation time.
        beta: f64,
    },
    /// Once it is so old, if it was read since it was written; whoever keeps the time sees to that, and no read is needed then.
    Every(Duration),
}

/// How reads lengthen the life of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sliding {
    /// A read has the ttl begin anew once no more than this fraction of it is left.
    pub threshold: f64,
    /// The age at which a value is fresh no longer, however often it is read.
    pub max_age: Duration,
}

/// How "nothing" and errors are remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Negative {
    /// How long the first one is remembered.
    pub ttl: Duration,
    /// By what the ttl grows with each further one in a row; 1 leaves it as it is.
    pub growth: f64,
    /// What the ttl does not grow beyond.
    pub max_ttl: Duration,
}

impl Negative {
    /// Each is remembered for `ttl`, however many in a row.
    #[must_use]
    pub const fn constant(ttl: Duration) -> Self {
        Self {
            ttl,
            growth: 1.0,
            max_ttl: ttl,
        }
    }
}

/// Which time limit a computation is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Ends the wait if there is an old value to serve.
    Soft,
    /// Ends the wait.
    Hard,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ttl: None,
            jitter: 0.0,
            refresh_ahead: None,
            sliding: None,
            stale_while_revalidate: None,
            stale_if_error: None,
            error_backoff: Duration::from_secs(10),
            negative: None,
            cache_none: true,
            max_entry_bytes: None,
            soft_limit: None,
            hard_limit: None,
        }
    }
}

impl Policy {
    /// Whether a value of this weight may be kept.
    #[must_use]
    pub fn admits(&self, weight: u64) -> bool {
        self.max_entry_bytes.is_none_or(|most| weight <= most.get())
    }

    /// Whether each read of a fresh value is a plain hit.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.refresh_ahead.is_none() && self.sliding.is_none()
    }

    /// The age at which what is in use is computed anew, if time alone brings that about.
    #[must_use]
    pub const fn refresh_every(&self) -> Option<Duration> {
        match self.refresh_ahead {
            Some(RefreshAhead::Every(age)) => Some(age),
            _ => None,
        }
    }

    /// The same policy, beside values that may say their own ttl: with a ttl for whatever counts beside one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::policy::{Policy, RefreshAhead};
    ///
    /// let every = Some(RefreshAhead::Every(Duration::from_secs(60)));
    /// let policy = Policy { refresh_ahead: every, ..Policy::default() };
    /// assert!(policy.validate().is_err() && policy.with_any_ttl().validate().is_ok());
    /// ```
    #[must_use]
    pub fn with_any_ttl(self) -> Self {
        let second = Duration::from_secs(1);
        let any = self.refresh_every().unwrap_or_default() + second;
        Self {
            ttl: self.ttl.or(Some(any)),
            ..self
        }
    }

    /// The lifetime of a value written at `written` whose computation took `computed_in`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::{clock::Instant, draw::FixedDraw, policy::Policy};
    ///
    /// let policy = Policy { ttl: Some(Duration::from_secs(60)), jitter: 0.5, ..Policy::default() };
    /// let life = policy.lifetime(Instant::ZERO, Duration::ZERO, &FixedDraw(0.5));
    /// assert_eq!(life.fresh_until().since(Instant::ZERO), Duration::from_secs(45));
    /// ```
    #[must_use]
    pub fn lifetime(&self, written: Instant, computed_in: Duration, draw: &dyn Draw) -> Lifetime {
        let Some(ttl) = self.ttl else {
            return Lifetime::endless(written);
        };
        let fresh = self.jittered(ttl, draw);
        let quiet = match self.refresh_ahead {
            None => fresh,
            Some(RefreshAhead::Fraction(fraction)) => portion(fresh, fraction),
            Some(RefreshAhead::Every(age)) => age.min(fresh),
            Some(RefreshAhead::XFetch { beta }) => {
                let ahead = computed_in.as_secs_f64() * beta * -(1.0 - draw.unit()).ln();
                fresh.saturating_sub(Duration::try_from_secs_f64(ahead).unwrap_or(fresh))
            }
        };
        let spans = Spans {
            fresh,
            quiet,
            stale: self.stale_while_revalidate.unwrap_or_default(),
            if_error: self.stale_if_error.unwrap_or_default(),
            slide: self.sliding.map(|sliding| Slide {
                by: fresh,
                ahead: portion(fresh, sliding.threshold),
                most: sliding.max_age,
            }),
        };
        Lifetime::spanning(written, spans)
    }

    /// The lifetime of the "nothing" or the error that is written at `written` after `in_a_row` others; None if this
    /// policy does not remember such.
    ///
    /// It has a ttl and no windows: a remembered error is no value to fall back on.
    #[must_use]
    pub fn negative_lifetime(
        &self,
        written: Instant,
        in_a_row: u32,
        draw: &dyn Draw,
    ) -> Option<Lifetime> {
        let negative = self.negative?;
        let growth = negative.growth.powf(f64::from(in_a_row));
        let grown = Duration::try_from_secs_f64(negative.ttl.as_secs_f64() * growth)
            .unwrap_or(negative.max_ttl);
        let fresh = self.jittered(grown.min(negative.max_ttl), draw);
        let spans = Spans {
            fresh,
            quiet: fresh,
            ..Spans::default()
        };
        Some(Lifetime::spanning(written, spans))
    }

    /// The next limit that ends the wait of a caller, and how long after the computation's start: the soft one only
    /// while there is an old value to serve.
    #[must_use]
    pub const fn limit(&self, has_fallback: bool) -> Option<(Limit, Duration)> {
        match (self.soft_limit, self.hard_limit) {
            (Some(soft), _) if has_fallback => Some((Limit::Soft, soft)),
            (_, Some(hard)) => Some((Limit::Hard, hard)),
            _ => None,
        }
    }

    /// Whether every field can be meant, alone and beside the others.
    ///
    /// # Errors
    /// A `Config` error that names the field, and says what to write instead.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_durations()?;
        self.validate_numbers()?;
        self.validate_companions()
    }

    /// Whether a value's life has an end, if that, and nothing else: no window, no refresh, and no read that lengthens it.
    #[must_use]
    pub const fn has_only_ttl(&self) -> bool {
        self.refresh_ahead.is_none()
            && self.sliding.is_none()
            && self.stale_while_revalidate.is_none()
            && self.stale_if_error.is_none()
    }

    pub(crate) fn jittered(&self, ttl: Duration, draw: &dyn Draw) -> Duration {
        if self.jitter > 0.0 {
            ttl.saturating_sub(portion(ttl, self.jitter * draw.unit()))
        } else {
            ttl
        }
    }

    fn validate_durations(&self) -> Result<(), Error> {
        let fields = [
            ("ttl", self.ttl),
            (
                "sliding_max_age",
                self.sliding.map(|sliding| sliding.max_age),
            ),
            ("refresh_every", self.refresh_every()),
            ("stale_while_revalidate", self.stale_while_revalidate),
            ("stale_if_error", self.stale_if_error),
            ("error_backoff", Some(self.error_backoff)),
            ("negative_ttl", self.negative.map(|negative| negative.ttl)),
            (
                "negative_max_ttl",
                self.negative.map(|negative| negative.max_ttl),
            ),
            ("soft_timeout", self.soft_limit),
            ("hard_timeout", self.hard_limit),
        ];
        for (name, span) in fields {
            let checked = span.map_or(Ok(()), duration::check);
            checked.map_err(|error| {
                Error::config(format!("{name}: {}", error.message()), error.hint())
            })?;
        }
        Ok(())
    }

    fn validate_numbers(&self) -> Result<(), Error> {
        if !(0.0..1.0).contains(&self.jitter) {
            return Err(Error::config(
                format!("jitter={:?} is no fraction of the ttl", self.jitter),
                "write a number from 0 to below 1: jitter=0.1 shortens each ttl by up to a tenth",
            ));
        }
        match self.refresh_ahead {
            Some(RefreshAhead::Fraction(fraction)) if !(fraction > 0.0 && fraction < 1.0) => {
                Err(Error::config(
                    format!("refresh_ahead={fraction:?} is no fraction of the ttl"),
                    "write a number between 0 and 1: refresh_ahead=0.8 refreshes once 80% of the ttl has passed",
                ))
            }
            Some(RefreshAhead::XFetch { beta }) if !(beta > 0.0 && beta.is_finite()) => {
                Err(Error::config(
                    format!("refresh_ahead with beta={beta:?} has no meaning"),
                    "write a beta above 0: 1 is the usual one, more refreshes earlier",
                ))
            }
            _ => Ok(()),
        }?;
        match self.sliding {
            Some(Sliding { threshold, .. }) if !(threshold > 0.0 && threshold < 1.0) => {
                Err(Error::config(
                    format!("sliding={threshold:?} is no fraction of the ttl"),
                    "write a number between 0 and 1: with sliding=0.5 a read counts once half of the ttl has passed",
                ))
            }
            _ => Ok(()),
        }?;
        match self.negative {
            Some(Negative { growth, .. }) if !(growth >= 1.0 && growth.is_finite()) => {
                Err(Error::config(
                    format!("negative_growth={growth:?} does not grow"),
                    "write 1 for a constant negative_ttl, or 2 to double it with each failure in a row",
                ))
            }
            _ => Ok(()),
        }
    }

    fn validate_companions(&self) -> Result<(), Error> {
        let after_ttl = [
            ("refresh_every", self.refresh_every().is_some()),
            ("refresh_ahead", self.refresh_ahead.is_some()),
            ("sliding", self.sliding.is_some()),
            (
                "stale_while_revalidate",
                self.stale_while_revalidate.is_some(),
            ),
            ("stale_if_error", self.stale_if_error.is_some()),
        ];
        if let (None, Some((name, _))) = (self.ttl, after_ttl.iter().find(|(_, given)| *given)) {
            return Err(Error::config(
                format!("{name} does nothing without a ttl"),
                format!("add ttl=\"5m\" or another duration, or leave {name} out"),
            ));
        }
        self.validate_sliding()?;
        if self
            .refresh_every()
            .zip(self.ttl)
            .is_some_and(|(age, ttl)| age >= ttl)
        {
            return Err(Error::config(
                "refresh_every is no shorter than the ttl",
                "write a refresh_every that is shorter: what is in use is computed anew before it expires",
            ));
        }
        if self
            .negative
            .is_some_and(|negative| negative.max_ttl < negative.ttl)
        {
            return Err(Error::config(
                "negative_max_ttl is shorter than negative_ttl",
                "write a negative_max_ttl that is at least as long",
            ));
        }
        let has_windows = self.stale_while_revalidate.is_some() || self.stale_if_error.is_some();
        if self.soft_limit.is_some() && !has_windows {
            return Err(Error::config(
                "soft_timeout does nothing while no old value is kept",
                "add stale_if_error=\"1h\" or another duration, or use hard_timeout",
            ));
        }
        match (self.soft_limit, self.hard_limit) {
            (Some(soft), Some(hard)) if soft >= hard => Err(Error::config(
                "soft_timeout does nothing, for hard_timeout ends no later",
                "write a soft_timeout that is shorter than the hard_timeout",
            )),
            _ => Ok(()),
        }
    }
}

impl Policy {
    fn validate_sliding(&self) -> Result<(), Error> {
        let (Some(sliding), Some(ttl)) = (self.sliding, self.ttl) else {
            return Ok(());
        };
        if self.refresh_ahead.is_some() {
            return Err(Error::config(
                "sliding keeps the value that refresh_ahead or refresh_every replaces",
                "leave one of them out; to have values in use computed anew, leave sliding out",
            ));
        }
        if sliding.max_age <= ttl {
            return Err(Error::config(
                "sliding does nothing, for sliding_max_age is no longer than the ttl",
                "write a sliding_max_age that is longer than the ttl",
            ));
        }
        Ok(())
    }
}

/// The given fraction of `span`; nothing for what is no fraction.
fn portion(span: Duration, fraction: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * fraction).unwrap_or_default()
}
