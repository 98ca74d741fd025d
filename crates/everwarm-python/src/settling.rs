//! A computed value on its way into stores, and then into memory: waited for by a thread, or step by step by a task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use everwarm_core::lifetime::Lifetime;
use everwarm_engine::stack::Written;
use everwarm_engine::{Negative, Settle};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::entries::ends;
use crate::home::Home;
use crate::object::Object;
use crate::settle::{Flight, share_error};
use crate::shared::{self, Computed, Link, Standing, Writing};
use crate::table::Table;

/// How a value is kept.
pub(crate) struct Kept {
    pub(crate) lifetime: Lifetime,
    /// What a "nothing" that is remembered is kept as.
    pub(crate) negative: Option<Negative>,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) etag: Option<Arc<str>>,
    pub(crate) weight: u64,
}

/// A computed value on its way into memory and stores.
pub(crate) struct Settling {
    pub(crate) flight: Flight,
    /// What others are given.
    pub(crate) value: Object,
    /// None: it is kept nowhere.
    pub(crate) kept: Option<Kept>,
}

/// What is waited for until it is known whose the value is.
pub(crate) enum Begun {
    /// Nothing.
    Standing(Standing),
    /// The stores, of which that link knows.
    Write(Arc<Link>, Writes),
}

/// Stores that write.
pub(crate) type Writes = Pin<Box<dyn Future<Output = Written> + Send>>;

/// Whose a value is which has no place in stores.
pub(crate) fn of_memory(home: &Home) -> Standing {
    match home.is_secret() {
        true => Standing::Shared,
        false => Standing::Kept,
    }
}

impl Settling {
    /// Stores the value behind memory, as a thread that waits, and ends the computation.
    pub(crate) fn finish(mut self, py: Python<'_>, home: &Home) -> PyResult<()> {
        let standing = match self.begin(py, home) {
            Ok(Begun::Standing(standing)) => Ok(standing),
            Ok(Begun::Write(link, written)) => match shared::drive(py, written) {
                Ok(written) => link.standing(py, home, &written),
                Err(interrupt) => {
                    // What is computed is theirs who wait. Whether it is stored is not known, as if the store had failed.
                    self.end(py, home, Ok(Standing::Shared))?;
                    return Err(interrupt);
                }
            },
            Err(error) => Err(error),
        };
        self.end(py, home, standing)
    }

    /// Begins to store the value behind memory.
    pub(crate) fn begin(&mut self, py: Python<'_>, home: &Home) -> PyResult<Begun> {
        let place = self.flight.remote.as_ref().map(|remote| remote.home());
        Ok(match (self.write(py, home)?, place) {
            (Writing::Value(seat, payload, meta), Some((stack, link))) => {
                Begun::Write(link, Box::pin(stack.settle(*seat, payload, *meta)))
            }
            (Writing::Nothing(standing), _) => Begun::Standing(standing),
            (Writing::Value(..), None) => Begun::Standing(Standing::Shared),
        })
    }

    /// What is to be written of it behind memory.
    pub(crate) fn write(&mut self, py: Python<'_>, home: &Home) -> PyResult<Writing> {
        let Some(kept) = &self.kept else {
            return Ok(Writing::Nothing(Standing::Shared));
        };
        let Some(remote) = self.flight.remote.take() else {
            return Ok(Writing::Nothing(of_memory(home)));
        };
        let computed = Computed {
            value: &self.value,
            lifetime: &kept.lifetime,
            tags: &kept.tags,
            computed_in: home.engine.now().since(self.flight.began),
        };
        remote.write(py, home, &computed)
    }

    /// Ends the computation, with the value or with what went wrong when it was stored.
    pub(crate) fn end(
        self,
        py: Python<'_>,
        home: &Home,
        standing: PyResult<Standing>,
    ) -> PyResult<()> {
        let Self {
            flight,
            value,
            kept,
        } = self;
        let standing = match standing {
            Ok(Standing::Overtaken) => {
                flight.lead.withhold();
                return Ok(());
            }
            Ok(standing) => standing,
            Err(error) => {
                share_error(py, flight.lead, &error);
                return Err(error);
            }
        };
        let settle = match &kept {
            Some(kept) => Settle {
                lifetime: home.in_memory(kept.lifetime),
                negative: kept.negative,
                etag: kept.etag.as_ref(),
                tags: &kept.tags,
                weight: kept.weight,
                store: standing == Standing::Kept,
                ..Settle::default()
            },
            None => Settle {
                store: false,
                too_heavy: flight.too_heavy,
                ..Settle::default()
            },
        };
        let timed = ends(&settle.lifetime);
        if flight.lead.settle(value, settle).stored && timed {
            Table::watch(home.table(py));
        }
        Ok(())
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.flight.keyed.visit(visit)?;
        self.value.visit(visit)
    }
}
