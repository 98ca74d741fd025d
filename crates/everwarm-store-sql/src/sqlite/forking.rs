//! No connection is carried over a fork.
//!
//! SQLite keeps one account of a process's locks for all its connections to a file. A child would inherit that account, and would take
//! for held what only its parent holds; and a mutex of SQLite that another thread of the parent holds at the fork would be held in the
//! child for ever. So threads in SQLite are [inside](everwarm_runtime::Inside), where no fork passes, and before one all connections are
//! closed ([`let_go`]); after it parent and child open theirs when they need them. Who forks without telling leaves its child with new
//! connections all the same (the inherited ones are never touched), but with that account.

use std::sync::Weak;
use std::time::Duration;

use parking_lot::Mutex;

use super::pool::Connections;

/// The stores of this process.
static OPEN: Mutex<Vec<Weak<Connections>>> = Mutex::new(Vec::new());

/// How long the list is waited for: not for ever, since a thread may have been stopped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Notes connections, to be closed before forks.
pub(crate) fn note(connections: Weak<Connections>) {
    if let Some(mut open) = OPEN.try_lock_for(PATIENCE) {
        open.retain(|open| open.strong_count() > 0);
        open.push(connections);
    }
}

/// Closes the connections of all stores. To be called before this process forks, once
/// [nobody is inside](everwarm_runtime::before_fork) any more.
pub fn let_go() {
    let open = OPEN.try_lock_for(PATIENCE);
    let open: Vec<_> = open
        .iter()
        .flat_map(|open| open.iter().filter_map(Weak::upgrade))
        .collect();
    for connections in open {
        connections.let_go();
    }
}
