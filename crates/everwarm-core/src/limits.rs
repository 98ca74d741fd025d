//! How long callers wait for a computation, what becomes of one that nobody waits for any more, and how many run at once.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::duration;
use crate::error::Error;

/// The limits of a function's computations, but for those of time, which the policy has.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::limits::Limits;
///
/// assert_eq!(Limits::default().wait, Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a call waits for another's computation, or for its turn to compute.
    pub wait: Duration,
    /// How many computations run at once; None: as many as are asked for.
    pub computations: Option<NonZeroUsize>,
    /// Whether a value that comes after its caller has left is stored, if it is still valid.
    pub stores_late: bool,
    /// Whether a computation goes on if its caller is cancelled.
    pub outlives_caller: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(30),
            computations: None,
            stores_late: true,
            outlives_caller: false,
        }
    }
}

impl Limits {
    /// Whether every field can be meant.
    ///
    /// # Errors
    /// A `Config` error that names the field, and says what to write instead.
    pub fn validate(&self) -> Result<(), Error> {
        duration::check(self.wait).map_err(|error| {
            Error::config(format!("wait_timeout: {}", error.message()), error.hint())
        })
    }

    /// What ends a wait for another's computation, and after how long: the caller's own time if that is over first.
    #[must_use]
    pub fn wait_within(&self, left: Option<Duration>) -> (End, Duration) {
        match left {
            Some(left) if left <= self.wait => (End::Call, left),
            _ => (End::Wait, self.wait),
        }
    }
}

/// What is over when a wait has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The wait: the call goes on without who is waited for.
    Wait,
    /// The call.
    Call,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_first_ends_a_wait() {
        let limits = Limits {
            wait: Duration::from_secs(3),
            ..Limits::default()
        };
        let within = |left: Option<u64>| limits.wait_within(left.map(Duration::from_secs));
        assert_eq!(within(None), (End::Wait, Duration::from_secs(3)));
        assert_eq!(within(Some(9)), (End::Wait, Duration::from_secs(3)));
        assert_eq!(within(Some(3)), (End::Call, Duration::from_secs(3)));
        assert_eq!(within(Some(1)), (End::Call, Duration::from_secs(1)));
    }

    #[test]
    fn a_wait_takes_some_time() {
        assert!(Limits::default().validate().is_ok());
        let none = Limits {
            wait: Duration::ZERO,
            ..Limits::default()
        };
        let error = none.validate().expect_err("a wait of nothing");
        assert!(error.message().starts_with("wait_timeout: "));
    }
}
