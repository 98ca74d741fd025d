//! A cache's table as Python holds it: what the sweeper asks of it, and the values for the garbage collector.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_engine::{Bulkhead, Scope, Ticker};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bounds::{bounds_of, size_of};
use crate::clock::Hand;
use crate::engine::{Engine, Key, Seed};
use crate::format::Plan as Format;
use crate::gate::Gate;
use crate::lasting::intern;
use crate::listener::{Ear, Listener};
use crate::lock::new_engine;
use crate::object::Object;
use crate::primitives::Ground;
use crate::shared::{self, Codec, Link, Naming, Shared};
use crate::tenant::Tenancy;
use crate::unit::Units;
use crate::weigher::Weigher;
use crate::{calling, limits, modules, terms, unheard, verbs};

/// The memory of one `Cache`.
#[pyclass(frozen, weakref, module = "everwarm._native")]
pub(crate) struct Table {
    pub(crate) engine: Arc<Engine>,
    pub(crate) seed: Seed,
    /// The entries of the cache's own verbs.
    pub(crate) objects: Arc<Scope>,
    /// The scopes of functions that are told apart by a declared name.
    named: Mutex<HashMap<(String, String), Arc<Scope>>>,
    /// Whether the sweeper looks after this table.
    watched: AtomicBool,
    pub(crate) weigher: Weigher,
    /// The most that one entry of its own verbs may weigh.
    max_entry_bytes: Option<NonZeroU64>,
    /// Who is told of entries that left.
    pub(crate) listener: Option<Arc<Listener>>,
    /// What a policy that says no ttl takes.
    pub(crate) ttl: Option<Duration>,
    /// Whether all calls go past it.
    pub(crate) disabled: bool,
    /// The units of work that run on it.
    pub(crate) units: Units,
    /// What hits ask.
    pub(crate) gate: Arc<Gate>,
    /// Whether a value may be put into memory as it is, without a further look.
    pub(crate) puts_plainly: bool,
    /// The stores behind its memory.
    pub(crate) shared: Option<Arc<Shared>>,
    /// How the entries of the cache's own verbs lie in them.
    pub(crate) link: Option<Arc<Link>>,
    /// What entries and tags are called.
    pub(crate) naming: Arc<Naming>,
    /// Whose entries its own are, and those of functions that do not say it.
    pub(crate) tenancy: Option<Tenancy>,
    /// Whether what cannot be done is raised.
    pub(crate) strict: bool,
    /// How many computations of its functions and own verbs run at once, if there is such a bound.
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    /// How many of them run at once that have no lease, if there are stores and no such bound.
    pub(crate) without_lease: Option<Arc<Bulkhead>>,
    /// Whether its cache has been taken back, so that functions find another table.
    left: AtomicBool,
    /// What its locks, semaphores and limiters lie in.
    pub(crate) ground: Ground,
}

impl Table {
    /// The scope for a function: one of its own, or the one of its declared name and version.
    pub(crate) fn scope(&self, name: Option<&str>, version: &str) -> Arc<Scope> {
        let Some(name) = name else {
            return self.engine.scope();
        };
        let mut named = self.named.lock();
        let scope = named.entry((name.to_owned(), version.to_owned()));
        Arc::clone(scope.or_insert_with(|| self.engine.scope()))
    }

    /// Asks the sweeper to look after a table that has come to hold entries that expire.
    pub(crate) fn watch(slf: &Bound<'_, Self>) {
        if slf.get().watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let py = slf.py();
        let asked = modules::own(py, "everwarm._sweeper")
            .and_then(|sweeper| sweeper.getattr(intern!(py, "watch")))
            .and_then(|watch| calling::call(&watch, [slf.as_any().as_borrowed()]));
        if let Err(error) = asked {
            unheard::say(py, error, Some(slf.as_any()));
        }
    }

    /// Whether it counts what the values of its own verbs weigh.
    pub(crate) fn weighs(&self) -> bool {
        self.engine.weighs() || self.max_entry_bytes.is_some()
    }

    /// What the value of an own verb weighs, where that counts; None if it is heavier than the cache's policy lets one be.
    pub(crate) fn weight_of(&self, value: &Bound<'_, PyAny>) -> Option<u64> {
        let weight = if self.weighs() {
            self.weigher.weigh(value, &self.objects)
        } else {
            0
        };
        self.max_entry_bytes
            .is_none_or(|most| weight <= most.get())
            .then_some(weight)
    }

    /// Whether functions have to find another table.
    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }
}

#[pymethods]
impl Table {
    /// `max_entries` and `max_bytes` are bounds or None; the clock is the system's, unless a hand is given. `memory` is how long memory keeps
    /// what lies in stores at most, in seconds; None without memory.
    #[new]
    #[pyo3(signature = (max_entries, max_bytes, hand, *, weigher, on_remove, namespace, max_entry_bytes, eviction, ttl, disabled, memory, tiers, beside, format, codec, tenant, strict, max_computations))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the keywords of one cache, each under its own name"
    )]
    fn new(
        max_entries: &Bound<'_, PyAny>,
        max_bytes: &Bound<'_, PyAny>,
        hand: Option<&Bound<'_, Hand>>,
        weigher: Option<Bound<'_, PyAny>>,
        on_remove: Option<Bound<'_, PyAny>>,
        namespace: String,
        max_entry_bytes: &Bound<'_, PyAny>,
        eviction: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
        disabled: bool,
        memory: Option<f64>,
        tiers: Vec<Bound<'_, PyAny>>,
        beside: Option<(Bound<'_, PyAny>, String)>,
        format: Option<Bound<'_, Format>>,
        codec: &Bound<'_, Codec>,
        tenant: Option<&Bound<'_, PyAny>>,
        strict: bool,
        max_computations: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = max_entries.py();
        let bounds = bounds_of(max_entries, max_bytes, eviction)?;
        let weigher = terms::callable(weigher, "weigher", "lambda value: len(value)")?;
        let on_remove = terms::callable(on_remove, "on_remove", "lambda key, value, cause: ...")?;
        let ticker = hand.map_or_else(Ticker::system, |hand| Ticker::frozen_by(&hand.get().hand));
        let codec = codec.get();
        // What is sealed is weighed as it lies there.
        let weigher = weigher.filter(|_| codec.0.names().is_none());
        let naming = Arc::new(Naming::new(&namespace, codec.0.names()));
        let plan = shared::Plan {
            naming: &naming,
            memory: memory.map(|_| bounds),
            memory_ttl: memory.and_then(|most| Duration::try_from_secs_f64(most).ok()),
            tiers,
            beside,
            codec,
            ticker: ticker.clone(),
            strict,
        };
        let shared = Shared::new(py, plan)?;
        let link = match (&shared, format) {
            (Some(shared), Some(format)) => Some(Link::of_objects(py, shared, format)?),
            _ => None,
        };
        let listener =
            on_remove.map(|callable| Listener::new(callable, namespace, tenant.is_some()));
        let ear = listener.as_ref().map(|listener| {
            let ear: Box<dyn everwarm_engine::Listener<Key, Object>> =
                Box::new(Ear(Arc::clone(listener)));
            ear
        });
        let ground = Ground::new(shared.as_ref(), ticker.clone());
        let engine = new_engine(bounds, ticker, ear);
        let objects = engine.scope();
        if let Some(listener) = &listener {
            listener.introduce(&objects, None);
        }
        let gate = Gate::new();
        if disabled || shared.as_ref().is_some_and(|shared| !shared.memory) {
            gate.shut();
        }
        let max_entry_bytes = size_of("max_entry_bytes", max_entry_bytes)?;
        let bulkhead = limits::computations(max_computations)?.map(Bulkhead::new);
        let is_bounded = bulkhead.is_some() || shared.is_none();
        Ok(Self {
            puts_plainly: !engine.weighs() && max_entry_bytes.is_none() && shared.is_none(),
            engine,
            seed: Seed::default(),
            objects,
            named: Mutex::default(),
            watched: AtomicBool::new(false),
            weigher: Weigher::new(weigher),
            max_entry_bytes,
            listener,
            ttl: ttl.map_or(Ok(None), terms::span_of)?,
            disabled,
            units: Units::default(),
            gate,
            shared,
            link,
            naming,
            tenancy: tenant.map(Tenancy::of_cache).transpose()?,
            strict,
            without_lease: (!is_bounded).then(|| Bulkhead::new(Bulkhead::WITHOUT_LEASE)),
            bulkhead,
            left: AtomicBool::new(false),
            ground,
        })
    }

    /// Renews the leases that are held, and lets go of what other processes have changed in its stores.
    fn look_around(&self, py: Python<'_>) -> PyResult<()> {
        self.ground.renew(py, self.engine.now())?;
        match &self.shared {
            Some(shared) => shared.look_around(py, &self.engine),
            None => Ok(()),
        }
    }

    /// The clock's reading, in seconds.
    fn now(&self) -> f64 {
        self.engine.now().as_nanos() as f64 / 1e9
    }

    /// Lets expired entries go; how many.
    fn sweep(&self) -> usize {
        self.ground.sweep();
        self.engine.sweep()
    }

    /// How many entries expire some time; what locks and limiters keep beside them counts for one.
    fn timed(&self) -> usize {
        self.engine.timed() + usize::from(self.ground.is_used())
    }

    /// Whether leases are held that have to be renewed.
    fn is_holding(&self) -> bool {
        self.ground.is_holding()
    }

    /// Lets all entries go, and has the functions find another table at their next call.
    fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.gate.shut();
        self.engine.clear();
    }

    /// What each tier behind memory did, by field.
    fn tiers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        match &self.shared {
            Some(shared) => shared.tiers(py),
            None => Ok(Vec::new()),
        }
    }

    /// At the interpreter's end: has done what its stores are still owed, for so many seconds at most.
    fn end(&self, py: Python<'_>, limit: f64) -> PyResult<()> {
        match &self.shared {
            Some(shared) => shared.end(py, Duration::try_from_secs_f64(limit).unwrap_or_default()),
            None => Ok(()),
        }
    }

    /// Whether other processes may change what it holds.
    fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// The sweeper looks after this table no longer.
    fn unwatch(&self) {
        self.watched.store(false, Ordering::Release);
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        verbs::stats_of(py, &self.engine.totals())
    }

    /// `(half, same, twice, lookups, sampled)`
    fn what_if(&self) -> (Option<f64>, Option<f64>, Option<f64>, u64, u64) {
        let estimates = self.engine.what_if();
        (
            estimates.half,
            estimates.same,
            estimates.twice,
            estimates.lookups,
            estimates.sampled,
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(tenancy) = &self.tenancy {
            tenancy.visit(&visit)?;
        }
        self.weigher.visit(&visit)?;
        if let Some(shared) = &self.shared {
            shared.visit(&visit)?;
        }
        if let Some(listener) = &self.listener {
            listener.visit(&visit)?;
        }
        let mut seen = Ok(());
        self.engine.for_each_value(|value| {
            if seen.is_ok() {
                seen = value.visit(&visit);
            }
        });
        self.engine.for_each_key(|key| {
            if seen.is_ok() {
                seen = key.visit(&visit);
            }
        });
        seen
    }

    fn __clear__(&self) {
        if let Some(listener) = &self.listener {
            listener.silence();
        }
        self.engine.clear();
    }
}
