//! What one call of a decorated function is told: which entries it takes, and whether it stores.

use std::future::Future;
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::using::{Options, Plan, Read, plan};

use crate::function::{Function, Missing, Shared, Writing};
use crate::stores::wait;

/// What one call of a decorated function is told to do differently: what the verb `using` takes before the function's arguments.
///
/// ```
/// use everwarm::{CallOptions, duration::secs};
///
/// #[everwarm::cached(ttl = "5m")]
/// fn price(sku: &str) -> usize {
///     sku.len()
/// }
///
/// let recent = CallOptions::new().max_age(secs(5)).read_only();
/// assert_eq!((price::using(recent, "lamp"), price::stats().entries), (4, 0));
/// ```
///
/// # Panics
/// `using` panics, with a hint, if its call is told two of [`skip`](Self::skip), [`refresh`](Self::refresh) and
/// [`write_only`](Self::write_only), or one of them and something that narrows what it reads or writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a call is told it by the verb `using` of its function"]
pub struct CallOptions(Options);

impl CallOptions {
    /// An ordinary call.
    pub fn new() -> Self {
        Self::default()
    }

    /// The call goes past the cache: what it computes is for it alone, it waits for nobody, and no time limit counts. It is counted as a
    /// bypass.
    pub fn skip(mut self) -> Self {
        self.0.skip = true;
        self
    }

    /// The value is computed whatever is there; until then other callers are given the old one. It is what the verb `refresh` does.
    pub fn refresh(mut self) -> Self {
        self.0.refresh = true;
        self
    }

    /// The call takes no entry that is older. Where there are stores they are asked, since they alone know how old an entry is that memory
    /// has from them.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.0.max_age = Some(age);
        self
    }

    /// The call takes an entry that is kept for errors, too, if its ttl ended no longer ago (`max-stale` of RFC 9111).
    pub fn max_stale(mut self, span: Duration) -> Self {
        self.0.max_stale = Some(span);
        self
    }

    /// The call stores nothing of its own: what it computes is for it and those who wait for it.
    pub fn read_only(mut self) -> Self {
        self.0.read_only = true;
        self
    }

    /// The call takes no entry: it computes, or waits for who does, and stores.
    pub fn write_only(mut self) -> Self {
        self.0.write_only = true;
        self
    }

    /// What the call does.
    #[track_caller]
    fn plan(&self) -> Plan {
        plan(&self.0).unwrap_or_else(|contradiction| panic!("{contradiction}"))
    }
}

impl<R: Shared> Function<R> {
    /// The value of a call that is told something, if it is there for it.
    ///
    /// # Errors
    /// What it takes to compute it.
    ///
    /// # Panics
    /// If two options contradict each other: it is the line of code that is wrong, whatever is cached.
    #[track_caller]
    pub fn using(&'static self, told: &CallOptions, write: Writing<'_>) -> Result<R, Missing<R>> {
        let plan = told.plan();
        let home = self.home();
        let Ok((hash, key)) = self.keyed(write) else {
            return Err(Missing::unkeyed(self, home));
        };
        match home.find(hash, &key, plan.read()) {
            Some(value) => Ok(value),
            None => Err(Missing::told(self, (hash, key), plan)),
        }
    }

    /// The value of a call that computes nothing.
    ///
    /// # Errors
    /// Of kind `NotCached`, if there is none; it is counted as a miss.
    pub fn only_if_cached(&'static self, write: Writing<'_>) -> Result<R, Error> {
        wait(self.only_if_cached_async(write))
    }

    /// As [`only_if_cached`](Self::only_if_cached), in this task.
    pub fn only_if_cached_async(
        &'static self,
        write: Writing<'_>,
    ) -> impl Future<Output = Result<R, Error>> + Send + use<R> {
        let keyed = self.keyed(write);
        async move {
            let home = self.home();
            let found = match &keyed {
                Ok((hash, key)) => home.only(*hash, key, Read::Any).await,
                Err(_) => {
                    home.scope.count_bypass();
                    None
                }
            };
            found.ok_or_else(|| not_cached(&home.name, "call the function itself"))
        }
    }
}

/// The error of a call that may compute nothing where nothing is; `instead` says how it is computed.
pub(crate) fn not_cached(name: &str, instead: &str) -> Error {
    Error::new(
        ErrorKind::NotCached,
        format!("{name:?} has no such entry, and this call computes none"),
        format!("{instead} to compute it, or expect this error"),
    )
}
