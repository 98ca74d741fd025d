//! The object verbs: the native base of `Cache`.
//!
//! A cache finds its table when it is first used, by its `_resolve`. The commonest verbs, `get` and `set`, have a shorter
//! way (`methods`), which ends here in `_get` and `_set` for whatever is not common.

use std::sync::{Arc, OnceLock};

use everwarm_core::judge::Freshness;
use everwarm_core::key::{self, Digest, Header};
use everwarm_core::using::Plan;
use everwarm_engine::{Amendment, Cause, Chance, Condition};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::ask::Source;
use crate::entries::{keyed, keyed_whole};
use crate::given::{Tags, Ttl, beginning, many, one_or_many};
use crate::home::Home;
use crate::scan::Scan;
use crate::shared::{Held, Names, held, held_many};
use crate::table::Table;
use crate::terms::span_of;
use crate::unit;
use crate::verbs::{self, Found};
use crate::wanted::{self, Wanted};
use crate::{ask, errors, keys};

/// A cache's own entries.
#[pyclass(frozen, subclass, module = "everwarm._native")]
pub(crate) struct Objects {
    pub(crate) home: OnceLock<Arc<Home>>,
    /// Where the entries live since the cache was taken back.
    pub(crate) later: Mutex<Option<Arc<Home>>>,
    pub(crate) chance: Chance,
}

#[pymethods]
impl Objects {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            home: OnceLock::new(),
            later: Mutex::new(None),
            chance: Chance::new(),
        }
    }

    /// `get` with any key and arguments.
    #[pyo3(signature = (key, default=None))]
    fn _get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(Self::look(slf, key)?.or(default))
    }

    /// `set` with any key and arguments.
    #[pyo3(signature = (key, value, *, ttl=Ttl::Unsaid, tags=Tags::default()))]
    fn _set(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<()> {
        Self::put(slf, key, value, (ttl, tags))
    }

    /// Stores `value` under `key` unless something is there; whether it did. A value too heavy to be kept is refused.
    #[pyo3(signature = (key, value, *, ttl=Ttl::Unsaid, tags=Tags::default()))]
    #[pyo3(text_signature = "($self, key, value, *, ttl=..., tags=())")]
    fn add(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<bool> {
        Self::put_if(slf, (key, value, ttl, tags), Condition::Absent)
    }

    /// Stores `value` under `key` if something is there; whether it did. A value too heavy to be kept is refused.
    #[pyo3(signature = (key, value, *, ttl=Ttl::Unsaid, tags=Tags::default()))]
    #[pyo3(text_signature = "($self, key, value, *, ttl=..., tags=())")]
    fn replace(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<bool> {
        Self::put_if(slf, (key, value, ttl, tags), Condition::Present)
    }

    /// Stores `value` if the entry under `key` is still that of the write `version`; whether it was.
    ///
    /// The version is that of `get_with_meta(key)`. The entry keeps its remaining ttl and its tags.
    fn compare_and_set(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        Self::exchange(slf, key, version, value)
    }

    /// Adds `by` to the int under `key`; the sum.
    ///
    /// What is not there starts at `initial`, for `ttl_on_create`; what is there keeps its remaining ttl and its
    /// tags. No update is lost among threads. Raises `TypeError` if the value is no int.
    #[pyo3(signature = (key, by=None, *, initial=None, ttl_on_create=Ttl::Said(None)))]
    #[pyo3(text_signature = "($self, key, by=1, *, initial=0, ttl_on_create=None)")]
    fn incr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        by: Option<Bound<'py, PyAny>>,
        initial: Option<Bound<'py, PyAny>>,
        ttl_on_create: Ttl,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::count(slf, key, (by, initial), ttl_on_create)
    }

    /// Lets the entry of `key` go; whether it was there. A computation of it that is running is not stored.
    fn delete(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let home = Self::open_for(slf)?;
        home.demand_tenant(slf.py())?;
        let keyed = keyed_whole(&home, key)?;
        unit::let_go(slf, &home, keyed, Cause::Deleted)
    }

    /// Whether there is a fresh entry; counts nothing.
    fn exists(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let home = Self::open_for(slf)?;
        let keyed = keyed_whole(&home, key)?;
        if home.is_away(slf.py())? {
            return Ok(false);
        }
        if home.engine.contains(&home.scope, keyed.hash, &keyed.key) {
            return Ok(true);
        }
        match Held::new(slf.py(), &home, &keyed)? {
            Some(held) => Ok(held.read(slf.py())?.is_some()),
            None => Ok(false),
        }
    }

    fn __contains__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::exists(slf, key)
    }

    /// The values of those of `keys` that are there, by key; each counts as a `get`.
    pub(crate) fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let home = Self::open_for(slf)?;
        let found = PyDict::new(slf.py());
        let disabled = home.is_away(slf.py())?;
        if home.link.is_some() && !disabled {
            return held_many::get_many(slf.py(), &home, keys);
        }
        for key in many(keys)? {
            let key = key?;
            if disabled {
                home.scope.count_bypass();
                continue;
            }
            match Self::hit_or_due(&home, &key)? {
                Ok(value) => {
                    let own = home.copied_or_refused(slf.py(), value)?;
                    found.set_item(key, own.into_bound(slf.py()))?;
                }
                Err(hash) => home.engine.missed(&home.scope, hash),
            }
        }
        Ok(found)
    }

    /// Stores all values of a mapping, each under its key, or none if one of the keys is refused.
    #[pyo3(signature = (mapping, *, ttl=Ttl::Unsaid, tags=Tags::default()))]
    #[pyo3(text_signature = "($self, mapping, *, ttl=..., tags=())")]
    fn set_many(
        slf: &Bound<'_, Self>,
        mapping: &Bound<'_, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<()> {
        Self::put_all(slf, mapping, ttl, &tags)
    }

    /// Lets the entries of `keys` go; how many were there.
    fn delete_many(slf: &Bound<'_, Self>, keys: &Bound<'_, PyAny>) -> PyResult<usize> {
        let home = Self::open_for(slf)?;
        home.demand_tenant(slf.py())?;
        let keyed = many(keys)?.map(|key| keyed_whole(&home, &key?));
        unit::let_all_go(slf, &home, keyed.collect::<PyResult<_>>()?)
    }

    /// The value under `key`, else what `compute()` gives, which is stored if the cache's policy keeps it.
    ///
    /// However many threads and tasks ask at once, one of them computes. Errors of `compute` arrive as themselves
    /// and are not stored. `compute` is a callable without arguments.
    #[pyo3(signature = (key, compute, *, ttl=Ttl::Unsaid, tags=Tags::default()))]
    #[pyo3(text_signature = "($self, key, compute, *, ttl=..., tags=())")]
    fn get_or_compute<'py>(
        slf: &Bound<'py, Self>,
        key: Bound<'py, PyAny>,
        compute: Bound<'py, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        wanted::check(&compute)?;
        let home = Self::open(slf)?;
        let disabled = home.is_away(py)?;
        let hit = match disabled {
            true => None,
            false => Self::hit(&home, &key)?.ok(),
        };
        let own = hit.as_ref().map(|value| home.try_copied(py, value));
        if let Some(Some(own)) = own {
            return Ok(own.into_bound(py));
        }
        let wanted = Wanted::new(slf, key, compute, ttl, tags)?;
        if disabled {
            home.scope.count_bypass();
        }
        if disabled || hit.is_some() {
            return Ok(wanted.compute(py)?.into_bound(py));
        }
        let keyed = wanted.keyed(py)?;
        let tags = wanted.tags(py, &keyed);
        let answer = ask::answer(py, &wanted, keyed, tags, Plan::ORDINARY)?;
        Ok(answer.value.into_bound(py))
    }

    /// The entry of a key as `get_with_meta` tells it, counted as `get` does.
    fn _seen<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        namespace: &str,
    ) -> PyResult<Option<Found<'py>>> {
        let home = Self::open_for(slf)?;
        if home.is_away(slf.py())? {
            keyed(&home, key)?;
            home.scope.count_bypass();
            return Ok(None);
        }
        if home.link.is_some() {
            return held::seen(slf.py(), &home, key);
        }
        let (hash, key) = keyed(&home, key)?;
        let Some(mut seen) = home.engine.hit_seen(&home.scope, hash, &key) else {
            home.engine.missed(&home.scope, hash);
            return Ok(None);
        };
        seen.value = home.copied_or_refused(slf.py(), seen.value)?;
        let header = Header {
            function: "",
            version: "",
            parameters: &[],
        };
        let digest =
            Digest::new(&header, key.arguments()).map_err(|limit| keys::beyond(slf.py(), limit))?;
        let name = key::stored_name(namespace, "", "", &digest);
        Ok(Some(verbs::found(slf.py(), seen, "hit", name)))
    }

    /// The seconds that an entry has left: None if it is not there, `math.inf` if it does not expire.
    fn ttl(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
        let home = Self::open_for(slf)?;
        let keyed = keyed_whole(&home, key)?;
        if home.is_away(slf.py())? {
            return Ok(None);
        }
        let left = match Held::new(slf.py(), &home, &keyed)? {
            Some(held) => held.read(slf.py())?.map(|kept| kept.told.left),
            None => {
                let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
                let seen = seen.filter(|seen| seen.freshness == Freshness::Fresh);
                seen.map(|seen| seen.ttl)
            }
        };
        Ok(left.map(|left| left.map_or(f64::INFINITY, |left| left.as_secs_f64())))
    }

    /// Lets an entry expire after `ttl` from now; whether it was there.
    ///
    /// Raises `ConfigError` for a ttl of zero or less (`delete` is the verb), or None (`persist` is).
    fn expire(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        ttl: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let Some(span) = span_of(ttl)? else {
            let hint = "write `persist(key)` for an entry that does not expire";
            return Err(errors::config(
                slf.py(),
                "expire takes a duration, not None",
                hint,
            ));
        };
        let there = Self::amend(slf, key, Amendment::Expire(Some(span)))?;
        if there {
            Table::watch(Self::open(slf)?.table(slf.py()));
        }
        Ok(there)
    }

    /// Lets an entry expire no more; whether it was there.
    fn persist(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::amend(slf, key, Amendment::Expire(None))
    }

    /// Lets the ttl that an entry was last given begin anew; whether it was there.
    ///
    /// An entry that does not expire stays as it is.
    fn touch(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::amend(slf, key, Amendment::Renew)
    }

    /// Lets an entry be fresh no longer; whether it was there.
    ///
    /// It is then as expired. Unlike `delete` it leaves a running computation of the key alone.
    fn mark_stale(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::amend(slf, key, Amendment::Stale)
    }

    /// Adds tags to those of an entry; whether it was there. Invalidations from now on meet it.
    #[pyo3(signature = (key, *tags))]
    fn add_tags(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        tags: &Bound<'_, PyTuple>,
    ) -> PyResult<bool> {
        let tags = one_or_many(tags)?;
        Self::open_for(slf)?.takes_tags(slf.py(), &tags)?;
        Self::amend(slf, key, Amendment::Tag(&tags))
    }

    /// Lets all entries go that carry one of the tags; also takes one iterable of tags.
    ///
    /// After it returns no call sees a value whose computation began before. It costs the same however many
    /// entries there are.
    #[pyo3(signature = (*tags))]
    fn invalidate_tags(slf: &Bound<'_, Self>, tags: &Bound<'_, PyTuple>) -> PyResult<()> {
        let home = Self::open_for(slf)?;
        let tags = one_or_many(tags)?;
        home.takes_tags(slf.py(), &tags)?;
        let tenant = home.tenant(slf.py())?;
        home.invalidate(slf.py(), &home.naming.meant(tenant.as_ref(), tags))
    }

    /// The texts among the keys that begin with `prefix`, in no order.
    ///
    /// No lock is held between two of them. A key that stays throughout is given exactly once; what comes or goes
    /// meanwhile may be given or not.
    #[pyo3(signature = (prefix=None), text_signature = "($self, prefix='')")]
    fn scan<'py>(
        slf: &Bound<'py, Self>,
        prefix: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let home = Self::open_for(slf)?;
        let prefix = prefix.map_or(Ok(Vec::new()), beginning)?;
        if let Some(link) = &home.link {
            let tenant = home.tenant(slf.py())?;
            if tenant.is_some() == home.tenancy.is_some() {
                let names = Names::new(slf.py(), link, (prefix, tenant))?;
                return Ok(Bound::new(slf.py(), names)?.into_any());
            }
        }
        Ok(Bound::new(slf.py(), Scan::new(slf, home, prefix)?)?.into_any())
    }

    /// Lets all entries go, those of its functions too.
    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        let home = Self::open_for(slf)?;
        if let Some(tenant) = home.tenant(slf.py())? {
            return home.invalidate(slf.py(), &[home.naming.whole(&tenant, None)]);
        }
        if unit::clears_later(slf, &home)? {
            return Ok(());
        }
        unit::clear_cache(slf.py(), &home)
    }

    /// `aget` where stores answer later: the value, or an errand.
    #[pyo3(signature = (key, default=None))]
    fn _aget<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::look_later(slf, key, default, None)
    }

    /// `aget` on a loop of asyncio's where stores answer later: the value, or an errand; else `NotImplemented`.
    #[pyo3(signature = (key, default=None))]
    fn _aget_here<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = Self::look_here(slf, key, default)?;
        Ok(found.unwrap_or_else(|| slf.py().NotImplemented().into_bound(slf.py())))
    }

    /// `aget_many` where stores answer later: the values, or an errand.
    fn _aget_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::look_for_many_later(slf, keys)
    }

    /// `aset` where stores answer later: None, or an errand; `NotImplemented` if that is not all.
    #[pyo3(signature = (key, value, *, ttl=Ttl::Unsaid, tags=Tags::default()))]
    fn _aset<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::put_later(slf, key, value, (ttl, tags))
    }

    /// Whether its verbs may have to wait for a connection.
    fn _is_far(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::is_far(slf)
    }

    /// Lets expired entries go at once; how many they were.
    ///
    /// A background thread does it every second anyway.
    fn sweep(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let home = Self::open_for(slf)?;
        let behind = match &home.link {
            Some(link) => link.sweep(slf.py())?,
            None => 0,
        };
        Ok(home.engine.sweep() + behind)
    }

    /// Returns when all writes are done: at once, in memory.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        match &Self::open_for(slf)?.link {
            Some(link) => link.flush(slf.py()),
            None => Ok(()),
        }
    }

    /// Whether the cache can be used: it is not closed, and all its stores answer, within a second together.
    fn ping(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::answers(slf)
    }

    /// `aping` where stores answer later: whether they do, or an errand.
    fn _aping<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::answers_later(slf)
    }

    /// How the tiers behind memory are, by field: at this depth, within a second together.
    fn _look_over<'py>(slf: &Bound<'py, Self>, depth: &str) -> PyResult<Bound<'py, PyList>> {
        Self::look_over(slf, depth)
    }

    /// The same where stores answer later: the fields, or an errand.
    fn _alook_over<'py>(slf: &Bound<'py, Self>, depth: &str) -> PyResult<Bound<'py, PyAny>> {
        Self::look_over_later(slf, depth)
    }

    /// Whether it was closed.
    fn _is_closed(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Ok(Self::open(slf)?.engine.is_closed())
    }

    /// Ends the cache: its entries leave, its verbs raise `Closed` from here on.
    ///
    /// Its functions go on as if they were not decorated. A second time does nothing.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let home = Self::open(slf)?;
        if let Some(link) = &home.link
            && !home.engine.is_closed()
        {
            link.close(slf.py())?;
        }
        home.engine.close();
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(home) = self.home.get() {
            home.visit_table(&visit)?;
        }
        match &*self.later.lock() {
            Some(home) => home.visit_table(&visit),
            None => Ok(()),
        }
    }
}
