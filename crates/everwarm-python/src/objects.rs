//! The object verbs: the native base of `Cache`.
//!
//! A cache finds its table when it is first used, by its `_resolve`. The commonest verbs, `get` and `set`, have a shorter
//! way (`methods`), which ends here in `_get` and `_set` for whatever is not common.

use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::{self, Digest, Header, Short, Writer};
use everwarm_core::policy::Policy;
use everwarm_core::using::Plan;
use everwarm_engine::{Amendment, Chance, Condition};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple};
use pyo3::{Borrowed, intern};

use crate::ask::Source;
use crate::engine::Key;
use crate::given::{Tags, Ttl, many, one_or_many};
use crate::home::Home;
use crate::object::Object;
use crate::scan::Scan;
use crate::table::Table;
use crate::terms::{Terms, span_of};
use crate::verbs::{self, Found};
use crate::wanted::{self, Wanted};
use crate::{ask, calling, errors, keys};

/// A cache's own entries.
#[pyclass(frozen, subclass, module = "everwarm._native")]
pub(crate) struct Objects {
    pub(crate) home: OnceLock<Arc<Home>>,
    /// Where the entries live since the cache was taken back.
    later: Mutex<Option<Arc<Home>>>,
    chance: Chance,
}

impl Objects {
    /// Where the entries live; found at the first use, when the cache is resolved.
    pub(crate) fn open(slf: &Bound<'_, Self>) -> PyResult<Arc<Home>> {
        let this = slf.get();
        if let Some(home) = this.found() {
            return Ok(home);
        }
        let py = slf.py();
        let table = calling::call(&slf.getattr(intern!(py, "_resolve"))?, [])?;
        let terms = slf
            .getattr(intern!(py, "policy"))?
            .getattr(intern!(py, "_terms"))?
            .cast_into::<Terms>()?;
        let home = Home::of_objects(table.cast_into::<Table>()?, terms.get());
        let home = Arc::new(home);
        if this.home.get().is_none() {
            return Ok(Arc::clone(this.home.get_or_init(|| home)));
        }
        let left = this.later.lock().replace(Arc::clone(&home));
        drop(left);
        Ok(home)
    }

    /// Where the entries live, if that is known.
    fn found(&self) -> Option<Arc<Home>> {
        let home = self.home.get()?;
        if !home.is_left() {
            return Some(Arc::clone(home));
        }
        let later = self.later.lock().clone()?;
        (!later.is_left()).then_some(later)
    }

    /// When an entry ends that is written there now.
    pub(crate) fn deadline(&self, home: &Home, ttl: Ttl) -> Instant {
        let policy = match ttl {
            Ttl::Unsaid => home.policy,
            Ttl::Said(ttl) => Policy { ttl, ..home.policy },
        };
        if policy.ttl.is_none() {
            return Instant::NEVER;
        }
        let lifetime = policy.lifetime(home.engine.now(), Duration::ZERO, &self.chance);
        lifetime.serve_until()
    }

    /// The home of a cache that is not closed.
    pub(crate) fn open_for(slf: &Bound<'_, Self>) -> PyResult<Arc<Home>> {
        let home = Self::open(slf)?;
        match home.engine.is_closed() {
            true => Err(closed(slf)),
            false => Ok(home),
        }
    }

    /// The value of a key that is a small int or an ASCII text, if it is there: the way of nearly every `get`.
    #[inline(always)]
    pub(crate) fn hit_common(&self, key: Borrowed<'_, '_, PyAny>) -> Option<Object> {
        let home = self.home.get()?;
        if !home.gate.is_open() {
            return None;
        }
        let key = keys::add_common(key, Short::for_scope(home.scope.id())).complete()?;
        home.engine.hit(&home.scope, home.seed.hash_one(key), &key)
    }

    /// The value of an entry, counted as a hit; else the key's hash.
    #[inline(always)]
    fn hit(home: &Home, key: &Bound<'_, PyAny>) -> PyResult<Result<Object, u64>> {
        let short = Short::for_scope(home.scope.id());
        let (hash, found) = match keys::add_common(key.as_borrowed(), short).complete() {
            Some(key) => {
                let hash = home.seed.hash_one(key);
                (hash, home.engine.hit(&home.scope, hash, &key))
            }
            None => {
                let (hash, key) = keyed(home, key)?;
                (hash, home.engine.hit(&home.scope, hash, &key))
            }
        };
        Ok(found.ok_or(hash))
    }

    fn amend(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        amendment: Amendment<'_>,
    ) -> PyResult<bool> {
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(slf.py())? {
            return Ok(false);
        }
        Ok(home.engine.amend(&home.scope, hash, &key, amendment))
    }
}

/// The canonical key of an object.
pub(crate) fn keyed(home: &Home, object: &Bound<'_, PyAny>) -> PyResult<(u64, Key)> {
    let mut key = Writer::for_scope(home.scope.id());
    keys::encode_argument(object, &mut key, "key")?;
    let sealed = key
        .seal()
        .map_err(|limit| keys::beyond(object.py(), limit))?;
    Ok((home.seed.hash_one(sealed), sealed.into()))
}

pub(crate) fn closed(objects: &Bound<'_, Objects>) -> PyErr {
    let name = objects
        .getattr(intern!(objects.py(), "namespace"))
        .and_then(|name| name.extract::<String>())
        .unwrap_or_default();
    let message = format!("the cache {name:?} is closed");
    let hint = "build another `Cache`, or close this one later";
    errors::raise(objects.py(), &Error::new(ErrorKind::Closed, message, hint))
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
        let home = Self::open(slf)?;
        if home.is_disabled(slf.py())? {
            home.scope.count_bypass();
            return Ok(default);
        }
        match Self::hit(&home, key)? {
            Ok(value) => Ok(Some(value.into_bound(slf.py()))),
            Err(hash) => {
                Self::open_for(slf)?;
                home.engine.missed(&home.scope, hash);
                Ok(default)
            }
        }
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

    /// Stores `value` under `key` unless something is there; whether it did.
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

    /// Stores `value` under `key` if something is there; whether it did.
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
        version: &Bound<'_, PyInt>,
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
        let (hash, key) = keyed(&home, key)?;
        let there = home.engine.contains(&home.scope, hash, &key);
        Ok(home.engine.delete(&home.scope, hash, &key) && there)
    }

    /// Whether there is a fresh entry; counts nothing.
    fn exists(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        Ok(!home.is_disabled(slf.py())? && home.engine.contains(&home.scope, hash, &key))
    }

    fn __contains__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::exists(slf, key)
    }

    /// The values of those of `keys` that are there, by key; each counts as a `get`.
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let home = Self::open_for(slf)?;
        let found = PyDict::new(slf.py());
        let disabled = home.is_disabled(slf.py())?;
        for key in many(keys)? {
            let key = key?;
            if disabled {
                home.scope.count_bypass();
                continue;
            }
            match Self::hit(&home, &key)? {
                Ok(value) => found.set_item(key, value.into_bound(slf.py()))?,
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
        let mut gone = 0;
        for key in many(keys)? {
            gone += usize::from(Self::delete(slf, &key?)?);
        }
        Ok(gone)
    }

    /// The value under `key`, else what `compute()` gives, which is stored.
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
        let disabled = home.is_disabled(py)?;
        if !disabled && let Ok(value) = Self::hit(&home, &key)? {
            return Ok(value.into_bound(py));
        }
        let wanted = Wanted::new(slf, key, compute, ttl, tags)?;
        if disabled {
            home.scope.count_bypass();
            return Ok(wanted.compute(py)?.into_bound(py));
        }
        let keyed = wanted.keyed(py)?;
        let answer = ask::answer(py, &wanted, keyed, Some(&wanted.tags), Plan::ORDINARY)?;
        Ok(answer.value.into_bound(py))
    }

    /// The entry of a key as `get_with_meta` tells it, counted as `get` does.
    fn _seen<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        namespace: &str,
    ) -> PyResult<Option<Found<'py>>> {
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(slf.py())? {
            home.scope.count_bypass();
            return Ok(None);
        }
        let Some(seen) = home.engine.hit_seen(&home.scope, hash, &key) else {
            home.engine.missed(&home.scope, hash);
            return Ok(None);
        };
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
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(slf.py())? {
            return Ok(None);
        }
        let seen = home.engine.peek(&home.scope, hash, &key);
        Ok(seen.map(|seen| seen.ttl.map_or(f64::INFINITY, |ttl| ttl.as_secs_f64())))
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
        Self::amend(slf, key, Amendment::Tag(&one_or_many(tags)?))
    }

    /// Lets all entries go that carry one of the tags; also takes one iterable of tags.
    ///
    /// After it returns no call sees a value whose computation began before. It costs the same however many
    /// entries there are.
    #[pyo3(signature = (*tags))]
    fn invalidate_tags(slf: &Bound<'_, Self>, tags: &Bound<'_, PyTuple>) -> PyResult<()> {
        let home = Self::open_for(slf)?;
        home.engine.invalidate_tags(&one_or_many(tags)?);
        Ok(())
    }

    /// The texts among the keys that begin with `prefix`, in no order.
    ///
    /// No lock is held between two of them. A key that stays throughout is given exactly once; what comes or goes
    /// meanwhile may be given or not.
    #[pyo3(signature = (prefix=None), text_signature = "($self, prefix='')")]
    fn scan(slf: &Bound<'_, Self>, prefix: Option<&Bound<'_, PyString>>) -> PyResult<Scan> {
        let home = Self::open_for(slf)?;
        let prefix = match prefix {
            Some(prefix) => prefix
                .call_method1(intern!(slf.py(), "encode"), ("utf-8", "surrogatepass"))?
                .extract()?,
            None => Vec::new(),
        };
        Ok(Scan::new(slf, home, prefix))
    }

    /// Lets all entries go, those of its functions too.
    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::open_for(slf)?.engine.clear();
        Ok(())
    }

    /// Lets expired entries go at once; how many they were.
    ///
    /// A background thread does it every second anyway.
    fn sweep(slf: &Bound<'_, Self>) -> PyResult<usize> {
        Ok(Self::open_for(slf)?.engine.sweep())
    }

    /// Returns when all writes are done: at once, in memory.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::open_for(slf).map(|_| ())
    }

    /// Whether the cache can be used: it is not closed.
    fn ping(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Ok(!Self::open(slf)?.engine.is_closed())
    }

    /// Ends the cache: its entries leave, its verbs raise `Closed` from here on.
    ///
    /// Its functions go on as if they were not decorated. A second time does nothing.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::open(slf)?.engine.close();
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
