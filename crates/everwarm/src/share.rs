//! Errors that one computation gives to all who wait for it.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;

/// An error as the engine hands it round: of any type.
pub(crate) type Failure = Arc<dyn Any + Send + Sync>;

/// How a computation may fail.
pub(crate) trait Share: Sized {
    /// The error, for those who wait.
    fn share(&self) -> Failure;

    /// The leader's error, if it is of this caller's type.
    fn receive(failure: Failure) -> Option<Self>;
}

/// A computation that cannot fail shares nothing, and waits for nobody's error.
impl Share for Infallible {
    fn share(&self) -> Failure {
        match *self {}
    }

    fn receive(_: Failure) -> Option<Self> {
        None
    }
}

impl<E: Any + Send + Sync> Share for Arc<E> {
    fn share(&self) -> Failure {
        Self::clone(self)
    }

    fn receive(failure: Failure) -> Option<Self> {
        failure.downcast().ok()
    }
}
