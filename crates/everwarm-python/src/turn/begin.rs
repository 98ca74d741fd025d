//! How a turn begins: what the engine gives for a call, or that it goes past the cache.

use std::sync::Arc;

use everwarm_core::limits::Limits;
use everwarm_core::using::{self, Read};
use everwarm_engine::Ask;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::{State, Turn};
use crate::answer::Status;
use crate::arguments::Spread;
use crate::ask::{Source, Wish};
use crate::called::Called;
use crate::home::Keyed;
use crate::limits::Times;
use crate::object::Object;
use crate::settle::Flight;
use crate::shared::Ours;
use crate::signature::Unkeyed;
use crate::using::Plan;
use crate::wanted::Wanted;
use crate::{ask, call, engine, errors, timed, waiting};

/// The turn of a call that is awaited, or of one that blocks its thread where it has to wait.
#[pyfunction]
#[pyo3(signature = (function, arguments, keywords, plan, again, blocks=false))]
pub(crate) fn begin(
    function: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
    plan: &Bound<'_, Plan>,
    again: bool,
    blocks: bool,
) -> PyResult<Turn> {
    let py = function.py();
    let (plan, told) = plan.get().told();
    if let Ok(wanted) = function.cast::<Wanted>() {
        let wanted = wanted.get();
        if wanted.home().is_away(py)? {
            wanted.home().scope.count_bypass();
            return Ok(Turn::going_past(function));
        }
        let keyed = wanted.keyed(py)?;
        let tags = wanted.tags(py, &keyed);
        return Turn::new(function, wanted, (keyed, tags), (plan, again, blocks));
    }
    let native = call::function(function)?;
    let home = native.home(py)?;
    if plan == using::Plan::Skip || native.keeps_nothing() || home.is_disabled(py)? {
        home.scope.count_bypass();
        return Ok(Turn::going_past(function));
    }
    Spread::new(arguments, keywords)?.with(py, |call| {
        let keyed = native.keyed(&home, call);
        if matches!(keyed, Err(Unkeyed::Nobody)) && !home.strict {
            home.scope.count_bypass();
            return Ok(Turn::going_past(function));
        }
        let keyed = keyed.map_err(|unkeyed| match unkeyed {
            Unkeyed::Nobody => errors::nobody(py, &native.title(py)),
            // The function itself says best what does not fit.
            Unkeyed::Misfit => match native.bypass(&home, call) {
                Err(error) => error,
                Ok(_) => PyTypeError::new_err("the arguments do not fit the function\nhint: pass what the function itself takes"),
            },
            Unkeyed::Refused(error) => error,
        })?;
        let source = Called {
            me: function,
            function: native,
            home: &home,
            call,
            told,
        };
        if plan != using::Plan::ORDINARY
            && !again
            && let Some((value, freshness)) = native.found(py, &home, &keyed, plan)?
        {
            return Turn::handed(function, &source, &value, Status::served(freshness));
        }
        let tags = native.tags(&home, call, &keyed);
        Turn::new(function, &source, (keyed, tags), (plan, again, blocks))
    })
}

impl Turn {
    /// The turn that the engine gives, for a key and its tags, to a call that may have asked before.
    fn new(
        asked: &Bound<'_, PyAny>,
        source: &impl Source,
        entry: (Keyed, Option<Vec<Arc<str>>>),
        (plan, again, blocks): (using::Plan, bool, bool),
    ) -> PyResult<Self> {
        let py = asked.py();
        let (keyed, tags) = entry;
        let home = source.home();
        let chain = waiting::chain(py)?;
        let wish = Wish::new(source, &keyed, tags);
        let ask = Ask {
            again,
            ..home.ask(&keyed, wish.tags(), waiting::caller(&chain, blocks))
        };
        let (status, state) = match ask::turn(py, source, ask, plan)? {
            engine::Turn::Hit(value) => {
                timed::note(py, source, &keyed);
                return Self::handed(asked, source, &value, Status::Hit);
            }
            engine::Turn::Stale(value) => {
                return Self::handed(asked, source, &value, Status::Stale);
            }
            engine::Turn::HitAndLead(value, freshness, lead) => {
                let flight = Box::new(wish.flight(py, source, (lead, keyed), plan)?);
                let turn = Self::handed(asked, source, &value, Status::served(freshness))?;
                *turn.behind.lock() = Some(flight);
                return Ok(turn);
            }
            engine::Turn::Remembered(error) => {
                let error = waiting::own_copy(py, error);
                let value = home.failures.instead(py, error)?;
                return Ok(Self::of(asked, Status::Hit, State::Value(value)));
            }
            engine::Turn::Wait(ticket) => (Status::Follower, State::Wait(ticket)),
            engine::Turn::Lead(lead) | engine::Turn::Alone(lead) => {
                let flight = Box::new(wish.flight(py, source, (lead, keyed), plan)?);
                let state = match flight
                    .remote
                    .as_deref()
                    .map(|remote| remote.ask(plan.read()))
                {
                    Some(asking) => State::Ask(flight, Ours::new(Box::pin(asking))),
                    None => State::Lead(flight),
                };
                (ask::computed(home, plan), state)
            }
        };
        let times = source.times();
        Ok(Self {
            // Who waits for less time than is usual sees to that at each step.
            looks_with_others: plan.read() == Read::Any
                && times.limits.wait >= Limits::default().wait,
            times: Some(times),
            ..Self::of(asked, status, state)
        })
    }

    fn of(asked: &Bound<'_, PyAny>, status: Status, state: State) -> Self {
        Self {
            asked: asked.clone().unbind(),
            times: None,
            status: Mutex::new(status),
            told: Mutex::new(None),
            behind: Mutex::new(None),
            looks_with_others: false,
            state: Mutex::new(state),
        }
    }

    /// The turn of a computation in the background, which takes of the stores what `read` takes.
    pub(crate) fn leading(asked: &Bound<'_, PyAny>, flight: Flight, read: Read) -> Self {
        let asking = flight.remote.as_deref();
        let asking = asking.map(|remote| remote.ask_behind(read));
        let flight = Box::new(flight);
        let state = match asking {
            Some(asking) => State::Ask(flight, Ours::new(Box::pin(asking))),
            None => State::Lead(flight),
        };
        Self::of(asked, Status::Refreshed, state)
    }

    /// The turn of a call that computes.
    pub(crate) fn computing(
        asked: &Bound<'_, PyAny>,
        (flight, status): (Flight, Status),
        times: Times,
    ) -> Self {
        Self {
            times: Some(times),
            ..Self::of(asked, status, State::Lead(Box::new(flight)))
        }
    }

    /// The turn of a call that goes past the cache: its status says so, and whoever drives it calls the function.
    fn going_past(function: &Bound<'_, PyAny>) -> Self {
        Self::of(function, Status::Bypass, State::Past)
    }

    /// The turn of a call that found a value; a call past the cache if it can be given nothing of it.
    fn handed(
        asked: &Bound<'_, PyAny>,
        source: &impl Source,
        value: &Object,
        status: Status,
    ) -> PyResult<Self> {
        Ok(match source.own(asked.py(), value) {
            Some(own) => Self::of(asked, status, State::Value(own)),
            None => Self::going_past(asked),
        })
    }
}
