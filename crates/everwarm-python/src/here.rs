//! The loop that runs on this thread, and its bell.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::bell::Bell;
use crate::lasting::{Lasting, intern};
use crate::modules;

/// The loop that was asked for last, and its bell; locked by attached threads only.
static LAST: Mutex<Option<Last>> = Mutex::new(None);

/// Both are held weakly.
struct Last {
    running: Py<PyWeakrefReference>,
    bell: Py<PyWeakrefReference>,
}

impl Last {
    /// The bell, if this loop is the one.
    fn bell<'py>(running: &Bound<'py, PyAny>) -> Option<Bound<'py, Bell>> {
        let py = running.py();
        let clones = |last: &Self| (last.running.clone_ref(py), last.bell.clone_ref(py));
        // Not under the lock, since who has it only for now may be the last who does.
        let (other, bell) = LAST.lock().as_ref().map(clones)?;
        let is_same = other.bind(py).upgrade()?.is(running);
        let bell = is_same.then(|| bell.bind(py).upgrade())?;
        bell?.cast_into().ok()
    }

    fn note(running: &Bound<'_, PyAny>, bell: &Bound<'_, Bell>) -> PyResult<()> {
        let last = Self {
            running: PyWeakrefReference::new(running)?.unbind(),
            bell: PyWeakrefReference::new(bell)?.unbind(),
        };
        let old = LAST.lock().replace(last);
        drop(old);
        Ok(())
    }
}

/// The loop that runs on this thread, and its bell.
pub(crate) fn here<'py>(py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, Bell>)> {
    static RUNNING: Lasting<Py<PyAny>> = Lasting::new();
    static HERE: Lasting<Py<PyAny>> = Lasting::new();
    // Where trio is there, it may run, or be run.
    let is_plain = !modules::is_loaded(intern!(py, "trio.lowlevel"))?;
    if is_plain && modules::is_loaded(intern!(py, "asyncio"))? {
        let running = RUNNING.get_or_try_init(py, || {
            let module = modules::own(py, "asyncio")?;
            PyResult::Ok(module.getattr(intern!(py, "_get_running_loop"))?.unbind())
        })?;
        let running = running.bind(py).call0()?;
        if let Some(bell) = Last::bell(&running) {
            return Ok((running, bell));
        }
    }
    let here = HERE.get_or_try_init(py, || {
        let module = modules::own(py, "everwarm._bell")?;
        PyResult::Ok(module.getattr(intern!(py, "here"))?.unbind())
    })?;
    let (running, bell) = here.bind(py).call0()?.extract()?;
    if is_plain {
        Last::note(&running, &bell)?;
    }
    Ok((running, bell))
}

/// In a forked child the bells of the parent's loops are mute, also those of loops that it goes on with.
pub(crate) fn after_fork() {
    let gone = LAST.lock().take();
    drop(gone);
}
