//! What an awaited verb still has to ask stores, and what it makes of the answer.

use std::future::Future;
use std::mem;
use std::pin::Pin;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::bell::{Ring, seconds};
use crate::shared::{self, Ours, Step};

/// The rest of a verb, which a task drives.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Errand(Mutex<State>);

enum State {
    Asking(Box<dyn Asking>),
    Value(Py<PyAny>),
    Spent,
}

trait Asking: Send {
    fn ask(&mut self, py: Python<'_>, ring: Option<&Ring>) -> PyResult<Step<Py<PyAny>>>;
}

/// The answer that is waited for, and what is made of it.
struct Asked<A, T> {
    answer: Ours<Pin<Box<A>>>,
    then: Option<T>,
}

impl<A, T> Asking for Asked<A, T>
where
    A: Future + Send,
    A::Output: Send,
    T: FnOnce(Python<'_>, A::Output) -> PyResult<Py<PyAny>> + Send,
{
    fn ask(&mut self, py: Python<'_>, ring: Option<&Ring>) -> PyResult<Step<Py<PyAny>>> {
        match (
            shared::step_calmly(py, self.answer.get(), ring),
            self.then.take(),
        ) {
            (Step::Done(answer), Some(then)) => then(py, answer).map(Step::Done),
            (Step::Again(left), then) => {
                self.then = then;
                Ok(Step::Again(left))
            }
            (Step::Done(_), None) => Err(spent()),
        }
    }
}

impl Errand {
    /// Asks, and goes on with `then` once there is an answer; what the verb gives, if that is at once.
    pub(crate) fn begin<'py, A, T>(
        py: Python<'py>,
        answer: A,
        then: T,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        A: Future + Send + 'static,
        A::Output: Send,
        T: FnOnce(Python<'_>, A::Output) -> PyResult<Py<PyAny>> + Send + 'static,
    {
        let mut asked = Asked {
            answer: Ours::new(Box::pin(answer)),
            then: Some(then),
        };
        match asked.ask(py, None)? {
            Step::Done(value) => Ok(value.into_bound(py)),
            Step::Again(_) => {
                let errand = Self(Mutex::new(State::Asking(Box::new(asked))));
                Ok(Bound::new(py, errand)?.into_any())
            }
        }
    }

    fn take(&self) -> State {
        mem::replace(&mut *self.0.lock(), State::Spent)
    }
}

#[pymethods]
impl Errand {
    /// Asks: None once the verb is done. Else `ring` will be woken, or it is to be asked again after so many seconds.
    fn ask(&self, py: Python<'_>, ring: &Bound<'_, Ring>) -> PyResult<Option<f64>> {
        let State::Asking(mut asking) = self.take() else {
            return Err(spent());
        };
        let (state, left) = match asking.ask(py, Some(ring.get()))? {
            Step::Done(value) => (State::Value(value), None),
            Step::Again(left) => (State::Asking(asking), Some(seconds(left))),
        };
        *self.0.lock() = state;
        Ok(left)
    }

    /// Gives the verb up: what it may have done is not known.
    fn leave(&self) {
        drop(self.take());
    }

    /// What the verb gives.
    fn value(&self) -> PyResult<Py<PyAny>> {
        match self.take() {
            State::Value(value) => Ok(value),
            _ => Err(spent()),
        }
    }
}

fn spent() -> PyErr {
    PyRuntimeError::new_err("this errand has no value")
}
