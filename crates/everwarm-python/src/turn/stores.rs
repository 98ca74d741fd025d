//! A turn whose lead asks the stores.

use std::time::Duration;

use everwarm_core::using::Read;
use everwarm_engine::stack::Fetched;
use pyo3::prelude::*;

use super::{Asking, State, Turn};
use crate::answer::Status;
use crate::settle::Flight;
use crate::shared::Taken;

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

    /// Goes on with what the stores have said.
    pub(crate) fn answered(
        &self,
        py: Python<'_>,
        mut flight: Box<Flight>,
        answer: Fetched,
    ) -> PyResult<()> {
        let next = self.with_home(py, |home| {
            let remote = flight.remote.as_mut()?;
            Some(match remote.take(py, home, answer) {
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
                    let asking = Box::pin(remote.ask(Read::Nothing));
                    State::Ask(flight, asking)
                }
                Taken::Elsewhere => {
                    flight.lead.defer(ELSEWHERE);
                    State::Spent
                }
            })
        })?;
        *self.state.lock() = next.unwrap_or(State::Spent);
        Ok(())
    }
}
