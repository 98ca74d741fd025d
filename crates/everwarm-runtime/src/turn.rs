//! What the tasks of one loop ask in one of its turns, leaving together.
//!
//! A loop polls one task after the other on one thread. What they ask could wake the task that writes each time; instead whoever
//! drives them says that a turn is on, and says when it is over. Whoever asks without having said so is not held up.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Waker;

use crate::reading::Loop;

thread_local! {
    static TURN: RefCell<Turn> = const { RefCell::new(Turn { on: None, writers: Vec::new() }) };
}

struct Turn {
    /// That of a loop, which may read for itself.
    on: Option<Option<Arc<Loop>>>,
    writers: Vec<Waker>,
}

/// Runs `call` within a turn of this thread's loop, which is told if it reads for itself; whether [`turn_over`] is to be called when
/// the turn is over.
pub fn in_turn<T>(reads: Option<&Arc<Loop>>, call: impl FnOnce() -> T) -> (T, bool) {
    let _on = On::new(reads.cloned());
    let given = call();
    (given, TURN.with_borrow(|turn| !turn.writers.is_empty()))
}

/// Wakes who writes: when the turn of this thread's loop is over, at once if there is none.
pub fn write_soon(writer: Waker) {
    let left = TURN.with_borrow_mut(|turn| {
        if turn.on.is_none() {
            return Some(writer);
        }
        if turn.writers.iter().all(|other| !other.will_wake(&writer)) {
            turn.writers.push(writer);
        }
        None
    });
    if let Some(writer) = left {
        writer.wake();
    }
}

/// The turn of this thread's loop is over.
pub fn turn_over() {
    let writers = TURN.with_borrow_mut(|turn| std::mem::take(&mut turn.writers));
    writers.into_iter().for_each(Waker::wake);
}

/// The loop whose turn is on, if it reads for itself.
#[must_use]
pub fn reads_itself() -> Option<Arc<Loop>> {
    TURN.with_borrow(|turn| turn.on.clone().flatten())
}

/// The turn, over also where the call panics; with the one around it.
struct On(Option<Option<Arc<Loop>>>);

impl On {
    fn new(reads: Option<Arc<Loop>>) -> Self {
        Self(TURN.with_borrow_mut(|turn| turn.on.replace(reads)))
    }
}

impl Drop for On {
    fn drop(&mut self) {
        let gone = TURN.with_borrow_mut(|turn| std::mem::replace(&mut turn.on, self.0.take()));
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_writes_is_woken_once_in_a_turn_and_at_once_without() {
        let count = Arc::new(Count::default());
        let writer = || Waker::from(Arc::clone(&count));
        let woken = || count.0.load(Ordering::Relaxed);
        write_soon(writer());
        assert_eq!(woken(), 1);
        assert_eq!(in_turn(None, || ()), ((), false));
        assert_eq!(in_turn(None, || write_soon(writer())), ((), true));
        assert_eq!(in_turn(None, || write_soon(writer())), ((), true));
        assert_eq!(woken(), 1);
        turn_over();
        assert_eq!(woken(), 2);
        turn_over();
        assert_eq!(woken(), 2);
    }

    #[test]
    fn a_loop_that_reads_for_itself_is_known_in_its_turn_alone() {
        let (outer, inner) = (Arc::new(Loop::default()), Arc::new(Loop::default()));
        let is = |expected: &Arc<Loop>| {
            let there = reads_itself();
            there.is_some_and(|there| Arc::ptr_eq(&there, expected))
        };
        in_turn(Some(&outer), || {
            assert!(is(&outer));
            in_turn(Some(&inner), || assert!(is(&inner)));
            in_turn(None, || assert!(reads_itself().is_none()));
            assert!(is(&outer));
        });
        assert!(reads_itself().is_none());
        assert_eq!(Arc::strong_count(&outer), 1);
    }
}
