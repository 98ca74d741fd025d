//! The object verbs that tasks await: what memory cannot answer is an errand, so that a connection holds up no loop.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::entries::{closed, keyed_whole};
use crate::errand::Errand;
use crate::given::{Tags, Ttl};
use crate::here::Here;
use crate::home::Home;
use crate::objects::Objects;
use crate::shared::{Given, Held, held_many};

/// A write that stores may have done: whoever leaves it has memory let go of the entry that it had before.
struct Unfinished(Option<(Arc<Home>, Arc<str>)>);

impl Unfinished {
    fn ends(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some((home, mark)) = self.0.take() {
            home.engine.invalidate_tags(&[mark]);
        }
    }
}

impl Objects {
    /// As `get` on the loop of asyncio's that runs here: the value, or an errand; nothing where none runs, or nothing is waited for.
    pub(crate) fn look_here<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !Self::is_far(slf)? {
            return Ok(None);
        }
        let Some(here) = Here::asyncios(slf.py())? else {
            return Ok(None);
        };
        Self::look_later(slf, key, default, Some(here)).map(Some)
    }

    /// Whether its verbs may have to wait for a connection.
    pub(crate) fn is_far(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let home = Self::open(slf)?;
        Ok(home.link.as_ref().is_some_and(|link| link.shared.is_far()))
    }

    /// As `get`: the value, or an errand, which waits there, if that is known.
    pub(crate) fn look_later<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
        here: Option<Here>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, home) = (slf.py(), Self::open(slf)?);
        let default = default.unwrap_or_else(|| py.None().into_bound(py));
        if home.is_away(py)? {
            home.scope.count_bypass();
            return Ok(default);
        }
        let keeps = home.has_memory();
        // Where memory has little the stores will be asked: then the key is made once for both.
        let (keyed, found) = match keeps {
            true => (None, Self::hit_or_due(&home, key)?.ok()),
            false => {
                let keyed = keyed_whole(&home, key)?;
                let found = Self::hit_keyed_or_due(&home, keyed.hash, &keyed.key);
                (Some(keyed), found)
            }
        };
        if let Some(value) = found {
            return Ok(home.copied_or_refused(py, value)?.into_bound(py));
        }
        if home.engine.is_closed() {
            return Err(closed(slf));
        }
        let keyed = match keyed {
            Some(keyed) => keyed,
            None => keyed_whole(&home, key)?,
        };
        let Some(held) = Held::new(py, &home, &keyed)? else {
            home.engine.missed(&home.scope, keyed.hash);
            return Ok(default);
        };
        let since = home.engine.stamp();
        let (stack, place) = held.into_place();
        let default = default.unbind();
        let of = (Arc::clone(&stack), place.clone());
        Errand::reading(py, (of, here), keeps, move |py, brought| {
            let value = match Held::at(&home, &keyed, (stack, place)) {
                Some(held) => held.take_one(py, brought, since)?,
                None => None,
            };
            let Some(value) = value else {
                home.engine.missed(&home.scope, keyed.hash);
                return Ok(default);
            };
            home.scope.count_hit();
            let value = home.copied_or_refused(py, value)?;
            Ok(value.into_bound(py).unbind())
        })
    }

    /// As `get_many`: the values, or an errand.
    pub(crate) fn look_for_many_later<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, home) = (slf.py(), Self::open_for(slf)?);
        if home.link.is_none() || home.is_away(py)? {
            return Ok(Self::get_many(slf, keys)?.into_any());
        }
        let many = held_many::Many::look(py, &home, keys)?;
        let Some(reading) = many.reading() else {
            return Ok(many.take(py, &home, None)?.into_any());
        };
        Errand::to_ask(py, reading, move |py, brought| {
            Ok(many.take(py, &home, Some(brought))?.into_any().unbind())
        })
    }

    /// As `set`: None or an errand; `NotImplemented` where more is to be asked than one thing.
    pub(crate) fn put_later<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
        (ttl, tags): (Ttl, Tags),
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, home) = (slf.py(), Self::open_for(slf)?);
        let otherwise = py.NotImplemented().into_bound(py);
        if home.is_away(py)? {
            return Ok(otherwise);
        }
        let keyed = keyed_whole(&home, key)?;
        home.takes_tags(py, &tags.0)?;
        let tags = home.carried(&keyed, tags.0);
        let Some(held) = Held::new(py, &home, &keyed)? else {
            return Ok(otherwise);
        };
        let Some((ttl, weight)) = home.takes(&value, ttl)? else {
            return Ok(otherwise);
        };
        let value = home.copied_or_refused(py, value.into())?;
        let lifetime = slf.get().lifetime(&home, ttl);
        let given = Given {
            value: &value,
            lifetime,
            tags: &tags,
            weight,
        };
        let since = home.engine.stamp();
        let Some(setting) = held.setting(py, &given)? else {
            return Ok(otherwise);
        };
        let unfinished = Unfinished(Some((Arc::clone(&home), held.mark())));
        let link = held.link();
        let place = held.into_place();
        Errand::to_ask(py, setting, move |py, written| {
            unfinished.ends();
            let heard = link.heard(py, &home, &written);
            if let Some(held) = Held::at(&home, &keyed, place) {
                if heard.is_err() {
                    held.forget();
                }
                heard?;
                let given = Given {
                    value: &value,
                    lifetime,
                    tags: &tags,
                    weight,
                };
                held.remember(py, &given, since);
            }
            Ok(py.None())
        })
    }
}
