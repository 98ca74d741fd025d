//! What a lead has in the stores behind its memory: a value, or the seat to compute under.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{KeyBytes, Meta, Refusal, Spans};
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::store::Bytes;
use everwarm_core::using::Read;
use everwarm_engine::LeadId;
use everwarm_engine::stack::{Fetched, Place, Seat, Stack, Stored, Value, Written};
use everwarm_tiers::Standing;
use pyo3::prelude::*;

use crate::answer::Told;
use crate::engine::Lead;
use crate::errors;
use crate::format::Unreadable;
use crate::home::Home;
use crate::object::Object;
use crate::report::{report, report_refused};

use super::codec;
use super::drive::{drive, within};
use super::link::Link;

/// The part of a computation that the stores have.
pub(crate) struct Remote {
    pub(super) link: Arc<Link>,
    pub(super) stack: Arc<Stack>,
    /// The lead whose value it is about.
    pub(super) lead: LeadId,
    /// Whether anything may be stored.
    pub(super) stores: bool,
    /// Whether it may wait for who computes elsewhere.
    waits: bool,
    place: Place,
    /// The canonical bytes of a key that is to be listed.
    key: Option<KeyBytes>,
    /// The tags that follow from the arguments.
    tags: Arc<[Arc<str>]>,
    pub(super) seat: Option<Seat>,
}

/// What is said of a value that is refused, where values are secret.
const SECRET: &str = "a part of it cannot be stored\nhint: `strict=True` raises what says which part, and what to do";

/// A value that stores had.
pub(crate) struct Kept {
    pub(crate) value: Object,
    pub(crate) told: Told,
    /// What is left of its life, on the clock of the cache.
    pub(crate) lifetime: Lifetime,
    /// What it is worth.
    pub(crate) judgement: Judgement,
}

/// What came of asking stores.
pub(crate) enum Taken {
    /// A value to serve.
    Kept(Kept),
    /// The seat: this process computes, with the value to be served if that fails.
    Seat(Option<Kept>),
    /// Bytes that are no value: the seat has to be asked for.
    Unreadable,
    /// Another process computes behind an old value.
    Elsewhere,
}

/// What is to be stored of a computed value.
pub(crate) struct Computed<'a> {
    pub(crate) value: &'a Object,
    pub(crate) lifetime: &'a Lifetime,
    /// The tags that follow from the result.
    pub(crate) tags: &'a [Arc<str>],
    pub(crate) computed_in: Duration,
}

/// What is to be written of a computed value.
pub(crate) enum Writing {
    /// Nothing; whose the value is all the same.
    Nothing(Standing),
    /// Its bytes.
    Value(Box<Seat>, Vec<u8>, Box<Meta>),
}

impl Remote {
    /// Of the entry of a key; None if it has no place in stores.
    pub(crate) fn new(
        py: Python<'_>,
        link: &Arc<Link>,
        (lead, stores): (&Lead, bool),
        (place, key): (Place, Option<KeyBytes>),
        tags: &[Arc<str>],
    ) -> PyResult<Self> {
        Ok(Self {
            stack: link.shared.stack(py)?,
            link: Arc::clone(link),
            lead: lead.id(),
            stores,
            waits: lead.waits(),
            place,
            key,
            tags: tags.into(),
            seat: None,
        })
    }

    /// Asks the stores for an entry that `read` takes, else for the seat to compute under.
    pub(crate) fn ask(&self, read: Read) -> impl Future<Output = Fetched> + Send + use<> {
        self.stack.fetch_for(
            self.place.clone(),
            Arc::clone(&self.tags),
            (read, self.waits),
        )
    }

    /// As [`ask`](Self::ask), after a look that found nothing.
    pub(crate) fn ask_unfound(&self) -> impl Future<Output = Fetched> + Send + use<> {
        self.stack
            .fetch_unfound(self.place.clone(), Arc::clone(&self.tags), self.waits)
    }

    /// Where to look first, if that can be done with other reads.
    pub(crate) fn found_together(&self) -> Option<(Arc<Stack>, Place)> {
        let is_plain = self.tags.is_empty() && self.place.older.is_empty();
        (is_plain && self.stack.finds_together())
            .then(|| (Arc::clone(&self.stack), self.place.clone()))
    }

    /// Asks the stores, for a caller who was given an old value, for what somebody has computed since and `read` takes, else for
    /// the seat.
    pub(crate) fn ask_behind(&self, read: Read) -> impl Future<Output = Fetched> + Send + use<> {
        self.stack
            .fetch_behind(self.place.clone(), Arc::clone(&self.tags), read)
    }

    /// The same entry for another lead, of which nothing was asked yet.
    pub(crate) fn anew(&self, lead: LeadId) -> Self {
        Self {
            link: Arc::clone(&self.link),
            stack: Arc::clone(&self.stack),
            lead,
            stores: self.stores,
            waits: self.waits,
            place: self.place.clone(),
            key: self.key.clone(),
            tags: Arc::clone(&self.tags),
            seat: None,
        }
    }

    /// The tags of the entry in memory.
    pub(crate) fn tags(&self) -> Vec<Arc<str>> {
        let own = self.link.own_tags(&self.place);
        self.tags.iter().cloned().chain(own).collect()
    }

    /// What it is for the stack.
    pub(crate) fn wanted(&self) -> (Place, Arc<[Arc<str>]>) {
        (self.place.clone(), Arc::clone(&self.tags))
    }

    /// Whether it was given a seat without a lease.
    pub(crate) fn is_apart(&self) -> bool {
        self.seat.as_ref().is_some_and(Seat::is_apart)
    }

    /// Where it lies.
    pub(crate) fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }

    /// What the stores have, waiting where another process computes, but no longer than `limit`; the seat, once this one is to
    /// compute.
    pub(crate) fn fetch(
        &mut self,
        py: Python<'_>,
        home: &Home,
        read: Read,
        limit: Duration,
    ) -> PyResult<Option<Taken>> {
        let mut read = read;
        loop {
            let Some(fetched) = drive(py, within(self.ask(read), limit))? else {
                return Ok(None);
            };
            codec::check(py, &self.place.name)?;
            match self.take(py, home, fetched)? {
                Taken::Unreadable => read = Read::Nothing,
                taken => return Ok(Some(taken)),
            }
        }
    }

    /// Takes what was fetched.
    ///
    /// # Errors
    /// What a signal's handler raised while a value was put in its place of today.
    pub(crate) fn take(
        &mut self,
        py: Python<'_>,
        home: &Home,
        fetched: Fetched,
    ) -> PyResult<Taken> {
        Ok(match fetched {
            Fetched::Lead(mut seat) => {
                let old = seat.take_old();
                self.seat = Some(seat);
                Taken::Seat(old.and_then(|old| self.link.decoded(py, &self.stack, home, old)))
            }
            Fetched::Older(stored, seat) => {
                self.seat = Some(seat);
                match self.upgraded(py, home, *stored)? {
                    Some(kept) => Taken::Kept(kept),
                    None if self.seat.is_some() => Taken::Seat(None),
                    None => Taken::Unreadable,
                }
            }
            Fetched::Elsewhere => Taken::Elsewhere,
            Fetched::Found(stored) => match self.link.decoded(py, &self.stack, home, stored) {
                Some(kept) => Taken::Kept(kept),
                None => Taken::Unreadable,
            },
        })
    }

    /// Under which name it lies in stores.
    pub(crate) fn name(&self) -> &str {
        &self.place.name
    }

    /// What is to be written of a computed value.
    pub(crate) fn write(
        mut self,
        py: Python<'_>,
        home: &Home,
        computed: &Computed<'_>,
    ) -> PyResult<Writing> {
        let Some(seat) = self.seat.take() else {
            return Ok(Writing::Nothing(Standing::valid(home.has_memory())));
        };
        let Some(payload) = self.link.encoded(py, home, computed.value)? else {
            return Ok(Writing::Nothing(
                if self.stack.is_overtaken(&seat, computed.tags) {
                    Standing::Overtaken
                } else {
                    Standing::valid(home.has_memory())
                },
            ));
        };
        let tags = self.tags.iter().chain(computed.tags);
        let meta = Meta {
            spans: Spans::of(computed.lifetime),
            computed_in: computed.computed_in,
            tags: tags.map(Arc::clone).collect(),
            key: self.key.take(),
            ..self.link.meta()
        };
        Ok(Writing::Value(Box::new(seat), payload, Box::new(meta)))
    }

    /// Where it lies, and what is known of there.
    pub(crate) fn home(&self) -> (Arc<Stack>, Arc<Link>) {
        (Arc::clone(&self.stack), Arc::clone(&self.link))
    }
}

impl Link {
    /// Whose a value is of which this became.
    ///
    /// # Errors
    /// As [`heard`](Self::heard).
    pub(crate) fn standing(
        &self,
        py: Python<'_>,
        home: &Home,
        written: &Written,
    ) -> PyResult<Standing> {
        self.heard(py, home, written)?;
        Ok(Standing::of(
            written,
            self.shared.is_silent(),
            home.has_memory(),
        ))
    }

    /// What is to be heard of a write: of one that the stores can never take, which is counted, and said once.
    ///
    /// # Errors
    /// `ValueRefused` of that, where it is strict.
    pub(crate) fn heard(&self, py: Python<'_>, home: &Home, written: &Written) -> PyResult<()> {
        let Written::Refused(error) = written else {
            return Ok(());
        };
        home.scope.count_refused();
        // It speaks of numbers and sizes alone.
        let why = format!("{}\nhint: {}", error.message(), error.hint());
        if home.strict {
            return Err(errors::value_refused(py, &why));
        }
        let name = match home.is_secret() {
            true => &self.own_function(),
            false => self.function(),
        };
        report_refused(py, (name, &why), home.is_secret());
        Ok(())
    }

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
        let opened = &stored.opened;
        let of = (stored.tier, stored.older);
        let payload = (opened.meta.format, &opened.payload);
        Some(Kept {
            value: self.value_of(py, (stack, home), of, payload)?,
            lifetime: stored
                .opened
                .meta
                .spans
                .remaining(home.engine.now(), stored.age),
            judgement: stored.judgement,
            told: Told {
                age: stored.age,
                left: stored.remaining,
                tags: stored.opened.meta.tags,
                tier: Arc::clone(stack.label(stored.tier)),
                version: stored.version.unwrap_or(0),
            },
        })
    }

    /// A value of which nothing else was wanted; as [`decoded`](Self::decoded).
    pub(crate) fn value_alone(
        &self,
        py: Python<'_>,
        of: (&Stack, &Home),
        value: &Value,
    ) -> Option<Object> {
        let payload = (value.format, &value.payload);
        self.value_of(py, of, (value.tier, value.older), payload)
    }

    /// The value alone, as [`decoded`](Self::decoded) gives it: of bytes in the format of this number, that a tier had under a name of today
    /// or an older one.
    fn value_of(
        &self,
        py: Python<'_>,
        (stack, home): (&Stack, &Home),
        (tier, older): (usize, Option<usize>),
        (number, payload): (u8, &Bytes),
    ) -> Option<Object> {
        let upgrade = older.and_then(|older| self.upgrade(older));
        let format = upgrade
            .map_or(&self.format, |upgrade| &upgrade.format)
            .get();
        if number != format.number() {
            stack.count_refused(tier, Refusal::Unreadable);
            return None;
        }
        match format.decode_payload(py, payload) {
            Ok(Ok(value)) => match upgrade {
                Some(upgrade) => upgrade.converted(py, home, value),
                None => Some(value),
            },
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
    /// Whether it is within its ttl.
    pub(crate) fn freshness(&self) -> Freshness {
        match self.judgement {
            Judgement::Serve(freshness) | Judgement::ServeAndRefresh(freshness) => freshness,
            Judgement::OnlyIfError | Judgement::Gone => Freshness::Stale,
        }
    }

    /// Whether it is due to be computed anew.
    pub(crate) fn is_due(&self) -> bool {
        matches!(self.judgement, Judgement::ServeAndRefresh(_))
    }
}
