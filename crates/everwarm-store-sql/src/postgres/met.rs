//! The servers that a store met: one that it did not know before may have lost what another acknowledged.
//!
//! A server is known by the time of its start, which no two that take over from each other have in common. It is learned from the
//! first words on a connection, so that a failover is counted before anything is asked on it. A server that was only started again
//! counts too: what it lost, if its settings let it lose something, nobody can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Who answered, and how often that was another one.
#[derive(Default)]
pub(crate) struct Met {
    /// When the server was started that answered last.
    last: Mutex<Option<String>>,
    failovers: Arc<AtomicU64>,
}

impl Met {
    /// That of a forked child, which goes on counting.
    pub(crate) fn again(&self) -> Self {
        Self {
            last: Mutex::default(),
            failovers: Arc::clone(&self.failovers),
        }
    }

    /// Takes note of who answers, by when it was started.
    pub(crate) fn meet(&self, started: String) {
        let mut last = self.last.lock();
        if last.as_ref() == Some(&started) {
            return;
        }
        if last.is_some() {
            self.failovers.fetch_add(1, Ordering::Release);
        }
        *last = Some(started);
    }

    /// How often another server took over.
    pub(crate) fn failovers(&self) -> u64 {
        self.failovers.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_other_server_counts() {
        let met = Met::default();
        for (started, count) in [("1", 0), ("1", 0), ("2", 1), ("2", 1), ("1", 2)] {
            met.meet(started.to_owned());
            assert_eq!(met.failovers(), count);
        }
        let child = met.again();
        child.meet("3".to_owned());
        child.meet("4".to_owned());
        assert_eq!((met.failovers(), child.failovers()), (3, 3));
    }
}
