//! The layer of time limits keeps the contract of layers, and its limits.

mod world;

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
        (Verb::Listen, "a look at what others did"),
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

#[test]
fn what_goes_over_all_entries_is_given_a_hundred_times_as_long() {
    let layer = Timeout::new(Soon(Duration::from_secs(5)), Duration::from_millis(50));
    let ask = |verb| {
        let answer = layer.around(verb, 0, || later(Duration::from_millis(1), Ok(())));
        wait(answer).map_err(|failure| failure.kind)
    };
    assert_eq!(ask(Verb::Read), Err(FailureKind::Timeout));
    assert_eq!(ask(Verb::All), Ok(()));
}

mod adaptive {
    use everwarm_core::layer::{Layer, Verb};
    use everwarm_core::store::{Answer, FailureKind};
    use everwarm_layers::Timeout;

    use super::Duration;
    use super::world::{Gate, World, look, now};

    const DEADLINE: Duration = Duration::from_millis(50);

    fn timeout(world: &World) -> Timeout<World> {
        Timeout::adaptive(world.clone(), DEADLINE, world.clock())
    }

    /// A hundred answers that took so long.
    fn answer(world: &World, layer: &Timeout<World>, verb: Verb, size: usize, took: Duration) {
        for _ in 0..100 {
            let gate = Gate::default();
            let mut answer = layer.around(verb, size, || gate.answer());
            assert_eq!(look(&mut answer), None);
            world.pass(took);
            gate.give(Ok(7));
            assert_eq!(look(&mut answer), Some(Ok(7)));
        }
    }

    /// How long an answer is waited for that does not come.
    fn waited(world: &World, layer: &Timeout<World>) -> Duration {
        let limit = layer.limit();
        let mut answer = layer.around(Verb::Read, 0, || Gate::default().answer());
        assert_eq!(look(&mut answer), None);
        world.pass(limit - Duration::from_nanos(1));
        assert_eq!(look(&mut answer), None);
        world.pass(Duration::from_nanos(1));
        assert_eq!(look(&mut answer), Some(Err(FailureKind::Timeout)));
        limit
    }

    #[test]
    fn a_quick_store_is_waited_for_less_long() {
        let world = World::default();
        let layer = timeout(&world);
        assert_eq!(waited(&world, &layer), DEADLINE);
        answer(&world, &layer, Verb::Read, 0, Duration::from_millis(2));
        let limit = waited(&world, &layer);
        assert!((6..=8).contains(&limit.as_millis()), "{limit:?}");
    }

    #[test]
    fn it_is_never_lengthened_by_what_was_too_late() {
        let world = World::default();
        let layer = timeout(&world);
        answer(&world, &layer, Verb::Read, 0, Duration::from_millis(2));
        let limit = waited(&world, &layer);
        for _ in 0..200 {
            assert_eq!(waited(&world, &layer), limit);
        }
    }

    #[test]
    fn large_values_and_clears_teach_nothing_wrong() {
        let world = World::default();
        let layer = timeout(&world);
        answer(
            &world,
            &layer,
            Verb::Write,
            2 << 20,
            Duration::from_millis(22),
        );
        let limit = layer.limit();
        assert!((6..=8).contains(&limit.as_millis()), "{limit:?}");
        answer(&world, &layer, Verb::All, 0, Duration::from_secs(1));
        assert!(layer.limit() == DEADLINE, "the rest is forgotten");
    }

    #[test]
    fn answers_that_are_there_teach_nothing() {
        let world = World::default();
        let layer = timeout(&world);
        for _ in 0..1_000 {
            assert_eq!(now(layer.around(Verb::Read, 0, || Answer::done(7))), Ok(7));
        }
        assert_eq!(layer.limit(), DEADLINE);
    }
}
