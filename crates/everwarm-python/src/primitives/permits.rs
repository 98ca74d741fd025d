//! The permits of locks and semaphores.

use std::sync::Arc;

use everwarm_engine::Chance;
use everwarm_engine::primitives::{Held, Permits as Given};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::entries::closed;
use crate::errors;
use crate::home::Home;
use crate::objects::Objects;
use crate::table::Table;
use crate::terms::span_of;

use super::stored_name;

/// What a lock or a semaphore gives: one permit or several.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Permits {
    objects: Py<Objects>,
    home: Arc<Home>,
    name: Py<PyAny>,
    given: Given,
    chance: Chance,
}

#[pymethods]
impl Permits {
    /// Of a lock if `permits` is None, else of a semaphore with so many.
    #[new]
    fn new(
        objects: &Bound<'_, Objects>,
        name: Bound<'_, PyAny>,
        permits: Option<u32>,
        ttl: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = objects.py();
        let home = Objects::open_for(objects)?;
        let Some(ttl) = span_of(ttl)? else {
            let hint = "write `ttl=\"30s\"`: how long others wait for a holder that has died";
            return Err(errors::config(py, "a lease without an end is none", hint));
        };
        let store = home.ground().store(py)?;
        let given = match permits {
            None => Given::lock(&store, ttl),
            Some(permits) => Given::semaphore(&store, permits, ttl),
        };
        let given = given.map_err(|error| errors::raise(py, &error))?;
        Ok(Self {
            objects: objects.clone().unbind(),
            home,
            name: name.unbind(),
            given,
            chance: Chance::new(),
        })
    }

    /// Takes a permit, if one is free. `owner` is who asks, `date` is microseconds since 1970.
    fn acquire(&self, py: Python<'_>, owner: u64, date: i64) -> PyResult<Option<Holding>> {
        if self.home.engine.is_closed() {
            return Err(closed(self.objects.bind(py)));
        }
        let name = stored_name(&self.home, self.kind(), self.name.bind(py))?;
        let ground = self.home.ground();
        if self.given.is_lock() && ground.holdings.is_held_by(&name, owner) {
            return Err(errors::held_already(py));
        }
        let store = ground.store(py)?;
        let now = self.home.engine.now();
        let asked = self
            .given
            .acquire(&*store, &name, &self.chance, (now, date));
        let Some(held) = ground.ask(py, asked)? else {
            return Ok(None);
        };
        ground.holdings.add(&name, owner, &held);
        Ok(Some(Holding {
            objects: self.objects.clone_ref(py),
            home: Arc::clone(&self.home),
            held,
        }))
    }

    /// The table that renews what is held.
    fn table<'py>(&self, py: Python<'py>) -> Bound<'py, Table> {
        self.home.table(py).clone()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.objects)?;
        visit.call(&self.name)
    }
}

impl Permits {
    const fn kind(&self) -> &'static str {
        match self.given.is_lock() {
            true => "lock",
            false => "semaphore",
        }
    }
}

/// A permit that is held.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Holding {
    objects: Py<Objects>,
    home: Arc<Home>,
    held: Arc<Held>,
}

#[pymethods]
impl Holding {
    /// The fencing number of a lock.
    #[getter]
    fn token(&self) -> i64 {
        self.held.fence()
    }

    /// Whether it is the parent's of this process.
    #[getter]
    fn is_parents(&self) -> bool {
        self.held.is_parents()
    }

    /// Asks the store whether it is held still, and renews it.
    fn renew(&self, py: Python<'_>) -> PyResult<bool> {
        let ground = self.home.ground();
        let (store, now) = (ground.store(py)?, self.home.engine.now());
        ground.ask(py, self.held.renew(&*store, now))
    }

    /// Gives it back; whether it was held until now.
    fn release(&self, py: Python<'_>) -> PyResult<bool> {
        let ground = self.home.ground();
        let store = ground.store(py)?;
        ground.ask(py, self.held.release(&*store))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.objects)
    }
}
