//! Where a function's entries live, and the key of one of them.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::lifetime::Lifetime;
use everwarm_core::limits::Limits;
use everwarm_core::policy::Policy;
use everwarm_engine::stack::{Done, Need};
use everwarm_engine::{Ask, Bulkhead, Caller, Scope};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::engine::{Engine, Key, Seed};
use crate::failures::Failures;
use crate::gate::{self, Gate};
use crate::given::Ttl;
use crate::instances::Instances;
use crate::lasting::intern;
use crate::own::Numbers;
use crate::primitives::Ground;
use crate::shared::{Link, Naming};
use crate::table::Table;
use crate::tenant::{Tenancy, Tenant};
use crate::terms::Terms;
use crate::{calling, context, errors, unit};

/// Where a function's entries live.
pub(crate) struct Home {
    table: Py<Table>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Arc<Scope>,
    instances: Arc<Instances>,
    pub(crate) seed: Seed,
    /// What a hit asks before all else.
    pub(crate) gate: Arc<Gate>,
    /// The function's policy, with what it leaves to the cache.
    pub(crate) policy: Policy,
    /// How long calls wait, and what becomes of computations that outlast them.
    pub(crate) limits: Limits,
    /// What a computation needs permits of: the function's bulkhead, then the cache's.
    pub(crate) bulkheads: Vec<Arc<Bulkhead>>,
    /// What it needs one of besides where it has no lease: that of the cache, if its user has set no bound.
    pub(crate) without_lease: Option<Arc<Bulkhead>>,
    /// What copies values on their way in and out, if they are isolated.
    pub(crate) isolate: Option<Py<PyAny>>,
    /// The arguments that are told apart by their own `==`.
    pub(crate) numbers: Arc<Numbers>,
    /// How the values lie in stores; None without any, or where they mean nothing in other processes.
    pub(crate) link: Option<Arc<Link>>,
    /// What entries and tags are called.
    pub(crate) naming: Arc<Naming>,
    /// Whose entries they are; None: everybody's.
    pub(crate) tenancy: Option<Tenancy>,
    /// Whether what cannot be done is raised.
    pub(crate) strict: bool,
    /// What becomes of errors.
    pub(crate) failures: Arc<Failures>,
    /// The policy as it was given, with its callables.
    pub(crate) terms: Py<Terms>,
    /// Whether a value that is set may go into memory as it is, without a further look.
    pub(crate) puts_plainly: bool,
}

/// The home of a function: the one it found first, or the one after its cache was taken back.
pub(crate) enum Found<'a> {
    First(&'a Home),
    Later(Arc<Home>),
}

impl Deref for Found<'_> {
    type Target = Home;

    fn deref(&self) -> &Home {
        match self {
            Self::First(home) => home,
            Self::Later(home) => home,
        }
    }
}

/// The key of one call, and the instance it holds weakly.
pub(crate) struct Keyed {
    pub(crate) hash: u64,
    pub(crate) key: Key,
    pub(crate) instance: Option<Py<PyAny>>,
    /// Whether it names something that only this process knows.
    pub(crate) bound: bool,
    /// Whose it is, where there are tenants.
    pub(crate) tenant: Option<Tenant>,
}

impl Keyed {
    /// The same key.
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            hash: self.hash,
            key: self.key.clone(),
            instance: self
                .instance
                .as_ref()
                .map(|instance| instance.clone_ref(py)),
            bound: self.bound,
            tenant: self.tenant.clone(),
        }
    }

    /// Whether no store may have it.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound || self.instance.is_some()
    }

    /// Shows the instance to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.instance)
    }
}

impl Home {
    /// The place of a function in a table: of its own, or that of its declared name and version.
    pub(crate) fn new(
        table: Bound<'_, Table>,
        terms: &Bound<'_, Terms>,
        at_once: bool,
        link: Option<Arc<Link>>,
    ) -> Self {
        let said = terms.get();
        let scope = table.get().scope(said.name.as_deref(), &said.version);
        let tenancy = said.tenancy.as_ref().or(table.get().tenancy.as_ref());
        let tenancy = tenancy.map(|tenancy| tenancy.clone_ref(table.py()));
        Self::within(table, (scope, link, tenancy), terms, at_once)
    }

    /// The place of a cache's own entries.
    pub(crate) fn of_objects(table: Bound<'_, Table>, terms: &Bound<'_, Terms>) -> Self {
        let scope = Arc::clone(&table.get().objects);
        let link = table.get().link.clone();
        let tenancy = table.get().tenancy.as_ref();
        let tenancy = tenancy.map(|tenancy| tenancy.clone_ref(table.py()));
        let at_once = terms.get().isolate.is_none();
        let mut home = Self::within(table, (scope, link, tenancy), terms, at_once);
        // Nobody but a caller knows how these are computed.
        if home.policy.refresh_every().is_some() {
            home.policy.refresh_ahead = None;
        }
        home
    }

    fn within(
        table: Bound<'_, Table>,
        (scope, link, tenancy): (Arc<Scope>, Option<Arc<Link>>, Option<Tenancy>),
        given: &Bound<'_, Terms>,
        at_once: bool,
    ) -> Self {
        let (py, engine) = (table.py(), Arc::clone(&table.get().engine));
        let terms = given.get();
        Self {
            puts_plainly: table.get().puts_plainly && terms.ttl_of.is_none(),
            terms: given.clone().unbind(),
            instances: Instances::new(Arc::clone(&engine), Arc::clone(&scope)),
            seed: table.get().seed.clone(),
            gate: if at_once && tenancy.is_none() {
                Arc::clone(&table.get().gate)
            } else {
                Gate::never()
            },
            policy: terms.policy_within(table.get().ttl),
            limits: terms.limits,
            bulkheads: terms
                .limits
                .computations
                .map(Bulkhead::new)
                .into_iter()
                .chain(table.get().bulkhead.clone())
                .collect(),
            without_lease: match terms.limits.computations {
                Some(_) => None,
                None => table.get().without_lease.clone(),
            },
            isolate: terms.isolate.as_ref().map(|copy| copy.clone_ref(py)),
            numbers: Numbers::new(scope.id()),
            naming: Arc::clone(&table.get().naming),
            strict: terms.strict.unwrap_or(table.get().strict),
            failures: Arc::clone(&terms.failures),
            tenancy,
            table: table.unbind(),
            engine,
            scope,
            link,
        }
    }

    /// The part of a life that an entry spends in memory.
    pub(crate) fn in_memory(&self, lifetime: Lifetime) -> Lifetime {
        let lifetime = match self.policy.refresh_every() {
            Some(_) => lifetime.unread(),
            None => lifetime,
        };
        match &self.link {
            Some(link) => link.shared.in_memory(lifetime, self.engine.now()),
            None => lifetime,
        }
    }

    /// Whether values are kept in this process's memory as they are.
    pub(crate) fn has_memory(&self) -> bool {
        self.table
            .get()
            .shared
            .as_ref()
            .is_none_or(|shared| shared.memory)
    }

    /// What locks and limiters lie in.
    pub(crate) fn ground(&self) -> &Ground {
        &self.table.get().ground
    }

    /// Whether nothing of a value may lie readable anywhere.
    pub(crate) fn is_secret(&self) -> bool {
        self.naming.is_secret()
    }

    /// The tenant of the running context, where one is taken from there.
    pub(crate) fn tenant(&self, py: Python<'_>) -> PyResult<Option<Tenant>> {
        match &self.tenancy {
            Some(tenancy) => tenancy.of_context(py),
            None => Ok(None),
        }
    }

    /// The tenant that a verb of the cache's own acts for, where there are tenants.
    ///
    /// # Errors
    /// `TenantMissing`: what is nobody's cannot be let go.
    pub(crate) fn demand_tenant(&self, py: Python<'_>) -> PyResult<()> {
        if self.tenancy.is_some() && self.tenant(py)?.is_none() {
            return Err(errors::nobody(py, "the cache's own entry"));
        }
        Ok(())
    }

    /// Whether a verb of the cache's own goes past it now: it is disabled, or is to have a tenant and has none.
    pub(crate) fn is_away(&self, py: Python<'_>) -> PyResult<bool> {
        if self.is_disabled(py)? {
            return Ok(true);
        }
        if self.tenancy.is_none() || self.tenant(py)?.is_some() {
            return Ok(false);
        }
        match self.strict {
            true => Err(errors::nobody(py, "the cache's own entry")),
            false => Ok(true),
        }
    }

    /// Refuses tags where stores cannot invalidate by them.
    ///
    /// # Errors
    /// `Unsupported`.
    pub(crate) fn takes_tags(&self, py: Python<'_>, tags: &[Arc<str>]) -> PyResult<()> {
        match &self.link {
            Some(link) if !tags.is_empty() => link.require(py, Need::Tags),
            _ => Ok(()),
        }
    }

    /// Lets go of what carries one of these tags, in stores and then in memory; at its end, inside of a unit of work.
    pub(crate) fn invalidate(&self, py: Python<'_>, tags: &[Arc<str>]) -> PyResult<()> {
        if let Some(unit) = self.unit(py)? {
            let names: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
            unit.call_method1(intern!(py, "collect_tags"), (names,))?;
            return Ok(());
        }
        let done = match &self.link {
            Some(link) => link.invalidate(py, tags),
            None => Ok(Done::Now),
        };
        self.engine.invalidate_tags(tags);
        self.told(py, done?)
    }

    /// Says that an invalidation has not reached a store, where that is to be said.
    pub(crate) fn told(&self, py: Python<'_>, done: Done) -> PyResult<()> {
        match done {
            Done::Pending if self.strict => Err(errors::pending(py)),
            Done::Pending | Done::Now => Ok(()),
        }
    }

    /// The tags that an entry carries, from those its user gave it before it was computed.
    pub(crate) fn carried(&self, keyed: &Keyed, given: Vec<Arc<str>>) -> Vec<Arc<str>> {
        let tenant = keyed.tenant.as_ref();
        let mut carried = self.naming.carried(tenant, given);
        if let Some(tenant) = tenant {
            carried.push(self.naming.whole(tenant, None));
            carried.push(self.naming.whole(tenant, Some(&self.called())));
        }
        carried
    }

    /// What the function is called among a tenant's.
    pub(crate) fn called(&self) -> Arc<str> {
        match &self.link {
            Some(link) => link.own_function(),
            None => format!("#{}", self.scope.id()).into(),
        }
    }

    /// Whether the cache has been taken back, so that its functions find another home.
    pub(crate) fn is_left(&self) -> bool {
        self.table.get().is_left()
    }

    /// Whether a call made now goes past the cache.
    pub(crate) fn is_disabled(&self, py: Python<'_>) -> PyResult<bool> {
        let table = self.table.get();
        Ok(table.disabled || gate::is_inside_block(py)? || self.unit(py)?.is_some())
    }

    /// The unit of work that the running code is inside of.
    pub(crate) fn unit<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        unit::running(self.table.bind(py))
    }

    pub(crate) fn table<'py>(&self, py: Python<'py>) -> &Bound<'py, Table> {
        self.table.bind(py)
    }

    /// What a value of the function weighs.
    pub(crate) fn weigh(&self, value: &Bound<'_, PyAny>) -> u64 {
        self.table.get().weigher.weigh(value, &self.scope)
    }

    /// The function is gone, and its entries are.
    pub(crate) fn forget(&self) {
        if let Some(listener) = &self.table.get().listener {
            listener.forget(&self.scope);
        }
    }

    /// What the engine is asked for a call of this key.
    pub(crate) fn ask<'a>(
        &'a self,
        keyed: &'a Keyed,
        tags: Option<&'a [Arc<str>]>,
        caller: Caller<'a>,
    ) -> Ask<'a, Key> {
        Ask {
            scope: &self.scope,
            hash: keyed.hash,
            key: &keyed.key,
            tags: tags.unwrap_or(&[]),
            caller,
            again: false,
        }
    }

    /// The table, for the garbage collector.
    pub(crate) fn table_ptr(&self) -> *mut pyo3::ffi::PyObject {
        self.table.as_ptr()
    }

    /// How a value is kept that a verb of the cache's own writes: the ttl that was said, else that which the policy's function gives for
    /// it, and what it weighs. None: the policy refuses one so heavy, or its function says that it is not to be kept.
    ///
    /// # Errors
    /// What that function raises.
    pub(crate) fn takes(
        &self,
        value: &Bound<'_, PyAny>,
        said: Ttl,
    ) -> PyResult<Option<(Ttl, u64)>> {
        let ttl = match (said, &self.terms.get().ttl_of) {
            (Ttl::Unsaid, Some(function)) => {
                let given = calling::call(function.bind(value.py()), [value.as_borrowed()])?;
                Ttl::Said(context::ttl_of(&given)?)
            }
            _ => said,
        };
        match ttl {
            Ttl::Said(Some(Duration::ZERO)) => Ok(None),
            ttl => Ok(self.weight_of(value).map(|weight| (ttl, weight))),
        }
    }

    /// What a value of the cache's own verbs weighs; None if the cache's policy refuses one so heavy.
    pub(crate) fn weight_of(&self, value: &Bound<'_, PyAny>) -> Option<u64> {
        self.table(value.py()).get().weight_of(value)
    }

    /// Shows the table to the garbage collector.
    pub(crate) fn visit_table(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.table)
    }

    /// Sees to it that an entry about to be stored goes with its instance.
    pub(crate) fn note(&self, py: Python<'_>, keyed: &Keyed) -> PyResult<()> {
        match &keyed.instance {
            Some(instance) => self
                .instances
                .note(instance.bind(py), keyed.hash, &keyed.key),
            None => Ok(()),
        }
    }
}
