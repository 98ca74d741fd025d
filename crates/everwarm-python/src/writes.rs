//! The writes among the object verbs: what is weighed, dated and put, and looked after if it expires.

use std::hash::BuildHasher;

use everwarm_core::clock::Instant;
use everwarm_core::key::Short;
use everwarm_engine::{Condition, Put};
use pyo3::prelude::*;
use pyo3::types::PyInt;
use pyo3::{Borrowed, intern};

use crate::given::{Tags, Ttl, whole};
use crate::keys;
use crate::object::Object;
use crate::objects::{Objects, closed, keyed};
use crate::table::Table;

impl Objects {
    /// Stores a value under such a key as `set` does without tags; says whether it could.
    #[inline]
    pub(crate) fn set_common(
        &self,
        key: Borrowed<'_, '_, PyAny>,
        value: Borrowed<'_, '_, PyAny>,
        ttl: Ttl,
    ) -> bool {
        let Some(home) = self.home.get().filter(|home| home.gate.is_open()) else {
            return false;
        };
        let short = keys::add_common(key, Short::for_scope(home.scope.id())).complete();
        let special = home.engine.is_closed() || home.table(value.py()).get().weighs();
        let (Some(short), false) = (short, special) else {
            return false;
        };
        let deadline = self.deadline(home, ttl);
        home.engine.put(Put {
            scope: &home.scope,
            hash: home.seed.hash_one(short),
            key: short.into(),
            value: Object::from(value.to_owned()),
            deadline,
            tags: &[],
            weight: 0,
        });
        if deadline != Instant::NEVER {
            Table::watch(home.table(value.py()));
        }
        true
    }

    /// Stores a value, whatever is there.
    pub(crate) fn put(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        (ttl, tags): (Ttl, Tags),
    ) -> PyResult<()> {
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(slf.py())? {
            return Ok(());
        }
        let Some(weight) = home.weight_of(&value) else {
            home.engine.refuse(&home.scope, hash, &key);
            return Ok(());
        };
        let deadline = slf.get().deadline(&home, ttl);
        home.engine.put(Put {
            scope: &home.scope,
            hash,
            key,
            value: Object::from(value),
            deadline,
            tags: &tags.0,
            weight,
        });
        if deadline != Instant::NEVER {
            Table::watch(home.table(slf.py()));
        }
        Ok(())
    }

    /// Stores a value if what is there meets the condition; whether it did.
    pub(crate) fn put_if(
        slf: &Bound<'_, Self>,
        entry: (&Bound<'_, PyAny>, Bound<'_, PyAny>, Ttl, Tags),
        condition: Condition,
    ) -> PyResult<bool> {
        let (key, value, ttl, tags) = entry;
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(slf.py())? {
            return Ok(false);
        }
        let Some(weight) = home.weight_of(&value) else {
            home.scope.count_refused();
            return Ok(false);
        };
        let deadline = slf.get().deadline(&home, ttl);
        let put = Put {
            scope: &home.scope,
            hash,
            key,
            value: Object::from(value),
            deadline,
            tags: &tags.0,
            weight,
        };
        let done = home.engine.put_if(put, condition);
        if done && deadline != Instant::NEVER {
            Table::watch(home.table(slf.py()));
        }
        Ok(done)
    }

    /// Stores a value in the place of the one of this version; whether it did.
    pub(crate) fn exchange(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: &Bound<'_, PyInt>,
        value: Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(slf.py())? {
            return Ok(false);
        }
        let Some(weight) = home.weight_of(&value) else {
            home.scope.count_refused();
            return Ok(false);
        };
        let put = Put {
            scope: &home.scope,
            hash,
            key,
            value: Object::from(value),
            deadline: Instant::NEVER,
            tags: &[],
            weight,
        };
        // What is no version at all is that of no write.
        let version = version.extract().unwrap_or(0);
        Ok(home.engine.exchange(put, version))
    }

    /// Adds to the whole number under a key, or to what it begins with; the sum.
    pub(crate) fn count<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        (by, initial): (Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>),
        ttl_on_create: Ttl,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let given = |number: Option<Bound<'py, PyAny>>, name, otherwise: i32| match number {
            Some(number) => whole(&number, name, "write a whole number"),
            None => Ok(otherwise.into_pyobject(py)?),
        };
        let (by, initial) = (given(by, "`by` is", 1)?, given(initial, "`initial` is", 0)?);
        let home = Self::open_for(slf)?;
        let (hash, key) = keyed(&home, key)?;
        if home.is_disabled(py)? {
            return initial.add(&by);
        }
        loop {
            let seen = home.engine.peek(&home.scope, hash, &key);
            let before = match &seen {
                Some(seen) => whole(
                    seen.value.bind(py),
                    "a counter is",
                    "`set` the key to a whole number, or count under another key",
                )?,
                None => initial.clone(),
            };
            let sum = before.add(&by)?;
            let Some(weight) = home.weight_of(&sum) else {
                home.engine.refuse(&home.scope, hash, &key);
                return Ok(sum);
            };
            let deadline = match (&seen, ttl_on_create) {
                (None, Ttl::Said(Some(ttl))) => home.engine.now().after(ttl),
                _ => Instant::NEVER,
            };
            let put = Put {
                scope: &home.scope,
                hash,
                key: key.clone(),
                value: Object::from(sum.clone()),
                deadline,
                tags: &[],
                weight,
            };
            let done = match &seen {
                Some(seen) => home.engine.exchange(put, seen.version),
                None => home.engine.put_if(put, Condition::Absent),
            };
            if done {
                if deadline != Instant::NEVER {
                    Table::watch(home.table(py));
                }
                return Ok(sum);
            }
            if home.engine.is_closed() {
                return Err(closed(slf));
            }
        }
    }

    /// Stores all values of a mapping, or none if one of the keys is refused.
    pub(crate) fn put_all(
        slf: &Bound<'_, Self>,
        mapping: &Bound<'_, PyAny>,
        ttl: Ttl,
        tags: &Tags,
    ) -> PyResult<()> {
        let home = Self::open_for(slf)?;
        let mut entries = Vec::new();
        for pair in mapping
            .call_method0(intern!(slf.py(), "items"))?
            .try_iter()?
        {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
            let weight = home.weight_of(&value);
            entries.push((keyed(&home, &key)?, Object::from(value), weight));
        }
        if home.is_disabled(slf.py())? {
            return Ok(());
        }
        let mut timed = false;
        for ((hash, key), value, weight) in entries {
            let Some(weight) = weight else {
                home.engine.refuse(&home.scope, hash, &key);
                continue;
            };
            let deadline = slf.get().deadline(&home, ttl);
            timed |= deadline != Instant::NEVER;
            home.engine.put(Put {
                scope: &home.scope,
                hash,
                key,
                value,
                deadline,
                tags: &tags.0,
                weight,
            });
        }
        if timed {
            Table::watch(home.table(slf.py()));
        }
        Ok(())
    }
}
