//! The layer of faults keeps the contract of layers when chance is kind, and makes the faults it is told to.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use everwarm_conformance::wait;
use everwarm_core::draw::Draw;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Bytes, FailureKind};
use everwarm_layers::{Chaos, Odds, Timer};

/// Notes how long was waited, and waits for nothing.
#[derive(Default)]
struct Noted(Mutex<Vec<Duration>>);

impl Timer for &Noted {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.lock().expect("no test panics").push(span);
        Box::pin(ready(()))
    }
}

impl Timer for Noted {
    fn after(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}

/// Draws in turn, from the first again after the last.
struct Turns(Mutex<(usize, Vec<f64>)>);

impl Turns {
    fn new(draws: &[f64]) -> Self {
        Self(Mutex::new((0, draws.to_vec())))
    }
}

impl Draw for Turns {
    fn unit(&self) -> f64 {
        let mut turns = self.0.lock().expect("no test panics");
        let draw = turns.1[turns.0 % turns.1.len()];
        turns.0 += 1;
        draw
    }
}

mod layer {
    use super::{Chaos, Noted, Odds, Turns};

    everwarm_conformance::layer!(Chaos::new(
        Turns::new(&[0.9]),
        Noted::default(),
        Odds {
            error: 0.5,
            delay: 0.5,
            corrupt: 0.5,
            ..Odds::default()
        }
    ));
}

#[test]
fn half_of_the_failures_come_before_and_half_after() {
    let odds = Odds {
        error: 0.1,
        ..Odds::default()
    };
    // Whether it fails, and whether it is done nevertheless.
    let layer = Chaos::new(
        Turns::new(&[0.05, 0.9, 0.05, 0.1, 0.5]),
        Noted::default(),
        odds,
    );
    let ask = || {
        let done = Mutex::new(false);
        let answer = wait(layer.around(Verb::Change, 0, || {
            *done.lock().expect("no test panics") = true;
            Answer::done(())
        }));
        (
            answer.map_err(|failure| failure.kind),
            done.into_inner().expect("no test panics"),
        )
    };
    assert_eq!(ask(), (Err(FailureKind::Transient), false));
    assert_eq!(ask(), (Err(FailureKind::Timeout), true));
    assert_eq!(ask(), (Ok(()), true));
}

#[test]
fn what_is_slow_waits_first() {
    let (noted, delay_by) = (Noted::default(), Duration::from_millis(7));
    let odds = Odds {
        delay: 0.5,
        delay_by,
        ..Odds::default()
    };
    let layer = Chaos::new(Turns::new(&[0.4, 0.6]), &noted, odds);
    for verb in [Verb::Read, Verb::Write, Verb::Life] {
        assert_eq!(wait(layer.around(verb, 0, || Answer::done(7))), Ok(7));
    }
    assert_eq!(*noted.0.lock().expect("no test panics"), [delay_by]);
}

#[test]
fn corrupted_bytes_are_shorter_or_differ_in_a_bit() {
    let odds = Odds {
        corrupt: 1.0,
        ..Odds::default()
    };
    let whole = Bytes::from_static(b"envelope");
    let cut = Chaos::new(Turns::new(&[0.0, 0.5, 0.1]), Noted::default(), odds);
    assert_eq!(cut.found(whole.clone()), Bytes::from_static(b"enve"));
    let flip = Chaos::new(Turns::new(&[0.0, 0.5, 0.9, 0.0]), Noted::default(), odds);
    assert_eq!(flip.found(whole), Bytes::from_static(b"envemope"));
    assert!(flip.found(Bytes::new()).is_empty());
}
