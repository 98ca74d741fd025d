//! Which process this is.
//!
//! What a fork leaves in a child must not be used there, so stores ask at every step who they are; to ask the operating system each
//! time would be a system call. Where every fork is told of, the answer is kept until the next one.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The number of this process, 0 where it is to be asked for.
static OWN: AtomicU32 = AtomicU32::new(0);
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The number of this process: another one in a forked child.
#[must_use]
pub fn process_id() -> u32 {
    match OWN.load(Ordering::Relaxed) {
        0 => asked(),
        own => own,
    }
}

#[cold]
fn asked() -> u32 {
    let own = process::id();
    if IS_TOLD.load(Ordering::Relaxed) {
        OWN.store(own, Ordering::Relaxed);
    }
    own
}

/// From now on [`forked`] is called in each child, before anything else here is.
pub fn forks_are_told() {
    IS_TOLD.store(true, Ordering::Relaxed);
}

/// This process is a child that was just forked. It may be called where hardly anything may (from `pthread_atfork`): it takes no lock
/// and asks for no memory.
pub fn forked() {
    OWN.store(0, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_anew_after_a_fork() {
        assert_eq!(
            (process_id(), OWN.load(Ordering::Relaxed)),
            (process::id(), 0)
        );
        forks_are_told();
        assert_eq!(process_id(), process::id());
        // As it stands in the memory of a child.
        OWN.store(process::id() + 1, Ordering::Relaxed);
        forked();
        assert_eq!(process_id(), process::id());
        assert_eq!(OWN.load(Ordering::Relaxed), process::id());
    }
}
