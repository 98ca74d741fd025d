//! Chance as an argument: decisions ask for a draw and never make one.

use std::sync::Arc;

/// Where random fractions are drawn from.
pub trait Draw: Send + Sync {
    /// A fraction, evenly spread over `[0, 1)`.
    fn unit(&self) -> f64;
}

impl<D: Draw + ?Sized> Draw for Arc<D> {
    fn unit(&self) -> f64 {
        (**self).unit()
    }
}

/// The same fraction every time, so that tests decide what chance decides.
///
/// ```
/// use everwarm_core::draw::{Draw, FixedDraw};
///
/// assert_eq!(FixedDraw(0.25).unit(), 0.25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedDraw(pub f64);

impl Draw for FixedDraw {
    fn unit(&self) -> f64 {
        self.0
    }
}
