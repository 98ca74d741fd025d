//! What the tasks of one loop ask in one of its turns, leaving together.
//!
//! A loop polls one task after the other on one thread. What they ask could wake the task that writes each time; instead whoever
//! drives them says that a turn is on, and says when it is over. Whoever asks without having said so is not held up.

use std::cell::RefCell;
use std::task::Waker;

thread_local! {
    static TURN: RefCell<Turn> = const { RefCell::new(Turn { is_on: false, writers: Vec::new() }) };
}

struct Turn {
    is_on: bool,
    writers: Vec<Waker>,
}

/// Runs `call` within a turn of this thread's loop; whether [`turn_over`] is to be called when the turn is over.
pub fn in_turn<T>(call: impl FnOnce() -> T) -> (T, bool) {
    let _on = On::new();
    let given = call();
    (given, TURN.with_borrow(|turn| !turn.writers.is_empty()))
}

/// Wakes who writes: when the turn of this thread's loop is over, at once if there is none.
pub fn write_soon(writer: Waker) {
    let left = TURN.with_borrow_mut(|turn| {
        if !turn.is_on {
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

/// The turn, over also where the call panics.
struct On(bool);

impl On {
    fn new() -> Self {
        Self(TURN.with_borrow_mut(|turn| std::mem::replace(&mut turn.is_on, true)))
    }
}

impl Drop for On {
    fn drop(&mut self) {
        TURN.with_borrow_mut(|turn| turn.is_on = self.0);
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
        assert_eq!(in_turn(|| ()), ((), false));
        assert_eq!(in_turn(|| write_soon(writer())), ((), true));
        assert_eq!(in_turn(|| write_soon(writer())), ((), true));
        assert_eq!(woken(), 1);
        turn_over();
        assert_eq!(woken(), 2);
        turn_over();
        assert_eq!(woken(), 2);
    }
}
