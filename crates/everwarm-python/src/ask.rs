//! How a call that is no hit gets its value: it leads, or waits for who leads. Functions and objects are asked in one way.

use std::sync::Arc;

use everwarm_core::clock::Instant;
use everwarm_core::using::{Plan, Read};
use everwarm_engine::Ask;
use everwarm_engine::stack::Place;
use pyo3::prelude::*;

use crate::answer::{Answer, Status};
use crate::engine::{Arrival, Key, Turn};
use crate::errors;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::settle::{self, Flight};
use crate::shared::{Kept, Link, OWN_TAGS, Remote};
use crate::waiting::{self, Computing};

/// What a value is asked of: where it belongs, who computes it, and how it is kept.
pub(crate) trait Source {
    /// Where the value belongs.
    fn home(&self) -> &Home;

    /// How its values lie in stores, if there are any.
    fn link(&self) -> Option<&Arc<Link>> {
        self.home().link.as_ref()
    }

    /// What it is called in messages.
    fn title(&self, py: Python<'_>) -> String;

    /// Computes the value, on this thread.
    fn compute(&self, py: Python<'_>) -> PyResult<Object>;

    /// Ends a computation with its value, stored if that may be; the value.
    ///
    /// # Errors
    /// Where it is strict, if the value cannot be stored; those who wait get that, too.
    fn settle(&self, py: Python<'_>, flight: Flight, value: Object) -> PyResult<Object>;

    /// What a caller is given of a value that others have too; None if there is nothing to give.
    fn own(&self, py: Python<'_>, value: &Object) -> Option<Object>;
}

/// The value, by a thread that leads or waits; `tags` is None if the value may not be stored.
pub(crate) fn answer(
    py: Python<'_>,
    source: &impl Source,
    keyed: Keyed,
    tags: Option<Vec<Arc<str>>>,
    plan: Plan,
) -> PyResult<Answer> {
    let home = source.home();
    let chain = waiting::chain(py)?;
    let entry = Wish::new(source, &keyed, tags);
    let mut again = false;
    loop {
        let caller = waiting::caller(&chain, true);
        let ask = Ask {
            again,
            ..home.ask(&keyed, entry.tags(), caller)
        };
        let (value, status) = match turn(py, source, ask, plan)? {
            Turn::Hit(value) => handed(py, source, &value, Status::Hit)?,
            Turn::Lead(lead) | Turn::Alone(lead) => {
                let storable = entry.is_storable() && plan.stores();
                let mut flight = Flight::new(home, lead, keyed, storable);
                flight.remote = entry.remote(py, source)?;
                if let Some(kept) = stored(py, home, &mut flight, plan)? {
                    return Ok(Answer {
                        value: flight.found(py, home, &kept),
                        status: Status::Hit,
                        told: Some(Box::new(kept.told)),
                    });
                }
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
        return Ok(Answer {
            value,
            status,
            told: None,
        });
    }
}

/// What a call wishes for: its tags, and its place in stores.
pub(crate) struct Wish {
    /// The tags that follow from the arguments, and that of the place; None if they could not be made.
    tags: Option<Vec<Arc<str>>>,
    place: Option<(Place, Option<Vec<u8>>)>,
}

impl Wish {
    pub(crate) fn new(source: &impl Source, keyed: &Keyed, tags: Option<Vec<Arc<str>>>) -> Self {
        let Some(mut tags) = tags else {
            return Self {
                tags: None,
                place: None,
            };
        };
        let Some((link, place)) = source
            .link()
            .and_then(|link| Some((link, link.place(keyed)?)))
        else {
            return Self {
                tags: Some(tags),
                place: None,
            };
        };
        tags.extend(link.own_tags(&place));
        Self {
            tags: Some(tags),
            place: Some((place, link.listed(keyed))),
        }
    }

    /// The tags that the entry has in memory.
    pub(crate) fn tags(&self) -> Option<&[Arc<str>]> {
        self.tags.as_deref()
    }

    /// Whether the value may be stored at all.
    pub(crate) fn is_storable(&self) -> bool {
        self.tags.is_some()
    }

    /// What the stores have of it.
    pub(crate) fn remote(
        self,
        py: Python<'_>,
        source: &impl Source,
    ) -> PyResult<Option<Box<Remote>>> {
        let (Some(link), Some(place), Some(mut tags)) = (source.link(), self.place, self.tags)
        else {
            return Ok(None);
        };
        tags.truncate(tags.len() - OWN_TAGS);
        Remote::new(py, link, place, &tags).map(|remote| Some(Box::new(remote)))
    }
}

/// What the stores have for a lead, waiting where another process computes; None if it is to be computed here.
fn stored(py: Python<'_>, home: &Home, flight: &mut Flight, plan: Plan) -> PyResult<Option<Kept>> {
    match &mut flight.remote {
        Some(remote) => remote.fetch(py, home, plan.read()),
        None => Ok(None),
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
        // Only stores know how old a value is that memory has from them.
        (_, Read::Within(_)) if source.link().is_some() => engine.begin_since(ask, Instant::NEVER),
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
        Ok(value) => source.settle(py, flight, value),
        Err(error) => {
            settle::fail(py, flight.lead, &error);
            Err(error)
        }
    };
    // Only here, since the policy's callables are part of the computation: they may ask for its key.
    drop(computing);
    result
}
