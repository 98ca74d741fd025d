//! What an awaited verb still has to ask stores, and what it makes of the answer.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use everwarm_core::using::Read;
use everwarm_engine::stack::{Place, Stack};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyType, PyWeakrefReference};

use crate::bell::Bell;
use crate::gather::{Sort, Sought, Told, Waiting};
use crate::here::{Here, here};
use crate::lasting::intern;
use crate::modules;
use crate::shared::brought::One;
use crate::shared::{self, Ours, Step};
use crate::turn::Turn;

/// The rest of a verb, which a task awaits, once. It does nothing before.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Errand(Mutex<State>);

enum State {
    New(Box<dyn Asking>),
    Waiting(Box<dyn Asking>, Wait),
    /// A read that is asked with others.
    Reading(Box<Reading>),
    /// The value, which nobody has taken.
    Done(Py<PyAny>),
    Spent,
}

/// A read that was not asked yet, or waits.
struct Reading {
    stack: Arc<Stack>,
    place: Place,
    then: Then,
    waits: Waits,
}

/// How a read waits.
enum Waits {
    /// It was not asked yet; where, if that is known.
    NotYet(Option<Here>),
    For(Arc<Waiting>),
}

/// What is made of what the stores have.
type Made = Box<dyn FnOnce(Python<'_>, One) -> PyResult<Py<PyAny>> + Send>;

/// Who is told what the stores have.
enum Then {
    /// A verb, by what it makes of that; it may want whole entries.
    Verb(bool, Made),
    /// A turn that leads, and goes on by itself.
    Turn(Py<Turn>),
}

/// What a step of an errand came to.
enum Stepped<'py> {
    /// The value of the verb.
    Value(Py<PyAny>),
    /// The task is to wait for this.
    Future(Bound<'py, PyAny>),
}

trait Asking: Send {
    fn ask(&mut self, py: Python<'_>, waker: &Waker) -> PyResult<Step<Py<PyAny>>>;
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
    fn ask(&mut self, py: Python<'_>, waker: &Waker) -> PyResult<Step<Py<PyAny>>> {
        match (
            shared::step_awaited(py, self.answer.get(), waker),
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

/// How the task of an errand waits: by the bell of its loop.
struct Wait {
    running: Py<PyAny>,
    bell: Py<Bell>,
    waker: Waker,
    number: u64,
    timer: Option<Py<PyAny>>,
}

impl Wait {
    /// On the loop that runs on this thread.
    fn here(py: Python<'_>) -> PyResult<Self> {
        let (running, bell) = here(py)?;
        let (waker, number) = bell.get().place();
        Ok(Self {
            running: running.unbind(),
            bell: bell.unbind(),
            waker,
            number,
            timer: None,
        })
    }

    /// A future that is done once the bell calls, or after this time.
    fn future<'py>(&mut self, py: Python<'py>, left: Duration) -> PyResult<Bound<'py, PyAny>> {
        let running = self.running.bind(py);
        let future = self.bell.get().future(running)?;
        self.bell.get().expect(self.number, &future)?;
        if left != Duration::MAX {
            let wake_up = modules::own(py, "everwarm._drive")?.getattr(intern!(py, "_wake_up"))?;
            let given = (
                left.as_secs_f64(),
                wake_up,
                PyWeakrefReference::new(&future)?,
            );
            let timer = running.call_method1(intern!(py, "call_later"), given)?;
            self.timer = Some(timer.unbind());
        }
        Ok(future)
    }

    fn end_timer(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(timer) = self.timer.take() {
            timer.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }
}

fn asking<A, T>(answer: A, then: T) -> Box<dyn Asking>
where
    A: Future + Send + 'static,
    A::Output: Send,
    T: FnOnce(Python<'_>, A::Output) -> PyResult<Py<PyAny>> + Send + 'static,
{
    Box::new(Asked {
        answer: Ours::new(Box::pin(answer)),
        then: Some(then),
    })
}

impl Errand {
    /// What is to be asked, and what is made of the answer.
    pub(crate) fn to_ask<'py, A, T>(
        py: Python<'py>,
        answer: A,
        then: T,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        A: Future + Send + 'static,
        A::Output: Send,
        T: FnOnce(Python<'_>, A::Output) -> PyResult<Py<PyAny>> + Send + 'static,
    {
        Self::begun(py, State::New(asking(answer, then)))
    }

    /// A read of an entry, which may be wanted whole, on a loop if that is known, to be asked with others, and what is made of what is
    /// there.
    pub(crate) fn reading<'py, T>(
        py: Python<'py>,
        (of, here): ((Arc<Stack>, Place), Option<Here>),
        is_whole: bool,
        then: T,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        T: FnOnce(Python<'_>, One) -> PyResult<Py<PyAny>> + Send + 'static,
    {
        Self::to_read(py, (of, here), Then::Verb(is_whole, Box::new(then)))
    }

    /// The first look of a turn that leads, to be asked with others: the turn has what is there.
    pub(crate) fn looking<'py>(
        turn: &Bound<'py, Turn>,
        of: (Arc<Stack>, Place),
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::to_read(turn.py(), (of, None), Then::Turn(turn.clone().unbind()))
    }

    fn to_read(
        py: Python<'_>,
        ((stack, place), here): ((Arc<Stack>, Place), Option<Here>),
        then: Then,
    ) -> PyResult<Bound<'_, PyAny>> {
        let reading = Reading {
            stack,
            place,
            then,
            waits: Waits::NotYet(here),
        };
        Self::begun(py, State::Reading(Box::new(reading)))
    }

    fn begun(py: Python<'_>, state: State) -> PyResult<Bound<'_, PyAny>> {
        Ok(Bound::new(py, Self(Mutex::new(state)))?.into_any())
    }

    fn put(&self, state: State) {
        *self.0.lock() = state;
    }

    /// Goes on.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Stepped<'py>> {
        match self.take() {
            State::New(asking) => self.ask(py, asking, Wait::here(py)?),
            State::Waiting(asking, wait) => self.ask(py, asking, wait),
            State::Reading(reading) => self.read(py, reading),
            State::Done(_) | State::Spent => Err(spent()),
        }
    }

    fn ask<'py>(
        &self,
        py: Python<'py>,
        mut asking: Box<dyn Asking>,
        mut wait: Wait,
    ) -> PyResult<Stepped<'py>> {
        wait.end_timer(py)?;
        let (bell, running) = (wait.bell.bind(py), wait.running.bind(py));
        match Bell::in_turn(bell, running, || asking.ask(py, &wait.waker))? {
            Ok(Step::Again(left)) => {
                let future = wait.future(py, left)?;
                self.put(State::Waiting(asking, wait));
                Ok(Stepped::Future(future))
            }
            Ok(Step::Done(value)) => {
                wait.bell.get().forget(wait.number);
                Ok(Stepped::Value(value))
            }
            Err(error) => {
                wait.bell.get().forget(wait.number);
                Err(error)
            }
        }
    }

    fn read<'py>(&self, py: Python<'py>, mut reading: Box<Reading>) -> PyResult<Stepped<'py>> {
        let waiting = match &mut reading.waits {
            Waits::For(waiting) => waiting,
            Waits::NotYet(known) => {
                let (running, bell) = match known.take() {
                    Some(known) => known.into_bound(py),
                    None => here(py)?,
                };
                let future = bell.get().future(&running)?;
                let sought = Sought {
                    stack: Arc::clone(&reading.stack),
                    place: reading.place.clone(),
                    sort: match reading.then {
                        Then::Turn(_) => Sort::Led,
                        Then::Verb(true, _) => Sort::Whole,
                        Then::Verb(false, _) => Sort::Value,
                    },
                };
                reading.waits = Waits::For(Bell::gather(&bell, &running, sought, &future)?);
                self.put(State::Reading(reading));
                return Ok(Stepped::Future(future));
            }
        };
        let mut future = None;
        let told = waiting.told(|| {
            let (running, bell) = here(py)?;
            let other = bell.get().future(&running)?;
            Ok(future.insert(other).clone().unbind())
        })?;
        if let Some(future) = future {
            self.put(State::Reading(reading));
            return Ok(Stepped::Future(future));
        }
        let Reading {
            stack, place, then, ..
        } = *reading;
        match (told.ok_or_else(spent)?, then) {
            (Told::Brought(one), Then::Verb(_, then)) => then(py, one).map(Stepped::Value),
            (Told::Alone, Then::Verb(_, then)) => {
                let answer = stack.get(place, Arc::new([]), Read::Any);
                let then = |py: Python<'_>, stored| then(py, One::Whole(Box::new(stored)));
                self.ask(py, asking(answer, then), Wait::here(py)?)
            }
            (told, Then::Turn(turn)) => {
                turn.get().looked(py, told)?;
                Ok(Stepped::Value(py.None()))
            }
        }
    }

    fn take(&self) -> State {
        mem::replace(&mut *self.0.lock(), State::Spent)
    }

    /// Gives the verb up: what it may have done is not known.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Waiting(asking, mut wait) = self.take() {
            drop(asking);
            wait.bell.get().forget(wait.number);
            wait.end_timer(py)?;
        }
        Ok(())
    }
}

#[pymethods]
impl Errand {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// Goes on: what the task is to wait for, until the verb is done. The value is asked for then: an exception that brings it would
    /// cost more than all else that this does.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match self.step(py)? {
            Stepped::Future(future) => Some(future),
            Stepped::Value(value) => {
                self.put(State::Done(value));
                None
            }
        })
    }

    /// The value of the verb, once it was awaited.
    fn value(&self) -> PyResult<Py<PyAny>> {
        match self.take() {
            State::Done(value) => Ok(value),
            state => {
                self.put(state);
                Err(spent())
            }
        }
    }

    /// As of a coroutine: what is raised in the task ends it.
    #[pyo3(signature = (kind, error=None, _trace=None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        error: Option<Bound<'_, PyAny>>,
        _trace: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.leave(kind.py())?;
        let raised = match (kind.cast_into::<PyType>(), error) {
            (Ok(class), Some(error)) if error.is_instance(&class)? => error,
            (Ok(class), Some(value)) => class.call1((value,))?,
            (Ok(class), None) => class.call0()?,
            (Err(instance), _) => instance.into_inner(),
        };
        Err(PyErr::from_value(raised))
    }

    /// Gives the verb up.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.leave(py)
    }
}

fn spent() -> PyErr {
    PyRuntimeError::new_err("an awaited verb is awaited once: call it again")
}
