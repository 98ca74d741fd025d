//! The servers that a store met: one that it did not know before may have lost what another acknowledged.
//!
//! A server is known by where it says that it is and by the time of its start, which no two that take over from each other have in common. It
//! is learned from the first words on a connection, so that a failover is counted before anything is asked on it. A server that was only
//! started again counts too: what it lost, if its settings let it lose something, nobody can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// By how much two looks at the time of one start may differ, where a server counts whole seconds since then.
const ABOUT: Duration = Duration::from_secs(2);

/// Who answered, and how often that was another one.
#[derive(Default)]
pub(crate) struct Met {
    /// The server that answered last, and when it was started.
    last: Mutex<Option<(String, Duration)>>,
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

    /// Takes note of who answers, by its name and when it was started.
    pub(crate) fn meet(&self, name: &str, started: Duration) {
        let mut last = self.last.lock();
        if let Some((known, since)) = &*last {
            if known == name && since.abs_diff(started) <= ABOUT {
                return;
            }
            self.failovers.fetch_add(1, Ordering::Release);
        }
        *last = Some((name.to_owned(), started));
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
        for (name, started, count) in [
            ("a", 100, 0),
            ("a", 101, 0),
            ("a", 110, 1),
            ("b", 110, 2),
            ("b", 109, 2),
        ] {
            met.meet(name, Duration::from_secs(started));
            assert_eq!(met.failovers(), count, "{name} since {started}");
        }
        let child = met.again();
        child.meet("c", Duration::from_secs(3));
        child.meet("d", Duration::from_secs(3));
        assert_eq!((met.failovers(), child.failovers()), (3, 3));
    }
}
