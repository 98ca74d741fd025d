//! `on_remove=`: the callable that a cache tells of each entry that left, and what its keys are called.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everwarm_core::key::{self, Digest, Header, Writer};
use everwarm_engine::{Cause, Scope};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::engine::Key;
use crate::object::Object;
use crate::{calling, keys, report};

/// Whether the interpreter exits, so that nobody is told of anything any more.
static EXITING: AtomicBool = AtomicBool::new(false);

/// What the names of a function's entries are made of.
pub(crate) struct Title {
    pub(crate) function: String,
    pub(crate) version: String,
    pub(crate) parameters: Vec<String>,
}

/// The listener of one cache. Its table shows it to the garbage collector.
pub(crate) struct Listener {
    /// None once the garbage collector has cleared the table.
    callable: Mutex<Option<Py<PyAny>>>,
    namespace: String,
    /// Whether the cache's own keys begin with a tenant.
    tenants: bool,
    /// The functions by the numbers of their scopes; the cache's own verbs have no title.
    known: Mutex<HashMap<u32, Known>>,
}

#[derive(Clone)]
struct Known {
    scope: Arc<Scope>,
    title: Option<Arc<Title>>,
}

impl Listener {
    pub(crate) fn new(callable: Py<PyAny>, namespace: String, tenants: bool) -> Arc<Self> {
        Arc::new(Self {
            callable: Mutex::new(Some(callable)),
            namespace,
            tenants,
            known: Mutex::default(),
        })
    }

    /// Makes a scope known, before it has entries.
    pub(crate) fn introduce(&self, scope: &Arc<Scope>, title: Option<Arc<Title>>) {
        let known = Known {
            scope: Arc::clone(scope),
            title,
        };
        self.known.lock().insert(scope.id(), known);
    }

    /// Forgets a scope that has no entries any more.
    pub(crate) fn forget(&self, scope: &Scope) {
        let known = self.known.lock().remove(&scope.id());
        drop(known);
    }

    /// Tells nobody from here on.
    pub(crate) fn silence(&self) {
        let callable = self.callable.lock().take();
        drop(callable);
    }

    /// Shows the callable to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &*self.callable.lock() {
            Some(callable) => visit.call(callable),
            None => Ok(()),
        }
    }

    fn tell(&self, py: Python<'_>, key: &Key, value: &Object, cause: Cause) {
        let Some(callable) = self.callable.lock().as_ref().map(|it| it.clone_ref(py)) else {
            return;
        };
        let known = self
            .known
            .lock()
            .get(&everwarm_engine::Key::scope(key))
            .cloned();
        // An object may be dropped while an exception is on its way, which is not the listener's.
        let pending = PyErr::take(py);
        let title = known.as_ref().and_then(|known| known.title.as_deref());
        let told = self.name(py, key, title).and_then(|name| {
            let cause = PyString::intern(py, cause.name()).into_any();
            let arguments = [
                name.as_borrowed(),
                value.bind(py).as_borrowed(),
                cause.as_borrowed(),
            ];
            calling::call(callable.bind(py), arguments)
        });
        if let Err(error) = told {
            if let Some(known) = known {
                known.scope.count_error();
            }
            failed(py, &error);
        }
        if let Some(pending) = pending {
            pending.restore(py);
        }
    }

    /// What an entry is called: the user's own key, or the stored name of a call.
    fn name<'py>(
        &self,
        py: Python<'py>,
        key: &Key,
        title: Option<&Title>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(title) = title else {
            let Ok(mut values) = key::decode_all(key.arguments()) else {
                return keys::decoded(py, key.arguments());
            };
            if self.tenants && !values.is_empty() {
                values.remove(0);
            }
            let mut own = Writer::new();
            let written = values.iter().try_for_each(|value| value.write(&mut own));
            let own = written.and_then(|()| own.seal());
            return keys::decoded(py, own.map_err(|limit| keys::beyond(py, limit))?.as_bytes());
        };
        let parameters: Vec<&str> = title.parameters.iter().map(String::as_str).collect();
        let header = Header {
            function: &title.function,
            version: &title.version,
            parameters: &parameters,
        };
        let digest =
            Digest::new(&header, key.arguments()).map_err(|limit| keys::beyond(py, limit))?;
        let name = key::stored_name(&self.namespace, &title.function, &title.version, &digest);
        Ok(PyString::new(py, &name).into_any())
    }
}

/// The engine's end of a listener.
pub(crate) struct Ear(pub(crate) Arc<Listener>);

impl everwarm_engine::Listener<Key, Object> for Ear {
    fn on_remove(&self, key: &Key, value: &Object, cause: Cause) {
        if EXITING.load(Ordering::Relaxed) {
            return;
        }
        let _ = Python::try_attach(|py| self.0.tell(py, key, value, cause));
    }
}

/// Says once that the listener has failed.
fn failed(py: Python<'_>, error: &PyErr) {
    report::report_so(py, "on_remove=", error, "and the cache went on without it");
}

/// The interpreter exits: no listener is called any more.
#[pyfunction]
pub(crate) fn end_listeners() {
    EXITING.store(true, Ordering::Relaxed);
}
