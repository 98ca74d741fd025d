//! Parts of a policy that are written apart, and count only together.

use std::time::Duration;

use crate::error::Error;
use crate::policy::{Negative, Policy, Sliding};

/// The age at which a value that reads lengthen ends, unless another is said.
const SLIDES_FOR: Duration = Duration::from_secs(30 * 86_400);

/// What a growing ttl does not grow beyond, unless it is told otherwise or begins there.
const GROWS_TO: Duration = Duration::from_secs(86_400);

/// What was said of sliding and of "nothing", each part by itself.
///
/// ```
/// use everwarm_core::parts::Parts;
/// use everwarm_core::policy::Policy;
///
/// let parts = Parts { sliding: Some(0.5), ..Parts::default() };
/// assert_eq!(parts.complete(Policy::default())?.sliding.map(|sliding| sliding.threshold), Some(0.5));
/// let error = Parts { negative_growth: Some(2.0), ..Parts::default() }.complete(Policy::default()).unwrap_err();
/// assert_eq!(error.message(), "negative_growth does nothing without a negative_ttl");
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// A read has the ttl begin anew once no more than this fraction of it is left.
    pub sliding: Option<f64>,
    /// The age at which a value is fresh no longer, however often it is read; 30 days unless said otherwise.
    pub sliding_max_age: Option<Duration>,
    /// How long "nothing" is remembered.
    pub negative_ttl: Option<Duration>,
    /// By what that grows with each further one in a row.
    pub negative_growth: Option<f64>,
    /// What it does not grow beyond; a day unless said otherwise.
    pub negative_max_ttl: Option<Duration>,
}

impl Parts {
    /// `policy` with these parts.
    ///
    /// # Errors
    /// A `Config` error for a part that does nothing without another.
    pub fn complete(&self, policy: Policy) -> Result<Policy, Error> {
        let grows = self.negative_growth.is_some_and(|growth| growth != 1.0);
        let lacking = [
            (
                "sliding_max_age",
                self.sliding_max_age.is_some() && self.sliding.is_none(),
                "sliding",
                "sliding=0.5",
            ),
            (
                "negative_growth",
                self.negative_growth.is_some() && self.negative_ttl.is_none(),
                "a negative_ttl",
                "negative_ttl=\"10s\"",
            ),
            (
                "negative_max_ttl",
                self.negative_max_ttl.is_some() && !(grows && self.negative_ttl.is_some()),
                "a negative_growth",
                "negative_growth=2.0",
            ),
        ];
        if let Some((name, _, other, example)) = lacking.iter().find(|(_, lacks, ..)| *lacks) {
            return Err(Error::config(
                format!("{name} does nothing without {other}"),
                format!("add {example}, or leave {name} out"),
            ));
        }
        Ok(Policy {
            sliding: self.sliding.map(|threshold| Sliding {
                threshold,
                max_age: self.sliding_max_age.unwrap_or(SLIDES_FOR),
            }),
            negative: self.negative_ttl.map(|ttl| self.negative(ttl, grows)),
            ..policy
        })
    }

    fn negative(&self, ttl: Duration, grows: bool) -> Negative {
        let endless = if grows { GROWS_TO.max(ttl) } else { ttl };
        Negative {
            ttl,
            growth: self.negative_growth.unwrap_or(1.0),
            max_ttl: self.negative_max_ttl.unwrap_or(endless),
        }
    }
}
