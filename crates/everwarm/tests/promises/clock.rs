//! The clock of decorated functions, in the hands of one test after the other.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use everwarm::testing::ManualClock;

/// The clock of decorated functions is one for the process: the tests that move it, and those that it must not move for, take turns.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Runs a test that moves the clock of decorated functions.
pub(crate) fn with_clock(test: impl FnOnce(&dyn Fn(Duration))) {
    let _turn = turn();
    let clock = ManualClock::new();
    let _held = clock.hold_functions();
    test(&|span| clock.advance(span));
}
