//! Whether this thread has nothing else to do than to wait.

use std::cell::Cell;

thread_local! {
    /// How many calls deep this thread only waits.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Marks this thread, for the length of a call, as one that has nothing else to do than to wait for what the call asks.
///
/// What is asked so blocks for a twentieth of a second at most, and is then to be asked again, by such a thread, too: so it may look for
/// signals, and may walk away.
pub fn waiting<T>(call: impl FnOnce() -> T) -> T {
    let _marked = Marked::new();
    call()
}

/// Whether this thread may be blocked by what is asked on it now.
#[must_use]
pub fn may_block() -> bool {
    DEPTH.get() > 0
}

/// The mark, taken back also where the call panics.
struct Marked;

impl Marked {
    fn new() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use std::thread;

    #[test]
    fn the_mark_nests_and_is_this_threads_alone() {
        assert!(!may_block());
        waiting(|| {
            waiting(|| assert!(may_block()));
            assert!(may_block());
            let other = thread::spawn(may_block);
            assert!(!other.join().expect("the thread ends"));
        });
        assert!(!may_block());
    }

    #[test]
    fn the_mark_ends_with_a_panic() {
        let panicked = catch_unwind(|| waiting(|| panic!("on purpose")));
        assert!(panicked.is_err());
        assert!(!may_block());
    }
}
