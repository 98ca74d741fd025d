//! How a call that is no hit gets its value: it leads, or waits for who leads. Functions and objects are asked in one way.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::KeyBytes;
use everwarm_core::limits::End;
use everwarm_core::using::{Plan, Read};
use everwarm_engine::Ask;
use everwarm_engine::stack::Place;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::answer::{Answer, Status};
use crate::engine::{Arrival, Key, Lead, Turn};
use crate::errors;
use crate::home::{Home, Keyed};
use crate::lasting::intern;
use crate::limits::{self, Deadline, Overrides, Times};
use crate::object::Object;
use crate::settle::Flight;
use crate::settling::Settling;
use crate::shared::{Link, OWN_TAGS, Remote, Taken};
use crate::waiting::{self, Computing};
use crate::{failures, modules, timed, unheard};

/// What stands for a call that is made again in the background: what is asked, with its arguments.
pub(crate) type Later<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>, Bound<'py, PyDict>);

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

    /// How long the call may wait and take.
    fn times(&self) -> Times {
        Times::new(self.home(), Overrides::default())
    }

    /// What is to be kept of a computed value; None where its computation has ended otherwise.
    fn settling(
        &self,
        py: Python<'_>,
        flight: Flight,
        value: &Object,
    ) -> PyResult<Option<Settling>>;

    /// Ends a computation with its value, stored if that may be; the value.
    ///
    /// # Errors
    /// Where it is strict, if the value cannot be stored; those who wait get that, too.
    fn settle(&self, py: Python<'_>, flight: Flight, value: Object) -> PyResult<Object> {
        if let Some(settling) = self.settling(py, flight, &value)? {
            settling.finish(py, self.home())?;
        }
        Ok(value)
    }

    /// What a caller is given of a value that others have too; None if there is nothing to give.
    fn own(&self, py: Python<'_>, value: &Object) -> Option<Object>;

    /// The same, for another time.
    fn later<'py>(&self, py: Python<'py>) -> PyResult<Later<'py>>;
}

/// What a thread's asking came to.
enum Sought {
    /// A value that others have too.
    Shared(Object, Status),
    /// What the call gives.
    Answer(Answer),
    /// The caller is to compute.
    Lead(Box<Flight>),
}

/// The value, by a thread that leads or waits; `tags` is None if the value may not be stored.
///
/// A computation that calls cached functions in turn has a frame of this for each of them: what it takes to get there is in frames
/// that are gone by then.
pub(crate) fn answer(
    py: Python<'_>,
    source: &impl Source,
    keyed: Keyed,
    tags: Option<Vec<Arc<str>>>,
    plan: Plan,
) -> PyResult<Answer> {
    let (value, status) = match sought(py, source, (keyed, tags), plan)? {
        Sought::Answer(answer) => return Ok(answer),
        Sought::Shared(value, status) => handed(py, source, &value, status)?,
        Sought::Lead(flight) => lead_to(py, source, flight, computed(source.home(), plan))?,
    };
    Ok(Answer::new(value, status))
}

/// Asks memory and stores, and waits where others compute, until there is an answer or it is the caller who has to compute.
#[inline(never)]
fn sought(
    py: Python<'_>,
    source: &impl Source,
    (keyed, tags): (Keyed, Option<Vec<Arc<str>>>),
    plan: Plan,
) -> PyResult<Sought> {
    let home = source.home();
    let chain = waiting::chain(py)?;
    let entry = Wish::new(source, &keyed, tags);
    let times = source.times();
    let deadline = Deadline::of(&times);
    let mut again = false;
    loop {
        let caller = waiting::caller(&chain, true);
        let ask = Ask {
            again,
            ..home.ask(&keyed, entry.tags(), caller)
        };
        return Ok(match turn(py, source, ask, plan)? {
            Turn::Hit(value) => {
                timed::note(py, source, &keyed);
                Sought::Shared(value, Status::Hit)
            }
            Turn::Stale(value) => Sought::Shared(value, Status::Stale),
            Turn::HitAndLead(value, freshness, lead) => {
                let flight = entry.flight(py, source, (lead, keyed), plan)?;
                behind(py, source, flight);
                Sought::Shared(value, Status::served(freshness))
            }
            Turn::Remembered(error) => {
                let error = waiting::own_copy(py, error);
                let value = home.failures.instead(py, error)?;
                Sought::Answer(Answer::new(value, Status::Hit))
            }
            Turn::Lead(lead) | Turn::Alone(lead) => {
                let flight = entry.flight(py, source, (lead, keyed), plan)?;
                return led(py, source, flight, plan, (&times, deadline));
            }
            Turn::Wait(ticket) => {
                let limit = times.limits.wait_within(deadline.left());
                match waiting::wait(py, ticket, limit)? {
                    Some(Arrival::Value(value)) => Sought::Shared(value, Status::Follower),
                    Some(Arrival::Stale(value)) => Sought::Shared(value, Status::Stale),
                    Some(Arrival::Failed(error)) => {
                        let error = waiting::own_copy(py, error);
                        let value = home.failures.instead(py, error)?;
                        Sought::Answer(Answer::new(value, Status::Follower))
                    }
                    Some(Arrival::Again) => {
                        again = true;
                        continue;
                    }
                    None => {
                        let title = source.title(py);
                        return Err(errors::timed_out(py, &title, times.hard));
                    }
                }
            }
        });
    }
}

/// Asks the stores as the leader of a key; what they have, or that the caller computes, once it may.
#[inline(never)]
fn led(
    py: Python<'_>,
    source: &impl Source,
    mut flight: Flight,
    plan: Plan,
    (times, deadline): (&Times, Deadline),
) -> PyResult<Sought> {
    let home = source.home();
    let (end, limit) = times.limits.wait_within(deadline.left());
    match stored(py, home, &mut flight, (plan, limit))? {
        Some(Taken::Kept(kept)) => {
            let (value, anew) = flight.found(py, home, &kept);
            if let Some(flight) = anew {
                behind(py, source, flight);
            }
            return Ok(Sought::Answer(Answer {
                value,
                status: Status::served(kept.freshness()),
                told: Some(Box::new(kept.told)),
            }));
        }
        Some(Taken::Seat(old)) => flight.offer(py, home, old),
        Some(Taken::Unreadable | Taken::Elsewhere) => {}
        None if end == End::Wait => flight.go_alone(home),
        None => {
            let title = source.title(py);
            return Err(errors::timed_out(py, &title, times.hard));
        }
    }
    Ok(match limits::enter(py, source, flight, deadline)? {
        Err((value, status)) => Sought::Shared(value, status),
        Ok(flight) if times.lead_apart() => {
            let status = computed(home, plan);
            let (value, status) = limits::lead_apart(py, source, (flight, status), deadline)?;
            Sought::Answer(Answer::new(value, status))
        }
        Ok(flight) => Sought::Lead(Box::new(flight)),
    })
}

/// What a call wishes for: its tags, and its place in stores.
pub(crate) struct Wish {
    /// The tags that follow from the arguments, and that of the place; None if they could not be made.
    tags: Option<Vec<Arc<str>>>,
    place: Option<(Place, Option<KeyBytes>)>,
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

    /// The flight of a lead, with what the stores have of the entry.
    pub(crate) fn flight(
        self,
        py: Python<'_>,
        source: &impl Source,
        (lead, keyed): (Lead, Keyed),
        plan: Plan,
    ) -> PyResult<Flight> {
        let storable = self.is_storable() && plan.stores();
        let mut flight = Flight::new(source.home(), lead, keyed, storable);
        flight.remote = self.remote(py, source, (&flight.lead, storable))?;
        Ok(flight)
    }

    /// What the stores have of it, for a lead that may store or not.
    fn remote(
        self,
        py: Python<'_>,
        source: &impl Source,
        lead: (&Lead, bool),
    ) -> PyResult<Option<Box<Remote>>> {
        let (Some(link), Some(place), Some(mut tags)) = (source.link(), self.place, self.tags)
        else {
            return Ok(None);
        };
        tags.truncate(tags.len() - OWN_TAGS);
        Remote::new(py, link, lead, place, &tags).map(|remote| Some(Box::new(remote)))
    }
}

/// What the stores have for a lead, waiting where another process computes; None if that takes longer than `limit`.
fn stored(
    py: Python<'_>,
    home: &Home,
    flight: &mut Flight,
    (plan, limit): (Plan, Duration),
) -> PyResult<Option<Taken>> {
    match &mut flight.remote {
        Some(remote) => remote.fetch(py, home, plan.read(), limit),
        None => Ok(Some(Taken::Seat(None))),
    }
}

/// Has a value computed anew in the background, of which the caller was given the old one. Where that cannot be begun, the lead is
/// dropped, and a later call begins it.
fn behind(py: Python<'_>, source: &impl Source, flight: Flight) {
    let begun = source.later(py).and_then(|(asked, arguments, keywords)| {
        let turn = Bound::new(py, crate::turn::Turn::leading(&asked, flight, Read::Any))?;
        modules::own(py, "everwarm._behind")?
            .getattr(intern!(py, "begin"))?
            .call1((asked, arguments, keywords, turn))
    });
    if let Err(failure) = begun {
        source.home().scope.count_error();
        unheard::say(py, failure, None);
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
        (_, read) if read.asks_age() && source.link().is_some() => {
            engine.begin_since(ask, Instant::NEVER)
        }
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

/// Computes as the leader of a key; the value with its status, which is `computed` unless an old one stands for an error.
fn lead_to(
    py: Python<'_>,
    source: &impl Source,
    flight: Box<Flight>,
    computed: Status,
) -> PyResult<(Object, Status)> {
    let computing = Computing::new(py, flight.lead.id())?;
    let result = match source.compute(py) {
        Ok(value) => settled(py, source, flight, value).map(|value| (value, computed)),
        Err(error) => failed(py, source, flight, error, computed),
    };
    // Only here, since the policy's callables are part of the computation: they may ask for its key.
    drop(computing);
    result
}

/// Ends a computation with its value: apart, so that what this takes is in no frame while the function computes.
#[inline(never)]
fn settled(
    py: Python<'_>,
    source: &impl Source,
    flight: Box<Flight>,
    value: Object,
) -> PyResult<Object> {
    source.settle(py, *flight, value)
}

/// The same with an error: what stands for it, with its status, or the error.
#[inline(never)]
fn failed(
    py: Python<'_>,
    source: &impl Source,
    flight: Box<Flight>,
    error: PyErr,
    computed: Status,
) -> PyResult<(Object, Status)> {
    match failures::fail(py, source.home(), *flight, error) {
        Ok((value, status)) => handed(py, source, &value, status),
        Err(error) => {
            let instead = source.home().failures.instead(py, error);
            instead.map(|value| (value, computed))
        }
    }
}
