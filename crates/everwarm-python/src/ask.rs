//! How a call that is no hit gets its value: it leads, or waits for who leads. Functions and objects are asked in one way.

use std::sync::Arc;

use everwarm_core::using::{Plan, Read};
use everwarm_engine::Ask;
use pyo3::prelude::*;

use crate::answer::{Answer, Status};
use crate::engine::{Arrival, Key, Turn};
use crate::errors;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::settle::{self, Flight};
use crate::waiting::{self, Computing};

/// What a value is asked of: where it belongs, who computes it, and how it is kept.
pub(crate) trait Source {
    /// Where the value belongs.
    fn home(&self) -> &Home;

    /// What it is called in messages.
    fn title(&self, py: Python<'_>) -> String;

    /// Computes the value, on this thread.
    fn compute(&self, py: Python<'_>) -> PyResult<Object>;

    /// Ends a computation with its value, stored if that may be; the value.
    fn settle(&self, py: Python<'_>, flight: Flight, value: Object) -> Object;

    /// What a caller is given of a value that others have too; None if there is nothing to give.
    fn own(&self, py: Python<'_>, value: &Object) -> Option<Object>;
}

/// The value, by a thread that leads or waits; `tags` is None if the value may not be stored.
pub(crate) fn answer(
    py: Python<'_>,
    source: &impl Source,
    keyed: Keyed,
    tags: Option<&[Arc<str>]>,
    plan: Plan,
) -> PyResult<Answer> {
    let home = source.home();
    let chain = waiting::chain(py)?;
    let mut again = false;
    loop {
        let caller = waiting::caller(&chain, true);
        let ask = Ask {
            again,
            ..home.ask(&keyed, tags, caller)
        };
        let (value, status) = match turn(py, source, ask, plan)? {
            Turn::Hit(value) => handed(py, source, &value, Status::Hit)?,
            Turn::Lead(lead) | Turn::Alone(lead) => {
                let storable = tags.is_some() && plan.stores();
                let flight = Flight::new(home, lead, keyed, storable);
                (lead_to(py, source, flight)?, computed(home, plan))
            }
            Turn::Wait(ticket) => match waiting::wait(py, ticket)? {
                Arrival::Value(value) => handed(py, source, &value, Status::Follower)?,
                Arrival::Failed(error) => return Err(waiting::own_copy(py, error)),
                Arrival::Again => {
                    again = true;
                    continue;
                }
            },
        };
        return Ok(Answer { value, status });
    }
}

/// What a caller is given of a value that others have too. If there is nothing to give, the value is computed for it alone.
fn handed(
    py: Python<'_>,
    source: &impl Source,
    value: &Object,
    status: Status,
) -> PyResult<(Object, Status)> {
    Ok(match source.own(py, value) {
        Some(own) => (own, status),
        None => (source.compute(py)?, Status::Bypass),
    })
}

/// The status of a call that computes.
pub(crate) fn computed(home: &Home, plan: Plan) -> Status {
    if home.engine.is_closed() {
        Status::Bypass
    } else {
        Status::computed(plan)
    }
}

/// The engine's turn for a call that is no hit.
pub(crate) fn turn(
    py: Python<'_>,
    source: &impl Source,
    ask: Ask<'_, Key>,
    plan: Plan,
) -> PyResult<Turn> {
    let engine = &source.home().engine;
    let turn = match (plan, plan.read()) {
        (Plan::Refresh, _) => Ok(Turn::Lead(engine.refresh(ask))),
        (_, Read::Any) => engine.begin(ask),
        (_, read) => engine.begin_since(ask, read.since(engine.now())),
    };
    match turn {
        Ok(turn) => Ok(turn),
        Err(itself) if waiting::inside(py)?.contains(&itself.lead) => {
            Err(errors::recursion(py, &source.title(py)))
        }
        Err(_paused) => Ok(Turn::Alone(engine.alone(ask))),
    }
}

/// Computes as the leader of a key.
fn lead_to(py: Python<'_>, source: &impl Source, flight: Flight) -> PyResult<Object> {
    let computing = Computing::new(py, flight.lead.id())?;
    let result = match source.compute(py) {
        Ok(value) => Ok(source.settle(py, flight, value)),
        Err(error) => {
            settle::fail(py, flight.lead, &error);
            Err(error)
        }
    };
    // Only here, since the policy's callables are part of the computation: they may ask for its key.
    drop(computing);
    result
}
