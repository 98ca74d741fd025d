//! What becomes of the values of a batch: each is judged as if it were alone, and all are stored in one trip to each store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use everwarm_engine::stack::{Stack, Written};
use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::call;
use crate::home::Home;
use crate::ring::{Ring, seconds};
use crate::settling::Settling;
use crate::shared::{self, Link, Ours, Standing, Step, Writing};
use crate::turn::Turn;

/// Values of one function on their way into stores, each with the turn that it ends.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Storing {
    function: Py<PyAny>,
    many: Mutex<Option<Many>>,
}

struct Many {
    all: Vec<Settling>,
    /// Whose each of them is.
    standings: Vec<PyResult<Standing>>,
    /// The places of those that are written.
    written: Vec<usize>,
    writing: Option<(Arc<Link>, Ours<Writes>)>,
}

type Writes = Pin<Box<dyn Future<Output = Vec<Written>> + Send>>;

#[pymethods]
impl Storing {
    /// Ends the computations of turns, each with its value, as far as that takes no store.
    #[new]
    fn new(
        function: &Bound<'_, PyAny>,
        turns: Vec<Bound<'_, Turn>>,
        values: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = function.py();
        let native = call::function(function)?;
        let home = &*native.home(py)?;
        let mut all = Vec::with_capacity(turns.len());
        for (turn, value) in turns.into_iter().zip(values) {
            if let Some(flight) = turn.get().take_lead() {
                all.extend(native.settling(py, home, *flight, &value.into()));
            }
        }
        Ok(Self {
            function: function.clone().unbind(),
            many: Mutex::new(Some(Many::new(py, home, all))),
        })
    }

    /// Stores: None once all are stored, and all computations have ended. Else `ring` will be woken, or it is to be asked again after
    /// so many seconds. What one of them raises is raised at the end.
    fn ask(&self, py: Python<'_>, ring: &Bound<'_, Ring>) -> PyResult<Option<f64>> {
        let taken = self.many.lock().take();
        let Some(mut many) = taken else {
            return Ok(None);
        };
        let home = &*call::function(self.function.bind(py))?.home(py)?;
        if let Some((link, writes)) = &mut many.writing {
            match shared::step_calmly(py, writes.get(), Some(ring.get())) {
                Step::Again(left) => {
                    *self.many.lock() = Some(many);
                    return Ok(Some(seconds(left)));
                }
                Step::Done(came) => {
                    for (at, came) in many.written.iter().zip(came) {
                        many.standings[*at] = link.standing(py, home, &came);
                    }
                }
            }
        }
        many.end(py, home).map(|()| None)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        let many = self.many.lock();
        let mut all = many.iter().flat_map(|many| &many.all);
        all.try_for_each(|settling| settling.visit(&visit))
    }

    fn __clear__(&self) {
        self.give_up();
    }

    /// Leaves it unknown whether they are stored: who waits for one of them begins anew.
    fn give_up(&self) {
        let taken = self.many.lock().take();
        drop(taken);
    }
}

impl Many {
    /// Begins to store all behind memory, in one trip to each store.
    fn new(py: Python<'_>, home: &Home, mut all: Vec<Settling>) -> Self {
        let mut place: Option<(Arc<Stack>, Arc<Link>)> = None;
        let (mut standings, mut written, mut wanted) =
            (Vec::with_capacity(all.len()), Vec::new(), Vec::new());
        for (at, settling) in all.iter_mut().enumerate() {
            if let (None, Some(remote)) = (&place, &settling.flight.remote) {
                place = Some(remote.home());
            }
            standings.push(match settling.write(py, home) {
                Ok(Writing::Nothing(standing)) => Ok(standing),
                Ok(Writing::Value(seat, payload, meta)) => {
                    written.push(at);
                    wanted.push((*seat, payload, *meta));
                    // Until it is known.
                    Ok(Standing::Shared)
                }
                Err(error) => Err(error),
            });
        }
        let place = place.filter(|_| !wanted.is_empty());
        let writing = place.map(|(stack, link)| {
            let writes: Writes = Box::pin(stack.settle_many(wanted));
            (link, Ours::new(writes))
        });
        Self {
            all,
            standings,
            written,
            writing,
        }
    }

    /// Ends each, and raises what one of them raised.
    fn end(self, py: Python<'_>, home: &Home) -> PyResult<()> {
        let ends = self.all.into_iter().zip(self.standings);
        let ended: Vec<_> = ends
            .map(|(settling, standing)| settling.end(py, home, standing))
            .collect();
        let raised = ended.into_iter().filter_map(Result::err);
        let (most, others): (Vec<_>, Vec<_>) =
            raised.partition(|error| !error.is_instance_of::<PyException>(py));
        most.into_iter().chain(others).next().map_or(Ok(()), Err)
    }
}
