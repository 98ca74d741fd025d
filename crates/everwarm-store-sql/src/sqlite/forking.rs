//! No connection is carried over a fork.
//!
//! SQLite keeps one account of a process's locks for all its connections to a file. A child would inherit that account, and would take
//! for held what only its parent holds; and a mutex of SQLite that another thread of the parent holds at the fork would be held in the
//! child for ever. So before a fork all threads are let out of SQLite, and all connections are closed; after it parent and child
//! open theirs when they need them. Who forks without telling ([`before_fork`]) leaves its child with new connections all the
//! same (the inherited ones are never touched), but with that account.

use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::pool::Connections;

/// How many are about to fork.
static FORKING: AtomicUsize = AtomicUsize::new(0);
/// How many threads are in SQLite.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// The stores of this process.
static OPEN: Mutex<Vec<Weak<Connections>>> = Mutex::new(Vec::new());

/// How long a fork waits for threads in SQLite, and they for a fork: neither for ever, since a thread may have been stopped.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_micros(50);

/// A thread is in SQLite until this is dropped.
pub(crate) struct Inside(());

impl Inside {
    /// Goes in, once nobody is about to fork. Who is in does not go in again.
    pub(crate) fn enter() -> Self {
        let mut begun = None;
        loop {
            INSIDE.fetch_add(1, Ordering::SeqCst);
            if FORKING.load(Ordering::SeqCst) == 0 {
                return Self(());
            }
            let begun = *begun.get_or_insert_with(Instant::now);
            if begun.elapsed() > PATIENCE {
                return Self(());
            }
            leave();
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        leave();
    }
}

fn leave() {
    // A child begins to count anew; what its parent's thread was in does not end in it.
    let _ = INSIDE.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |inside| {
        inside.checked_sub(1)
    });
}

/// Notes connections, to be closed before forks.
pub(crate) fn note(connections: Weak<Connections>) {
    if let Some(mut open) = OPEN.try_lock_for(PATIENCE) {
        open.retain(|open| open.strong_count() > 0);
        open.push(connections);
    }
}

/// To be called before this process forks, on the thread that will: lets all other threads out of SQLite, keeps them out, and closes
/// the connections of all stores. [`after_fork_in_parent`] and [`after_fork_in_child`] let them in again.
pub fn before_fork() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    let begun = Instant::now();
    while INSIDE.load(Ordering::SeqCst) > 0 && begun.elapsed() < PATIENCE {
        thread::sleep(PAUSE);
    }
    let open = OPEN.try_lock_for(PATIENCE);
    let open: Vec<_> = open
        .iter()
        .flat_map(|open| open.iter().filter_map(Weak::upgrade))
        .collect();
    for connections in open {
        connections.let_go();
    }
}

/// To be called in the parent, after each [`before_fork`].
pub fn after_fork_in_parent() {
    let _ = FORKING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |forking| {
        forking.checked_sub(1)
    });
}

/// To be called in the child.
pub fn after_fork_in_child() {
    INSIDE.store(0, Ordering::SeqCst);
    FORKING.store(0, Ordering::SeqCst);
}
