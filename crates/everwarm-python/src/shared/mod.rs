//! What a cache shares with other processes: the stack of stores behind its memory.
//!
//! A stack belongs to the process that made it. After a fork the child leaves its parent's alone and makes one of its own from
//! the same recipe, when it first needs it.

pub(crate) mod brought;
mod codec;
mod drive;
mod health;
pub(crate) mod held;
pub(crate) mod held_many;
mod keyring;
mod layers;
mod link;
mod names;
mod ours;
mod places;
mod remote;
mod tier;
mod upgrade;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::Codec as Seals;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::store::Store;
use everwarm_engine::stack::{Options, Role, Stack, Tier, TierStats};
use everwarm_engine::{Bounds, Ticker, process};
use everwarm_layers::Watch;
use everwarm_tiers::Struck;
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::Engine;
use crate::errors;
use crate::lasting::intern;
use crate::modules;

pub(crate) use codec::{Codec, check as check_tampering, is_alarmed};
pub(crate) use drive::{Alarm, Step, drive, first_step, step_awaited, step_calmly};
pub(crate) use everwarm_tiers::{Naming, OWN, OWN_TAGS, Standing, shown, tag_of_entry};
pub(crate) use health::depth_of;
pub(crate) use held::{Given, Held};
pub(crate) use keyring::{Key, Keyring, key_of_password};
pub(crate) use layers::Layers;
pub(crate) use link::Link;
pub(crate) use names::Names;
pub(crate) use ours::Ours;
pub(crate) use remote::{Computed, Kept, Remote, Taken, Writing};
pub(crate) use tier::{check_store, ddl, opened, sqlite};
pub(crate) use upgrade::Declared;

/// The stores of one cache.
pub(crate) struct Shared {
    pub(crate) naming: Arc<Naming>,
    /// Whether there is memory in front of them.
    pub(crate) memory: bool,
    /// The longest that an entry stays in it.
    memory_ttl: Option<Duration>,
    /// Where entries lie that were asked for a short time ago.
    places: places::Places,
    tiers: Vec<tier::Recipe>,
    /// The store beside them, while the cache moves.
    beside: Option<(tier::Recipe, Role)>,
    codec: Arc<dyn Seals>,
    ticker: Ticker,
    /// Whether the last store does not tell what others change.
    is_silent: AtomicBool,
    /// Whether answers of one of them may come later.
    is_far: AtomicBool,
    /// Whether a store that cannot be had is an error.
    strict: bool,
    /// Locked by attached threads only, so that it is free at every fork.
    stack: Mutex<Option<Made>>,
}

struct Made {
    process: u64,
    stack: Arc<Stack>,
    /// How many doubts of each tier were told.
    told: Vec<usize>,
}

/// What the stores of a cache are made of.
pub(crate) struct Plan<'a, 'py> {
    pub(crate) naming: &'a Arc<Naming>,
    /// The bounds of the memory in front; None without one.
    pub(crate) memory: Option<Bounds>,
    /// The longest that it keeps anything.
    pub(crate) memory_ttl: Option<Duration>,
    /// Each a Python `Tier`, near to far.
    pub(crate) tiers: Vec<Bound<'py, PyAny>>,
    /// The one beside them, and what it is to them: `old`, `left` or `new`.
    pub(crate) beside: Option<(Bound<'py, PyAny>, String)>,
    pub(crate) codec: &'a Codec,
    pub(crate) ticker: Ticker,
    /// Whether a store that cannot be had is an error.
    pub(crate) strict: bool,
}

impl Shared {
    /// The stores of a cache; None if there are none. What may not lie readable in memory lies there as in a store, sealed.
    pub(crate) fn new(py: Python<'_>, plan: Plan<'_, '_>) -> PyResult<Option<Arc<Self>>> {
        let sealed = plan.memory.filter(|_| plan.naming.is_secret());
        let near = sealed.map(|bounds| {
            let ticker = plan.ticker.clone();
            Ok(tier::Recipe::of_memory(bounds, plan.memory_ttl, ticker))
        });
        let made = plan.tiers.iter();
        let made = made.map(|tier| tier::Recipe::new(tier, plan.ticker.clone()));
        let tiers = near.into_iter().chain(made).collect::<PyResult<Vec<_>>>()?;
        if tiers.is_empty() {
            return Ok(None);
        }
        let beside = plan.beside.map(|(tier, role)| {
            let recipe = tier::Recipe::new(&tier, plan.ticker.clone())?;
            PyResult::Ok((recipe, tier::role_of(&role)))
        });
        let shared = Self {
            beside: beside.transpose()?,
            memory: plan.memory.is_some() && sealed.is_none(),
            memory_ttl: plan.memory_ttl,
            naming: Arc::clone(plan.naming),
            places: places::Places::default(),
            tiers,
            codec: Arc::clone(&plan.codec.0) as Arc<dyn Seals>,
            ticker: plan.ticker,
            is_silent: AtomicBool::new(false),
            is_far: AtomicBool::new(false),
            strict: plan.strict,
            stack: Mutex::new(None),
        };
        shared.stack(py)?;
        Ok(Some(Arc::new(shared)))
    }

    /// The stack of this process.
    pub(crate) fn stack(&self, py: Python<'_>) -> PyResult<Arc<Stack>> {
        let mut slot = self.stack.lock();
        if let Some(made) = &*slot
            && made.process == process()
        {
            return Ok(Arc::clone(&made.stack));
        }
        drop(slot);
        let stack = self.make(py)?;
        slot = self.stack.lock();
        let made = Made {
            process: process(),
            stack: Arc::clone(&stack),
            told: Vec::new(),
        };
        if slot.is_some() {
            made.stack.inherits();
        }
        // The parent's connections and threads are not the child's to end.
        mem::forget(slot.replace(made));
        Ok(stack)
    }

    fn make(&self, py: Python<'_>) -> PyResult<Arc<Stack>> {
        let tiers = self.tiers.iter().map(|recipe| recipe.open(py, self.strict));
        let tiers = tiers.collect::<PyResult<Vec<Tier>>>()?;
        let beside = self.beside.as_ref();
        let beside = beside.map(|(recipe, role)| PyResult::Ok((recipe.open_beside(py)?, *role)));
        let beside = beside.transpose()?;
        if let Some(mac) = self.naming.mac() {
            let shared = tiers.last().into_iter();
            for tier in shared.chain(beside.as_ref().map(|(tier, _)| tier)) {
                if let Some(notify) = tier.store.notify() {
                    notify.authenticate(&mac);
                }
            }
        }
        let is_silent = tiers
            .last()
            .is_some_and(|tier| tier.store.notify().is_none());
        self.is_silent.store(is_silent, Ordering::Relaxed);
        let all = tiers.iter().chain(beside.as_ref().map(|(tier, _)| tier));
        let is_far = all.into_iter().any(|tier| tier.store.may_wait());
        self.is_far.store(is_far, Ordering::Relaxed);
        let codec = Arc::clone(&self.codec);
        let namespace = Arc::clone(self.naming.outer());
        let options = Options::new(self.ticker.clone(), Arc::new(drive::Alarm));
        match beside {
            Some(beside) => Stack::moving(tiers, beside, (codec, namespace), options),
            None => Stack::new(tiers, codec, namespace, options),
        }
        .map_err(|error| errors::raise(py, &error))
    }

    /// Whether the last store does not tell what others change.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    /// Whether one of them is behind a connection, so that its answers come later.
    pub(crate) fn is_far(&self) -> bool {
        self.is_far.load(Ordering::Relaxed)
    }

    /// The store that all processes have in common.
    pub(crate) fn last_store(&self, py: Python<'_>) -> PyResult<Arc<dyn Store>> {
        Ok(Arc::clone(self.stack(py)?.last_store()))
    }

    /// The part of a life that an entry spends in memory.
    pub(crate) fn in_memory(&self, lifetime: Lifetime, now: Instant) -> Lifetime {
        everwarm_tiers::in_memory(lifetime, now, self.memory_ttl, self.is_silent())
    }

    /// Lets go of what other processes have changed since it was last asked.
    pub(crate) fn look_around(&self, py: Python<'_>, engine: &Engine) -> PyResult<()> {
        let stack = self.stack(py)?;
        let events = drive(py, stack.watch())?;
        let Struck { tags, all } = everwarm_tiers::struck(events);
        if all {
            engine.clear();
        }
        engine.invalidate_tags(&tags);
        tell_complaints(py, &stack)?;
        self.tell_doubts(py, &stack)
    }

    /// At the interpreter's end: tries what is owed once more, has queued writes done and leases given back, for as long as that may
    /// take.
    pub(crate) fn end(&self, py: Python<'_>, limit: Duration) -> PyResult<()> {
        let stack = self.stack(py)?;
        drive(py, drive::within(stack.last_try(), limit))?;
        Ok(())
    }

    /// What each tier did, by field.
    pub(crate) fn tiers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let told = |(tier, watch): (&TierStats, Watch)| {
            let fields = PyDict::new(py);
            fields.set_item("name", &*tier.label)?;
            for (field, count) in [
                ("hits", tier.hits),
                ("misses", tier.misses),
                ("sets", tier.sets),
                ("pending", tier.pending),
                ("dropped", tier.dropped),
            ] {
                fields.set_item(field, count)?;
            }
            let errors = tier.errors.iter();
            let errors: Vec<_> = errors.map(|(kind, count)| (kind.name(), *count)).collect();
            fields.set_item("errors", errors)?;
            let refused = tier.refused.iter();
            let refused: Vec<_> = refused.map(|(kind, count)| (kind.name(), *count)).collect();
            fields.set_item("refused", refused)?;
            fields.set_item("hears", tier.hears)?;
            layers::tell(&watch, &fields)?;
            PyResult::Ok(fields)
        };
        let stats = self.stack(py)?.stats();
        let watches = self.recipes().map(tier::Recipe::watch);
        stats.iter().zip(watches).map(told).collect()
    }

    /// Says in the log why stores gave up what they had, once for each time.
    fn tell_doubts(&self, py: Python<'_>, stack: &Stack) -> PyResult<()> {
        let doubts = stack.doubts();
        if doubts.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let mut slot = self.stack.lock();
        let Some(made) = &mut *slot else {
            return Ok(());
        };
        made.told.resize(doubts.len(), 0);
        let mut fresh = Vec::new();
        for (told, doubts) in made.told.iter_mut().zip(doubts) {
            fresh.extend(doubts.iter().skip(*told).cloned());
            *told = doubts.len();
        }
        drop(slot);
        let report = modules::own(py, "everwarm._report")?;
        for doubt in fresh {
            report.call_method1(intern!(py, "doubt"), (doubt,))?;
        }
        Ok(())
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.recipes().try_for_each(|tier| tier.visit(visit))
    }

    /// How each tier is made, and the one beside them.
    fn recipes(&self) -> impl Iterator<Item = &tier::Recipe> {
        let beside = self.beside.iter().map(|(recipe, _)| recipe);
        self.tiers.iter().chain(beside)
    }
}

/// Says in the log which failures of tiers do not pass by themselves, once for each kind.
fn tell_complaints(py: Python<'_>, stack: &Stack) -> PyResult<()> {
    let complaints = stack.complaints();
    if complaints.is_empty() {
        return Ok(());
    }
    let report = modules::own(py, "everwarm._report")?;
    for (tier, why) in complaints {
        report.call_method1(intern!(py, "complaint"), (&*tier, why))?;
    }
    Ok(())
}
