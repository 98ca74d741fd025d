//! Waking those who wait for stores that answer later: a thread by its parker, a task by the bell of its loop.
//!
//! An answer comes on a thread that never runs Python. It puts the number of who waits in the bell's line, and who is the first in
//! line has a byte written that the loop reads. So a loop is woken once for all who are answered in one of its turns, on its own
//! thread, where it asks for the whole line.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use everwarm_engine::stack::{Place, Stack};
use everwarm_engine::{Parker, process};
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::calling;
use crate::gather::{self, Asked, Gathered, Waiting, done};
use crate::lasting::intern;
use crate::waiting::SIGNALS;

/// Who waits on one loop and is to be woken.
struct Line {
    /// Locked by threads of ours too: a child of a fork must not touch it.
    numbers: Mutex<Vec<u64>>,
    call: Call,
    process: u64,
}

/// How a loop is told.
enum Call {
    /// By a byte that it reads.
    Byte(UnixStream),
    /// By a function, where a loop reads no sockets.
    Function(Py<PyAny>),
}

impl Line {
    fn put(&self, number: u64) {
        if self.process != process() {
            return;
        }
        let is_first = {
            let mut numbers = self.numbers.lock();
            numbers.push(number);
            numbers.len() == 1
        };
        if is_first {
            self.call.call();
        }
    }
}

impl Call {
    fn call(&self) {
        match self {
            // The loop may have gone: then nobody waits on it any more.
            Self::Byte(socket) => drop((&*socket).write(&[1])),
            Self::Function(function) => {
                // A loop that is closed says so; at the interpreter's end nobody waits.
                Python::try_attach(|py| drop(calling::call(function.bind(py), [])));
            }
        }
    }
}

/// One who waits on a loop.
struct Caller {
    line: Arc<Line>,
    number: u64,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.line.put(self.number);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.line.put(self.number);
    }
}

/// The bell of one loop.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Bell {
    line: Arc<Line>,
    socket: Option<UnixStream>,
    /// The futures of errands that wait, held weakly: their tasks hold them. Locked by attached threads only.
    waiting: Mutex<HashMap<u64, Py<PyWeakrefReference>>>,
    /// Whether the loop was told that its turn will be over.
    is_in_turn: AtomicBool,
    /// Reads of this turn, and those of earlier ones that are being asked, by number. Locked by attached threads only.
    gathered: Mutex<Vec<Gathered>>,
    asked: Mutex<HashMap<u64, (Waker, Asked)>>,
}

#[pymethods]
impl Bell {
    /// `call` is called from any thread, where the loop cannot read a socket.
    #[new]
    #[pyo3(signature = (call=None))]
    fn new(call: Option<Py<PyAny>>) -> PyResult<Self> {
        let (call, socket) = match call {
            Some(function) => (Call::Function(function), None),
            None => {
                let (near, far) = UnixStream::pair().map_err(PyOSError::new_err)?;
                for socket in [&near, &far] {
                    socket.set_nonblocking(true)?;
                }
                (Call::Byte(far), Some(near))
            }
        };
        let line = Line {
            numbers: Mutex::new(Vec::new()),
            call,
            process: process(),
        };
        Ok(Self {
            line: Arc::new(line),
            socket,
            waiting: Mutex::default(),
            is_in_turn: AtomicBool::new(false),
            gathered: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// What the loop reads; -1 where it is called.
    fn fileno(&self) -> i32 {
        self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// One who is to be woken by it.
    fn ring(&self) -> Ring {
        let (waker, number) = self.place();
        Ring {
            waker,
            number,
            parker: None,
        }
    }

    /// Wakes the errands that are called, and gives the numbers of others who are to be woken, some perhaps twice; on the loop's own
    /// thread.
    fn rung(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        if self.line.process != process() {
            return Ok(Vec::new());
        }
        // Read before the line is taken: who comes after that is the first again, and writes another.
        if let Some(mut socket) = self.socket.as_ref() {
            let mut bytes = [0; 64];
            while let Err(error) = socket.read(&mut bytes)
                && error.kind() == ErrorKind::Interrupted
            {}
        }
        let mut numbers = std::mem::take(&mut *self.line.numbers.lock());
        let called: Vec<_> = {
            let mut waiting = self.waiting.lock();
            let called = numbers.extract_if(.., |number| waiting.contains_key(number));
            let called: Vec<_> = called.collect();
            called
                .iter()
                .filter_map(|number| waiting.remove(number))
                .collect()
        };
        for future in called {
            if let Some(future) = future.bind(py).upgrade() {
                done(&future)?;
            }
        }
        let answered: Vec<_> = {
            let mut asked = self.asked.lock();
            let answered = numbers.extract_if(.., |number| asked.contains_key(number));
            let answered: Vec<_> = answered.collect();
            answered
                .into_iter()
                .filter_map(|number| Some((number, asked.remove(&number)?)))
                .collect()
        };
        for (number, (waker, asked)) in answered {
            self.ask(py, (number, waker), asked)?;
        }
        Ok(numbers)
    }

    /// The turn is over in which tasks of the loop asked stores: what they asked leaves together.
    fn turn_over(&self, py: Python<'_>) -> PyResult<()> {
        self.is_in_turn.store(false, Ordering::Relaxed);
        let gathered = std::mem::take(&mut *self.gathered.lock());
        let asked = everwarm_runtime::in_turn(|| {
            gathered.into_iter().try_for_each(|gathered| {
                let (waker, number) = self.place();
                self.ask(py, (number, waker), gathered.into())
            })
        });
        everwarm_runtime::turn_over();
        asked.0
    }
}

impl Bell {
    /// A waker for one who waits, and the number by which the bell calls him.
    pub(crate) fn place(&self) -> (Waker, u64) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let line = Arc::clone(&self.line);
        (Waker::from(Arc::new(Caller { line, number })), number)
    }

    /// Asks on for reads of one turn.
    fn ask(&self, py: Python<'_>, (number, waker): (u64, Waker), mut asked: Asked) -> PyResult<()> {
        if asked.ask(py, &waker)? {
            self.asked.lock().insert(number, (waker, asked));
        }
        Ok(())
    }

    /// Asks for a place of a stack when this turn is over, with what else its tasks read in it; `future` is done then.
    pub(crate) fn gather(
        slf: &Bound<'_, Self>,
        running: &Bound<'_, PyAny>,
        of: (Arc<Stack>, Place),
        future: &Bound<'_, PyAny>,
    ) -> PyResult<Arc<Waiting>> {
        let waiting = gather::add(&mut slf.get().gathered.lock(), of, future.clone().unbind());
        Self::turn_ends(slf, running)?;
        Ok(waiting)
    }

    /// Has the loop say when this turn is over.
    fn turn_ends(slf: &Bound<'_, Self>, running: &Bound<'_, PyAny>) -> PyResult<()> {
        if !slf.get().is_in_turn.swap(true, Ordering::Relaxed) {
            let py = slf.py();
            let over = slf.getattr(intern!(py, "turn_over"))?;
            running.call_method1(intern!(py, "call_soon"), (over,))?;
        }
        Ok(())
    }

    /// Has a future done once that number is called.
    pub(crate) fn expect(&self, number: u64, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let future = PyWeakrefReference::new(future)?.unbind();
        let old = self.waiting.lock().insert(number, future);
        drop(old);
        Ok(())
    }

    /// Nobody waits for that number any more.
    pub(crate) fn forget(&self, number: u64) {
        let old = self.waiting.lock().remove(&number);
        drop(old);
    }

    /// What `call` gives, as a part of this turn of the loop, with what else its tasks ask in it.
    pub(crate) fn in_turn<T>(
        slf: &Bound<'_, Self>,
        running: &Bound<'_, PyAny>,
        call: impl FnOnce() -> T,
    ) -> PyResult<T> {
        let (given, is_due) = everwarm_runtime::in_turn(call);
        if is_due {
            Self::turn_ends(slf, running)?;
        }
        Ok(given)
    }
}

/// Who is woken once a store has answered: a task, by its loop's bell, or this thread.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Ring {
    waker: Waker,
    /// Which one of its bell's it is.
    #[pyo3(get)]
    number: u64,
    parker: Option<Parker>,
}

#[pymethods]
impl Ring {
    /// This thread, which has nothing else to do meanwhile.
    #[new]
    fn new() -> Self {
        let parker = Parker::new();
        Self {
            waker: parker.waker(),
            number: 0,
            parker: Some(parker),
        }
    }

    /// Waits, as the thread that it was made on, until it is woken or so many seconds are over.
    fn rest(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let Some(parker) = &self.parker else {
            return Ok(());
        };
        let mut left = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        while !left.is_zero() {
            let slice = left.min(SIGNALS);
            let is_woken = py.detach(|| parker.park(slice));
            py.check_signals()?;
            if is_woken {
                break;
            }
            left -= slice;
        }
        Ok(())
    }
}

impl Ring {
    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether it is a thread, which stores may block.
    pub(crate) const fn is_thread(&self) -> bool {
        self.parker.is_some()
    }
}

/// Seconds as Python has them; infinity for what only a waker ends.
pub(crate) fn seconds(left: Duration) -> f64 {
    match left {
        Duration::MAX => f64::INFINITY,
        left => left.as_secs_f64(),
    }
}
