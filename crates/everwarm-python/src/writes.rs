//! The writes among the object verbs: what is weighed, dated and put, and looked after if it expires.

use std::hash::BuildHasher;

use everwarm_core::clock::Instant;
use everwarm_core::judge::Freshness;
use everwarm_core::key::Short;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::settle::{Outcome, plain_end};
use everwarm_engine::{Cause, Condition, Plain, Put, Written};
use pyo3::Borrowed;
use pyo3::prelude::*;

use crate::entries::{closed, ends, keyed_whole};
use crate::given::{Tags, Ttl, pairs, whole};
use crate::home::{Home, Keyed};
use crate::keys;
use crate::object::Object;
use crate::objects::Objects;
use crate::shared::{Given, Held, held, held_many};
use crate::table::Table;
use crate::unit;

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
        let py = value.py();
        let special = home.engine.is_closed() || !home.puts_plainly;
        let (Some(short), false) = (short, special) else {
            return false;
        };
        let (hash, value) = (home.seed.hash_one(short), Object::from(value.to_owned()));
        let may_end = match self.plain(home, ttl) {
            Some(plain) => {
                let at = (&*home.scope, hash, short.into());
                home.engine.put_plain(at, value, plain);
                plain.end != Instant::NEVER
            }
            None => {
                let lifetime = self.lifetime(home, ttl);
                home.engine.put(Put {
                    scope: &home.scope,
                    hash,
                    key: short.into(),
                    value,
                    lifetime,
                    tags: &[],
                    weight: 0,
                });
                ends(&lifetime)
            }
        };
        if may_end {
            Table::watch(home.table(py));
        }
        true
    }

    /// When a value is over that is written there now, if that is all there is to say of its life.
    fn plain(&self, home: &Home, ttl: Ttl) -> Option<Plain> {
        let Ttl::Unsaid = ttl else {
            return None;
        };
        let now = home.engine.now();
        let end = plain_end(
            Outcome::Value { ttl: None },
            &home.policy,
            now,
            &self.chance,
        )?;
        Some(Plain {
            now,
            end,
            weight: 0,
        })
    }

    /// Stores a value, whatever is there.
    pub(crate) fn put(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        (ttl, tags): (Ttl, Tags),
    ) -> PyResult<()> {
        let home = Self::open_for(slf)?;
        let keyed = keyed_whole(&home, key)?;
        if home.is_away(slf.py())? {
            if home.unit(slf.py())?.is_some() {
                unit::let_go(slf, &home, keyed, Cause::Replaced)?;
            }
            return Ok(());
        }
        home.takes_tags(slf.py(), &tags.0)?;
        let tags = home.carried(&keyed, tags.0);
        let held = Held::new(slf.py(), &home, &keyed)?;
        let Some((ttl, weight)) = home.takes(&value, ttl)? else {
            if let Some(held) = &held {
                held.delete(slf.py())?;
            }
            home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
            return Ok(());
        };
        let value = home.copied_or_refused(slf.py(), value.into())?;
        if let Some(held) = &held {
            let given = Given {
                value: &value,
                lifetime: slf.get().lifetime(&home, ttl),
                tags: &tags,
                weight,
            };
            return held.put(slf.py(), &given);
        }
        if home.is_secret() {
            home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
            return Ok(());
        }
        let (hash, key) = (keyed.hash, keyed.key);
        let lifetime = slf.get().lifetime(&home, ttl);
        home.engine.put(Put {
            scope: &home.scope,
            hash,
            key,
            value,
            lifetime,
            tags: &tags,
            weight,
        });
        if ends(&lifetime) {
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
        let keyed = keyed_whole(&home, key)?;
        if home.is_away(slf.py())? {
            return Ok(false);
        }
        let Some((ttl, weight)) = home.takes(&value, ttl)? else {
            home.scope.count_refused();
            return Ok(false);
        };
        let value = home.copied_or_refused(slf.py(), value.into())?;
        home.takes_tags(slf.py(), &tags.0)?;
        let tags = home.carried(&keyed, tags.0);
        if let Some(held) = Held::new(slf.py(), &home, &keyed)? {
            let given = Given {
                value: &value,
                lifetime: slf.get().lifetime(&home, ttl),
                tags: &tags,
                weight,
            };
            return held.put_if(slf.py(), &given, held::condition(condition));
        }
        if home.is_secret() {
            home.scope.count_refused();
            return Ok(false);
        }
        let (hash, key) = (keyed.hash, keyed.key);
        let lifetime = slf.get().lifetime(&home, ttl);
        let put = Put {
            scope: &home.scope,
            hash,
            key,
            value,
            lifetime,
            tags: &tags,
            weight,
        };
        let done = home.engine.put_if(put, condition).is_done();
        if done && ends(&lifetime) {
            Table::watch(home.table(slf.py()));
        }
        Ok(done)
    }

    /// Stores a value in the place of the one of this version; whether it did.
    pub(crate) fn exchange(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let hint = "write `cache.get_with_meta(key).version`";
        let version = whole(version, "a version is", hint)?;
        let home = Self::open_for(slf)?;
        let keyed = keyed_whole(&home, key)?;
        if home.is_away(slf.py())? {
            return Ok(false);
        }
        let Some(weight) = home.weight_of(&value) else {
            home.scope.count_refused();
            return Ok(false);
        };
        let value = home.copied_or_refused(slf.py(), value.into())?;
        if let Some(held) = Held::new(slf.py(), &home, &keyed)? {
            let version = version.extract().unwrap_or(0);
            return held.exchange(slf.py(), &value, version);
        }
        let (hash, key) = (keyed.hash, keyed.key);
        let put = Put {
            scope: &home.scope,
            hash,
            key,
            value,
            lifetime: Lifetime::ending(Instant::NEVER),
            tags: &[],
            weight,
        };
        // What is no version at all is that of no write.
        let version = version.extract().unwrap_or(0);
        Ok(home.engine.exchange(put, version).is_done())
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
        let keyed = keyed_whole(&home, key)?;
        if home.is_away(py)? {
            return initial.add(&by);
        }
        if let Some(held) = Held::new(py, &home, &keyed)? {
            return held.count(py, (&by, &initial), slf.get().created(&home, ttl_on_create));
        }
        if home.is_secret() {
            home.scope.count_refused();
            return initial.add(&by);
        }
        let (hash, key) = (keyed.hash, keyed.key);
        loop {
            let seen = home.engine.peek(&home.scope, hash, &key);
            let seen = seen.filter(|seen| seen.freshness == Freshness::Fresh);
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
            let lifetime = Lifetime::ending(match (&seen, ttl_on_create) {
                (None, Ttl::Said(Some(ttl))) => home.engine.now().after(ttl),
                _ => Instant::NEVER,
            });
            let put = Put {
                scope: &home.scope,
                hash,
                key: key.clone(),
                value: Object::from(sum.clone()),
                lifetime,
                tags: &[],
                weight,
            };
            let written = match &seen {
                Some(seen) => home.engine.exchange(put, seen.version),
                None => home.engine.put_if(put, Condition::Absent),
            };
            match written {
                Written::Done if ends(&lifetime) => Table::watch(home.table(py)),
                Written::Refused => {
                    let (scope, cause) = (&home.scope, Cause::Replaced);
                    home.engine.delete_because(scope, hash, &key, cause);
                }
                Written::Done | Written::Unmet => {}
            }
            if written != Written::Unmet {
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
        home.takes_tags(slf.py(), &tags.0)?;
        let mut entries = Vec::new();
        for pair in pairs(mapping)? {
            let (key, value) = pair?;
            entries.push((keyed_whole(&home, &key)?, Object::from(value), None));
        }
        if home.is_away(slf.py())? {
            if home.unit(slf.py())?.is_some() {
                for (keyed, ..) in entries {
                    unit::let_go(slf, &home, keyed, Cause::Replaced)?;
                }
            }
            return Ok(());
        }
        for (_, value, kept) in &mut entries {
            if let Some((ttl, weight)) = home.takes(value.bind(slf.py()), ttl)? {
                *value = home.copied_or_refused(slf.py(), value.clone())?;
                *kept = Some((slf.get().lifetime(&home, ttl), weight));
            }
        }
        let tags = match entries.first() {
            Some((keyed, ..)) => home.carried(keyed, tags.0.clone()),
            None => return Ok(()),
        };
        if home.link.is_some() {
            return held_many::put_many(slf.py(), &home, &entries, &tags);
        }
        let mut timed = false;
        for (Keyed { hash, key, .. }, value, kept) in entries {
            let Some((lifetime, weight)) = kept else {
                home.engine.refuse(&home.scope, hash, &key);
                continue;
            };
            timed |= ends(&lifetime);
            home.engine.put(Put {
                scope: &home.scope,
                hash,
                key,
                value,
                lifetime,
                tags: &tags,
                weight,
            });
        }
        if timed {
            Table::watch(home.table(slf.py()));
        }
        Ok(())
    }
}
