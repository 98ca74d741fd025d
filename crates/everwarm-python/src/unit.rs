//! Units of work: what is invalidated inside of one is collected, and done after it has ended well.
//!
//! A table counts the units that run on it, and its gate is shut meanwhile: so hits ask nothing more, and what goes the long way asks
//! the context variable whether it is inside. The unit itself is Python's; here is what it collects, resolved already: names of
//! tags, and deeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_engine::stack::Done;
use everwarm_engine::{Amendment, Cause};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::home::{Home, Keyed};
use crate::lasting::intern;
use crate::objects::Objects;
use crate::shared::{Held, held, held_many};
use crate::table::Table;
use crate::{call, calling, errors, modules, terms, verbs};

/// How many units run on a table.
#[derive(Debug, Default)]
pub(crate) struct Units(AtomicUsize);

impl Units {
    fn are_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// The unit of this table that the running code is inside of.
pub(crate) fn running<'py>(table: &Bound<'py, Table>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if table.get().units.are_none() {
        return Ok(None);
    }
    let py = table.py();
    let running = modules::own(py, "everwarm._unit_of_work")?.getattr(intern!(py, "running"))?;
    let unit = calling::call(&running, [table.as_any().as_borrowed()])?;
    Ok((!unit.is_none()).then_some(unit))
}

/// An invalidation of one entry, or of everything of a function or a cache.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Deed {
    /// The function, or the cache.
    on: Py<PyAny>,
    what: What,
}

enum What {
    LetGo(Keyed, Cause),
    Demote(Keyed),
    Clear,
}

impl Deed {
    /// Leaves it to a unit.
    fn collect(on: &Bound<'_, PyAny>, what: What, unit: &Bound<'_, PyAny>) -> PyResult<()> {
        let on = on.clone().unbind();
        let deed = Bound::new(unit.py(), Self { on, what })?;
        unit.call_method1(intern!(unit.py(), "collect"), (deed,))?;
        Ok(())
    }
}

#[pymethods]
impl Deed {
    /// What tells it from others.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> (u8, usize, u64, Bound<'py, PyBytes>) {
        let (kind, keyed) = match &self.what {
            What::LetGo(keyed, _) => (0, Some(keyed)),
            What::Demote(keyed) => (1, Some(keyed)),
            What::Clear => (2, None),
        };
        let bytes = keyed.map_or(&[][..], |keyed| keyed.key.arguments());
        let hash = keyed.map_or(0, |keyed| keyed.hash);
        (
            kind,
            self.on.as_ptr() as usize,
            hash,
            PyBytes::new(py, bytes),
        )
    }

    /// Does it.
    fn act(&self, py: Python<'_>) -> PyResult<()> {
        let on = self.on.bind(py);
        if let Ok(objects) = on.cast::<Objects>() {
            let home = Objects::open_for(objects)?;
            return match &self.what {
                What::Clear => clear_cache(py, &home),
                what => act_on(py, &home, what),
            };
        }
        match &self.what {
            What::Clear => verbs::clear_function(on),
            what => act_on(py, &*call::function(on)?.home(py)?, what),
        }
    }
}

fn act_on(py: Python<'_>, home: &Home, what: &What) -> PyResult<()> {
    match what {
        What::LetGo(keyed, cause) => let_go_now(py, home, keyed, *cause).map(drop),
        What::Demote(keyed) => demote_now(py, home, keyed).map(drop),
        What::Clear => Ok(()),
    }
}

/// Lets the entry of a key go, or leaves that to the unit that this is inside of; whether it was there.
pub(crate) fn let_go(
    on: &Bound<'_, PyAny>,
    home: &Home,
    keyed: Keyed,
    cause: Cause,
) -> PyResult<bool> {
    match home.unit(on.py())? {
        Some(unit) => Deed::collect(on, What::LetGo(keyed, cause), &unit).map(|()| false),
        None => let_go_now(on.py(), home, &keyed, cause),
    }
}

/// Deletes the entries of many keys, or leaves that to the unit that this is inside of; how many were there.
pub(crate) fn let_all_go(on: &Bound<'_, PyAny>, home: &Home, all: Vec<Keyed>) -> PyResult<usize> {
    let py = on.py();
    if home.link.is_some() && home.unit(py)?.is_none() {
        let (were, done) = held_many::delete_many(py, home, &all)?;
        return home.told(py, done).map(|()| were);
    }
    let mut were = 0;
    for keyed in all {
        were += usize::from(let_go(on, home, keyed, Cause::Deleted)?);
    }
    Ok(were)
}

fn let_go_now(py: Python<'_>, home: &Home, keyed: &Keyed, cause: Cause) -> PyResult<bool> {
    let (engine, scope) = (&home.engine, &home.scope);
    let Some(held) = Held::new(py, home, keyed)? else {
        let there = engine.contains(scope, keyed.hash, &keyed.key);
        return Ok(engine.delete_because(scope, keyed.hash, &keyed.key, cause) && there);
    };
    let deleted = held.delete(py);
    engine.delete_because(scope, keyed.hash, &keyed.key, cause);
    let (there, done) = deleted?;
    home.told(py, done).map(|()| there)
}

/// Demotes the entry of a key, or leaves that to the unit that this is inside of; whether it was there.
pub(crate) fn demote(on: &Bound<'_, PyAny>, home: &Home, keyed: Keyed) -> PyResult<bool> {
    match home.unit(on.py())? {
        Some(unit) => Deed::collect(on, What::Demote(keyed), &unit).map(|()| false),
        None => demote_now(on.py(), home, &keyed),
    }
}

fn demote_now(py: Python<'_>, home: &Home, keyed: &Keyed) -> PyResult<bool> {
    let behind = match Held::new(py, home, keyed)? {
        Some(held) => held.change(py, held::change(Amendment::Stale))?,
        None => false,
    };
    let there = home.engine.mark_stale(&home.scope, keyed.hash, &keyed.key);
    Ok(behind || there)
}

/// Clears a function or a cache, unless a unit does it later; whether one does.
pub(crate) fn clears_later(on: &Bound<'_, PyAny>, home: &Home) -> PyResult<bool> {
    match home.unit(on.py())? {
        Some(unit) => Deed::collect(on, What::Clear, &unit).map(|()| true),
        None => Ok(false),
    }
}

/// Lets all entries of a cache go.
pub(crate) fn clear_cache(py: Python<'_>, home: &Home) -> PyResult<()> {
    let done = match &home.link {
        Some(link) => link.clear(py),
        None => Ok(Done::Now),
    };
    home.engine.clear();
    home.told(py, done?)
}

/// A unit begins on a table.
#[pyfunction]
pub(crate) fn begin_unit(table: &Bound<'_, Table>) {
    table.get().units.0.fetch_add(1, Ordering::Relaxed);
    table.get().gate.shut();
}

/// A unit has ended.
#[pyfunction]
pub(crate) fn end_unit(table: &Bound<'_, Table>) {
    table.get().gate.reopen();
    table.get().units.0.fetch_sub(1, Ordering::Relaxed);
}

/// Lets go of what carries these tags, named as entries carry them.
#[pyfunction]
pub(crate) fn invalidate_named(table: &Bound<'_, Table>, names: Vec<String>) -> PyResult<()> {
    let (py, names) = (table.py(), shared(names));
    let done = match &table.get().link {
        Some(link) => link.invalidate(py, &names),
        None => Ok(Done::Now),
    };
    table.get().engine.invalidate_tags(&names);
    told(table, done?)
}

/// Has nothing stored under these tags for a span, and lets go of what is.
#[pyfunction]
pub(crate) fn suspend_named(
    table: &Bound<'_, Table>,
    names: Vec<String>,
    span: f64,
) -> PyResult<()> {
    let (py, names) = (table.py(), shared(names));
    let span = Duration::from_secs_f64(span);
    let done = match &table.get().link {
        Some(link) => link.suspend(py, &names, Some(span)),
        None => Ok(Done::Now),
    };
    table.get().engine.suspend_tags(&names, span);
    told(table, done?)
}

/// Lets go of what carries these tags, and values be stored under them again.
#[pyfunction]
pub(crate) fn resume_named(table: &Bound<'_, Table>, names: Vec<String>) -> PyResult<()> {
    let (py, names) = (table.py(), shared(names));
    let done = match &table.get().link {
        Some(link) => link.suspend(py, &names, None),
        None => Ok(Done::Now),
    };
    table.get().engine.resume_tags(&names);
    told(table, done?)
}

/// Refuses a mark before the commit where a store cannot keep it.
#[pyfunction]
pub(crate) fn check_suspends(table: &Bound<'_, Table>) -> PyResult<()> {
    let py = table.py();
    let can = match &table.get().link {
        Some(link) => link.can_suspend(py)?,
        None => true,
    };
    if can {
        return Ok(());
    }
    let message = "the cache's last store cannot keep a mark before the commit";
    let hint = "leave `mark_before` out, or make `disk:` the last store";
    Err(errors::raise(
        py,
        &Error::new(ErrorKind::Unsupported, message, hint),
    ))
}

/// The seconds of a duration that has to be one.
#[pyfunction]
pub(crate) fn span(keyword: &str, duration: &Bound<'_, PyAny>) -> PyResult<f64> {
    match terms::span_of(duration)? {
        Some(span) => Ok(span.as_secs_f64()),
        None => Err(errors::config(
            duration.py(),
            &format!("{keyword} is a duration, not None"),
            &format!("write `{keyword}=\"5s\"`"),
        )),
    }
}

fn shared(names: Vec<String>) -> Vec<Arc<str>> {
    names.into_iter().map(Arc::from).collect()
}

fn told(table: &Bound<'_, Table>, done: Done) -> PyResult<()> {
    match done {
        Done::Pending if table.get().strict => Err(errors::pending(table.py())),
        Done::Pending | Done::Now => Ok(()),
    }
}
