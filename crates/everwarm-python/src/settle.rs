//! What becomes of a computed value: the policy's callables are asked, then the lead settles.

use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::settle::{Attempt, Outcome, Settlement, settle};
use everwarm_engine::{Chance, Settle};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::engine::Lead;
use crate::function::{Function, report};
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::shared::{self, Computed, Remote};
use crate::table::Table;
use crate::terms::texts;
use crate::{calling, once};

/// A lead with what is needed to settle it.
pub(crate) struct Flight {
    pub(crate) lead: Lead,
    pub(crate) keyed: Keyed,
    began: Instant,
    /// Whether the value may be stored: not if its tags could not be made.
    storable: bool,
    /// What the stores behind memory have of it.
    pub(crate) remote: Option<Box<Remote>>,
}

/// How a value is kept.
struct Kept {
    lifetime: Lifetime,
    tags: Vec<Arc<str>>,
    weight: u64,
}

impl Flight {
    pub(crate) fn new(home: &Home, lead: Lead, keyed: Keyed, storable: bool) -> Self {
        Self {
            lead,
            keyed,
            began: home.engine.ticker().now(),
            storable,
            remote: None,
        }
    }

    /// Stores a computed value behind memory; whether memory may keep it too.
    pub(crate) fn share(
        &mut self,
        py: Python<'_>,
        home: &Home,
        value: &Object,
        (lifetime, tags): (&Lifetime, &[Arc<str>]),
    ) -> PyResult<bool> {
        let Some(remote) = self.remote.take() else {
            return Ok(!home.is_secret());
        };
        let computed = Computed {
            value,
            lifetime,
            tags,
            computed_in: home.engine.now().since(self.began),
        };
        Ok(remote.settle(py, home, &computed)? && home.has_memory())
    }

    /// Ends with a value that stores had: those who wait get it, and memory keeps it as long as it is fresh.
    pub(crate) fn found(self, py: Python<'_>, home: &Home, kept: &shared::Kept) -> Object {
        home.scope.recount_as_hit();
        let value = kept.value.clone();
        let deadline = home.kept_until(kept.deadline(home.engine.now()));
        let weight = weight_of(home, value.bind(py));
        let settle = Settle {
            deadline,
            tags: &kept.told.tags,
            weight: weight.unwrap_or(0),
            store: weight.is_some() && home.has_memory() && home.note(py, &self.keyed).is_ok(),
            age: kept.told.age,
        };
        if self.lead.settle(value.clone(), settle).stored && deadline != Instant::NEVER {
            Table::watch(home.table(py));
        }
        value
    }
}

impl Function {
    /// Ends a computation with its value, stored if the policy and the invalidations since allow it.
    pub(crate) fn settle(
        &self,
        py: Python<'_>,
        home: &Home,
        flight: Flight,
        value: Object,
    ) -> PyResult<Object> {
        let title = || self.title(py);
        let Some(mut flight) = once::settle(value.bind(py), home, flight, title) else {
            return Ok(value);
        };
        // Without a copy of their own those who wait begin anew.
        let Some(shared) = self.try_copied(py, home, &value) else {
            flight.lead.withhold();
            return Ok(value);
        };
        let kept = match self.keep(py, home, &flight, &value) {
            Ok(kept) => kept,
            Err((what, error)) => {
                home.scope.count_error();
                report(py, home, what, &error);
                None
            }
        };
        let store = match &kept {
            Some(kept) => flight.share(py, home, &shared, (&kept.lifetime, &kept.tags)),
            None => Ok(false),
        };
        let store = match store {
            Ok(store) => store,
            Err(error) => {
                fail(py, flight.lead, &error);
                return Err(error);
            }
        };
        let settle = match &kept {
            Some(kept) => Settle {
                deadline: home.kept_until(kept.lifetime.serve_until()),
                tags: &kept.tags,
                weight: kept.weight,
                store,
                ..Settle::default()
            },
            None => Settle {
                store: false,
                ..Settle::default()
            },
        };
        let timed = settle.deadline != Instant::NEVER;
        if flight.lead.settle(shared, settle).stored && timed {
            Table::watch(home.table(py));
        }
        Ok(value)
    }

    /// The deadline and the result's tags of a value that is to be kept; on failure, which keyword's callable it was.
    fn keep(
        &self,
        py: Python<'_>,
        home: &Home,
        flight: &Flight,
        value: &Object,
    ) -> Result<Option<Kept>, (&'static str, PyErr)> {
        if !flight.storable {
            return Ok(None);
        }
        let terms = self.terms();
        let value = value.bind(py);
        let accepted = match &terms.when {
            Some(when) => calling::call(when.bind(py), [value.as_borrowed()])
                .and_then(|answer| answer.is_truthy())
                .map_err(|e| ("when=", e))?,
            None => true,
        };
        let outcome = match (accepted, value.is_none()) {
            (false, _) => Outcome::Refused,
            (true, true) => Outcome::Nothing,
            (true, false) => Outcome::Value { ttl: None },
        };
        let now = home.engine.ticker().now();
        let settlement = settle(
            outcome,
            &Attempt::first(flight.began),
            &home.policy,
            now,
            &Chance::new(),
        );
        let Settlement::Store(lifetime) = settlement else {
            home.scope.count_refused();
            return Ok(None);
        };
        let Some(weight) = weight_of(home, value) else {
            home.scope.count_refused();
            return Ok(None);
        };
        let tags = match &terms.tags_from_result {
            Some(function) => calling::call(function.bind(py), [value.as_borrowed()])
                .and_then(|tags| texts(&tags)),
            None => Ok(Vec::new()),
        };
        let tags = tags.map_err(|error| ("tags_from_result=", error))?;
        let tags = home.naming.carried(flight.keyed.tenant.as_ref(), tags);
        home.note(py, &flight.keyed)
            .map_err(|error| ("a weak reference", error))?;
        Ok(Some(Kept {
            lifetime,
            tags,
            weight,
        }))
    }
}

/// What a value weighs, where that counts; None if it is heavier than the policy lets one be.
pub(crate) fn weight_of(home: &Home, value: &Bound<'_, PyAny>) -> Option<u64> {
    let most = home.policy.max_entry_bytes;
    if most.is_none() && !home.engine.weighs() {
        return Some(0);
    }
    let weight = home.weigh(value);
    home.policy.admits(weight).then_some(weight)
}

/// Ends a computation with its error: followers share an `Exception`; any other hands the work over.
pub(crate) fn fail(py: Python<'_>, lead: Lead, error: &PyErr) {
    if error.is_instance_of::<PyException>(py) {
        lead.fail(error.value(py).clone().into_any().into());
    } else {
        drop(lead);
    }
}
