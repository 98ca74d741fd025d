//! What becomes of the outcome of a computation.

use std::time::Duration;

use crate::clock::Instant;
use crate::draw::Draw;
use crate::judge::{Judgement, Validity, judge};
use crate::lifetime::Lifetime;
use crate::policy::{Limit, Policy};

/// How a computation ended, or that its caller's time did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A value, with a ttl of its own if it says one; a ttl of nothing: the value says that it is not to be kept.
    Value {
        /// The value's own ttl.
        ttl: Option<Duration>,
    },
    /// None: there is nothing.
    Nothing,
    /// A value that `when` refused.
    Refused,
    /// An error; `remembered` if it is of a class that negative caching was asked for.
    Failed {
        /// Whether its class was named.
        remembered: bool,
    },
    /// The function was shown the old value and says that it still holds.
    NotModified,
    /// This limit ended. The computation goes on, and its own outcome is settled when it comes.
    TimedOut(Limit),
}

/// The entry that was there before the computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fallback {
    /// Its lifetime.
    pub lifetime: Lifetime,
    /// Whether it still counts.
    pub validity: Validity,
}

/// What is known about a computation besides its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// When it began.
    pub began: Instant,
    /// The old value, unless its caller asked for a computed one by force.
    pub fallback: Option<Fallback>,
    /// How many times in a row "nothing" or a remembered error came before.
    pub negatives: u32,
    /// Whether the outcome may be kept: false once it was invalidated, superseded or lost its lease.
    pub keep: bool,
}

impl Attempt {
    /// A first computation, for nothing was there.
    #[must_use]
    pub const fn first(began: Instant) -> Self {
        Self {
            began,
            fallback: None,
            negatives: 0,
            keep: true,
        }
    }
}

/// What to do with an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Return the value and keep it. After [`Outcome::NotModified`] it is the old value.
    Store(Lifetime),
    /// Return "nothing" or raise the error, and remember it.
    StoreNegative(Lifetime),
    /// Serve the old value, flagged stale if it is, and begin no other computation before `until`
    /// ([`Lifetime::held_until`]).
    ServeFallback {
        /// The end of the back-off.
        until: Instant,
    },
    /// Return the value, which after [`Outcome::NotModified`] is the old one, and keep nothing.
    ReturnUnstored,
    /// Raise the error; after [`Outcome::TimedOut`] it is the cache's own.
    Raise,
    /// There is no old value to serve any more: wait on, up to the hard limit.
    Wait,
}

/// What becomes of `outcome`, under `policy`, `now`.
///
/// - What may not be kept is not stored, whatever it is.
/// - A remembered error is an answer: it is stored, or raised if it may not be, even if there is an old value.
/// - Any other error, and a time limit, serve the old value while it is in one of its windows; an invalidated one
///   never is.
/// - A renewed value lives anew from `now`, as any value does.
///
/// ```
/// use everwarm_core::clock::Instant;
/// use everwarm_core::draw::FixedDraw;
/// use everwarm_core::policy::Policy;
/// use everwarm_core::settle::{Attempt, Outcome, Settlement, settle};
///
/// let policy = Policy { cache_none: false, ..Policy::default() };
/// let attempt = Attempt::first(Instant::ZERO);
/// let settled = |outcome| settle(outcome, &attempt, &policy, Instant::ZERO, &FixedDraw(0.0));
/// assert!(matches!(settled(Outcome::Value { ttl: None }), Settlement::Store(_)));
/// assert_eq!(settled(Outcome::Nothing), Settlement::ReturnUnstored);
/// assert_eq!(settled(Outcome::Failed { remembered: false }), Settlement::Raise);
/// ```
#[must_use]
pub fn settle(
    outcome: Outcome,
    attempt: &Attempt,
    policy: &Policy,
    now: Instant,
    draw: &dyn Draw,
) -> Settlement {
    let computed_in = now.since(attempt.began);
    let value = |policy: &Policy| {
        if attempt.keep {
            Settlement::Store(policy.lifetime(now, computed_in, draw))
        } else {
            Settlement::ReturnUnstored
        }
    };
    match outcome {
        Outcome::Value { ttl: None } => value(policy),
        Outcome::Value { ttl: Some(ttl) } if ttl.is_zero() => Settlement::ReturnUnstored,
        Outcome::Value { ttl } => value(&Policy { ttl, ..*policy }),
        Outcome::Nothing if !policy.cache_none => Settlement::ReturnUnstored,
        Outcome::Nothing => match policy.negative_lifetime(now, attempt.negatives, draw) {
            Some(lifetime) if attempt.keep => Settlement::StoreNegative(lifetime),
            Some(_) => Settlement::ReturnUnstored,
            None => value(policy),
        },
        Outcome::Refused => Settlement::ReturnUnstored,
        Outcome::Failed { remembered } => {
            let lifetime = policy.negative_lifetime(now, attempt.negatives, draw);
            match lifetime.filter(|_| remembered) {
                Some(lifetime) if attempt.keep => Settlement::StoreNegative(lifetime),
                Some(_) => Settlement::Raise,
                None => fall_back(attempt, policy, now, Settlement::Raise),
            }
        }
        Outcome::NotModified => match attempt.fallback {
            None => Settlement::Raise,
            Some(old) if old.validity == Validity::Invalid => Settlement::ReturnUnstored,
            Some(_) => value(policy),
        },
        Outcome::TimedOut(Limit::Soft) => fall_back(attempt, policy, now, Settlement::Wait),
        Outcome::TimedOut(Limit::Hard) => fall_back(attempt, policy, now, Settlement::Raise),
    }
}

/// When a value is over, where that is all there is to say of it: it is kept, and neither a window nor a read has a part in its
/// life. `None`: [`settle`] says what becomes of the outcome.
///
/// ```
/// use everwarm_core::clock::Instant;
/// use everwarm_core::draw::FixedDraw;
/// use everwarm_core::policy::Policy;
/// use everwarm_core::settle::{Outcome, plain_end};
///
/// let end = |outcome| plain_end(outcome, &Policy::default(), Instant::ZERO, &FixedDraw(0.0));
/// assert_eq!(end(Outcome::Value { ttl: None }), Some(Instant::NEVER));
/// assert_eq!(end(Outcome::Nothing), None);
/// ```
#[inline]
#[must_use]
pub fn plain_end(
    outcome: Outcome,
    policy: &Policy,
    now: Instant,
    draw: &dyn Draw,
) -> Option<Instant> {
    let Outcome::Value { ttl } = outcome else {
        return None;
    };
    if !policy.has_only_ttl() || ttl.is_some_and(|ttl| ttl.is_zero()) {
        return None;
    }
    let ttl = ttl.or(policy.ttl);
    Some(ttl.map_or(Instant::NEVER, |ttl| now.after(policy.jittered(ttl, draw))))
}

/// Serves the old value, or does what there is left to do `otherwise`.
///
/// An attempt that may not be kept leaves the entry as it is: there is no back-off.
fn fall_back(
    attempt: &Attempt,
    policy: &Policy,
    now: Instant,
    otherwise: Settlement,
) -> Settlement {
    let Some(Fallback { lifetime, validity }) = attempt.fallback else {
        return otherwise;
    };
    if judge(&lifetime, now, validity) == Judgement::Gone {
        return otherwise;
    }
    let until = if attempt.keep {
        now.after(policy.error_backoff)
    } else {
        now
    };
    Settlement::ServeFallback {
        until: until.min(lifetime.keep_until()),
    }
}
