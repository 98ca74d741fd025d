//! What becomes of the values of a batch: each is judged as if it were alone, and all are stored in one trip to each store.

use std::sync::Arc;

use everwarm_engine::stack::Stack;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::call;
use crate::home::Home;
use crate::settle::Settling;
use crate::shared::{self, Link, Standing, Writing};
use crate::turn::Turn;

/// Ends the computations of turns of one function, each with its value. What one of them raises is raised when all have ended.
#[pyfunction]
pub(crate) fn settle_many(
    function: &Bound<'_, PyAny>,
    turns: Vec<Bound<'_, Turn>>,
    values: Vec<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = function.py();
    let native = call::function(function)?;
    let home = &*native.home(py)?;
    let mut all = Vec::with_capacity(turns.len());
    for (turn, value) in turns.into_iter().zip(values) {
        if let Some(flight) = turn.get().take_lead() {
            all.extend(native.settling(py, home, *flight, &value.into()));
        }
    }
    let ended = stored(py, home, all);
    let raised = ended.into_iter().filter_map(Result::err);
    let (most, others): (Vec<_>, Vec<_>) =
        raised.partition(|error| !error.is_instance_of::<PyException>(py));
    most.into_iter().chain(others).next().map_or(Ok(()), Err)
}

/// Stores all behind memory, and ends each.
fn stored(py: Python<'_>, home: &Home, mut all: Vec<Settling>) -> Vec<PyResult<()>> {
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
    if let (Some((stack, link)), false) = (place, wanted.is_empty()) {
        let came = shared::finish(py, stack.settle_many(wanted));
        for (at, came) in written.into_iter().zip(came) {
            standings[at] = Ok(link.standing(home, &came));
        }
    }
    let ends = all.into_iter().zip(standings);
    ends.map(|(settling, standing)| settling.end(py, home, standing))
        .collect()
}
