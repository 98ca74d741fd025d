//! What the handle of a proxy and the thread behind it both know.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::deeds::{Deed, Deeds};
use crate::draw::Draw;
use crate::fault::Way;
use crate::faults::Faults;
use crate::stream::Befallen;

// How long the handle waits at most until the thread has done what it was told.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) faults: Faults,
    pub(crate) deeds: Deeds,
    /// Whether connections are refused at the moment.
    pub(crate) closed: bool,
    /// How many connections there have been; each has the number that it brought this to.
    pub(crate) accepted: u64,
    /// Those that are open.
    pub(crate) open: BTreeSet<u64>,
    /// Those up to this number are to be reset.
    pub(crate) disconnected: u64,
}

/// The state of one proxy, and how its changes are told.
#[derive(Debug)]
pub(crate) struct Shared {
    began: Instant,
    seed: u64,
    state: Mutex<State>,
    // For the handle, of what the thread has done.
    done: Condvar,
    // For the thread's tasks, of what the handle wants.
    changed: watch::Sender<()>,
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            began: Instant::now(),
            seed,
            state: Mutex::default(),
            done: Condvar::new(),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tells of changes from here on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Changes what is wanted and tells the tasks.
    pub(crate) fn change(&self, by: impl FnOnce(&mut State)) {
        by(&mut self.state());
        self.changed.send_replace(());
    }

    /// Notes what the thread has done, for the handle.
    pub(crate) fn note(&self, by: impl FnOnce(&mut State)) {
        by(&mut self.state());
        self.done.notify_all();
    }

    /// Waits while something that was wanted is not done.
    pub(crate) fn wait_while(&self, mut undone: impl FnMut(&State) -> bool) {
        let waited = self
            .done
            .wait_timeout_while(self.state(), PATIENCE, |state| undone(state));
        drop(waited);
    }

    fn deed(&self, connection: u64, way: Option<Way>, (fault, bytes): Befallen) -> Deed {
        Deed {
            after: self.began.elapsed(),
            connection,
            way,
            fault,
            bytes,
        }
    }

    /// Decides about a direction of a connection, and records what befalls it.
    pub(crate) fn decide<T>(
        &self,
        (connection, way): (u64, Way),
        decision: impl FnOnce(&mut Faults, &mut Vec<Befallen>) -> T,
    ) -> T {
        let (mut state, mut befallen) = (self.state(), Vec::new());
        let decided = decision(&mut state.faults, &mut befallen);
        for one in befallen {
            state.deeds.add(self.deed(connection, Some(way), one));
        }
        decided
    }

    /// Whether a fault without direction befalls a connection, or the proxy itself; it is recorded.
    pub(crate) fn befalls(&self, name: &'static str, connection: u64) -> bool {
        let mut draw = Draw::new(!self.seed, connection);
        let mut state = self.state();
        let befalls = state.faults.befalls(name, None, &mut draw).is_some();
        if befalls {
            state.deeds.add(self.deed(connection, None, (name, 0)));
        }
        befalls
    }

    /// Whether a fault is in force.
    pub(crate) fn lasts(&self, name: &str, way: Option<Way>) -> bool {
        self.state().faults.lasts(name, way)
    }
}
