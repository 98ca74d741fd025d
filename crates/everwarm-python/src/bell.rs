//! Waking those who wait for stores that answer later: a thread by its parker, a task by the bell of its loop.
//!
//! An answer comes on a thread that never runs Python. It puts the number of who waits in the bell's line, and who is the first in
//! line has a byte written that the loop reads. So a loop is woken once for all who are answered in one of its turns, on its own
//! thread, where it asks for the whole line.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use everwarm_engine::{Parker, process};
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::calling;
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
struct Place {
    line: Arc<Line>,
    number: u64,
}

impl Wake for Place {
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
        })
    }

    /// What the loop reads; -1 where it is called.
    fn fileno(&self) -> i32 {
        self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// One who is to be woken by it.
    fn ring(&self) -> Ring {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let line = Arc::clone(&self.line);
        Ring {
            waker: Waker::from(Arc::new(Place { line, number })),
            number,
            parker: None,
        }
    }

    /// The numbers of those who are to be woken, some perhaps twice; on the loop's own thread.
    fn rung(&self) -> Vec<u64> {
        if self.line.process != process() {
            return Vec::new();
        }
        // Read before the line is taken: who comes after that is the first again, and writes another.
        if let Some(mut socket) = self.socket.as_ref() {
            let mut bytes = [0; 64];
            while let Err(error) = socket.read(&mut bytes)
                && error.kind() == ErrorKind::Interrupted
            {}
        }
        std::mem::take(&mut *self.line.numbers.lock())
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
