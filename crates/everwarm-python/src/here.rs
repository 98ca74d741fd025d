//! The loop that runs on this thread, and its bell.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyWeakrefMethods, PyWeakrefReference};

use crate::bell::Bell;
use crate::lasting::{Lasting, intern};
use crate::{calling, modules};

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

/// The loop that runs on this thread, and its bell, for as long as this step of a task.
pub(crate) struct Here {
    running: Py<PyAny>,
    bell: Py<Bell>,
}

impl Here {
    /// That of asyncio's, if one runs.
    pub(crate) fn asyncios(py: Python<'_>) -> PyResult<Option<Self>> {
        if in_trio(py)? {
            return Ok(None);
        }
        let Some(running) = running(py)?.filter(|running| !running.is_none()) else {
            return Ok(None);
        };
        let (running, bell) = match Last::bell(&running) {
            Some(bell) => (running, bell),
            None => here(py)?,
        };
        Ok(Some(Self {
            running: running.unbind(),
            bell: bell.unbind(),
        }))
    }

    pub(crate) fn into_bound<'py>(self, py: Python<'py>) -> (Bound<'py, PyAny>, Bound<'py, Bell>) {
        (self.running.into_bound(py), self.bell.into_bound(py))
    }
}

/// The loop of asyncio's that runs on this thread, or Python's None, if asyncio is there.
fn running(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    static RUNNING: Lasting<Py<PyAny>> = Lasting::new();
    if RUNNING.get(py).is_none() && !modules::is_loaded(intern!(py, "asyncio"))? {
        return Ok(None);
    }
    let running = RUNNING.get_or_try_init(py, || {
        let module = modules::own(py, "asyncio")?;
        PyResult::Ok(module.getattr(intern!(py, "_get_running_loop"))?.unbind())
    })?;
    calling::call(running.bind(py), []).map(Some)
}

/// The loop that runs on this thread, and its bell.
pub(crate) fn here<'py>(py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, Bell>)> {
    static HERE: Lasting<Py<PyAny>> = Lasting::new();
    let is_asyncios = !in_trio(py)?;
    if is_asyncios
        && let Some(running) = running(py)?
        && let Some(bell) = Last::bell(&running)
    {
        return Ok((running, bell));
    }
    let here = HERE.get_or_try_init(py, || {
        let module = modules::own(py, "everwarm._bell")?;
        PyResult::Ok(module.getattr(intern!(py, "here"))?.unbind())
    })?;
    let (running, bell) = here.bind(py).call0()?.extract()?;
    if is_asyncios {
        Last::note(&running, &bell)?;
    }
    Ok((running, bell))
}

/// Whether a task of trio's runs here: libraries import it that never run it.
fn in_trio(py: Python<'_>) -> PyResult<bool> {
    static SAYS: Lasting<Says> = Lasting::new();
    if let Some(says) = SAYS.get(py) {
        return says.in_trio(py);
    }
    match Says::new(py)? {
        Some(says) => SAYS.get_or_init(py, || says).in_trio(py),
        None => Ok(false),
    }
}

/// What says whether trio runs.
enum Says {
    /// The name of the library that runs on a thread, which trio keeps for sniffio: it is read ten times as fast.
    Name(Py<PyAny>),
    /// A function of trio's.
    Trio(Py<PyAny>),
}

impl Says {
    /// None where trio is not there, too old to be asked, or just being imported.
    fn new(py: Python<'_>) -> PyResult<Option<Self>> {
        let Some(asked) = part(intern!(py, "trio.lowlevel"), intern!(py, "in_trio_task"))? else {
            return Ok(None);
        };
        let told = part(intern!(py, "sniffio"), intern!(py, "thread_local"))?;
        let kept = part(
            intern!(py, "trio._core._run"),
            intern!(py, "sniffio_library"),
        )?;
        Ok(Some(match told {
            Some(told) if kept.is_some_and(|kept| kept.is(&told)) => Self::Name(told.unbind()),
            _ => Self::Trio(asked.unbind()),
        }))
    }

    fn in_trio(&self, py: Python<'_>) -> PyResult<bool> {
        match self {
            Self::Name(told) => {
                let name = told.bind(py).getattr(intern!(py, "name"))?;
                Ok(name.cast::<PyString>().is_ok_and(|name| name == "trio"))
            }
            Self::Trio(asked) => calling::call(asked.bind(py), [])?.is_truthy(),
        }
    }
}

/// A part of a module, if somebody has imported that and it has it.
fn part<'py>(
    module: &Bound<'py, PyString>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match modules::loaded(module)? {
        Some(module) => module.getattr_opt(name),
        None => Ok(None),
    }
}

/// In a forked child the bells of the parent's loops are mute, also those of loops that it goes on with.
pub(crate) fn after_fork() {
    let gone = LAST.lock().take();
    drop(gone);
}
