//! What the value of a decorated function is worth, by its type.
//!
//! The attribute sees a return type as it is written, which may be an alias. So it has the compiler choose: a method of
//! the type itself goes before a method of a trait, and only a `Result`, under whatever name, has one of its own.

use everwarm_core::settle::Outcome;

/// A value to be judged.
#[derive(Debug)]
pub struct Verdict<'a, R>(pub &'a R);

impl<T, E> Verdict<'_, Result<T, E>> {
    /// An error is shared with those who wait and not kept.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.0 {
            Ok(_) => Outcome::Value { ttl: None },
            Err(_) => Outcome::Failed { remembered: false },
        }
    }
}

/// A value of any other type.
pub trait Plain {
    /// It is kept.
    fn outcome(&self) -> Outcome;
}

impl<R> Plain for Verdict<'_, R> {
    fn outcome(&self) -> Outcome {
        Outcome::Value { ttl: None }
    }
}

/// A type that has None, or Ok of it, among its values.
#[diagnostic::on_unimplemented(
    message = "`cache_none = false` does nothing here, for `{Self}` is never None",
    note = "hint: leave it out, or return an `Option` or a `Result` of one"
)]
pub trait Nothing {
    /// Whether it is None.
    fn is_nothing(&self) -> bool;
}

impl<T> Nothing for Option<T> {
    fn is_nothing(&self) -> bool {
        self.is_none()
    }
}

impl<T, E> Nothing for Result<Option<T>, E> {
    fn is_nothing(&self) -> bool {
        matches!(self, Ok(None))
    }
}
