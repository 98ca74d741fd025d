//! What belongs to the process that made it: the child of a fork leaves it where it is.

use std::mem;

use everwarm_engine::process;

/// Something that waits for threads of this process, and holds what these may have locked.
pub(crate) struct Ours<T> {
    process: u64,
    kept: Option<T>,
}

impl<T> Ours<T> {
    pub(crate) fn new(kept: T) -> Self {
        Self {
            process: process(),
            kept: Some(kept),
        }
    }

    pub(crate) fn get(&mut self) -> &mut T {
        self.kept.as_mut().expect("it is there until it is dropped")
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if self.process != process() {
            mem::forget(self.kept.take());
        }
    }
}
