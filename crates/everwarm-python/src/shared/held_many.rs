//! Many entries of a cache's own at once, which is one question to the stores.

use std::future::Future;
use std::sync::Arc;

use everwarm_core::lifetime::Lifetime;
use everwarm_engine::stack::{Done, Place, Stack};
use everwarm_engine::{Put, Stamp};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::entries::keyed_whole;
use crate::given::many;
use crate::home::{Home, Keyed};
use crate::object::Object;

use super::brought::{self, Brought};
use super::codec;
use super::drive::drive;
use super::held::{Given, Held};

/// A value that is to be put under a key, with its life and its weight if it is to be kept.
pub(crate) type Entry = (Keyed, Object, Option<(Lifetime, u64)>);

/// Values by their keys: those that memory has, and those that stores are to be asked for.
pub(crate) struct Many {
    found: Py<PyDict>,
    /// With the hash that each has in memory.
    wanted: Vec<(Py<PyAny>, u64)>,
    /// Where those lie that are wanted.
    places: Arc<[Place]>,
    stack: Option<Arc<Stack>>,
    /// As what memory is to have them, if it is to.
    kept: Option<Vec<Keyed>>,
    since: Stamp,
}

impl Many {
    /// Looks for what memory has of `keys`.
    pub(crate) fn look(py: Python<'_>, home: &Home, keys: &Bound<'_, PyAny>) -> PyResult<Self> {
        let found = PyDict::new(py);
        let link = home.link.as_ref();
        let (mut wanted, mut places) = (Vec::new(), Vec::new());
        let mut kept = home.has_memory().then(Vec::new);
        for key in many(keys)? {
            let key = key?;
            let keyed = keyed_whole(home, &key)?;
            if let Some(value) = home.engine.hit(&home.scope, keyed.hash, &keyed.key) {
                found.set_item(key, value.into_bound(py))?;
            } else if let Some(place) = link.and_then(|link| link.place(&keyed)) {
                wanted.push((key.unbind(), keyed.hash));
                places.push(place);
                if let Some(kept) = &mut kept {
                    kept.push(keyed);
                }
            } else {
                home.engine.missed(&home.scope, keyed.hash);
            }
        }
        let stack = match link {
            Some(link) if !places.is_empty() => Some(link.shared.stack(py)?),
            _ => None,
        };
        Ok(Self {
            found: found.unbind(),
            wanted,
            places: places.into(),
            stack,
            kept,
            since: home.engine.stamp(),
        })
    }

    /// What is to be asked, of all stores together; None if there is nothing.
    pub(crate) fn reading(&self) -> Option<impl Future<Output = brought::Many> + Send + use<>> {
        let stack = Arc::clone(self.stack.as_ref()?);
        let places = Arc::clone(&self.places);
        Some(brought::Many::of(stack, places, self.kept.is_some()))
    }

    /// All that was found, with what the stores have.
    pub(crate) fn take<'py>(
        self,
        py: Python<'py>,
        home: &Home,
        brought: Option<brought::Many>,
    ) -> PyResult<Bound<'py, PyDict>> {
        codec::check(py, "")?;
        let found = self.found.into_bound(py);
        let (Some(stack), Some(link)) = (self.stack, &home.link) else {
            return Ok(found);
        };
        let add = |(key, hash): &(Py<PyAny>, u64), value: Option<Object>| match value {
            Some(value) => {
                home.scope.count_hit();
                found.set_item(key.bind(py), value.into_bound(py))
            }
            None => {
                home.engine.missed(&home.scope, *hash);
                Ok(())
            }
        };
        match brought {
            None => {}
            Some(Brought::Value(values)) => {
                for (wanted, value) in self.wanted.iter().zip(&values) {
                    let value = value.as_ref();
                    let value = value.and_then(|value| link.value_alone(py, (&stack, home), value));
                    add(wanted, value)?;
                }
            }
            Some(Brought::Whole(all)) => {
                let kept = self.kept.unwrap_or_default();
                let each = kept.iter().zip(self.places.iter()).zip(all);
                for (wanted, ((keyed, place), stored)) in self.wanted.iter().zip(each) {
                    let kept = stored.and_then(|stored| link.decoded(py, &stack, home, stored));
                    let of = (Arc::clone(&stack), place.clone());
                    if let Some(kept) = &kept
                        && let Some(held) = Held::at(home, keyed, of)
                    {
                        held.fill(py, kept, self.since);
                    }
                    add(wanted, kept.map(|kept| kept.value))?;
                }
            }
        }
        Ok(found)
    }
}

/// The values of those of `keys` that are there, by key; what memory lacks is asked of the stores together.
pub(crate) fn get_many<'py>(
    py: Python<'py>,
    home: &Home,
    keys: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let many = Many::look(py, home, keys)?;
    let brought = match many.reading() {
        Some(reading) => Some(drive(py, reading)?),
        None => None,
    };
    many.take(py, home, brought)
}

/// Deletes many everywhere: how many were there, and whether all stores have done it.
///
/// # Errors
/// As [`Held::delete`].
pub(crate) fn delete_many(py: Python<'_>, home: &Home, all: &[Keyed]) -> PyResult<(usize, Done)> {
    let (engine, scope) = (&home.engine, &home.scope);
    let (mut were, mut done) = (0, Done::Now);
    let mut together = Vec::new();
    for keyed in all {
        match Held::new(py, home, keyed)? {
            // What lies under several names may be counted with each of them.
            Some(held) if !held.place.older.is_empty() => {
                let (there, ended) = held.delete(py)?;
                were += usize::from(there);
                done = done.and(ended);
            }
            Some(held) => together.push(held),
            None => {
                let there = engine.contains(scope, keyed.hash, &keyed.key);
                were += usize::from(engine.delete(scope, keyed.hash, &keyed.key) && there);
            }
        }
    }
    let Some(stack) = together.first().map(|held| Arc::clone(&held.stack)) else {
        return Ok((were, done));
    };
    let places = together.iter().map(|held| held.place.clone()).collect();
    let ended = drive(py, stack.delete_many(places));
    let mut in_memory = 0;
    for held in &together {
        in_memory += usize::from(held.leaves_memory());
    }
    let (there, ended) = ended?;
    were += match ended {
        Done::Now => usize::try_from(there).unwrap_or(usize::MAX),
        // What the stores have is not known of all of them.
        Done::Pending => in_memory.max(usize::try_from(there).unwrap_or(usize::MAX)),
    };
    Ok((were, done.and(ended)))
}

/// Puts many values with the same tags, each of its life and weight; one that has none is refused, and what was there goes.
pub(crate) fn put_many(
    py: Python<'_>,
    home: &Home,
    entries: &[Entry],
    tags: &[Arc<str>],
) -> PyResult<()> {
    let mut together = Vec::new();
    let mut puts = Vec::new();
    for (keyed, value, kept) in entries {
        let held = Held::new(py, home, keyed)?;
        let Some((lifetime, weight)) = *kept else {
            if let Some(held) = held {
                held.delete(py)?;
            }
            home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
            continue;
        };
        let given = Given {
            value,
            lifetime,
            tags,
            weight,
        };
        let Some(held) = held else {
            if home.is_secret() {
                home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
                continue;
            }
            home.engine.put(Put {
                scope: &home.scope,
                hash: keyed.hash,
                key: keyed.key.clone(),
                value: value.clone(),
                lifetime,
                tags,
                weight,
            });
            continue;
        };
        match held.link.encoded(py, home, value)? {
            Some(payload) => {
                together.push((held.place.clone(), payload, held.meta(&given)));
                puts.push((held, given));
            }
            None => held.put(py, &given)?,
        }
    }
    let since = home.engine.stamp();
    let put = match puts.first() {
        Some((first, _)) => drive(py, first.stack.set_many(together))
            .and_then(|written| first.link.heard(py, home, &written)),
        None => Ok(()),
    };
    for (held, given) in &puts {
        match put {
            Ok(()) => held.remember(py, given, since),
            Err(_) => held.forget(),
        }
    }
    put
}
