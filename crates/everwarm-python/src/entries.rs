//! A cache's own entries: where they live, what their keys are, and how long they last.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::{Short, Writer};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::Policy;
use everwarm_engine::Amendment;
use pyo3::Borrowed;
use pyo3::prelude::*;

use crate::engine::Key;
use crate::given::Ttl;
use crate::home::{Home, Keyed};
use crate::lasting::intern;
use crate::object::Object;
use crate::objects::Objects;
use crate::shared::{Held, held};
use crate::table::Table;
use crate::terms::Terms;
use crate::unit;
use crate::{calling, errors, keys};

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
        let home = Home::of_objects(table.cast_into::<Table>()?, &terms);
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

    /// The life of an entry that is written there now.
    pub(crate) fn lifetime(&self, home: &Home, ttl: Ttl) -> Lifetime {
        let policy = policy_of(home, ttl);
        if policy.ttl.is_none() {
            return Lifetime::ending(Instant::NEVER);
        }
        policy.lifetime(home.engine.now(), Duration::ZERO, &self.chance)
    }

    /// The life of a counter that is created there now.
    pub(crate) fn created(&self, home: &Home, ttl: Ttl) -> Lifetime {
        let ttl = match ttl {
            Ttl::Unsaid => None,
            Ttl::Said(ttl) => ttl,
        };
        let policy = Policy {
            ttl,
            ..Policy::default()
        };
        policy.lifetime(home.engine.now(), Duration::ZERO, &self.chance)
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

    /// Counts a miss of [`hit_common`](Self::hit_common), if that was one: it looked, and nothing lies anywhere else. The key is
    /// made once more, so that hits need not carry its hash along.
    pub(crate) fn miss_common(&self, key: Borrowed<'_, '_, PyAny>) -> bool {
        let is_all = |home: &&Arc<Home>| {
            home.gate.is_open()
                && home.link.is_none()
                && !home.engine.is_closed()
                && home.policy.is_plain()
        };
        let Some(home) = self.home.get().filter(is_all) else {
            return false;
        };
        let short = keys::add_common(key, Short::for_scope(home.scope.id())).complete();
        if let Some(key) = short {
            home.engine.missed(&home.scope, home.seed.hash_one(key));
        }
        short.is_some()
    }

    /// The value of a key that stays as it is, wherever it is looked for; counted.
    pub(crate) fn look<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, home) = (slf.py(), Self::open(slf)?);
        if home.is_away(py)? {
            home.scope.count_bypass();
            return Ok(None);
        }
        // Where memory has little the stores will be asked: then the key is made once for both.
        let keyed = match home.has_memory() {
            true => None,
            false => Some(keyed_whole(&home, key)?),
        };
        let found = match &keyed {
            Some(keyed) => Self::hit_keyed_or_due(&home, keyed.hash, &keyed.key).ok_or(keyed.hash),
            None => Self::hit_or_due(&home, key)?,
        };
        let found = match found {
            Ok(value) => Some(value),
            Err(hash) => {
                if home.engine.is_closed() {
                    return Err(closed(slf));
                }
                let behind = match &keyed {
                    Some(keyed) => Self::behind_keyed(py, &home, keyed)?,
                    None => Self::behind(py, &home, key)?,
                };
                if behind.is_none() {
                    home.engine.missed(&home.scope, hash);
                }
                behind
            }
        };
        found
            .map(|value| Ok(home.copied_or_refused(py, value)?.into_bound(py)))
            .transpose()
    }

    /// The value of an entry, counted as a hit; else the key's hash.
    #[inline(always)]
    pub(crate) fn hit(home: &Home, key: &Bound<'_, PyAny>) -> PyResult<Result<Object, u64>> {
        let short = Short::for_scope(home.scope.id());
        let (hash, found) = match keys::add_common(key.as_borrowed(), short).complete() {
            Some(key) if home.tenancy.is_none() => {
                let hash = home.seed.hash_one(key);
                (hash, home.engine.hit(&home.scope, hash, &key))
            }
            _ => {
                let (hash, key) = keyed(home, key)?;
                (hash, home.engine.hit(&home.scope, hash, &key))
            }
        };
        Ok(found.ok_or(hash))
    }

    /// As [`hit`](Self::hit), for a verb that computes nothing: a value that is due to be computed anew is as good as any.
    pub(crate) fn hit_or_due(home: &Home, key: &Bound<'_, PyAny>) -> PyResult<Result<Object, u64>> {
        let found = Self::hit(home, key)?;
        if found.is_ok() || home.policy.is_plain() {
            return Ok(found);
        }
        let (hash, key) = keyed(home, key)?;
        Ok(Self::due(home, hash, &key).ok_or(hash))
    }

    /// As [`hit_or_due`](Self::hit_or_due), of a key that is made already.
    pub(crate) fn hit_keyed_or_due(home: &Home, hash: u64, key: &Key) -> Option<Object> {
        let found = home.engine.hit(&home.scope, hash, key);
        match found {
            None if !home.policy.is_plain() => Self::due(home, hash, key),
            found => found,
        }
    }

    /// The value of an entry, be it due to be computed anew.
    fn due(home: &Home, hash: u64, key: &Key) -> Option<Object> {
        home.engine.hit_since(&home.scope, hash, key, Instant::ZERO)
    }

    /// What stores behind memory have for a key, counted as a hit.
    pub(crate) fn behind(
        py: Python<'_>,
        home: &Home,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Object>> {
        if home.link.is_none() {
            return Ok(None);
        }
        Self::behind_keyed(py, home, &keyed_whole(home, key)?)
    }

    fn behind_keyed(py: Python<'_>, home: &Home, keyed: &Keyed) -> PyResult<Option<Object>> {
        let Some(held) = Held::new(py, home, keyed)? else {
            return Ok(None);
        };
        let kept = held.read(py)?;
        if kept.is_some() {
            home.scope.count_hit();
        }
        Ok(kept.map(|kept| kept.value))
    }

    pub(crate) fn amend(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        amendment: Amendment<'_>,
    ) -> PyResult<bool> {
        let home = Self::open_for(slf)?;
        let keyed = keyed_whole(&home, key)?;
        // What was demoted is not served once a block has ended, as what was deleted is not.
        if amendment != Amendment::Stale && home.is_away(slf.py())? {
            return Ok(false);
        }
        if amendment == Amendment::Stale {
            home.demand_tenant(slf.py())?;
        }
        if amendment == Amendment::Stale && home.unit(slf.py())?.is_some() {
            return unit::demote(slf, &home, keyed);
        }
        let carried;
        let amendment = match amendment {
            Amendment::Tag(tags) => {
                carried = home.naming.carried(keyed.tenant.as_ref(), tags.to_vec());
                Amendment::Tag(&carried)
            }
            amendment => amendment,
        };
        match Held::new(slf.py(), &home, &keyed)? {
            Some(held) => held.change(slf.py(), held::change(amendment)),
            None => Ok(home
                .engine
                .amend(&home.scope, keyed.hash, &keyed.key, amendment)),
        }
    }
}

fn policy_of(home: &Home, ttl: Ttl) -> Policy {
    match ttl {
        Ttl::Unsaid => home.policy,
        Ttl::Said(ttl) => Policy { ttl, ..home.policy },
    }
}

/// The canonical key of an object.
pub(crate) fn keyed(home: &Home, object: &Bound<'_, PyAny>) -> PyResult<(u64, Key)> {
    keyed_whole(home, object).map(|keyed| (keyed.hash, keyed.key))
}

/// As [`keyed`], with whether a store may have it.
pub(crate) fn keyed_whole(home: &Home, object: &Bound<'_, PyAny>) -> PyResult<Keyed> {
    let mut key = Writer::for_scope(home.scope.id());
    let tenant = home.tenant(object.py())?;
    if home.tenancy.is_some() {
        // No tenant has an empty name, so what is nobody's is in no tenant's way.
        key.bytes(tenant.as_ref().map_or(&[], |tenant| &tenant.0));
    }
    keys::encode_argument(object, &mut key, "key")?;
    let sealed = key
        .seal()
        .map_err(|limit| keys::beyond(object.py(), limit))?;
    let (hash, sealed) = (home.seed.hash_one(sealed), sealed.into());
    Ok(Keyed {
        hash,
        key: sealed,
        instance: None,
        bound: key.is_process_bound(),
        tenant,
    })
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

/// Whether an entry of this life ever leaves by itself.
pub(crate) fn ends(lifetime: &Lifetime) -> bool {
    lifetime.keep_until() != Instant::NEVER
}
