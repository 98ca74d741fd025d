//! How often something may be done: the decisions of a limiter, with time as an argument.
//!
//! A [`Limit`] is asked with what was granted so far (a [`State`]), an instant and a number of permits, and says
//! whether they may be had. Whoever asks keeps the state that it gives back, if the permits were granted; a refusal changes nothing.
//!
//! - [`Kind::TokenBucket`]: `burst` permits at once, and `count` more in each period, evenly. In any span of time `w` at most
//!   `burst + count * w / period` are granted.
//! - [`Kind::FixedWindow`]: `count` permits in a window, which begins with the first of them and lasts a period.
//! - [`Kind::SlidingWindow`]: at most `count` permits in any span of one period, wherever it begins.
//!
//! An instant before the state's counts as the state's: a clock that goes back grants nothing.

mod rate;
mod state;

use std::time::Duration;

use crate::clock::Instant;
use crate::error::Error;

pub use rate::Rate;
pub use state::{Kept, State};
use state::{Mark, Tally};

/// By what rule permits are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Permits come back evenly, and some may be saved up.
    TokenBucket,
    /// A count that begins anew after each window.
    FixedWindow,
    /// A count over the last period, at every moment.
    SlidingWindow,
}

impl Kind {
    /// All kinds, the usual one first.
    pub const ALL: [Self; 3] = [Self::TokenBucket, Self::FixedWindow, Self::SlidingWindow];

    /// The name users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenBucket => "token_bucket",
            Self::FixedWindow => "fixed_window",
            Self::SlidingWindow => "sliding_window",
        }
    }
}

/// What a limiter allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    kind: Kind,
    rate: Rate,
    burst: u64,
}

/// What became of a request for permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether they were granted.
    pub allowed: bool,
    /// How many more could be had at once.
    pub remaining: u64,
    /// How long nothing has to be asked, since it would be refused; nothing if they were granted.
    pub retry_after: Duration,
}

/// In how many slices a sliding window tells its permits apart, beyond the latest of each.
const SLICES: u64 = 64;

impl Limit {
    /// A limit; `burst` is for token buckets, and their `count` if it is not given.
    ///
    /// # Errors
    /// A `Config` error for a burst of none, or one that the kind does not have.
    pub fn new(kind: Kind, rate: Rate, burst: Option<u64>) -> Result<Self, Error> {
        let burst = match (kind, burst) {
            (_, None) => rate.count(),
            (Kind::TokenBucket, Some(burst)) if (1..=Rate::MOST).contains(&burst) => burst,
            (Kind::TokenBucket, Some(_)) => {
                return Err(Error::config(
                    "burst is a whole number from 1 to 1,000,000,000",
                    "write `burst=20` for 20 at once, or leave it out for as many as the rate has",
                ));
            }
            (_, Some(_)) => {
                return Err(Error::config(
                    format!("a {} has no burst", kind.name()),
                    "leave `burst` out, or write `kind=\"token_bucket\"`",
                ));
            }
        };
        Ok(Self { kind, rate, burst })
    }

    /// The rule.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The most that can ever be granted at once.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// Asks for `n` permits: the decision, and what is to be kept if they are granted. More than [`burst`](Self::burst) are never
    /// granted.
    #[must_use]
    pub fn take(&self, state: Option<&State>, now: Instant, n: u64) -> (Decision, Option<Kept>) {
        let now = state.map_or(now, |state| now.max(state.at));
        let tally = state.map(|state| &state.tally);
        match self.kind {
            Kind::TokenBucket => self.in_bucket(tally, state.map(|state| state.at), now, n),
            Kind::FixedWindow => self.in_window(tally, now, n),
            Kind::SlidingWindow => self.in_sliding(tally, now, n),
        }
    }

    /// The bucket's level is counted so that a permit is `period` and a nanosecond brings `count`: nothing is ever rounded.
    fn in_bucket(
        &self,
        tally: Option<&Tally>,
        at: Option<Instant>,
        now: Instant,
        n: u64,
    ) -> (Decision, Option<Kept>) {
        let (permit, per_nano) = (self.rate.period_nanos(), u128::from(self.rate.count()));
        let full = u128::from(self.burst) * permit;
        let level = match (tally, at) {
            (Some(Tally::Bucket { level }), Some(at)) => {
                let come = now.since(at).as_nanos().saturating_mul(per_nano);
                level.saturating_add(come).min(full)
            }
            _ => full,
        };
        let wanted = u128::from(n) * permit;
        let Some(left) = level.checked_sub(wanted) else {
            let missing = (wanted - level).div_ceil(per_nano);
            return (refused(level / permit, nanos(missing)), None);
        };
        let tally = Tally::Bucket { level: left };
        let ttl = nanos((full - left).div_ceil(per_nano));
        (allowed(left / permit), Some(keep(now, tally, ttl)))
    }

    fn in_window(&self, tally: Option<&Tally>, now: Instant, n: u64) -> (Decision, Option<Kept>) {
        let (start, used) = match tally {
            Some(&Tally::Window { start, used }) if now.since(start) < self.rate.period() => {
                (start.min(now), used)
            }
            _ => (now, 0),
        };
        let end = start.after(self.rate.period()).since(now);
        let left = self.burst.saturating_sub(used);
        let Some(left) = left.checked_sub(n) else {
            return (refused(left.into(), end), None);
        };
        let used = self.burst - left;
        let kept = keep(now, Tally::Window { start, used }, end);
        (allowed(left.into()), Some(kept))
    }

    fn in_sliding(&self, tally: Option<&Tally>, now: Instant, n: u64) -> (Decision, Option<Kept>) {
        let period = self.rate.period();
        let mut marks: Vec<Mark> = match tally {
            Some(Tally::Sliding { marks }) => marks.clone(),
            _ => Vec::new(),
        };
        marks.retain(|mark| now.since(mark.at) < period);
        let used = marks
            .iter()
            .fold(0_u64, |sum, mark| sum.saturating_add(mark.n));
        let left = self.burst.saturating_sub(used);
        let Some(left) = left.checked_sub(n) else {
            return (
                refused(left.into(), self.room_for(&marks, left, now, n)),
                None,
            );
        };
        self.note(&mut marks, Mark { at: now, n });
        let kept = keep(now, Tally::Sliding { marks }, period);
        (allowed(left.into()), Some(kept))
    }

    /// How long it is until enough permits have left the window. More than there are never have; all have after a period.
    fn room_for(&self, marks: &[Mark], left: u64, now: Instant, n: u64) -> Duration {
        let mut room = left;
        for mark in marks {
            room = room.saturating_add(mark.n);
            if room >= n {
                return mark.at.after(self.rate.period()).since(now);
            }
        }
        self.rate.period()
    }

    /// Notes a grant. Those of one slice of the period share the latest one's instant, so that no more is kept than a mark for each
    /// slice: what shares counts for a slice too long at most, and never too short.
    fn note(&self, marks: &mut Vec<Mark>, new: Mark) {
        let slice = (self.rate.period_nanos() / u128::from(SLICES)).max(1);
        let number = |at: Instant| u128::from(at.as_nanos()) / slice;
        let is_full = marks.len() >= usize::try_from(SLICES).unwrap_or(usize::MAX);
        match marks.last_mut() {
            Some(last) if is_full && number(last.at) == number(new.at) => {
                last.at = last.at.max(new.at);
                last.n = last.n.saturating_add(new.n);
            }
            _ => marks.push(new),
        }
        if marks.len() > usize::try_from(2 * SLICES).unwrap_or(usize::MAX) {
            gather(marks, number);
        }
    }
}

/// Has the marks of each slice be one, with the latest's instant.
fn gather(marks: &mut Vec<Mark>, number: impl Fn(Instant) -> u128) {
    marks.dedup_by(|later, earlier| {
        let is_same = number(later.at) == number(earlier.at);
        if is_same {
            earlier.at = earlier.at.max(later.at);
            earlier.n = earlier.n.saturating_add(later.n);
        }
        is_same
    });
}

fn allowed(remaining: u128) -> Decision {
    Decision {
        allowed: true,
        remaining: u64::try_from(remaining).unwrap_or(u64::MAX),
        retry_after: Duration::ZERO,
    }
}

fn refused(remaining: u128, retry_after: Duration) -> Decision {
    Decision {
        allowed: false,
        remaining: u64::try_from(remaining).unwrap_or(u64::MAX),
        retry_after,
    }
}

fn keep(at: Instant, tally: Tally, ttl: Duration) -> Kept {
    Kept {
        state: State { at, tally },
        ttl: ttl.max(Duration::from_millis(1)),
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
