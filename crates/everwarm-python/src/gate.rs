//! Whether hits may be taken by the short way.
//!
//! A hit must not ask who calls it. So each table has a gate, a number that a hit reads and compares with zero, and whoever
//! wants calls to be looked at more closely shuts it: `disabled()` shuts all gates of the process for as long as it lasts
//! anywhere, and the long way then asks the context variable. A function whose key is not made of its arguments alone reads a
//! gate that is never open, so this is the only question that a hit asks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::lasting::intern;
use crate::{calling, modules};

/// How many reasons there are to keep hits from the short way; open at none.
#[derive(Debug)]
pub(crate) struct Gate(AtomicUsize);

/// How many `disabled()` blocks are being run; changed under the lock of `GATES`.
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// The gates of the process.
static GATES: Mutex<Vec<Weak<Gate>>> = Mutex::new(Vec::new());

impl Gate {
    /// A gate that `disabled()` shuts, and so one that is shut if such a block is being run.
    pub(crate) fn new() -> Arc<Self> {
        let mut gates = GATES.lock();
        gates.retain(|gate| gate.strong_count() > 0);
        let gate = Arc::new(Self(AtomicUsize::new(BLOCKS.load(Ordering::Relaxed))));
        gates.push(Arc::downgrade(&gate));
        gate
    }

    /// A gate that is never open.
    pub(crate) fn never() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(1)))
    }

    /// Whether hits may be taken by the short way.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Shuts it, for good or until it is reopened.
    pub(crate) fn shut(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one reason back for which it was shut.
    pub(crate) fn reopen(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A `disabled()` block begins: all gates are shut.
#[pyfunction]
pub(crate) fn shut_gates() {
    let gates = GATES.lock();
    BLOCKS.fetch_add(1, Ordering::Relaxed);
    for gate in gates.iter().filter_map(Weak::upgrade) {
        gate.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A `disabled()` block ends.
#[pyfunction]
pub(crate) fn open_gates() {
    let gates = GATES.lock();
    BLOCKS.fetch_sub(1, Ordering::Relaxed);
    for gate in gates.iter().filter_map(Weak::upgrade) {
        gate.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the code that runs now is inside a `disabled()` block.
pub(crate) fn is_inside_block(py: Python<'_>) -> PyResult<bool> {
    if BLOCKS.load(Ordering::Relaxed) == 0 {
        return Ok(false);
    }
    let inside = modules::own(py, "everwarm._disabled")?.getattr(intern!(py, "is_inside"))?;
    calling::call(&inside, [])?.is_truthy()
}
