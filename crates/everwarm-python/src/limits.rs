//! Limits of computations: how long callers wait, how many compute at once, and where a computation runs that may outlast its
//! caller.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use everwarm_core::limits::{self, End};
use everwarm_engine::{Bulkhead, Caller, LeadId, Line, Permit};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use crate::answer::Status;
use crate::ask::Source;
use crate::home::Home;
use crate::lasting::intern;
use crate::object::Object;
use crate::settle::Flight;
use crate::table::Table;
use crate::turn::Turn;
use crate::waking::Bed;
use crate::{calling, errors, modules, terms, waiting};

/// The limits of a policy, checked.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Limits {
    pub(crate) limits: limits::Limits,
    pub(crate) soft: Option<Duration>,
    pub(crate) hard: Option<Duration>,
}

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (*, soft_timeout, hard_timeout, wait_timeout, max_computations, on_timeout, on_cancel))]
    fn new(
        soft_timeout: &Bound<'_, PyAny>,
        hard_timeout: &Bound<'_, PyAny>,
        wait_timeout: &Bound<'_, PyAny>,
        max_computations: &Bound<'_, PyAny>,
        on_timeout: &Bound<'_, PyAny>,
        on_cancel: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = wait_timeout.py();
        let Some(wait) = terms::span_of(wait_timeout)? else {
            let hint = "write `wait_timeout=\"30s\"`, or another duration";
            return Err(errors::config(
                py,
                "wait_timeout is a duration, not None",
                hint,
            ));
        };
        let limits = limits::Limits {
            wait,
            computations: computations(max_computations)?,
            stores_late: one_of(on_timeout, "on_timeout", ["discard", "store"])?,
            outlives_caller: one_of(on_cancel, "on_cancel", ["hand_over", "continue"])?,
        };
        Ok(Self {
            limits,
            soft: terms::span_of(soft_timeout)?,
            hard: terms::span_of(hard_timeout)?,
        })
    }
}

/// How many computations may run at once.
pub(crate) fn computations(given: &Bound<'_, PyAny>) -> PyResult<Option<NonZeroUsize>> {
    if given.is_none() {
        return Ok(None);
    }
    let number = given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>();
    match given.extract::<NonZeroUsize>() {
        Ok(most) if number => Ok(Some(most)),
        _ => Err(errors::config(
            given.py(),
            "max_computations is a whole number of at least 1",
            "write `max_computations=8`, or None for no such bound",
        )),
    }
}

/// Checks a bound of computations.
#[pyfunction]
pub(crate) fn check_computations(given: &Bound<'_, PyAny>) -> PyResult<()> {
    computations(given).map(drop)
}

/// Whether a keyword says the second of two words.
fn one_of(given: &Bound<'_, PyAny>, keyword: &str, words: [&str; 2]) -> PyResult<bool> {
    let said = given.extract::<String>().ok();
    match words.iter().position(|word| said.as_deref() == Some(word)) {
        Some(place) => Ok(place == 1),
        None => Err(errors::config(
            given.py(),
            &format!("{keyword} is \"{}\" or \"{}\"", words[0], words[1]),
            &format!("write `{keyword}=\"{}\"`", words[1]),
        )),
    }
}

/// What one call is told of time; None: as the policy says.
#[derive(Clone, Copy, Default)]
pub(crate) struct Overrides {
    pub(crate) soft: Option<Duration>,
    pub(crate) hard: Option<Duration>,
    pub(crate) wait: Option<Duration>,
}

/// The times of one call, and whether its computation goes on without it.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// How long it may take.
    pub(crate) hard: Option<Duration>,
    /// How long it may take while there is an old value to serve.
    pub(crate) soft: Option<Duration>,
    /// The limits of the policy, with the wait of this call.
    pub(crate) limits: limits::Limits,
}

impl Times {
    /// Those of a call that is told this.
    pub(crate) fn new(home: &Home, told: Overrides) -> Self {
        Self {
            hard: told.hard.or(home.policy.hard_limit),
            soft: told.soft.or(home.policy.soft_limit),
            limits: limits::Limits {
                wait: told.wait.unwrap_or(home.limits.wait),
                ..home.limits
            },
        }
    }

    /// Whether the computation runs where it may outlast its caller.
    pub(crate) fn lead_apart(&self) -> bool {
        self.hard.is_some() || self.limits.outlives_caller || self.soft.is_some()
    }
}

/// When a call's own time is over, if it has a hard limit.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// That of a call that begins now.
    pub(crate) fn of(times: &Times) -> Self {
        Self(times.hard.map(|limit| Instant::now() + limit))
    }

    pub(crate) fn left(self) -> Option<Duration> {
        self.0
            .map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// A computation's way to its permits.
pub(crate) struct Admission {
    left: Vec<Arc<Bulkhead>>,
    line: Option<Line>,
    permits: Vec<Permit>,
    /// Whether the last of these is for who has no lease alone, and waited for no longer than a call may wait.
    yields: bool,
}

impl Admission {
    /// The way into all of these, in this order; None where there are none.
    pub(crate) fn new(bulkheads: &[Arc<Bulkhead>]) -> Option<Box<Self>> {
        (!bulkheads.is_empty()).then(|| {
            Box::new(Self {
                left: bulkheads.iter().rev().cloned().collect(),
                line: None,
                permits: Vec::new(),
                yields: false,
            })
        })
    }

    /// The same way, and then into that of who has no lease.
    fn without_lease(before: Option<Box<Self>>, bulkhead: Arc<Bulkhead>) -> Box<Self> {
        let mut admission = before.unwrap_or_else(|| {
            Box::new(Self {
                left: Vec::new(),
                line: None,
                permits: Vec::new(),
                yields: false,
            })
        });
        admission.left.insert(0, bulkhead);
        admission.yields = true;
        admission
    }

    /// Goes on without the last permit, if it is for who has no lease; whether it does.
    fn pass(&mut self) -> bool {
        let passes = self.yields && self.left.len() == 1;
        if passes {
            self.line = None;
            self.left.clear();
        }
        passes
    }

    /// Asks for the permits that are still to be had; whether that was the last. `chain` ends in `lead`.
    fn try_enter(&mut self, lead: LeadId, caller: &Caller<'_>) -> bool {
        loop {
            let entered = match (&mut self.line, self.left.last()) {
                (Some(line), _) => line.try_enter(caller),
                (None, Some(bulkhead)) => match bulkhead.enter(lead, caller) {
                    Ok(permit) => Some(permit),
                    Err(line) => {
                        self.line = Some(line);
                        None
                    }
                },
                (None, None) => return true,
            };
            let Some(permit) = entered else {
                return false;
            };
            self.permits.push(permit);
            self.line = None;
            self.left.pop();
        }
    }

    /// Has `waker` called when it is to be asked again.
    pub(crate) fn register(&mut self, waker: Waker) {
        if let Some(line) = &mut self.line {
            line.register(waker);
        }
    }
}

impl Flight {
    /// Asks for what permits the computation needs; whether it has them.
    pub(crate) fn try_enter(&mut self, py: Python<'_>, blocks: bool) -> PyResult<bool> {
        if self.is_without_lease()
            && let Some(bulkhead) = self.without_lease.take()
        {
            let before = self.admission.take();
            self.admission = Some(Admission::without_lease(before, bulkhead));
        }
        let Some(admission) = &mut self.admission else {
            return Ok(true);
        };
        let lead = self.lead.id();
        let mut chain = waiting::chain(py)?;
        chain.push(lead);
        Ok(admission.try_enter(lead, &waiting::caller(&chain, blocks)))
    }

    /// Has waited for as long as it may: goes on where only the want of a lease has kept it; whether it does. No call fails because
    /// stores do.
    pub(crate) fn pass(&mut self) -> bool {
        self.admission
            .as_mut()
            .is_some_and(|admission| admission.pass())
    }
}

/// A lead with its permits; else the old value, which is served instead.
pub(crate) type Entered = Result<Flight, (Object, Status)>;

/// Ends a computation that was not begun: its callers share the old value, or else the error.
pub(crate) fn fall_back(
    py: Python<'_>,
    home: &Home,
    flight: Flight,
    error: PyErr,
) -> PyResult<(Object, Status)> {
    let shared = Object::from(error.value(py).clone().into_any());
    match flight.lead.fall_back(shared, &home.policy, true) {
        Some(served) => {
            Table::watch(home.table(py));
            Ok((served.value, Status::served(served.freshness)))
        }
        None => Err(error),
    }
}

/// Ends a computation that was not begun: those who wait share an `Exception`; any other error hands the work over.
pub(crate) fn give_up(py: Python<'_>, flight: Flight, error: &PyErr) {
    if error.is_instance_of::<PyException>(py) {
        flight.lead.fail(error.value(py).clone().into_any().into());
    }
}

/// Waits, as a thread, until a computation has its permits; where there is an old value, that is served at once.
///
/// # Errors
/// `Timeout` if that takes too long, which those who wait for the computation get, too; and what a signal raises.
pub(crate) fn enter(
    py: Python<'_>,
    source: &impl Source,
    mut flight: Flight,
    deadline: Deadline,
) -> PyResult<Entered> {
    if flight.try_enter(py, true)? {
        return Ok(Ok(flight));
    }
    let times = source.times();
    if flight.lead.fallback().is_some() {
        let error = errors::crowded(py, &source.title(py), times.limits.wait);
        let (value, status) = fall_back(py, source.home(), flight, error)?;
        return Ok(Err((value, status)));
    }
    let (end, limit) = times.limits.wait_within(deadline.left());
    let over = Instant::now() + limit;
    let bed = Bed::new();
    loop {
        let left = over.saturating_duration_since(Instant::now());
        if left.is_zero() && matches!(end, End::Wait) && flight.pass() {
            return Ok(Ok(flight));
        }
        if left.is_zero() {
            let error = match end {
                End::Wait => errors::crowded(py, &source.title(py), limit),
                End::Call => errors::timed_out(py, &source.title(py), times.hard),
            };
            give_up(py, flight, &error);
            return Err(error);
        }
        if let Some(admission) = &mut flight.admission {
            admission.register(bed.waker());
        }
        bed.sleep(py, left.min(waiting::slice(py)?));
        py.check_signals()?;
        if flight.try_enter(py, true)? {
            return Ok(Ok(flight));
        }
    }
}

/// Has a computation run on a thread of the pool, and waits for it no longer than the call may take; the value and its status.
pub(crate) fn lead_apart(
    py: Python<'_>,
    source: &impl Source,
    led: (Flight, Status),
    deadline: Deadline,
) -> PyResult<(Object, Status)> {
    let (asked, arguments, keywords) = source.later(py)?;
    let turn = Bound::new(py, Turn::computing(&asked, led, source.times()))?;
    let computed = modules::own(py, "everwarm._limits")?.getattr(intern!(py, "computed"))?;
    let left = deadline.left().map(|left| left.as_secs_f64());
    let left = left.into_pyobject(py)?;
    let value = calling::call(
        &computed,
        [
            asked.as_borrowed(),
            arguments.as_any().as_borrowed(),
            keywords.as_any().as_borrowed(),
            turn.as_any().as_borrowed(),
            left.as_any().as_borrowed(),
        ],
    )?;
    Ok((value.into(), turn.get().told().0))
}
