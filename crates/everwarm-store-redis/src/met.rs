//! The servers that a process met: one that it did not know before may have lost what another acknowledged.
//!
//! A server is known by its run, which is another one after each start, and by the history of its data, which is another one for each
//! master that takes over: of two masters that take turns without a start in between each turn counts. Both are learned from the first
//! words on a connection, so that a failover is counted before anything is asked on the first connection that leads beyond it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::handshake::Identity;

/// Servers that are remembered; where more take turns behind one address, each counts again.
const ROOM: usize = 256;

/// How often another server took over, as it was met and heard of. Most failovers are both.
#[derive(Clone, Default)]
pub(crate) struct Failovers(Arc<AtomicU64>);

impl Failovers {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Takes note of so many more.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Release);
    }
}

/// The servers of a store that a process met.
#[derive(Default)]
pub(crate) struct Met {
    servers: Mutex<VecDeque<Identity>>,
    failovers: Failovers,
}

impl Met {
    /// None yet. Those that took over are counted here.
    pub(crate) fn new(failovers: &Failovers) -> Self {
        Self {
            servers: Mutex::default(),
            failovers: failovers.clone(),
        }
    }
}

/// Who answers at one address.
pub(crate) struct Reign {
    met: Arc<Met>,
    /// How many servers were met here: connections with an earlier number lead to one that was replaced.
    number: AtomicU64,
    /// Whether the first that is met here took over from nobody.
    is_expected: bool,
}

impl Reign {
    /// At an address that nobody connected to. The first server is expected where it is found together with all others; any other has
    /// what was another's, or has been away.
    pub(crate) fn new(met: &Arc<Met>, is_expected: bool) -> Self {
        Self {
            met: Arc::clone(met),
            number: AtomicU64::new(0),
            is_expected,
        }
    }

    /// Takes note of the server that a connection leads to, before anything is asked on it; the number of its reign.
    pub(crate) fn begins(&self, server: &Identity) -> u64 {
        let mut servers = self.met.servers.lock();
        let number = self.number.load(Ordering::Relaxed);
        let (is_first, is_known) = (number == 0, servers.contains(server));
        if server.is_hidden() || (is_known && !is_first) {
            return number;
        }
        if !is_known {
            servers.truncate(ROOM - 1);
            servers.push_front(server.clone());
        }
        if !(is_first && self.is_expected) {
            self.met.failovers.add(1);
        }
        self.number.store(number + 1, Ordering::Release);
        number + 1
    }

    /// Whether connections of this number may be asked on.
    pub(crate) fn lasts(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) == number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(run: &str, history: &str) -> Identity {
        Identity {
            run: run.into(),
            history: history.into(),
        }
    }

    #[test]
    fn whoever_is_met_after_the_first_took_over() {
        let met = Arc::new(Met::default());
        let here = Reign::new(&met, true);
        let first = here.begins(&server("a", "1"));
        assert_eq!(
            (here.begins(&server("a", "1")), met.failovers.count()),
            (first, 0)
        );
        let second = here.begins(&server("b", "2"));
        assert!(here.lasts(second) && !here.lasts(first));
        assert_eq!(met.failovers.count(), 1);
    }

    #[test]
    fn a_server_that_comes_back_took_over_again() {
        let met = Arc::new(Met::default());
        let [one, other] = [true, false].map(|is_expected| Reign::new(&met, is_expected));
        one.begins(&server("a", "1"));
        other.begins(&server("b", "2"));
        assert_eq!(met.failovers.count(), 1);
        one.begins(&server("a", "3"));
        assert_eq!(met.failovers.count(), 2);
        // Its address was forgotten meanwhile, as others had all of its slots.
        Reign::new(&met, false).begins(&server("b", "2"));
        assert_eq!(met.failovers.count(), 3);
    }

    #[test]
    fn servers_that_take_turns_behind_one_address_count_once() {
        let met = Arc::new(Met::default());
        let here = Reign::new(&met, true);
        for run in ["a", "b", "a", "b", "a"] {
            let number = here.begins(&server(run, "1"));
            assert!(here.lasts(number));
        }
        assert_eq!(met.failovers.count(), 1);
        here.begins(&server("", ""));
        assert_eq!(met.failovers.count(), 1);
    }
}
