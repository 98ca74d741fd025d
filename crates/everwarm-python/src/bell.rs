//! Waking tasks that wait for stores which answer later: each loop has a bell.
//!
//! An answer comes on a thread that never runs Python. It puts the number of who waits in the bell's line, and who is the first in
//! line has a byte written that the loop reads. So a loop is woken once for all who are answered in one of its turns, on its own
//! thread, where it asks for the whole line. What comes on a connection of the loop's own (`reader`) it reads itself, and then no byte
//! is written.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};

use everwarm_engine::process;
use everwarm_runtime::{Loop, outside};
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::calling;
use crate::expected::Expected;
use crate::gather::{self, Asked, Gathered, Sought, Waiting};
use crate::lasting::intern;
use crate::reader::Reader;
use crate::ring::Ring;

/// Who waits on one loop and is to be woken.
struct Line {
    /// Locked by threads of ours too: a child of a fork must not touch it.
    called: Mutex<Called>,
    call: Call,
    process: u64,
}

#[derive(Default)]
struct Called {
    numbers: Vec<u64>,
    /// Whether the loop was told that there are any, or looks anyway.
    is_told: bool,
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
        let was_told = {
            let mut called = self.called.lock();
            called.numbers.push(number);
            std::mem::replace(&mut called.is_told, true)
        };
        if !was_told {
            self.call.call();
        }
    }

    /// Who is called, with those whom `look` has called meanwhile: the loop need not be told of them.
    fn looked(&self, look: impl FnOnce()) -> Vec<u64> {
        let _looks = Looks::new(self);
        look();
        std::mem::take(&mut self.called.lock().numbers)
    }
}

/// A loop looks who is called. Of who is called later it is told again.
struct Looks<'a>(&'a Line);

impl<'a> Looks<'a> {
    fn new(line: &'a Line) -> Self {
        line.called.lock().is_told = true;
        Self(line)
    }
}

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        let mut called = self.0.called.lock();
        called.is_told = !called.numbers.is_empty();
        let is_left = called.is_told;
        drop(called);
        if is_left {
            self.0.call.call();
        }
    }
}

impl Call {
    fn call(&self) {
        match self {
            // The loop may have gone: then nobody waits on it any more.
            Self::Byte(socket) => drop((&*socket).write(&[1])),
            Self::Function(function) => {
                // A loop that is closed says so; at the interpreter's end nobody waits. Who forks holds the interpreter meanwhile.
                outside(|| {
                    Python::try_attach(|py| drop(calling::call(function.bind(py), [])));
                });
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
#[pyclass(frozen, weakref, module = "everwarm._native")]
pub(crate) struct Bell {
    line: Arc<Line>,
    socket: Option<UnixStream>,
    /// There if the loop can read connections of its own.
    reader: Option<Reader>,
    /// The futures of those who wait, held weakly: their tasks hold them. Locked by attached threads only.
    waiting: Mutex<HashMap<u64, Py<PyWeakrefReference>>>,
    /// Whether the loop was told that its turn will be over.
    is_in_turn: AtomicBool,
    /// Whether the loop was told to look for answers.
    is_looking: AtomicBool,
    /// How often it has looked.
    looks: AtomicU64,
    /// Reads of this turn, and those of earlier ones that are being asked, by number. Locked by attached threads only.
    gathered: Mutex<Vec<Gathered>>,
    /// Those who go on once this turn is over, since they were answered in it.
    answered: Mutex<Vec<Py<PyAny>>>,
    asked: Mutex<HashMap<u64, (Waker, Asked)>>,
}

#[pymethods]
impl Bell {
    /// `call` is called from any thread, where the loop cannot read a socket; `reads` refers to the loop, where it can, and can be told
    /// to read one no more.
    #[new]
    #[pyo3(signature = (call=None, reads=None))]
    fn new(
        call: Option<Py<PyAny>>,
        reads: Option<Bound<'_, PyWeakrefReference>>,
    ) -> PyResult<Self> {
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
            called: Mutex::default(),
            call,
            process: process(),
        };
        Ok(Self {
            line: Arc::new(line),
            socket,
            reader: reads.map(Reader::new),
            waiting: Mutex::default(),
            is_in_turn: AtomicBool::new(false),
            is_looking: AtomicBool::new(false),
            looks: AtomicU64::new(0),
            gathered: Mutex::default(),
            answered: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// What the loop reads; -1 where it is called.
    fn fileno(&self) -> i32 {
        self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// One who is to be woken by it.
    fn ring(&self) -> Ring {
        Ring::of_task(self.place())
    }

    /// Wakes those who are called; on the loop's own thread.
    fn rung(slf: &Bound<'_, Self>) -> PyResult<()> {
        let bell = slf.get();
        if bell.line.process != process() {
            return Ok(());
        }
        // Read before the line is taken: who comes after that writes another.
        if let Some(mut socket) = bell.socket.as_ref() {
            let mut bytes = [0; 64];
            while let Err(error) = socket.read(&mut bytes)
                && error.kind() == ErrorKind::Interrupted
            {}
        }
        let numbers = bell.line.looked(|| {
            if let Some(reader) = &bell.reader {
                reader.read_all();
            }
        });
        Self::wake(slf, numbers)
    }

    /// Reads what has come on a connection of the loop's own, and wakes those it is for; on the loop's own thread.
    fn come(slf: &Bound<'_, Self>, descriptor: i32) -> PyResult<()> {
        let bell = slf.get();
        let Some(reader) = bell
            .reader
            .as_ref()
            .filter(|_| bell.line.process == process())
        else {
            return Ok(());
        };
        let mut read = Ok(());
        let numbers = bell
            .line
            .looked(|| read = reader.read(slf.py(), descriptor));
        Self::wake(slf, numbers)?;
        read
    }

    /// The turn is over in which tasks of the loop asked stores: what they asked leaves together.
    fn turn_over(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, bell) = (slf.py(), slf.get());
        if bell.line.process != process() {
            return Ok(());
        }
        bell.is_in_turn.store(false, Ordering::Relaxed);
        let gathered = std::mem::take(&mut *bell.gathered.lock());
        bell.ask_now(py, gathered);
        let answered = std::mem::take(&mut *bell.answered.lock());
        // After that: on what was brought meanwhile may have been asked already.
        if let Some(reader) = &bell.reader {
            reader.begin(py, || Ok(slf.getattr(intern!(py, "come"))?.unbind()))?;
            if reader.asked() {
                Self::look_soon(slf, reader)?;
            }
        }
        go_on(py, answered)
    }

    /// Looks whether an answer has come on a connection of the loop's own, which the loop does not sleep for; on its own thread.
    fn look(slf: &Bound<'_, Self>) -> PyResult<()> {
        let bell = slf.get();
        bell.is_looking.store(false, Ordering::Relaxed);
        let Some(reader) = bell
            .reader
            .as_ref()
            .filter(|_| bell.line.process == process())
        else {
            return Ok(());
        };
        bell.looks.fetch_add(1, Ordering::Relaxed);
        let mut looked = Ok(false);
        let numbers = bell.line.looked(|| looked = reader.look(slf.py()));
        if !numbers.is_empty() {
            Self::wake(slf, numbers)?;
        }
        if looked? {
            Self::look_soon(slf, reader)?;
        }
        Ok(())
    }

    /// How often the loop has looked.
    #[getter]
    fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
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
}

impl Bell {
    /// Wakes those who have these numbers. Where the loop reads for itself they go on at once, and what they ask then leaves.
    fn wake(slf: &Bound<'_, Self>, mut numbers: Vec<u64>) -> PyResult<()> {
        let (py, bell, is_idle) = (slf.py(), slf.get(), numbers.is_empty());
        let called: Vec<_> = {
            let mut waiting = bell.waiting.lock();
            let called = numbers.extract_if(.., |number| waiting.contains_key(number));
            let called: Vec<_> = called.collect();
            called
                .iter()
                .filter_map(|number| waiting.remove(number))
                .collect()
        };
        let asked: Vec<_> = {
            let mut asked = bell.asked.lock();
            let called = numbers.into_iter();
            called
                .filter_map(|number| Some((number, asked.remove(&number)?)))
                .collect()
        };
        let ask = |(number, (waker, asked))| bell.ask(py, (waker, number), asked);
        let ask_all = || asked.into_iter().flat_map(ask).collect();
        let (answered, is_due): (Vec<_>, _) = everwarm_runtime::in_turn(bell.reads(), ask_all);
        let called = called.iter().filter_map(|future| future.bind(py).upgrade());
        let goes_on = called.map(Bound::unbind).chain(answered).collect();
        if bell.reader.is_none() || is_idle {
            if is_due {
                everwarm_runtime::turn_over();
            }
            return go_on(py, goes_on);
        }
        // What they ask waits for the end of this turn, and not of another.
        bell.is_in_turn.store(true, Ordering::Relaxed);
        let went = go_on(py, goes_on);
        Self::turn_over(slf).and(went)
    }

    /// The loop as stores know it, if it can read connections of its own.
    fn reads(&self) -> Option<&Arc<Loop>> {
        let reader = self.reader.as_ref()?;
        (self.line.process == process()).then_some(&reader.own)
    }

    /// A waker for one who waits, and the number by which the bell calls him.
    pub(crate) fn place(&self) -> (Waker, u64) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let line = Arc::clone(&self.line);
        (Waker::from(Arc::new(Caller { line, number })), number)
    }

    /// Asks on for reads of one turn: the futures that are to be done.
    fn ask(
        &self,
        py: Python<'_>,
        (waker, number): (Waker, u64),
        mut asked: Asked,
    ) -> Vec<Py<PyAny>> {
        asked.ask(py, &waker).unwrap_or_else(|| {
            self.asked.lock().insert(number, (waker, asked));
            Vec::new()
        })
    }

    /// What a task of the bell's loop is to wait for, as one says itself that it is awaited.
    pub(crate) fn future<'py>(&self, running: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if self.reader.is_some() {
            return Ok(Expected::new(running)?.into_any());
        }
        let py = running.py();
        let future = running.call_method0(intern!(py, "create_future"))?;
        future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
        Ok(future)
    }

    /// Asks for a place of a stack when this turn is over, with what else its tasks read in it; `future` is done then.
    pub(crate) fn gather(
        slf: &Bound<'_, Self>,
        running: &Bound<'_, PyAny>,
        sought: Sought,
        future: &Bound<'_, PyAny>,
    ) -> PyResult<Arc<Waiting>> {
        let future = future.clone().unbind();
        let bell = slf.get();
        let (waiting, full) = gather::add(&mut bell.gathered.lock(), sought, future);
        Self::turn_ends(slf, running)?;
        if full.is_some() && bell.line.process == process() {
            // The store works on them while other tasks have their steps.
            bell.ask_now(slf.py(), full);
        }
        Ok(waiting)
    }

    /// Asks for what was gathered, which leaves with all that was asked in this turn.
    fn ask_now(&self, py: Python<'_>, gathered: impl IntoIterator<Item = Gathered>) {
        let ask = |gathered: Gathered| self.ask(py, self.place(), gathered.into());
        let ask_all = || gathered.into_iter().flat_map(ask).collect();
        let (answered, _): (Vec<_>, _) = everwarm_runtime::in_turn(self.reads(), ask_all);
        everwarm_runtime::turn_over();
        self.answered.lock().extend(answered);
    }

    /// Has the loop look for answers when it comes by, instead of sleeping.
    fn look_soon(slf: &Bound<'_, Self>, reader: &Reader) -> PyResult<()> {
        let (py, is_looking) = (slf.py(), &slf.get().is_looking);
        if let Some(running) = reader.running(py)
            && !is_looking.swap(true, Ordering::Relaxed)
        {
            let look = slf.getattr(intern!(py, "look"))?;
            let told = running.call_method1(intern!(py, "call_soon"), (look,));
            told.inspect_err(|_| is_looking.store(false, Ordering::Relaxed))?;
        }
        Ok(())
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

    /// What `call` gives, as a part of this turn of the loop, with what else its tasks ask in it.
    pub(crate) fn in_turn<T>(
        slf: &Bound<'_, Self>,
        running: &Bound<'_, PyAny>,
        call: impl FnOnce() -> T,
    ) -> PyResult<T> {
        let (given, is_due) = everwarm_runtime::in_turn(slf.get().reads(), call);
        if is_due {
            Self::turn_ends(slf, running)?;
        }
        Ok(given)
    }
}

/// Has those go on who wait for these futures, on the loop's own thread and in nobody's step.
fn go_on(py: Python<'_>, futures: Vec<Py<PyAny>>) -> PyResult<()> {
    let mut went = Ok(());
    for future in futures {
        let future = future.into_bound(py);
        let goes = match future.cast::<Expected>() {
            Ok(expected) if went.is_ok() => Expected::come(expected),
            _ => done(&future),
        };
        went = went.and(goes);
    }
    went
}

/// Has a future done that may have been cancelled.
fn done(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
        future.call_method1(intern!(py, "set_result"), (py.None(),))?;
    }
    Ok(())
}
