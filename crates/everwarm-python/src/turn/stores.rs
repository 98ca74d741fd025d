//! A turn whose lead asks the stores, or is stored there.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::judge::Judgement;
use everwarm_core::using::Read;
use everwarm_engine::stack::Fetched;
use pyo3::prelude::*;

use super::{Asking, State, Turn};
use crate::answer::Status;
use crate::gather::Told;
use crate::home::Home;
use crate::ring::{Ring, seconds};
use crate::settle::Flight;
use crate::settling::{Begun, Settling, Writes};
use crate::shared::brought::One;
use crate::shared::{self, Link, Ours, Step, Taken};

/// How long an old value is served before it is asked again whether another process has computed it anew.
const ELSEWHERE: Duration = Duration::from_secs(1);

impl Turn {
    /// Takes out what is to be asked of the stores.
    pub(crate) fn take_asking(&self) -> Option<Asking> {
        match self.take() {
            State::Ask(flight, asking) => Some((flight, asking)),
            state => {
                *self.state.lock() = state;
                None
            }
        }
    }

    /// Puts it back, to be asked alone.
    pub(crate) fn ask_alone(&self, (flight, asking): Asking) {
        *self.state.lock() = State::Ask(flight, asking);
    }

    /// Goes on with what was found at the first look. Where that is not told, or is worth something only after an error, the stores are
    /// asked as they are alone.
    pub(crate) fn looked(&self, py: Python<'_>, told: Told) -> PyResult<()> {
        let (flight, asking) = match self.take() {
            State::Ask(flight, asking) => (flight, asking),
            state => {
                *self.state.lock() = state;
                return Ok(());
            }
        };
        let asking = match (told, flight.remote.as_deref()) {
            (Told::Brought(One::Whole(stored)), Some(remote)) => match *stored {
                Some(stored) if stored.judgement != Judgement::OnlyIfError => {
                    return self.answered(py, flight, Fetched::Found(stored));
                }
                Some(_) => asking,
                None => Ours::new(Box::pin(remote.ask_unfound()) as Pin<Box<_>>),
            },
            _ => asking,
        };
        *self.state.lock() = State::Ask(flight, asking);
        Ok(())
    }

    /// Goes on with what the stores have said.
    pub(crate) fn answered(
        &self,
        py: Python<'_>,
        mut flight: Box<Flight>,
        answer: Fetched,
    ) -> PyResult<()> {
        let next = self.with_home(py, |home| {
            let Some(remote) = flight.remote.as_mut() else {
                return PyResult::Ok(None);
            };
            Ok(Some(match remote.take(py, home, answer)? {
                Taken::Kept(kept) => {
                    *self.status.lock() = Status::served(kept.freshness());
                    let (value, anew) = flight.found(py, home, &kept);
                    *self.told.lock() = Some(Box::new(kept.told));
                    *self.behind.lock() = anew.map(Box::new);
                    State::Value(value)
                }
                Taken::Seat(old) => {
                    flight.offer(py, home, old);
                    State::Lead(flight)
                }
                Taken::Unreadable => {
                    let asking = Ours::new(Box::pin(remote.ask(Read::Nothing)) as Pin<Box<_>>);
                    State::Ask(flight, asking)
                }
                Taken::Elsewhere => {
                    flight.lead.defer(ELSEWHERE);
                    State::Spent
                }
            }))
        })??;
        *self.state.lock() = next.unwrap_or(State::Spent);
        Ok(())
    }

    /// Begins to store a value that was computed, or does it at once.
    pub(super) fn stored(
        &self,
        py: Python<'_>,
        home: &Home,
        settling: Option<Settling>,
        is_awaited: bool,
    ) -> PyResult<Option<f64>> {
        let Some(mut settling) = settling else {
            return Ok(None);
        };
        if !is_awaited {
            return settling.finish(py, home).map(|()| None);
        }
        match settling.begin(py, home) {
            Ok(Begun::Write(link, writes)) => {
                self.store(py, (Box::new(settling), link, Ours::new(writes)), None)
            }
            Ok(Begun::Standing(standing)) => settling.end(py, home, Ok(standing)).map(|()| None),
            Err(error) => settling.end(py, home, Err(error)).map(|()| None),
        }
    }

    /// Goes on storing it.
    pub(super) fn store(
        &self,
        py: Python<'_>,
        (settling, link, mut writes): (Box<Settling>, Arc<Link>, Ours<Writes>),
        ring: Option<&Ring>,
    ) -> PyResult<Option<f64>> {
        match shared::step_calmly(py, writes.get(), ring) {
            Step::Again(left) => {
                *self.state.lock() = State::Store(settling, link, writes);
                Ok(Some(seconds(left)))
            }
            Step::Done(written) => {
                let end = |home: &Home| settling.end(py, home, link.standing(py, home, &written));
                self.with_home(py, end)?.map(|()| None)
            }
        }
    }
}
