//! The layer of time limits keeps the contract of layers, and its limits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use everwarm_conformance::{later, wait};
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, FailureKind};
use everwarm_layers::{Timeout, Timer};

/// Spans below this are over as soon as they are looked at, others never.
struct Soon(Duration);

impl Timer for Soon {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let is_over = span < self.0;
        Box::pin(poll_fn(move |_| match is_over {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }
}

mod layer {
    use super::{Duration, Soon, Timeout};

    everwarm_conformance::layer!(Timeout::new(Soon(Duration::ZERO), Timeout::<Soon>::NEAR));
}

#[test]
fn what_is_late_is_a_timeout() {
    let layer = Timeout::new(Soon(Duration::MAX), Duration::from_millis(50));
    let verbs = [
        (Verb::Read, "a read"),
        (Verb::Write, "a write"),
        (Verb::Change, "a change"),
        (Verb::Life, "a ping or close"),
    ];
    for (verb, what) in verbs {
        let answer = layer.around(verb, 0, || later(Duration::from_secs(60), Ok(())));
        let failure = wait(answer).expect_err("it is late");
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(failure.message().starts_with(what), "{failure}");
        assert!(failure.message().ends_with("within 50ms"), "{failure}");
    }
}

#[test]
fn large_values_are_given_more_time() {
    let layer = Timeout::new(Soon(Duration::from_millis(70)), Timeout::<Soon>::NEAR);
    let ask = |size| {
        let answer = layer.around(Verb::Write, size, || {
            later(Duration::from_millis(1), Ok(()))
        });
        wait(answer).map_err(|failure| failure.kind)
    };
    assert_eq!(ask(0), Err(FailureKind::Timeout));
    assert_eq!(ask((2 << 20) - 200), Err(FailureKind::Timeout));
    assert_eq!(ask(2 << 20), Ok(()));
}

#[test]
fn who_answers_at_once_is_not_timed() {
    let layer = Timeout::new(Soon(Duration::MAX), Duration::ZERO);
    let answer = layer.around(Verb::Read, 1 << 30, || Answer::done(7));
    assert!(matches!(answer, Answer::Now(Ok(7))));
}
