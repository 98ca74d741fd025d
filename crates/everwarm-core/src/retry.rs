//! Second attempts: how many there may be, and after how long.

use std::time::Duration;

use crate::draw::Draw;
use crate::store::FailureKind;

/// What an attempt brings in, and what a second one costs: one of ten may be made twice.
const SHARE: u32 = 1;
const COST: u32 = 10;
/// The most that is kept, for hard times: ten second attempts.
const MOST: u32 = 10 * COST;

/// How reads are done a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What both attempts and the pause between them may take together.
    pub deadline: Duration,
    /// The longest pause before the second attempt.
    pub pause: Duration,
}

impl Terms {
    /// The terms for stores whose operations have this deadline.
    #[must_use]
    pub fn of(deadline: Duration) -> Self {
        Self {
            deadline,
            pause: deadline / 5,
        }
    }
}

/// Whether a failure of this kind may be gone a moment later. One of time is not: the time was spent.
#[must_use]
pub const fn is_worth(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Transient)
}

/// What is left for second attempts, so that they stay a tenth of the first ones: retries of all callers at once must not keep down
/// a store that recovers. (After Finagle's retry budgets.)
///
/// ```
/// use everwarm_core::retry::Budget;
///
/// let full = Budget::FULL;
/// let spent = (0..10).fold(full, |budget, _| budget.spent().unwrap());
/// assert_eq!(spent.spent(), None);
/// let earned = (0..10).fold(spent, |budget, _| budget.earned());
/// assert!(earned.spent().is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u32);

impl Budget {
    /// As much as is ever kept.
    pub const FULL: Self = Self(MOST);

    /// The budget of this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(if number > MOST { MOST } else { number })
    }

    /// Its number, for those who keep it in an atomic.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// After a first attempt.
    #[must_use]
    pub const fn earned(self) -> Self {
        Self::from_number(self.0 + SHARE)
    }

    /// After a second one, if there may be one.
    #[must_use]
    pub const fn spent(self) -> Option<Self> {
        match self.0.checked_sub(COST) {
            Some(left) => Some(Self(left)),
            None => None,
        }
    }
}

/// A pause of any length up to `longest`: callers that failed together do not come back together. (AWS, "Exponential Backoff And
/// Jitter", 2015.)
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::draw::FixedDraw;
/// use everwarm_core::retry::full_jitter;
///
/// let longest = Duration::from_millis(10);
/// assert_eq!(full_jitter(longest, &FixedDraw(0.25)), Duration::from_micros(2500));
/// ```
#[must_use]
pub fn full_jitter(longest: Duration, draw: &dyn Draw) -> Duration {
    longest.mul_f64(draw.unit().clamp(0.0, 1.0))
}
