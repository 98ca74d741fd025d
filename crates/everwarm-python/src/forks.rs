//! What a `fork` leaves where it passes.

use pyo3::prelude::*;

use crate::{here, shared, waking};

/// Hears of forks that Python does not know of, too: a server in C forks its workers itself.
pub(crate) fn hear_of_forks() {
    extern "C" fn in_child() {
        everwarm_runtime::forked();
    }
    // SAFETY: what is called stores one number, which a child of a process with many threads may do, and this library stays loaded.
    let refused = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    if refused == 0 {
        everwarm_runtime::forks_are_told();
    }
}

/// To be called before a fork, in the parent after it, and in the child.
#[pyfunction]
pub(crate) fn at_fork(step: &str) {
    match step {
        // What no child may have is closed, and nobody opens it meanwhile. Attached: who is inside comes out without the interpreter,
        // and nobody new can hold it and wait for the fork.
        "before" => {
            everwarm_runtime::before_fork();
            shared::sqlite::let_go();
        }
        "parent" => everwarm_runtime::after_fork_in_parent(),
        // No flights of the parent's.
        _ => {
            everwarm_runtime::after_fork_in_child();
            everwarm_engine::after_fork();
            here::after_fork();
            waking::after_fork();
        }
    }
}
