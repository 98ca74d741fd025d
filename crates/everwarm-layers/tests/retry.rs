//! The layer of second attempts: which reads are done again, how often, when, and within which time.

mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::retry::Terms;
use everwarm_core::store::{Answer, FailureKind};
use everwarm_layers::Retry;
use world::{Gate, World, draw, failed, look, now};

use FailureKind::{Permanent, Timeout, Transient};

const DEADLINE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(10);

fn retry(world: &World, unit: f64) -> Retry {
    let terms = Terms::of(DEADLINE);
    assert_eq!(terms.pause, PAUSE);
    Retry::new(terms, world.clock(), world.timer(), draw(unit))
}

/// Answers in turn.
fn in_turn<'a>(results: &'a [Result<u32, FailureKind>]) -> impl Fn() -> Answer<'a, u32> {
    let at = AtomicUsize::new(0);
    move || match results[at.fetch_add(1, Ordering::SeqCst)] {
        Ok(value) => Answer::done(value),
        Err(kind) => failed(kind),
    }
}

#[test]
fn a_read_that_failed_for_the_moment_is_done_again_once() {
    let world = World::default();
    let retry = retry(&world, 0.0);
    let answer = retry.around(Verb::Read, 0, in_turn(&[Err(Transient), Ok(7)]));
    assert_eq!(now(answer), Ok(7));
    let twice = [Err(Transient), Err(Timeout)];
    assert_eq!(
        now(retry.around(Verb::Read, 0, in_turn(&twice))),
        Err(Timeout)
    );
    let twice = [Err(Transient), Err(Transient)];
    assert_eq!(
        now(retry.around(Verb::Read, 0, in_turn(&twice))),
        Err(Transient)
    );
    assert_eq!(retry.again(), 3);
}

#[test]
fn what_comes_later_is_done_again_as_well() {
    let world = World::default();
    let retry = retry(&world, 0.0);
    let gates = Mutex::new(vec![Gate::default(), Gate::default()]);
    let ready = gates.lock().expect("no test panics").clone();
    let mut answer = retry.around(Verb::Read, 0, || {
        gates.lock().expect("no test panics").remove(0).answer()
    });
    ready[0].give(Err(Transient));
    ready[1].give(Ok(7));
    assert_eq!(look(&mut answer), Some(Ok(7)));
}

#[test]
fn only_reads_are() {
    let world = World::default();
    let retry = retry(&world, 0.0);
    for verb in [Verb::Write, Verb::Change, Verb::All, Verb::Life] {
        let answer = retry.around(verb, 0, in_turn(&[Err(Transient)]));
        assert!(matches!(answer, Answer::Now(Err(_))), "{verb:?}");
    }
    assert_eq!(retry.again(), 0);
}

#[test]
fn only_what_may_be_gone_a_moment_later_is() {
    let world = World::default();
    let retry = retry(&world, 0.0);
    for kind in FailureKind::ALL
        .into_iter()
        .filter(|kind| *kind != Transient)
    {
        let once = [Err(kind)];
        let answer = retry.around(Verb::Read, 0, in_turn(&once));
        assert!(matches!(answer, Answer::Now(Err(_))), "{kind:?}");
    }
}

#[test]
fn second_attempts_stay_a_tenth_of_all_reads() {
    let world = World::default();
    let retry = retry(&world, 0.0);
    for _ in 0..1_000 {
        let _ = now(retry.around(Verb::Read, 0, || failed::<()>(Transient)));
    }
    // A tenth, and the ten that are kept for hard times.
    assert!((100..=110).contains(&retry.again()), "{}", retry.again());
    for _ in 0..100 {
        let _ = now(retry.around(Verb::Read, 0, || Answer::done(())));
    }
    let before = retry.again();
    for _ in 0..100 {
        let _ = now(retry.around(Verb::Read, 0, || failed::<()>(Transient)));
    }
    assert!((19..=20).contains(&(retry.again() - before)));
}

#[test]
fn it_waits_by_chance_first() {
    for unit in [0.0, 0.5, 0.9] {
        let world = World::default();
        let retry = retry(&world, unit);
        let mut answer = retry.around(Verb::Read, 0, in_turn(&[Err(Transient), Ok(7)]));
        let pause = PAUSE.mul_f64(unit);
        if !pause.is_zero() {
            assert_eq!(look(&mut answer), None);
            world.pass(pause - Duration::from_micros(1));
            assert_eq!(look(&mut answer), None);
            world.pass(Duration::from_micros(1));
        }
        assert_eq!(look(&mut answer), Some(Ok(7)));
    }
}

#[test]
fn both_attempts_and_the_pause_take_no_longer_than_one_may() {
    let world = World::default();
    let retry = retry(&world, 0.5);
    let (first, second) = (Gate::default(), Gate::default());
    let (gates, at) = ([first.clone(), second], AtomicUsize::new(0));
    let mut answer = retry.around(Verb::Read, 0, || {
        gates[at.fetch_add(1, Ordering::SeqCst)].answer()
    });
    assert_eq!(look(&mut answer), None);
    world.pass(Duration::from_millis(20));
    first.give(Err(Transient));
    assert_eq!(look(&mut answer), None);
    world.pass(PAUSE / 2);
    assert_eq!(look(&mut answer), None);
    assert_eq!(retry.again(), 1);
    world.pass(Duration::from_millis(24));
    assert_eq!(look(&mut answer), None);
    world.pass(Duration::from_millis(1));
    assert_eq!(look(&mut answer), Some(Err(Timeout)));
}

#[test]
fn where_the_first_attempt_took_all_the_time_there_is_no_second() {
    let world = World::default();
    let retry = retry(&world, 0.5);
    let gate = Gate::default();
    let mut answer = retry.around(Verb::Read, 0, || gate.answer());
    assert_eq!(look(&mut answer), None);
    world.pass(DEADLINE - PAUSE / 2);
    gate.give(Err(Transient));
    assert_eq!(look(&mut answer), Some(Err(Transient)));
    assert_eq!(retry.again(), 0);
}

#[test]
fn a_failure_that_lasts_passes_with_its_words() {
    let world = World::default();
    let retry = retry(&world, 0.0);
    let answer = retry.around(Verb::Read, 0, in_turn(&[Err(Transient), Err(Permanent)]));
    assert_eq!(now(answer), Err(Permanent));
}
