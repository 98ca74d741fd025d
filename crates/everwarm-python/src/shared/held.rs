//! Entries of a cache's own that lie in stores behind its memory.
//!
//! Reads ask memory first and fill it. Writes go to the stores first: memory follows, so that nothing it has is older than what
//! they acknowledged. What they cannot do they say where the answer depends on it, and nowhere else.

use std::future::Future;
use std::sync::Arc;

use everwarm_core::codec::{Meta, Spans};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::store::Condition;
use everwarm_core::using::Read;
use everwarm_engine::stack::{Change, Done, Glance, Need, Place, Stack, Stored, Written};
use everwarm_engine::{Put, Stamp};
use everwarm_tiers::as_it_is;
pub(crate) use everwarm_tiers::change;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::entries::{ends, keyed_whole};
use crate::errors;
use crate::given::whole;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::table::Table;
use crate::verbs::{Found, found_elsewhere};

use super::brought::One;
use super::codec;
use super::drive::drive;
use super::link::Link;
use super::remote::Kept;

/// One entry, in memory and in stores.
pub(crate) struct Held<'a> {
    home: &'a Home,
    pub(super) link: &'a Arc<Link>,
    pub(super) stack: Arc<Stack>,
    keyed: &'a Keyed,
    pub(super) place: Place,
}

/// A value on its way into an entry.
pub(crate) struct Given<'a> {
    pub(crate) value: &'a Object,
    pub(crate) lifetime: Lifetime,
    pub(crate) tags: &'a [Arc<str>],
    /// What it weighs in memory.
    pub(crate) weight: u64,
}

impl<'a> Held<'a> {
    /// The entry of a key; None if it is one of memory alone.
    pub(crate) fn new(py: Python<'_>, home: &'a Home, keyed: &'a Keyed) -> PyResult<Option<Self>> {
        let Some((link, place)) = home
            .link
            .as_ref()
            .and_then(|link| Some((link, link.place(keyed)?)))
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            home,
            link,
            stack: link.shared.stack(py)?,
            keyed,
            place,
        }))
    }

    /// What the stores have, which memory takes over; counts nothing.
    pub(crate) fn read(&self, py: Python<'_>) -> PyResult<Option<Kept>> {
        self.read_if(py, Read::Any)
    }

    /// As [`read`](Self::read), of entries that `read` takes.
    pub(crate) fn read_if(&self, py: Python<'_>, read: Read) -> PyResult<Option<Kept>> {
        let since = self.home.engine.stamp();
        codec::calm();
        let stored = match py.detach(|| self.stack.glance(&self.place, read)) {
            Glance::Found(stored) if stored.is_to_slide() => {
                let lengthened = self.stack.lengthened(self.place.clone(), stored);
                Some(drive(py, lengthened)?)
            }
            Glance::Found(stored) => Some(stored),
            Glance::Nothing => None,
            Glance::Unclear => drive(py, self.stack.get(self.place.clone(), Arc::new([]), read))?,
        };
        self.take(py, stored, since)
    }

    /// Takes what the stores have, which memory takes over unless something came between since then.
    pub(crate) fn take(
        &self,
        py: Python<'_>,
        stored: Option<Stored>,
        since: Stamp,
    ) -> PyResult<Option<Kept>> {
        codec::check(py, &self.place.name)?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let kept = self.link.decoded(py, &self.stack, self.home, stored);
        if let Some(kept) = &kept {
            self.fill(py, kept, since);
        }
        Ok(kept)
    }

    /// As [`take`](Self::take), of an entry or of its value alone, which memory does not take.
    pub(crate) fn take_one(
        &self,
        py: Python<'_>,
        brought: One,
        since: Stamp,
    ) -> PyResult<Option<Object>> {
        match brought {
            One::Whole(stored) => Ok(self.take(py, *stored, since)?.map(|kept| kept.value)),
            One::Value(value) => {
                codec::check(py, &self.place.name)?;
                let of = (&*self.stack, self.home);
                Ok(value.and_then(|value| self.link.value_alone(py, of, &value)))
            }
        }
    }

    /// The tag of its own that it has in memory.
    pub(crate) fn mark(&self) -> Arc<str> {
        let [own, _] = self.link.own_tags(&self.place);
        own
    }

    /// What it is told by.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(self.link)
    }

    /// Where it lies.
    pub(crate) fn into_place(self) -> (Arc<Stack>, Place) {
        (self.stack, self.place)
    }

    /// The entry that lies there, again; None if it is one of memory alone.
    pub(crate) fn at(
        home: &'a Home,
        keyed: &'a Keyed,
        (stack, place): (Arc<Stack>, Place),
    ) -> Option<Self> {
        Some(Self {
            home,
            link: home.link.as_ref()?,
            stack,
            keyed,
            place,
        })
    }

    /// What the last tier has, with the number of its write; counts nothing, and memory does not take it.
    pub(crate) fn read_exactly(&self, py: Python<'_>) -> PyResult<Option<Kept>> {
        let stored = drive(py, self.stack.get_exact(self.place.clone()))?;
        codec::check(py, &self.place.name)?;
        Ok(stored.and_then(|stored| self.link.decoded(py, &self.stack, self.home, stored)))
    }

    /// Puts a value by hand.
    pub(crate) fn put(&self, py: Python<'_>, given: &Given<'_>) -> PyResult<()> {
        let since = self.home.engine.stamp();
        let put = match self.link.encoded(py, self.home, given.value)? {
            Some(payload) => self.put_payload(py, payload, self.meta(given)),
            // What lies there is no longer the entry's value. Memory has it alone, and has to hear of its tags all the same.
            None => {
                self.stack.note(given.tags);
                drive(py, self.stack.delete(self.place.clone())).map(drop)
            }
        };
        match put {
            Ok(()) => self.remember(py, given, since),
            Err(_) => self.forget(),
        }
        put
    }

    /// Has the stores put the bytes of a value.
    fn put_payload(&self, py: Python<'_>, payload: Vec<u8>, mut meta: Meta) -> PyResult<()> {
        codec::calm();
        let written = match py.detach(|| self.stack.set_now(&self.place, &payload, &mut meta)) {
            Some(written) => {
                if !written.is_stored() {
                    // What is there is older than what was to be set.
                    drive(py, self.stack.delete(self.place.clone()))?;
                }
                written
            }
            None => drive(py, self.stack.set(self.place.clone(), payload, meta))?,
        };
        self.link.heard(py, self.home, &written)
    }

    /// What is to be asked to put a value; None if it cannot be stored.
    pub(crate) fn setting(
        &self,
        py: Python<'_>,
        given: &Given<'_>,
    ) -> PyResult<Option<impl Future<Output = Written> + Send + use<>>> {
        let payload = self.link.encoded(py, self.home, given.value)?;
        let meta = self.meta(given);
        Ok(payload.map(|payload| self.stack.set(self.place.clone(), payload, meta)))
    }

    /// Puts a value if what is there meets the condition; whether it did.
    pub(crate) fn put_if(
        &self,
        py: Python<'_>,
        given: &Given<'_>,
        condition: Condition,
    ) -> PyResult<bool> {
        let Some(payload) = self.link.encoded(py, self.home, given.value)? else {
            return Ok(false);
        };
        let meta = self.meta(given);
        let since = self.home.engine.stamp();
        let done = self.amend_store(py, move |there| {
            let holds = match condition {
                Condition::Absent => there.is_none(),
                Condition::Present => there.is_some(),
                Condition::Version(version) => {
                    there.is_some_and(|stored| stored.version == Some(version))
                }
            };
            match holds {
                true => Change::Write(payload.clone(), meta.clone(), true),
                false => Change::Keep(false),
            }
        });
        match done {
            Ok(true) => self.remember(py, given, since),
            _ => self.forget(),
        }
        done
    }

    /// Looks at the entry in the last tier and changes it in one step; memory lets go of it.
    pub(crate) fn amend<R: Send + 'static>(
        &self,
        py: Python<'_>,
        change: impl FnMut(Option<&Stored>) -> Change<R> + Send + 'static,
    ) -> PyResult<R> {
        let amended = self.amend_store(py, change);
        self.forget();
        amended
    }

    fn amend_store<R: Send + 'static>(
        &self,
        py: Python<'_>,
        mut change: impl FnMut(Option<&Stored>) -> Change<R> + Send + 'static,
    ) -> PyResult<R> {
        self.link.require(py, Need::Changes)?;
        // What was tampered with is no entry, and must not be taken for an empty place.
        let change = move |there: Option<&Stored>| match codec::is_alarmed() {
            true => Change::Keep(None),
            false => match change(there) {
                Change::Keep(give) => Change::Keep(Some(give)),
                Change::Write(payload, meta, give) => Change::Write(payload, meta, Some(give)),
                Change::Delete(give) => Change::Delete(Some(give)),
            },
        };
        let amended = drive(py, self.stack.amend(self.place.clone(), change))?;
        codec::check(py, &self.place.name)?;
        match amended {
            Ok(Some(give)) => Ok(give),
            Ok(None) => Err(errors::tampered(py, &self.place.name)),
            Err(failure) => Err(errors::store(py, &failure)),
        }
    }

    /// Puts a value in the place of that of a write; whether it was there. The entry keeps its tags and what is left of its ttl.
    pub(crate) fn exchange(&self, py: Python<'_>, value: &Object, version: u64) -> PyResult<bool> {
        let Some(payload) = self.link.encoded(py, self.home, value)? else {
            return Ok(false);
        };
        self.amend(py, move |stored| match stored {
            Some(stored) if stored.version == Some(version) => {
                Change::Write(payload.clone(), as_it_is(stored), true)
            }
            _ => Change::Keep(false),
        })
    }

    /// Dates the entry anew, or changes what else is known of it; whether it was there.
    pub(crate) fn change(
        &self,
        py: Python<'_>,
        change: impl Fn(&Stored, &mut Meta) + Send + 'static,
    ) -> PyResult<bool> {
        self.amend(py, move |stored| match stored {
            Some(stored) => {
                let mut meta = as_it_is(stored);
                change(stored, &mut meta);
                Change::Write(stored.opened.payload.to_vec(), meta, true)
            }
            None => Change::Keep(false),
        })
    }

    /// Deletes it everywhere; whether it was there, and whether all stores have done it.
    ///
    /// # Errors
    /// What a signal's handler raised meanwhile; memory has let go of the entry, and the stores are owed to be told.
    pub(crate) fn delete(&self, py: Python<'_>) -> PyResult<(bool, Done)> {
        let ended = drive(py, self.stack.delete(self.place.clone()));
        let was_here = self.leaves_memory();
        let (there, done) = ended?;
        Ok((there || (done == Done::Pending && was_here), done))
    }

    /// Has memory let go of it; whether it was there.
    pub(super) fn leaves_memory(&self) -> bool {
        let (engine, scope) = (&self.home.engine, &self.home.scope);
        self.forget();
        let there = engine.contains(scope, self.keyed.hash, &self.keyed.key);
        engine.delete(scope, self.keyed.hash, &self.keyed.key) && there
    }

    /// What is known of a value beside its bytes.
    pub(super) fn meta(&self, given: &Given<'_>) -> Meta {
        Meta {
            spans: Spans::of(&given.lifetime),
            tags: given.tags.to_vec(),
            key: self.link.listed(self.keyed),
            ..self.link.meta()
        }
    }

    /// Has memory keep what the stores were given since then, unless it was invalidated meanwhile.
    pub(crate) fn remember(&self, py: Python<'_>, given: &Given<'_>, since: Stamp) {
        if !self.home.has_memory() {
            self.forget();
            return;
        }
        let lifetime = self.home.in_memory(given.lifetime);
        let own = self.link.own_tags(&self.place);
        let put = Put {
            scope: &self.home.scope,
            hash: self.keyed.hash,
            key: self.keyed.key.clone(),
            value: given.value.clone(),
            lifetime,
            tags: &with(given.tags, &own),
            weight: given.weight,
        };
        if self.home.engine.supersede(put, &own[0], since) {
            self.watch(py, &lifetime);
        }
    }

    /// Has memory take over what the stores have, unless something came between.
    pub(super) fn fill(&self, py: Python<'_>, kept: &Kept, since: Stamp) {
        if !self.home.has_memory() {
            return;
        }
        let Some(weight) = self.home.weight_of(kept.value.bind(py)) else {
            return;
        };
        let lifetime = self.home.in_memory(kept.lifetime);
        let put = Put {
            scope: &self.home.scope,
            hash: self.keyed.hash,
            key: self.keyed.key.clone(),
            value: kept.value.clone(),
            lifetime,
            tags: &with(&kept.told.tags, &self.link.own_tags(&self.place)),
            weight,
        };
        if self.home.engine.fill(put, kept.told.age, since) {
            self.watch(py, &lifetime);
        }
    }

    /// Has memory let go of the entry, and of what is being read or computed for it.
    pub(crate) fn forget(&self) {
        let [own, _] = self.link.own_tags(&self.place);
        self.home.engine.invalidate_tags(&[own]);
    }

    fn watch(&self, py: Python<'_>, lifetime: &Lifetime) {
        if ends(lifetime) {
            Table::watch(self.home.table(py));
        }
    }
}

/// The tags that an entry has in memory: those that were given, then its own.
fn with(given: &[Arc<str>], own: &[Arc<str>]) -> Vec<Arc<str>> {
    [given, own].concat()
}

/// A condition of memory's as stores have it.
pub(crate) fn condition(condition: everwarm_engine::Condition) -> Condition {
    match condition {
        everwarm_engine::Condition::Absent => Condition::Absent,
        everwarm_engine::Condition::Present => Condition::Present,
        everwarm_engine::Condition::Version(version) => Condition::Version(version),
    }
}

impl Held<'_> {
    /// Adds to the whole number that is there, or to what it begins with; the sum.
    pub(crate) fn count<'py>(
        &self,
        py: Python<'py>,
        (by, initial): (&Bound<'py, PyInt>, &Bound<'py, PyInt>),
        created: Lifetime,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (link, by, initial) = (
            Arc::clone(self.link),
            by.clone().unbind(),
            initial.clone().unbind(),
        );
        let fresh = Meta {
            spans: Spans::of(&created),
            key: self.link.listed(self.keyed),
            ..self.link.meta()
        };
        let counted = self.amend(py, move |stored| {
            let sum = Python::attach(|py| {
                let before = match stored {
                    Some(stored) => link.number(py, stored)?,
                    None => initial.bind(py).clone(),
                };
                let sum = before.add(by.bind(py))?;
                let mut payload = Vec::new();
                match link.format.get().encode(&sum, &mut payload) {
                    Ok(()) => Ok((payload, sum.unbind())),
                    Err(refused) => Err(PyTypeError::new_err(refused.message())),
                }
            });
            match sum {
                Ok((payload, sum)) => {
                    let meta = stored.map_or_else(|| fresh.clone(), as_it_is);
                    Change::Write(payload, meta, Ok(sum))
                }
                Err(error) => Change::Keep(Err(error)),
            }
        })?;
        counted.map(|sum: Py<PyAny>| sum.into_bound(py))
    }
}

impl Link {
    /// The whole number that an entry holds.
    fn number<'py>(&self, py: Python<'py>, stored: &Stored) -> PyResult<Bound<'py, PyInt>> {
        let value = self
            .format
            .get()
            .decode(py, &stored.opened.payload, None)?
            .ok();
        let value = value.map_or_else(|| py.None().into_bound(py), |value| value.into_bound(py));
        whole(
            &value,
            "a counter is",
            "`set` the key to a whole number, or count under another key",
        )
    }
}

/// The entry of a key as `get_with_meta` tells it, from the last tier, since that one numbers its writes; counted as a read.
pub(crate) fn seen<'py>(
    py: Python<'py>,
    home: &Home,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Found<'py>>> {
    let keyed = keyed_whole(home, key)?;
    let Some(held) = Held::new(py, home, &keyed)? else {
        home.engine.missed(&home.scope, keyed.hash);
        return Ok(None);
    };
    let Some(kept) = held.read_exactly(py)? else {
        home.engine.missed(&home.scope, keyed.hash);
        return Ok(None);
    };
    home.scope.count_hit();
    Ok(Some(kept.told(py, "hit", held.place.name.to_string())))
}

impl Kept {
    /// What users are told of it.
    pub(crate) fn told<'py>(
        self,
        py: Python<'py>,
        status: &'static str,
        name: String,
    ) -> Found<'py> {
        found_elsewhere(self.value.into_bound(py), &self.told, status, name)
    }
}
