//! The layer of the breaker: what counts, what it says while it is open, and that nothing of a call is left behind.

mod world;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwarm_core::breaker::{State, Terms};
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, FailureKind};
use everwarm_layers::Breaker;
use world::{Gate, World, draw, failed, look, now};

use FailureKind::{
    Authentication, Capability, Capacity, Closed, Corruption, Permanent, Timeout, Transient,
};

const DEADLINE: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

fn breaker(world: &World) -> Breaker {
    Breaker::new(Terms::of(DEADLINE), world.clock(), draw(1.0))
}

fn open(world: &World) -> Breaker {
    let breaker = breaker(world);
    for _ in 0..10 {
        let _ = now(breaker.around(Verb::Write, 0, || failed::<()>(Transient)));
    }
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn the_kinds_that_show_a_store_at_fault_open_it() {
    for kind in FailureKind::ALL {
        let breaker = breaker(&World::default());
        for _ in 0..10 {
            let answer = breaker.around(Verb::Change, 0, || failed::<()>(kind));
            assert_eq!(now(answer), Err(kind));
        }
        let opens = match kind {
            Transient | Timeout | Authentication => State::Open,
            Permanent | Capacity | Capability | Corruption | Closed => State::Closed,
        };
        assert_eq!(breaker.state(), opens, "{kind:?}");
    }
}

#[test]
fn while_it_is_open_nothing_is_asked() {
    let world = World::default();
    let breaker = open(&world);
    let answer = breaker.around(Verb::Read, 0, || -> Answer<'_, ()> {
        panic!("the store is asked")
    });
    let failure = answer.now().expect("at once").expect_err("it is open");
    assert_eq!(failure.kind, Transient);
    assert!(failure.is_unasked());
    assert_eq!(
        failure.to_string(),
        "the store was not asked: it failed or was slow too often\n\
         hint: it is tried again within 1s; see whether it is overloaded or out of reach"
    );
    assert_eq!(breaker.refused(), 1);
}

#[test]
fn who_is_left_out_by_a_store_that_refused_is_told_that() {
    let world = World::default();
    let breaker = breaker(&world);
    for kind in [Transient, Authentication].repeat(5) {
        let _ = now(breaker.around(Verb::Write, 0, || failed::<()>(kind)));
    }
    assert_eq!(breaker.state(), State::Open);
    let asked = || now(breaker.around(Verb::Write, 0, || Answer::done(())));
    assert_eq!(asked(), Err(Authentication));
    world.pass(SECOND);
    let _ = now(breaker.around(Verb::Write, 0, || failed::<()>(Timeout)));
    assert_eq!((breaker.state(), asked()), (State::Open, Err(Transient)));
}

#[test]
fn pings_and_the_end_pass_and_do_not_count() {
    let world = World::default();
    let breaker = open(&world);
    assert_eq!(
        now(breaker.around(Verb::Life, 0, || Answer::done(7))),
        Ok(7)
    );
    world.pass(SECOND);
    assert_eq!(
        now(breaker.around(Verb::Life, 0, || Answer::done(7))),
        Ok(7)
    );
    assert_eq!(breaker.state(), State::Open, "a ping is no trial");
}

#[test]
fn after_a_ping_that_is_answered_in_time_it_is_tried_at_once() {
    let tried_after = |answer: Result<(), FailureKind>, took| {
        let world = World::default();
        let breaker = open(&world);
        let gate = Gate::default();
        let mut ping = breaker.around(Verb::Life, 0, || gate.answer());
        assert_eq!(look(&mut ping), None);
        world.pass(took);
        gate.give(answer.map(|()| 7));
        assert!(look(&mut ping).is_some());
        let tried = now(breaker.around(Verb::Read, 0, || Answer::done(7)));
        tried == Ok(7) && breaker.state() == State::HalfOpen
    };
    assert!(tried_after(Ok(()), DEADLINE / 4));
    assert!(!tried_after(Ok(()), DEADLINE));
    assert!(!tried_after(Err(Transient), DEADLINE / 4));
}

#[test]
fn it_closes_by_trials_that_succeed() {
    let world = World::default();
    let breaker = open(&world);
    world.pass(SECOND);
    for left in (0..3).rev() {
        assert_eq!(
            now(breaker.around(Verb::Read, 0, || Answer::done(7))),
            Ok(7)
        );
        assert_eq!(breaker.state() == State::Closed, left == 0);
    }
}

#[test]
fn slow_answers_open_it_but_for_those_of_large_values_and_of_all_entries() {
    let slow = |verb, size, took| {
        let world = World::default();
        let breaker = breaker(&world);
        for _ in 0..10 {
            let gate = Gate::default();
            let mut answer = breaker.around(verb, size, || gate.answer());
            // The time until it is first looked at is not the store's.
            world.pass(SECOND);
            assert_eq!(look(&mut answer), None);
            world.pass(took);
            gate.give(Ok(7));
            assert_eq!(look(&mut answer), Some(Ok(7)));
        }
        breaker.state()
    };
    let half = DEADLINE / 2;
    assert_eq!(slow(Verb::Read, 0, half), State::Open);
    assert_eq!(slow(Verb::Read, 0, half - half / 100), State::Closed);
    assert_eq!(slow(Verb::Write, 1 << 20, half), State::Closed);
    assert_eq!(slow(Verb::Write, 1 << 20, half + half / 2), State::Open);
    assert_eq!(slow(Verb::All, 0, 100 * SECOND), State::Closed);
}

#[test]
fn misses_are_neither() {
    let world = World::default();
    let breaker = open(&world);
    world.pass(SECOND);
    let found = |value: Option<u32>| {
        now(breaker.look(Option::is_none, 0, move || Answer::done(value))).expect("an answer")
    };
    for _ in 0..10 {
        assert_eq!(found(None), None);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    (0..3).for_each(|_| assert_eq!(found(Some(7)), Some(7)));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn an_answer_that_is_dropped_is_neither() {
    let world = World::default();
    let breaker = open(&world);
    world.pass(SECOND);
    for at in 0..10 {
        let mut answer = breaker.around(Verb::Read, 0, || Gate::default().answer());
        if at % 2 == 0 {
            assert_eq!(look(&mut answer), None);
        }
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    for _ in 0..3 {
        assert_eq!(
            now(breaker.around(Verb::Read, 0, || Answer::done(7))),
            Ok(7)
        );
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn half_open_it_lets_three_trials_through_at_once() {
    let world = World::default();
    let breaker = open(&world);
    world.pass(SECOND);
    let (gate, asked) = (Gate::default(), AtomicUsize::new(0));
    let ask = || {
        breaker.around(Verb::Read, 0, || {
            asked.fetch_add(1, Ordering::SeqCst);
            gate.answer()
        })
    };
    let mut trials = [ask(), ask(), ask()];
    assert!(trials.iter_mut().all(|trial| look(trial).is_none()));
    assert_eq!(now(ask()), Err(Transient));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    gate.give(Ok(7));
    assert!(trials.iter_mut().all(|trial| look(trial) == Some(Ok(7))));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn calls_begun_before_it_opened_do_not_close_it() {
    let world = World::default();
    let breaker = breaker(&world);
    let gate = Gate::default();
    let mut early: Vec<_> = (0..10)
        .map(|_| breaker.around(Verb::Read, 0, || gate.answer()))
        .collect();
    for _ in 0..10 {
        let _ = now(breaker.around(Verb::Read, 0, || failed::<()>(Timeout)));
    }
    world.pass(SECOND);
    let mut trial = breaker.around(Verb::Read, 0, || Gate::default().answer());
    assert_eq!(look(&mut trial), None);
    gate.give(Ok(7));
    assert!(early.iter_mut().all(|answer| look(answer) == Some(Ok(7))));
    assert_eq!(breaker.state(), State::HalfOpen);
}
