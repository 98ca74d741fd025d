//! The bus of a store: what this process heard, and the task that listens. A forked child has one of its own.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use everwarm_runtime::process_id;

use crate::hearing::Hearing;
use crate::keys::Layout;
use crate::link::Link;
use crate::listening;
use crate::met::Failovers;
use crate::teller::Trust;

/// The bus of one process, and that of the child that it forked.
pub(crate) struct Bus {
    process: u32,
    layout: Layout,
    /// What authenticates messages, in all processes.
    pub(crate) trust: Trust,
    failovers: Failovers,
    hearing: Arc<Hearing>,
    task: Mutex<Task>,
    child: OnceLock<Box<Bus>>,
}

enum Task {
    /// Nothing was asked for as yet.
    None,
    Runs(AbortHandle),
    Ended,
}

impl Bus {
    /// A bus that nobody asked yet. Failovers that are heard of are counted here.
    pub(crate) fn new(layout: Layout, trust: Trust, failovers: &Failovers) -> Self {
        Self {
            process: process_id(),
            layout,
            hearing: Arc::new(Hearing::new(
                layout,
                Trust::clone(&trust),
                failovers.clone(),
            )),
            failovers: failovers.clone(),
            trust,
            task: Mutex::new(Task::None),
            child: OnceLock::new(),
        }
    }

    /// That of this process.
    pub(crate) fn here(&self) -> &Self {
        let process = process_id();
        let mut bus = self;
        while bus.process != process {
            bus = bus.child.get_or_init(|| {
                Box::new(Self::new(
                    bus.layout,
                    Trust::clone(&bus.trust),
                    &bus.failovers,
                ))
            });
        }
        bus
    }

    /// What was heard.
    pub(crate) const fn hearing(&self) -> &Arc<Hearing> {
        &self.hearing
    }

    /// Listens to a namespace from here on.
    pub(crate) fn attend(&self, space: &str, link: &Arc<Link>) {
        if self.hearing.attend(space) {
            self.begin(link);
        }
    }

    fn begin(&self, link: &Arc<Link>) {
        let mut task = self.task.lock();
        // Where no runtime can be had nothing can be asked for either; the next namespace tries again.
        if let (Task::None, Ok(runtime)) = (&*task, everwarm_runtime::handle()) {
            let listens = listening::listen(Arc::clone(&self.hearing), Arc::clone(link));
            *task = Task::Runs(runtime.spawn(listens).abort_handle());
        }
    }

    /// Listens no more.
    pub(crate) fn close(&self) {
        let task = std::mem::replace(&mut *self.task.lock(), Task::Ended);
        if let Task::Runs(task) = task {
            task.abort();
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        if self.process == process_id() {
            self.close();
        } else {
            // The task is in the parent alone, and a lock of its runtime may have been held at the fork.
            let task = std::mem::replace(self.task.get_mut(), Task::Ended);
            std::mem::forget((task, Arc::clone(&self.hearing)));
        }
    }
}
