//! Instances whose methods are cached, held weakly.
//!
//! Such an entry's key holds the instance's address. That is safe because the entries go before the address can be used
//! again: a weak reference's callback runs when the instance dies, before its memory is freed, and lets them all go.
//! So a hit needs no look-up here; only a miss does, to see that the callback is set.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use everwarm_core::error::{Error, ErrorKind};
use everwarm_engine::Scope;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::arguments::class_name;
use crate::engine::{Engine, Key};
use crate::errors;

/// The living instances of one function.
pub(crate) struct Instances {
    engine: Arc<Engine>,
    scope: Arc<Scope>,
    living: Mutex<HashMap<usize, Living>>,
}

struct Living {
    /// Keeps the callback set.
    _reference: Py<PyWeakrefReference>,
    /// The keys of the instance's entries, some of which may have left by other ways.
    keys: Vec<(u64, Key)>,
    /// How many keys there may be before those that left are forgotten.
    room: usize,
}

impl Instances {
    pub(crate) fn new(engine: Arc<Engine>, scope: Arc<Scope>) -> Arc<Self> {
        Arc::new(Self {
            engine,
            scope,
            living: Mutex::default(),
        })
    }

    /// Notes that an entry of `instance` is about to be stored under `key`.
    pub(crate) fn note(
        self: &Arc<Self>,
        instance: &Bound<'_, PyAny>,
        hash: u64,
        key: &Key,
    ) -> PyResult<()> {
        let address = instance.as_ptr() as usize;
        if !self.living.lock().contains_key(&address) {
            // Made outside the lock, since it allocates Python objects. If another thread was faster, this one is let go of.
            let farewell = Farewell {
                instances: Arc::downgrade(self),
                address,
            };
            let reference =
                PyWeakrefReference::new_with(instance, Bound::new(instance.py(), farewell)?)?;
            let fresh = Living {
                _reference: reference.unbind(),
                keys: Vec::new(),
                room: 16,
            };
            let mut living = self.living.lock();
            let lost = match living.entry(address) {
                std::collections::hash_map::Entry::Occupied(_) => Some(fresh),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(fresh);
                    None
                }
            };
            drop(living);
            drop(lost);
        }
        if let Some(living) = self.living.lock().get_mut(&address) {
            if living.keys.len() >= living.room {
                living
                    .keys
                    .retain(|(hash, key)| self.engine.contains(&self.scope, *hash, key));
                living.room = (living.keys.len() * 2).max(16);
            }
            living.keys.push((hash, key.clone()));
        }
        Ok(())
    }

    /// Lets the entries of a dead instance go.
    fn leave(&self, address: usize) {
        let left = self.living.lock().remove(&address);
        if let Some(left) = left {
            for (hash, key) in &left.keys {
                // Another instance may come to have its address, and with it these keys.
                self.engine.forget(&self.scope, *hash, key);
            }
        }
    }
}

/// Whether weak references to the object can be made.
pub(crate) fn takes_weak_reference(object: &Bound<'_, PyAny>) -> bool {
    PyWeakrefReference::new(object).is_ok()
}

/// The refusal of an instance that neither declares what it is equal by nor takes weak references.
pub(crate) fn no_weak_reference(object: &Bound<'_, PyAny>) -> PyErr {
    let class = class_name(object);
    let message = format!(
        "an instance of {class} can be keyed neither by content nor by identity: it takes no weak reference"
    );
    let hint = "add `__weakref__` to its `__slots__`, or give it a `__cache_key__()`";
    errors::raise(
        object.py(),
        &Error::new(ErrorKind::KeyRefused, message, hint),
    )
}

/// The callback of a weak reference to an instance.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Farewell {
    instances: Weak<Instances>,
    address: usize,
}

#[pymethods]
impl Farewell {
    fn __call__(&self, _reference: &Bound<'_, PyAny>) {
        if let Some(instances) = self.instances.upgrade() {
            instances.leave(self.address);
        }
    }
}
