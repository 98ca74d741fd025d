//! The clock of decorated functions, in the hands of one test after the other.

use std::sync::Mutex;
use std::time::Duration;

use everwarm::testing::ManualClock;

/// The clock of decorated functions is one: the tests that move it take turns.
pub(crate) static TURN: Mutex<()> = Mutex::new(());

/// Runs a test that moves the clock of decorated functions.
pub(crate) fn with_clock(test: impl FnOnce(&dyn Fn(Duration))) {
    let _turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
    let clock = ManualClock::new();
    let _held = clock.hold_functions();
    test(&|span| clock.advance(span));
}
