//! What a lead has in the stores behind its memory: a value, or the seat to compute under.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::{Meta, Refusal, Spans};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::using::Read;
use everwarm_engine::stack::{Fetched, Place, Seat, Stack, Stored, Written};
use pyo3::prelude::*;

use crate::answer::Told;
use crate::format::Unreadable;
use crate::function::{report, report_refused};
use crate::home::Home;
use crate::object::Object;

use super::codec;
use super::drive::{drive, finish};
use super::link::Link;

/// The part of a computation that the stores have.
pub(crate) struct Remote {
    link: Arc<Link>,
    stack: Arc<Stack>,
    place: Place,
    /// The canonical bytes of a key that is to be listed.
    key: Option<Vec<u8>>,
    /// The tags that follow from the arguments.
    tags: Arc<[Arc<str>]>,
    seat: Option<Seat>,
}

/// What is said of a value that is refused, where values are secret.
const SECRET: &str = "a part of it cannot be stored\nhint: `strict=True` raises what says which part, and what to do";

/// A value that stores had.
pub(crate) struct Kept {
    pub(crate) value: Object,
    pub(crate) told: Told,
}

/// What is to be stored of a computed value.
pub(crate) struct Computed<'a> {
    pub(crate) value: &'a Object,
    pub(crate) lifetime: &'a Lifetime,
    /// The tags that follow from the result.
    pub(crate) tags: &'a [Arc<str>],
    pub(crate) computed_in: Duration,
}

impl Remote {
    /// Of the entry of a key; None if it has no place in stores.
    pub(crate) fn new(
        py: Python<'_>,
        link: &Arc<Link>,
        (place, key): (Place, Option<Vec<u8>>),
        tags: &[Arc<str>],
    ) -> PyResult<Self> {
        Ok(Self {
            stack: link.shared.stack(py)?,
            link: Arc::clone(link),
            place,
            key,
            tags: tags.into(),
            seat: None,
        })
    }

    /// Asks the stores for an entry that `read` takes, else for the seat to compute under.
    pub(crate) fn ask(&self, read: Read) -> impl Future<Output = Fetched> + Send + use<> {
        self.stack
            .fetch(self.place.clone(), Arc::clone(&self.tags), read)
    }

    /// What the stores have, waiting where another process computes; None once this one is to compute.
    pub(crate) fn fetch(
        &mut self,
        py: Python<'_>,
        home: &Home,
        read: Read,
    ) -> PyResult<Option<Kept>> {
        let mut read = read;
        loop {
            let fetched = drive(py, self.ask(read))?;
            codec::check(py, &self.place.name)?;
            if let Some(kept) = self.take(py, home, fetched) {
                return Ok(Some(kept));
            }
            if self.seat.is_some() {
                return Ok(None);
            }
            read = Read::Nothing;
        }
    }

    /// Takes what was fetched: the value, or else the seat. With neither the bytes were no value, and the seat has to be asked for.
    pub(crate) fn take(&mut self, py: Python<'_>, home: &Home, fetched: Fetched) -> Option<Kept> {
        match fetched {
            Fetched::Lead(seat) => {
                self.seat = Some(seat);
                None
            }
            Fetched::Found(stored) => self.link.decoded(py, &self.stack, home, stored),
        }
    }

    /// Under which name it lies in stores.
    pub(crate) fn name(&self) -> &str {
        &self.place.name
    }

    /// Whether this process is to compute.
    pub(crate) fn leads(&self) -> bool {
        self.seat.is_some()
    }

    /// Stores a computed value; whether memory may keep it too: not if it was invalidated elsewhere meanwhile.
    pub(crate) fn settle(
        mut self,
        py: Python<'_>,
        home: &Home,
        computed: &Computed<'_>,
    ) -> PyResult<bool> {
        let Some(seat) = self.seat.take() else {
            return Ok(true);
        };
        let Some(payload) = self.link.encoded(py, home, computed.value)? else {
            return Ok(!self.stack.is_overtaken(&seat, computed.tags));
        };
        let tags = self.tags.iter().chain(computed.tags);
        let meta = Meta {
            spans: Spans::of(computed.lifetime),
            computed_in: computed.computed_in,
            tags: tags.map(Arc::clone).collect(),
            key: self.key.take(),
            ..self.link.meta()
        };
        let written = finish(py, self.stack.settle(seat, payload, meta));
        Ok(match written {
            Written::Overtaken => false,
            // Whoever wrote or deleted the entry meanwhile tells memory so, if the store tells anything.
            Written::Lost => !self.link.shared.is_silent(),
            _ => true,
        })
    }
}

impl Link {
    /// What is known of every value of this function.
    pub(crate) fn meta(&self) -> Meta {
        Meta {
            format: self.format.get().number(),
            ..Meta::default()
        }
    }

    /// The bytes of a value; None if it is refused, which is counted, and said once.
    ///
    /// # Errors
    /// `ValueRefused`, where it is strict.
    pub(crate) fn encoded(
        &self,
        py: Python<'_>,
        home: &Home,
        value: &Object,
    ) -> PyResult<Option<Vec<u8>>> {
        let mut payload = Vec::new();
        match self.format.get().encode(value.bind(py), &mut payload) {
            Ok(()) => Ok(Some(payload)),
            Err(refused) => {
                home.scope.count_refused();
                if home.strict {
                    return Err(refused.into_err(py));
                }
                // The way to a part goes by keys, which are part of the value.
                let (name, why) = match home.is_secret() {
                    true => (&self.own_function(), SECRET.to_owned()),
                    false => (self.function(), refused.message()),
                };
                report_refused(py, (name, &why), home.is_secret());
                Ok(None)
            }
        }
    }

    /// The value of an entry that was found; None if its bytes are no value, which is counted.
    pub(crate) fn decoded(
        &self,
        py: Python<'_>,
        stack: &Stack,
        home: &Home,
        stored: Stored,
    ) -> Option<Kept> {
        let Stored {
            opened,
            remaining: left,
            age,
            tier,
            version,
            older: _,
        } = stored;
        if opened.meta.format != self.format.get().number() {
            stack.count_refused(tier, Refusal::Unreadable);
            return None;
        }
        match self.format.get().decode(py, &opened.payload, None) {
            Ok(Ok(value)) => Some(Kept {
                value,
                told: Told {
                    age,
                    left,
                    tags: opened.meta.tags,
                    tier: Arc::clone(stack.label(tier)),
                    version: version.unwrap_or(0),
                },
            }),
            Ok(Err(unreadable)) => {
                stack.count_refused(tier, refusal_of(&unreadable));
                None
            }
            Err(error) => {
                home.scope.count_error();
                report(py, home, "format=", &error);
                None
            }
        }
    }
}

fn refusal_of(unreadable: &Unreadable) -> Refusal {
    match unreadable {
        Unreadable::UnknownClass => Refusal::UnknownClass,
        Unreadable::Damaged(_) => Refusal::Unreadable,
    }
}

impl Kept {
    /// When it is fresh no longer, on the clock of a cache.
    pub(crate) fn deadline(&self, now: Instant) -> Instant {
        self.told
            .left
            .map_or(Instant::NEVER, |left| now.after(left))
    }
}
