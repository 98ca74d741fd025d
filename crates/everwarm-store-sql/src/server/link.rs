//! The way to the database, for all processes that inherit a store: each has connections, and hears of others, by itself.

use std::mem::forget;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use everwarm_core::store::Failure;
use everwarm_runtime::process_id;
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::server::failure::closed;

/// What one process has of its own.
pub(crate) trait Own: Sized {
    /// The same for a forked child, which touches nothing of its parent's connections.
    fn again(&self) -> Self;

    /// Begins what is done in the background, once something was asked.
    ///
    /// # Errors
    /// `Closed` while this process ends.
    fn begin(&self) -> Result<Vec<AbortHandle>, Failure>;

    /// Ends all connections, for good.
    fn end(&self);
}

/// The way to the database.
pub(crate) struct Link<O: Own> {
    first: Process<O>,
    is_closed: AtomicBool,
}

/// What one process has, and the child that it forked.
struct Process<O: Own> {
    id: u32,
    /// There until it is dropped.
    own: Option<O>,
    tasks: Mutex<Vec<AbortHandle>>,
    has_begun: AtomicBool,
    child: OnceLock<Box<Process<O>>>,
}

impl<O: Own> Link<O> {
    /// A way that nobody went yet.
    pub(crate) fn new(own: O) -> Self {
        Self {
            first: Process::new(own),
            is_closed: AtomicBool::new(false),
        }
    }

    /// What this process has, to ask something; from its first question on it works in the background.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn open(&self) -> Result<&O, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let process = self.process();
        if !process.has_begun.swap(true, Ordering::Relaxed) {
            let begun = process.own().begin();
            let mut tasks =
                begun.inspect_err(|_| process.has_begun.store(false, Ordering::Relaxed))?;
            process.tasks.lock().append(&mut tasks);
        }
        Ok(process.own())
    }

    /// What this process has.
    pub(crate) fn here(&self) -> &O {
        self.process().own()
    }

    fn process(&self) -> &Process<O> {
        let id = process_id();
        let mut process = &self.first;
        while process.id != id {
            process = process
                .child
                .get_or_init(|| Box::new(Process::new(process.own().again())));
        }
        process
    }

    /// Ends all connections of this process, for good.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.process().end();
    }
}

impl<O: Own> Process<O> {
    fn new(own: O) -> Self {
        Self {
            id: process_id(),
            own: Some(own),
            tasks: Mutex::default(),
            has_begun: AtomicBool::new(false),
            child: OnceLock::new(),
        }
    }

    fn own(&self) -> &O {
        self.own.as_ref().expect("it was not dropped yet")
    }

    fn end(&self) {
        self.own().end();
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
    }
}

impl<O: Own> Drop for Process<O> {
    fn drop(&mut self) {
        if self.id != process_id() {
            // It belongs to the parent, whose locks may have been held at the fork.
            return forget(self.own.take());
        }
        self.end();
    }
}
