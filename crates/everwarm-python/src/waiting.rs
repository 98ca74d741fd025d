//! Waiting for another's computation: threads park, tasks await, both through the same waker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Wake;
use std::time::Duration;

use everwarm_core::limits::End;
use everwarm_engine::{Caller, LeadId};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::engine::{Arrival, Ticket};
use crate::lasting::Lasting;
use crate::lasting::intern;
use crate::modules;
use crate::object::Object;
use crate::waking::Bed;
use crate::{calling, unheard};

/// How often the main thread looks for signals while it waits.
pub(crate) const SIGNALS: Duration = Duration::from_millis(50);
/// How often a follower asks whether its leader can still arrive.
const LEADER: Duration = Duration::from_millis(500);

thread_local! {
    /// A number for this thread that no other has.
    static THREAD: u64 = {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// Who asks, from this thread.
pub(crate) fn caller(chain: &[LeadId], blocks_thread: bool) -> Caller<'_> {
    Caller {
        thread: thread(),
        chain,
        blocks_thread,
    }
}

/// The leads that cannot go on before a call of the current context does: those that it computes for, outermost first, and
/// the paused ones that it holds.
pub(crate) fn chain(py: Python<'_>) -> PyResult<Vec<LeadId>> {
    let mut leads = inside(py)?;
    leads.extend(leads_of(held(py)?)?);
    Ok(leads)
}

/// The leads that the current context computes for, outermost first.
///
/// They travel with the context, so that a computation is known to wait for itself also through `asyncio.to_thread`.
pub(crate) fn inside(py: Python<'_>) -> PyResult<Vec<LeadId>> {
    leads_of(variable(py)?)
}

fn leads_of(variable: &Bound<'_, PyAny>) -> PyResult<Vec<LeadId>> {
    let leads: Vec<u64> = variable
        .call_method0(intern!(variable.py(), "get"))?
        .extract()?;
    Ok(leads.into_iter().map(LeadId).collect())
}

/// The context variable that holds the leads that it computes for, as the Python half has it.
fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: Lasting<Py<PyAny>> = Lasting::new();
    let variable = VARIABLE.get_or_try_init(py, || {
        Ok::<_, PyErr>(drive(py)?.getattr(intern!(py, "_chain"))?.unbind())
    })?;
    Ok(variable.bind(py))
}

/// The context variable that holds the leads of paused generators, which go on when the context asks them to.
fn held(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: Lasting<Py<PyAny>> = Lasting::new();
    let variable = VARIABLE.get_or_try_init(py, || {
        Ok::<_, PyErr>(drive(py)?.getattr(intern!(py, "_held"))?.unbind())
    })?;
    Ok(variable.bind(py))
}

/// Marks the current context as computing for a lead until it is dropped.
pub(crate) struct Computing<'py> {
    variable: &'py Bound<'py, PyAny>,
    token: Bound<'py, PyAny>,
}

impl<'py> Computing<'py> {
    pub(crate) fn new(py: Python<'py>, lead: LeadId) -> PyResult<Self> {
        let mut leads: Vec<u64> = inside(py)?.into_iter().map(|lead| lead.0).collect();
        leads.push(lead.0);
        let variable = variable(py)?;
        let token = variable.call_method1(intern!(py, "set"), (PyTuple::new(py, leads)?,))?;
        Ok(Self { variable, token })
    }
}

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        let py = self.variable.py();
        if let Err(error) = self
            .variable
            .call_method1(intern!(py, "reset"), (&self.token,))
        {
            unheard::say(py, error, Some(self.variable));
        }
    }
}

/// Waits, as a thread, until the leader arrives or has to be taken over from; None if the call's own time is over first.
pub(crate) fn wait(
    py: Python<'_>,
    mut ticket: Ticket,
    (end, limit): (End, Duration),
) -> PyResult<Option<Arrival>> {
    let bed = Bed::new();
    ticket.register(bed.waker());
    let slice = slice(py)?;
    let (mut waited, mut asked) = (Duration::ZERO, Duration::ZERO);
    loop {
        if let Some(arrival) = ticket.try_arrive() {
            return Ok(Some(arrival));
        }
        let slice = slice.min(limit - waited);
        let woken = bed.sleep(py, slice);
        py.check_signals()?;
        if !woken {
            waited += slice;
        }
        let is_over = waited >= limit;
        if !is_over && waited - asked < LEADER {
            continue;
        }
        asked = waited;
        if is_over || leader_is_gone(py, ticket.leader())? {
            return Ok(match (ticket.try_arrive(), end) {
                (Some(arrival), _) => Some(arrival),
                (None, End::Call) if is_over => None,
                (None, _) => {
                    ticket.take_over();
                    Some(Arrival::Again)
                }
            });
        }
    }
}

/// For how long a thread waits before it looks around: for signals where these are handled, else for its leader.
pub(crate) fn slice(py: Python<'_>) -> PyResult<Duration> {
    Ok(if is_main_thread(py)? { SIGNALS } else { LEADER })
}

/// The number of this thread.
pub(crate) fn thread() -> u64 {
    THREAD.with(|thread| *thread)
}

/// Whether signals are handled on this thread.
fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let Some(threading) = modules::loaded(intern!(py, "threading"))? else {
        return Ok(true);
    };
    let main = calling::call(&threading.getattr(intern!(py, "main_thread"))?, [])?
        .getattr(intern!(py, "ident"))?;
    main.eq(threading.call_method0(intern!(py, "get_ident"))?)
}

/// Whether the loop that a leader runs on has stopped for good.
fn leader_is_gone(py: Python<'_>, lead: LeadId) -> PyResult<bool> {
    calling::call(
        &drive(py)?.getattr(intern!(py, "leader_is_gone"))?,
        [lead.0.into_pyobject(py)?.as_any().as_borrowed()],
    )?
    .extract()
}

/// The Python half of waiting.
fn drive(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    modules::own(py, "everwarm._drive")
}

/// The error that a follower raises for its leader's: a copy with a traceback of its own.
pub(crate) fn own_copy(py: Python<'_>, error: Object) -> PyErr {
    let copied = drive(py)
        .and_then(|drive| drive.getattr(intern!(py, "own_copy")))
        .and_then(|own_copy| calling::call(&own_copy, [error.bind(py).as_borrowed()]));
    match copied {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// Wakes a task: calls `post(waiter)`, from whichever attached thread the leader settles on.
pub(crate) struct Call {
    pub(crate) post: Py<PyAny>,
    pub(crate) waiter: Py<PyAny>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        Python::attach(|py| {
            let post = self.post.bind(py);
            if let Err(error) = calling::call(post, [self.waiter.bind(py).as_borrowed()]) {
                unheard::say(py, error, Some(post));
            }
        });
    }
}
