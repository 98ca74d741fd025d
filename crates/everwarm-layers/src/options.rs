//! Which layers a store is behind, and with which bounds.

use std::time::Duration;

use everwarm_core::store::Info;
use everwarm_core::{breaker, deadline, retry};

use crate::{Berths, Odds};

/// How long answers are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The longest.
    pub deadline: Duration,
    /// Whether a store that is quick is waited for less long.
    pub is_adaptive: bool,
}

/// What users wish for the layers of a store; None leaves it to the kind of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// How long an operation may take.
    pub deadline: Option<Duration>,
    /// Whether there is a breaker.
    pub breaker: Option<bool>,
    /// Whether reads are done a second time.
    pub retry: Option<bool>,
    /// How many operations there are at once; None within: as many as there are.
    pub bulkhead: Option<Option<usize>>,
}

/// The layers around a store; what is None or false is not there, and costs nothing.
///
/// ```
/// use std::time::Duration;
/// use everwarm_layers::Options;
///
/// let options = Options::of(Duration::from_millis(50));
/// assert_eq!(options.bulkhead.unwrap().at_once, 64);
/// assert!(Options::off().breaker.is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether operations are counted and timed.
    pub metrics: bool,
    /// When the store is left alone.
    pub breaker: Option<breaker::Terms>,
    /// How many operations there are at once.
    pub bulkhead: Option<Berths>,
    /// Whether reads are done a second time.
    pub retry: Option<retry::Terms>,
    /// How long is waited for answers.
    pub timeout: Option<Limit>,
    /// Which faults there are by chance, for tests.
    pub chaos: Option<Odds>,
}

impl Options {
    /// How many operations there are at once.
    pub const AT_ONCE: usize = 64;
    /// How many wait. Where the store answers, each waits for some milliseconds: what is bounded is the memory for them.
    pub const WAITING: usize = 1 << 14;
    /// How many deadlines they wait at most, while the store answers others.
    const LONGEST: u32 = 100;

    /// No layer.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// What a store is behind where nobody says otherwise: all of them where it is behind a connection, by its deadline, and none
    /// where it answers on the thread that asks.
    #[must_use]
    pub fn defaults(info: &Info) -> Self {
        Self::wished(info, &Wishes::default())
    }

    /// What a store is behind, where users have wishes.
    #[must_use]
    pub fn wished(info: &Info, wishes: &Wishes) -> Self {
        let deadline = wishes.deadline.unwrap_or_else(|| deadline::of(info.kind));
        let all = Self {
            // Who says how long is taken at their word.
            timeout: Some(Limit {
                deadline,
                is_adaptive: wishes.deadline.is_none(),
            }),
            ..Self::of(deadline)
        };
        let plain = if info.embedded { Self::off() } else { all };
        let wished = Self {
            breaker: match wishes.breaker {
                Some(is_on) => all.breaker.filter(|_| is_on),
                None => plain.breaker,
            },
            retry: match wishes.retry {
                Some(is_on) => all.retry.filter(|_| is_on),
                None => plain.retry,
            },
            bulkhead: match wishes.bulkhead {
                Some(at_once) => at_once.map(|at_once| Self::berths(at_once, deadline)),
                None => plain.bulkhead,
            },
            ..plain
        };
        Self {
            metrics: wished != Self::off(),
            ..wished
        }
    }

    /// All layers, for operations with this deadline.
    #[must_use]
    pub fn of(deadline: Duration) -> Self {
        Self {
            metrics: true,
            breaker: Some(breaker::Terms::of(deadline)),
            bulkhead: Some(Self::berths(Self::AT_ONCE, deadline)),
            retry: Some(retry::Terms::of(deadline)),
            timeout: Some(Limit {
                deadline,
                is_adaptive: true,
            }),
            chaos: None,
        }
    }

    /// Places for so many operations at once. Others wait, for a deadline where the store answers nobody.
    #[must_use]
    pub fn berths(at_once: usize, deadline: Duration) -> Berths {
        Berths {
            at_once,
            waiting: Self::WAITING,
            wait: deadline / 2,
            longest: deadline.saturating_mul(Self::LONGEST),
        }
    }
}
