//! Promises: what a contract says, each with the check that finds it broken.

use std::fmt;

use everwarm_core::codec::Refusal;
use everwarm_core::error::Error;
use everwarm_core::store::Failure;

/// How a promise was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(String);

impl Broken {
    /// What was seen, and what should have been.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self(format!(
            "the store failed ({}): {failure}",
            failure.kind.name()
        ))
    }
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self(format!(
            "the codec refused its own envelope: {}",
            refusal.name()
        ))
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self(format!("the codec failed: {error}"))
    }
}

/// What a check finds.
pub type Kept = Result<(), Broken>;

/// Finds the promise broken unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::promise::Broken::new(format!($($what)+)));
        }
    };
}
pub(crate) use ensure;
