//! What a value of a typed cache is worth.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::settle::Outcome;

/// What says a value's own ttl.
type TtlOf<V> = Arc<dyn Fn(&V) -> Option<Duration> + Send + Sync>;
/// What says whether a value is kept.
type When<V> = Arc<dyn Fn(&V) -> bool + Send + Sync>;

/// What says what a value is worth: all are kept, unless it is told otherwise.
pub(crate) struct Judge<V> {
    /// Which values stand for nothing, where that is asked.
    pub(crate) is_nothing: Option<fn(&V) -> bool>,
    pub(crate) ttl_of: Option<TtlOf<V>>,
    pub(crate) when: Option<When<V>>,
}

impl<V> Judge<V> {
    /// What becomes of a value.
    pub(crate) fn outcome(&self, value: &V) -> Outcome {
        if self.when.as_ref().is_some_and(|when| !when(value)) {
            return Outcome::Refused;
        }
        if self.is_nothing.is_some_and(|is_nothing| is_nothing(value)) {
            return Outcome::Nothing;
        }
        let ttl = self.ttl_of.as_ref().and_then(|ttl_of| ttl_of(value));
        Outcome::Value { ttl }
    }
}

impl<V> Default for Judge<V> {
    fn default() -> Self {
        Self {
            is_nothing: None,
            ttl_of: None,
            when: None,
        }
    }
}

impl<V> Clone for Judge<V> {
    fn clone(&self) -> Self {
        Self {
            is_nothing: self.is_nothing,
            ttl_of: self.ttl_of.clone(),
            when: self.when.clone(),
        }
    }
}
