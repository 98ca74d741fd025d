//! No fork passes through the middle of something.
//!
//! A child has its parent's memory and none of its other threads. What one of those had begun (a lock it held, a value that is made
//! once, in our code or in a client's) stays begun in the child for ever, and who needs it there hangs. So threads say when they are
//! [`Inside`], the runtime's own whenever they are not parked, and who forks lets them all out first and keeps them out until it is
//! done. A process that forks without telling ([`before_fork`]) takes its chances, as it does with every library.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::forked;

/// How long a fork waits for threads inside, and they for a fork: neither for ever, since a thread may have been stopped.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_micros(50);

static GATE: Gate = Gate::new();

thread_local! {
    /// How many times over this thread is inside.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// This thread is inside until this is dropped.
pub struct Inside(PhantomData<*const ()>);

impl Inside {
    /// Goes in, once nobody is about to fork.
    #[must_use]
    pub fn enter() -> Self {
        enter();
        Self(PhantomData)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        leave();
    }
}

/// Calls what may wait for whoever forks: meanwhile this thread is not inside.
pub fn outside<T>(call: impl FnOnce() -> T) -> T {
    let _out = Out::new();
    call()
}

/// A thread that has gone out, and comes in again also where the call panics.
struct Out(usize);

impl Out {
    fn new() -> Self {
        let depth = DEPTH.replace(0);
        if depth > 0 {
            GATE.leave();
        }
        Self(depth)
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if self.0 > 0 {
            GATE.enter();
            DEPTH.set(self.0);
        }
    }
}

pub(crate) fn enter() {
    let depth = DEPTH.get();
    if depth == 0 {
        GATE.enter();
    }
    DEPTH.set(depth + 1);
}

pub(crate) fn leave() {
    let depth = DEPTH.get();
    DEPTH.set(depth.saturating_sub(1));
    if depth == 1 {
        GATE.leave();
    }
}

/// To be called before this process forks, on the thread that will: lets all others out, and keeps them out until
/// [`after_fork_in_parent`].
pub fn before_fork() {
    GATE.close();
}

/// To be called in the parent, after each [`before_fork`].
pub fn after_fork_in_parent() {
    GATE.open();
}

/// To be called in the child.
pub fn after_fork_in_child() {
    forked();
    DEPTH.set(0);
    GATE.begin_anew();
}

struct Gate {
    /// How many are about to fork.
    forking: AtomicUsize,
    /// How many threads are inside.
    inside: AtomicUsize,
}

impl Gate {
    const fn new() -> Self {
        Self {
            forking: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
        }
    }

    fn enter(&self) {
        let mut begun = None;
        loop {
            self.inside.fetch_add(1, Ordering::SeqCst);
            if self.forking.load(Ordering::SeqCst) == 0 {
                return;
            }
            if begun.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return;
            }
            self.leave();
            thread::sleep(PAUSE);
        }
    }

    fn leave(&self) {
        less(&self.inside);
    }

    fn close(&self) {
        self.forking.fetch_add(1, Ordering::SeqCst);
        let begun = Instant::now();
        while self.inside.load(Ordering::SeqCst) > 0 && begun.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
    }

    fn open(&self) {
        less(&self.forking);
    }

    /// Nobody is inside but this thread's parent's memory of who was.
    fn begin_anew(&self) {
        self.inside.store(0, Ordering::SeqCst);
        self.forking.store(0, Ordering::SeqCst);
    }
}

/// One less, if there is any: a child begins to count anew, and what its parent was in does not end in it.
fn less(count: &AtomicUsize) {
    let _ = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
        count.checked_sub(1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::sleep;

    const SHORTLY: Duration = Duration::from_millis(30);

    #[test]
    fn who_forks_waits_for_those_inside_and_keeps_the_others_out() {
        let gate = Gate::new();
        gate.enter();
        let (closed, is_closed) = channel();
        let (entered, has_entered) = channel();
        thread::scope(|scope| {
            let gate = &gate;
            scope.spawn(move || {
                gate.close();
                closed.send(()).expect("it is waited for");
            });
            sleep(SHORTLY);
            assert!(is_closed.try_recv().is_err());
            gate.leave();
            is_closed.recv().expect("nobody is inside");
            scope.spawn(move || {
                gate.enter();
                entered.send(()).expect("it is waited for");
            });
            sleep(SHORTLY);
            assert!(has_entered.try_recv().is_err());
            gate.open();
            has_entered.recv().expect("the fork is over");
        });
    }

    #[test]
    fn neither_waits_for_ever() {
        let gate = Gate::new();
        gate.enter();
        gate.close();
        gate.enter();
        assert_eq!(gate.inside.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_child_begins_anew() {
        let gate = Gate::new();
        gate.enter();
        gate.forking.store(1, Ordering::SeqCst);
        gate.begin_anew();
        gate.enter();
        gate.leave();
        gate.leave();
        assert_eq!(gate.inside.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_thread_counts_once_however_deep_it_is_and_not_while_it_is_outside() {
        // The process's own gate, where other tests' threads come and go: only this thread's part is looked at.
        let outer = Inside::enter();
        let inner = Inside::enter();
        assert_eq!(DEPTH.get(), 2);
        assert_eq!(outside(|| DEPTH.get()), 0);
        assert_eq!(DEPTH.get(), 2);
        drop((outer, inner));
        assert_eq!(DEPTH.get(), 0);
        assert_eq!(outside(|| DEPTH.get()), 0);
        assert_eq!(DEPTH.get(), 0);
    }
}
