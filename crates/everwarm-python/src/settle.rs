//! What becomes of a computed value: the policy's callables are asked, then the lead settles.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::judge::Freshness;
use everwarm_core::policy::Policy;
use everwarm_core::settle::{Attempt, Outcome, Settlement, settle};
use everwarm_engine::{Bulkhead, Chance, Negative, Offer, Settle};
use pyo3::prelude::*;

use crate::context::{self, Shown};
use crate::engine::Lead;
use crate::entries::ends;
use crate::function::Function;
use crate::given::Ttl;
use crate::home::{Home, Keyed};
use crate::limits::Admission;
use crate::object::Object;
use crate::report::report;
use crate::settling::{Kept, Settling};
use crate::shared::{self, Remote};
use crate::table::Table;
use crate::terms::texts;
use crate::{calling, once, waiting};

/// A lead with what is needed to settle it.
pub(crate) struct Flight {
    pub(crate) lead: Lead,
    pub(crate) keyed: Keyed,
    pub(crate) began: Instant,
    /// Whether the value may be stored: not if its tags could not be made.
    pub(crate) storable: bool,
    /// Whether the value weighs more than the policy lets one.
    pub(crate) too_heavy: bool,
    /// Its permits, and those it still waits for; they come back when the computation has ended, however it does.
    pub(crate) admission: Option<Box<Admission>>,
    /// What else it needs a permit of if it has no lease.
    pub(crate) without_lease: Option<Arc<Bulkhead>>,
    /// Whether it has waited too long for another process.
    is_alone: bool,
    /// What the stores behind memory have of it.
    pub(crate) remote: Option<Box<Remote>>,
    /// Its old value, which the function may ask for.
    shown: Option<Shown>,
}

impl Flight {
    pub(crate) fn new(home: &Home, lead: Lead, keyed: Keyed, storable: bool) -> Self {
        Self {
            shown: Shown::of(&lead),
            lead,
            keyed,
            began: home.engine.ticker().now(),
            storable,
            too_heavy: false,
            admission: Admission::new(&home.bulkheads),
            without_lease: home.without_lease.clone(),
            is_alone: false,
            remote: None,
        }
    }

    /// Has waited too long for another process: it computes beside that, for its callers alone.
    pub(crate) fn go_alone(&mut self, home: &Home) {
        home.scope.count_takeover();
        self.is_alone = true;
        self.remote = None;
        self.storable = false;
    }

    /// Whether stores were asked for it, and it computes without a lease: nothing but this process keeps others from the same.
    pub(crate) fn is_without_lease(&self) -> bool {
        let remote = self.remote.as_ref();
        self.is_alone || remote.is_some_and(|remote| remote.is_apart())
    }

    /// Ends with a value that stores had: those who wait get it, and memory keeps it as long as stores would. If it is due to be
    /// computed anew, this process has to see to that, with the flight that is given.
    pub(crate) fn found(
        self,
        py: Python<'_>,
        home: &Home,
        kept: &shared::Kept,
    ) -> (Object, Option<Self>) {
        let behind = self.lead.is_behind();
        match kept.freshness() {
            _ if behind => home.scope.recount_as_found(),
            Freshness::Fresh => home.scope.recount_as_hit(),
            Freshness::Stale => home.scope.recount_as_stale(),
        }
        let anew = self.remote.as_ref().filter(|_| kept.is_due() && !behind);
        // Until the lead is there, what is asked of is nobody's.
        let anew = anew.map(|remote| (self.keyed.clone_ref(py), remote.anew(self.lead.id())));
        let storable = self.storable;
        let value = kept.value.clone();
        let weight = weight_of(home, value.bind(py));
        let settle = Settle {
            lifetime: home.in_memory(kept.lifetime),
            tags: &kept.told.tags,
            weight: weight.unwrap_or(0),
            store: weight.is_some() && home.has_memory() && home.note(py, &self.keyed).is_ok(),
            age: kept.told.age,
            ..Settle::default()
        };
        if self.lead.settle(value.clone(), settle).stored && ends(&settle.lifetime) {
            Table::watch(home.table(py));
        }
        let anew = anew.and_then(|(keyed, remote)| {
            let tags = remote.tags();
            let caller = waiting::caller(&[], false);
            let lead = home
                .engine
                .lead_behind(home.ask(&keyed, Some(&tags), caller))?;
            let mut flight = Self::new(home, lead, keyed, storable);
            flight.remote = Some(Box::new(remote.anew(flight.lead.id())));
            Some(flight)
        });
        (value, anew)
    }

    /// Takes note of a value that stores have in case the computation fails.
    pub(crate) fn offer(&mut self, py: Python<'_>, home: &Home, old: Option<shared::Kept>) {
        if let Some(old) = old
            && let Some(weight) = weight_of(home, old.value.bind(py))
        {
            self.lead.offer(&Offer {
                value: &old.value,
                lifetime: home.in_memory(old.lifetime),
                age: old.told.age,
                tags: &old.told.tags,
                weight,
            });
            self.shown = Shown::of(&self.lead);
        }
    }
}

impl Function {
    /// What is to be kept of a computed value, if the policy allows it; None where its computation has ended otherwise.
    pub(crate) fn settling(
        &self,
        py: Python<'_>,
        home: &Home,
        flight: Flight,
        value: &Object,
    ) -> Option<Settling> {
        let title = || self.title(py);
        home.settling(py, flight, value, (title, Ttl::Unsaid))
    }
}

impl Home {
    /// What is to be kept of a computed value, if the policy allows it; None where its computation has ended otherwise. A ttl that the
    /// call was told counts before that of the policy.
    pub(crate) fn settling(
        &self,
        py: Python<'_>,
        flight: Flight,
        value: &Object,
        (title, told): (impl FnOnce() -> String, Ttl),
    ) -> Option<Settling> {
        let mut flight = once::settle(value.bind(py), self, flight, title)?;
        // Without a copy of their own those who wait begin anew.
        let Some(shared) = self.try_copied(py, value) else {
            flight.lead.withhold();
            return None;
        };
        let kept = match self.keep(py, &mut flight, value, told) {
            Ok(kept) => kept,
            Err((what, error)) => {
                self.scope.count_error();
                report(py, self, what, &error);
                None
            }
        };
        Some(Settling {
            flight,
            value: shared,
            kept,
        })
    }

    /// The deadline and the result's tags of a value that is to be kept; on failure, which keyword's callable it was.
    fn keep(
        &self,
        py: Python<'_>,
        flight: &mut Flight,
        value: &Object,
        told: Ttl,
    ) -> Result<Option<Kept>, (&'static str, PyErr)> {
        if !flight.storable {
            context::forget(py, flight.lead.id());
            return Ok(None);
        }
        let terms = self.terms.get();
        let value = value.bind(py);
        let accepted = match &terms.when {
            Some(when) => calling::call(when.bind(py), [value.as_borrowed()])
                .and_then(|answer| answer.is_truthy())
                .map_err(|e| ("when=", e))?,
            None => true,
        };
        let mut said = context::take(py, flight.lead.id()).map_err(|error| ("context()", error))?;
        let said_ttl = said.as_ref().and_then(|said| said.ttl);
        let ttl = match (said_ttl, told, &terms.ttl_of) {
            (Some(ttl), ..) | (None, Ttl::Said(ttl), _) => Some(ttl),
            (None, Ttl::Unsaid, Some(function)) => {
                let ttl = calling::call(function.bind(py), [value.as_borrowed()])
                    .and_then(|given| context::ttl_of(&given));
                Some(ttl.map_err(|error| ("ttl=", error))?)
            }
            (None, Ttl::Unsaid, None) => None,
        };
        let outcome = match (accepted, ttl, value.is_none()) {
            (false, _, _) | (true, Some(Some(Duration::ZERO)), _) => Outcome::Refused,
            (true, _, true) => Outcome::Nothing,
            (true, _, false) => Outcome::Value { ttl: None },
        };
        // A ttl of its own takes the place of the policy's, and has the windows of that.
        let policy = Policy {
            ttl: ttl.unwrap_or(self.policy.ttl),
            ..self.policy
        };
        let now = self.engine.ticker().now();
        let negatives = flight.lead.negatives();
        let attempt = Attempt {
            negatives,
            ..Attempt::first(flight.began)
        };
        let settlement = settle(outcome, &attempt, &policy, now, &Chance::new());
        let (lifetime, negative) = match settlement {
            Settlement::Store(lifetime) => (lifetime, None),
            Settlement::StoreNegative(lifetime) => {
                let row = negatives + 1;
                let is_error = false;
                (lifetime, Some(Negative { row, is_error }))
            }
            _ => {
                self.scope.count_refused();
                return Ok(None);
            }
        };
        let Some(weight) = weight_of(self, value) else {
            self.scope.count_refused();
            flight.too_heavy = true;
            return Ok(None);
        };
        let tags = match &terms.tags_from_result {
            Some(function) => calling::call(function.bind(py), [value.as_borrowed()])
                .and_then(|tags| texts(&tags)),
            None => Ok(Vec::new()),
        };
        let mut tags = tags.map_err(|error| ("tags_from_result=", error))?;
        let said = said.take().unwrap_or_default();
        tags.extend(said.tags);
        let tags = self.naming.carried(flight.keyed.tenant.as_ref(), tags);
        self.note(py, &flight.keyed)
            .map_err(|error| ("a weak reference", error))?;
        Ok(Some(Kept {
            lifetime,
            negative,
            etag: said.etag,
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

/// Ends a computation with an error of the cache's own, which followers share.
pub(crate) fn share_error(py: Python<'_>, lead: Lead, error: &PyErr) {
    lead.fail(error.value(py).clone().into_any().into());
}
