//! What a task of a loop waits for that reads for itself: as much of a future as a task asks for.
//!
//! A future of the loop's has its task go on in a later turn, by one call of the loop's for each. The loop is in nobody's step when it
//! reads what has come, so that those it is for can go on there and then: what they ask in turn leaves before the loop waits again.
//! Whoever else ends it, by a timer or a cancellation, does so in the step of another task, and that has the task go on later.

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyCFunction, PyDict};

use crate::calling;
use crate::lasting::{Lasting, intern};
use crate::modules;

/// One that waits, once.
#[pyclass(frozen, weakref, module = "everwarm._native")]
pub(crate) struct Expected {
    running: Py<PyAny>,
    /// Locked by attached threads only.
    state: Mutex<State>,
}

/// What goes on, and in which context.
type Then = (Py<PyAny>, Option<Py<PyAny>>);

struct State {
    /// Whether it says of itself that it is awaited.
    is_awaited: bool,
    then: Vec<Then>,
    end: Option<End>,
}

enum End {
    Come,
    Cancelled(Option<Py<PyAny>>),
}

impl Expected {
    /// On this loop.
    pub(crate) fn new<'py>(running: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let state = State {
            is_awaited: true,
            then: Vec::new(),
            end: None,
        };
        let expected = Self {
            running: running.clone().unbind(),
            state: Mutex::new(state),
        };
        Bound::new(running.py(), expected)
    }

    /// It has come: who waits goes on now. In nobody's step.
    pub(crate) fn come(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let mut went = Ok(());
        for (then, context) in slf.get().ends(End::Come) {
            let then = then.bind(py).as_borrowed();
            let given = match is_of_task(&then)? {
                true => over(py)?.as_borrowed(),
                false => slf.as_any().as_borrowed(),
            };
            let goes = match context {
                Some(context) => {
                    let context = context.bind(py).as_borrowed();
                    calling::call_method(intern!(py, "run"), [context, then, given])
                }
                None => calling::call(&then, [given]),
            };
            went = went.and(goes.map(drop));
        }
        went
    }

    /// Ends, unless it has; what is to go on then.
    fn ends(&self, end: End) -> Vec<Then> {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return Vec::new();
        }
        state.end = Some(end);
        std::mem::take(&mut state.then)
    }

    /// Has all that waited go on when the loop comes by.
    fn goes_on(slf: &Bound<'_, Self>, then: Vec<Then>) -> PyResult<()> {
        let py = slf.py();
        for (then, context) in then {
            let keywords: Option<Bound<'_, PyDict>> = match context {
                Some(context) => Some([(intern!(py, "context"), context)].into_py_dict(py)?),
                None => None,
            };
            let running = slf.get().running.bind(py);
            running.call_method(intern!(py, "call_soon"), (then, slf), keywords.as_ref())?;
        }
        Ok(())
    }
}

/// Whether it is what asyncio's own tasks go on by.
fn is_of_task(then: &Bound<'_, PyAny>) -> PyResult<bool> {
    static TASK: Lasting<Py<PyAny>> = Lasting::new();
    let py = then.py();
    if !then.is_exact_instance_of::<PyCFunction>() {
        return Ok(false);
    }
    let class = TASK.get_or_try_init(py, || {
        let module = modules::own(py, "asyncio")?;
        PyResult::Ok(module.getattr(intern!(py, "Task"))?.unbind())
    })?;
    let whose = then.getattr(intern!(py, "__self__"))?;
    Ok(whose.get_type().is(class.bind(py)))
}

/// A future of asyncio's that is done, and has nothing to say. A task asks what it is called with for its result: of one that it knows it
/// reads it, on others it calls a method by a name that it spells each time.
fn over(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static OVER: Lasting<Py<PyAny>> = Lasting::new();
    let over = OVER.get_or_try_init(py, || {
        let module = modules::own(py, "everwarm._bell")?;
        PyResult::Ok(module.call_method0(intern!(py, "_over"))?.unbind())
    })?;
    Ok(over.bind(py))
}

#[pymethods]
impl Expected {
    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.state.lock().is_awaited
    }

    #[setter(_asyncio_future_blocking)]
    fn set_awaited(&self, is_awaited: bool) {
        self.state.lock().is_awaited = is_awaited;
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.running.clone_ref(py)
    }

    #[pyo3(signature = (then, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        then: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let mut state = slf.get().state.lock();
        if state.end.is_none() {
            state.then.push((then, context));
            return Ok(());
        }
        drop(state);
        Self::goes_on(slf, vec![(then, context)])
    }

    fn done(&self) -> bool {
        self.state.lock().end.is_some()
    }

    fn cancelled(&self) -> bool {
        matches!(self.state.lock().end, Some(End::Cancelled(_)))
    }

    /// As a future's: what was said when it was cancelled is raised.
    fn result(&self, py: Python<'_>) -> PyResult<()> {
        static CANCELLED: Lasting<Py<PyAny>> = Lasting::new();
        let message = match &self.state.lock().end {
            Some(End::Come) => return Ok(()),
            Some(End::Cancelled(message)) => message.as_ref().map(|message| message.clone_ref(py)),
            None => return Err(PyRuntimeError::new_err("it has not come")),
        };
        let class = CANCELLED.get_or_try_init(py, || {
            let module = modules::own(py, "asyncio")?;
            PyResult::Ok(module.getattr(intern!(py, "CancelledError"))?.unbind())
        })?;
        Err(PyErr::from_value(match message {
            Some(message) => class.bind(py).call1((message,))?,
            None => class.bind(py).call0()?,
        }))
    }

    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        if slf.get().done() {
            return Ok(false);
        }
        let then = slf.get().ends(End::Cancelled(msg));
        Self::goes_on(slf, then)?;
        Ok(true)
    }

    /// As a future's: who waits goes on when the loop comes by.
    fn set_result(slf: &Bound<'_, Self>, _result: Bound<'_, PyAny>) -> PyResult<()> {
        let then = slf.get().ends(End::Come);
        Self::goes_on(slf, then)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.running)?;
        // Nobody has it in hand while everything stands still.
        let Some(state) = self.state.try_lock() else {
            return Ok(());
        };
        for (then, context) in &state.then {
            visit.call(then)?;
            visit.call(context)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let gone = std::mem::take(&mut self.state.lock().then);
        drop(gone);
    }
}
