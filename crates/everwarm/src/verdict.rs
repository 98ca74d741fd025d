//! What the value of a decorated function is worth, by its type.
//!
//! The attribute sees a return type as it is written, which may be an alias. So it has the compiler choose: a method of
//! the type itself goes before a method of a trait, and only a `Result`, under whatever name, has one of its own.

use std::marker::PhantomData;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::settle::Outcome;

/// A value to be judged.
#[derive(Debug)]
pub struct Verdict<'a, R>(pub &'a R);

impl<'a, T, E> Verdict<'a, Result<T, E>> {
    /// What may be kept; None of an error.
    #[must_use]
    pub fn value(&self) -> Option<&'a T> {
        self.0.as_ref().ok()
    }

    /// An error is shared with those who wait and not kept.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.0 {
            Ok(_) => Outcome::Value { ttl: None },
            Err(_) => Outcome::Failed { remembered: false },
        }
    }

    /// As [`outcome`](Self::outcome), where what is in the Ok has a ttl of its own.
    pub fn outcome_with(&self, ttl_of: impl FnOnce(&T) -> Option<Duration>) -> Outcome {
        match self.0 {
            Ok(value) => Outcome::Value { ttl: ttl_of(value) },
            Err(_) => self.outcome(),
        }
    }
}

impl<T> Verdict<'_, Option<T>> {
    /// Whether it is None.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0.is_none()
    }
}

impl<T, E> Verdict<'_, Result<Option<T>, E>> {
    /// Whether it is Ok of None.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self.0, Ok(None))
    }
}

/// A value of any other type.
pub trait Plain<'a, R> {
    /// What may be kept.
    fn value(&self) -> Option<&'a R>;

    /// It is kept.
    fn outcome(&self) -> Outcome;

    /// As [`outcome`](Self::outcome), where it has a ttl of its own.
    fn outcome_with(&self, ttl_of: impl FnOnce(&R) -> Option<Duration>) -> Outcome;

    /// It is never None.
    fn is_nothing(&self) -> bool;
}

impl<'a, R> Plain<'a, R> for Verdict<'a, R> {
    fn value(&self) -> Option<&'a R> {
        Some(self.0)
    }

    fn outcome(&self) -> Outcome {
        Outcome::Value { ttl: None }
    }

    fn outcome_with(&self, ttl_of: impl FnOnce(&R) -> Option<Duration>) -> Outcome {
        let ttl = ttl_of(self.0);
        Outcome::Value { ttl }
    }

    fn is_nothing(&self) -> bool {
        false
    }
}

/// A type that has None, or Ok of it, among its values.
#[diagnostic::on_unimplemented(
    message = "this option counts for None and does nothing here, for `{Self}` is never None",
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

/// A type that has errors among its values.
#[diagnostic::on_unimplemented(
    message = "this option counts for errors and does nothing here, for `{Self}` is no `Result`",
    note = "hint: leave it out, or return a `Result`"
)]
pub trait Failing {
    /// Whether it is an error.
    fn is_error(&self) -> bool;
}

impl<T, E> Failing for Result<T, E> {
    fn is_error(&self) -> bool {
        self.is_err()
    }
}

/// A computation under a soft limit alone that ended without a value, when its old one had become invalid.
#[derive(Debug)]
pub struct Ended<R> {
    error: Error,
    of: PhantomData<fn() -> R>,
}

impl<R> Ended<R> {
    /// Which ended so.
    #[must_use]
    pub const fn of(error: Error) -> Self {
        let of = PhantomData;
        Self { error, of }
    }
}

impl<T, E: From<Error>> Ended<Result<T, E>> {
    /// What is returned in place of a value.
    ///
    /// # Errors
    /// Always: that it ended so.
    pub fn refused(self) -> Result<T, E> {
        Err(self.error.into())
    }
}

/// A value of a type that cannot say so.
pub trait Unrefused<R> {
    /// What would be returned in place of a value.
    ///
    /// # Panics
    /// Always, as its caller does where the function itself panics.
    fn refused(self) -> R;
}

impl<R> Unrefused<R> for Ended<R> {
    fn refused(self) -> R {
        panic!("{}", self.error)
    }
}

/// A type that has errors of the cache among its values.
#[diagnostic::on_unimplemented(
    message = "a call whose time is over returns an error of the cache, which `{Self}` cannot hold",
    note = "hint: return a `Result` whose error is `From<everwarm::Error>`, or leave the time limit out"
)]
pub trait Refused {
    /// What is returned in place of a value.
    fn refused(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Refused for Result<T, E> {
    fn refused(error: Error) -> Self {
        Err(error.into())
    }
}
