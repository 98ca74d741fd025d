//! Loops that read for themselves: what comes for those who ask on a loop, the loop receives on its own thread.
//!
//! Between a connection that one loop alone asks on and the tasks of that loop no other thread is needed. Whoever opens one, in the
//! background, brings it to the loop; the loop takes what was brought when it comes by, and looks after it until it has ended. A
//! loop that cannot do so has no such connections.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a loop reads. To drop it says that nobody reads it any longer.
pub trait Reading: Send + Sync {
    /// The socket, which stays open as long as this is there.
    fn socket(&self) -> BorrowedFd<'_>;

    /// Reads what has come, and wakes those it is for, without waiting; whether more may come.
    fn read(&self) -> bool;

    /// To be called when what was asked has left.
    fn asked(&self) {}

    /// Whether an answer that has not come is looked for, and not slept for.
    fn looks(&self) -> bool {
        false
    }
}

/// A loop that reads for itself.
#[derive(Default)]
pub struct Loop(Mutex<State>);

#[derive(Default)]
struct State {
    brought: Vec<Arc<dyn Reading>>,
    is_over: bool,
}

impl Loop {
    /// Brings what is to be read from now on; where the loop reads no more, it is dropped.
    pub fn bring(&self, reading: Arc<dyn Reading>) {
        let mut state = self.state();
        if !state.is_over {
            state.brought.push(reading);
        }
    }

    /// What was brought since the last time.
    pub fn take(&self) -> Vec<Arc<dyn Reading>> {
        std::mem::take(&mut self.state().brought)
    }

    /// Whether it reads no more.
    pub fn is_over(&self) -> bool {
        self.state().is_over
    }

    /// It reads no more: what was brought and not taken is dropped.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        let left = std::mem::take(&mut state.brought);
        drop(state);
        drop(left);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    struct Read(UnixStream);

    impl Reading for Read {
        fn socket(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        fn read(&self) -> bool {
            true
        }
    }

    #[test]
    fn what_is_brought_is_taken_once_and_dropped_by_who_reads_no_more() {
        let brought = || {
            let (near, far) = UnixStream::pair().expect("there are descriptors");
            let reading: Arc<dyn Reading> = Arc::new(Read(near));
            (reading, far)
        };
        let (one, two) = (brought(), brought());
        let loops = Loop::default();
        loops.bring(Arc::clone(&one.0));
        assert_eq!(loops.take().len(), 1);
        assert_eq!(loops.take().len(), 0);
        loops.bring(Arc::clone(&two.0));
        loops.end();
        loops.bring(Arc::clone(&two.0));
        assert_eq!((loops.take().len(), Arc::strong_count(&two.0)), (0, 1));
    }
}
