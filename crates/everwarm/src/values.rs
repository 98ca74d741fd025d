//! What `#[cached]` says about the values of a function, besides what they are worth.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use everwarm_engine::{Cause, Listener};

use crate::form::Canonical;
use crate::function::{Function, Shared};
use crate::home::Weigher;
use crate::renewed::{Renewed, anew, tagged};

/// What gives the tags that follow from a value.
type TagsOf<R> = fn(&R) -> Vec<Arc<str>>;

/// What is asked about a value that a function returned, or that leaves.
pub struct Values<R> {
    /// What it weighs, in bytes.
    pub weigher: Option<fn(&R) -> u64>,
    /// The tags that follow from it.
    pub tags: Option<TagsOf<R>>,
    /// What is told of an entry that leaves, by its stored name, and why.
    pub on_remove: Option<fn(&str, &R, Cause)>,
}

impl<R> fmt::Debug for Values<R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Values").finish_non_exhaustive()
    }
}

impl<R: Shared> Values<R> {
    pub(crate) fn weigher(&self) -> Option<Weigher<Canonical, R>> {
        let weigher = self.weigher?;
        Some(Box::new(move |_: &Canonical, value: &R| weigher(value)))
    }

    /// The tags that follow from a value.
    pub(crate) fn tags_of(&self, value: &R) -> Vec<Arc<str>> {
        self.tags.map_or_else(Vec::new, |tags| tags(value))
    }

    /// What a computation gives that cannot fail.
    pub(crate) fn given(&self, value: R) -> Result<Renewed<R>, Infallible> {
        match self.tags {
            Some(tags) => {
                let tags = tags(&value);
                Ok(tagged(value, tags))
            }
            None => anew(value),
        }
    }
}

/// A function's own listener.
pub(crate) struct Told<R: Shared> {
    pub(crate) function: &'static Function<R>,
    pub(crate) told: fn(&str, &R, Cause),
}

impl<R: Shared> Listener<Canonical, R> for Told<R> {
    fn on_remove(&self, key: &Canonical, value: &R, cause: Cause) {
        let name = self.function.stored_name(key).unwrap_or_default();
        (self.told)(&name, value, cause);
    }
}
