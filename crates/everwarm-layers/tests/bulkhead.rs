//! The layer of bounded concurrency: its bounds, its order, and that every place comes back.

mod world;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, FailureKind};
use everwarm_layers::{Berths, Bulkhead};
use proptest::prelude::*;
use world::{Bell, Gate, World, look, look_with, now};

const WAIT: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(5);

fn bulkhead(world: &World, at_once: usize, waiting: usize) -> Bulkhead {
    let berths = Berths {
        at_once,
        waiting,
        wait: WAIT,
        longest: LONGEST,
    };
    Bulkhead::new(berths, world.timer(), world.clock())
}

fn ask<'a>(bulkhead: &'a Bulkhead, gate: &'a Gate) -> Answer<'a, u32> {
    bulkhead.around(Verb::Read, 0, || gate.answer())
}

#[test]
fn so_many_are_under_way_so_many_wait_and_one_more_fails_at_once() {
    let (world, gates) = (World::default(), [(); 4].map(|()| Gate::default()));
    let bulkhead = bulkhead(&world, 2, 2);
    let mut answers = gates.each_ref().map(|gate| ask(&bulkhead, gate));
    assert!(answers.iter_mut().all(|answer| look(answer).is_none()));
    let failure = bulkhead.around(Verb::Write, 0, || Answer::done(7));
    let failure = failure.now().expect("at once").expect_err("it is full");
    assert_eq!(failure.kind, FailureKind::Capacity);
    assert_eq!(
        failure.to_string(),
        "the store was not asked: 2 operations are under way, and up to 2 wait\n\
         hint: raise `bulkhead`, or see whether the store is overloaded"
    );
    assert_eq!(bulkhead.refused(), 1);
    // Who waits has not asked the store.
    gates[2].give(Ok(3));
    assert_eq!(look(&mut answers[2]), None);
    gates[0].give(Ok(1));
    assert_eq!(look(&mut answers[0]), Some(Ok(1)));
    assert_eq!(look(&mut answers[2]), Some(Ok(3)));
}

#[test]
fn who_waits_is_woken_in_the_order_of_arrival_one_for_each_place() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 8);
    let mut first = ask(&bulkhead, &gate);
    assert_eq!(look(&mut first), None);
    let bells = [(); 3].map(|()| Bell::new());
    let mut waiting = [(); 3].map(|()| ask(&bulkhead, &gate));
    for (answer, (_, waker)) in waiting.iter_mut().zip(&bells) {
        assert_eq!(look_with(answer, waker), None);
    }
    let rings = || bells.each_ref().map(|(bell, _)| bell.rings());
    drop(first);
    assert_eq!(rings(), [1, 0, 0]);
    gate.give(Ok(7));
    for (answer, expected) in waiting.iter_mut().zip([[1, 1, 0], [1, 1, 1], [1, 1, 1]]) {
        assert_eq!(look(answer), Some(Ok(7)));
        assert_eq!(rings(), expected);
    }
}

#[test]
fn a_waiter_that_is_dropped_gives_its_place_on() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 8);
    let mut first = ask(&bulkhead, &gate);
    assert_eq!(look(&mut first), None);
    let (woken, (last, waker)) = (Bell::new(), Bell::new());
    let (mut second, mut third) = (ask(&bulkhead, &gate), ask(&bulkhead, &gate));
    assert_eq!(look_with(&mut second, &woken.1), None);
    assert_eq!(look_with(&mut third, &waker), None);
    drop(first);
    assert_eq!((woken.0.rings(), last.rings()), (1, 0));
    drop(second);
    assert_eq!(
        last.rings(),
        1,
        "it was woken in place of the one that is gone"
    );
    gate.give(Ok(7));
    assert_eq!(look(&mut third), Some(Ok(7)));
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_queue() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 1);
    let mut first = ask(&bulkhead, &gate);
    assert_eq!(look(&mut first), None);
    for _ in 0..10 {
        let mut waiting = ask(&bulkhead, &gate);
        assert_eq!(look(&mut waiting), None);
    }
    assert_eq!(bulkhead.refused(), 0);
}

#[test]
fn nobody_waits_longer_than_the_bound_for_a_store_that_answers_nobody() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 1);
    let mut first = ask(&bulkhead, &gate);
    assert_eq!(look(&mut first), None);
    let mut second = ask(&bulkhead, &gate);
    assert_eq!(look(&mut second), None);
    for _ in 0..2 {
        assert_eq!(look(&mut second), None);
        world.pass(WAIT - WAIT / 10);
        assert_eq!(look(&mut second), None);
        world.pass(WAIT / 10);
    }
    assert_eq!(look(&mut second), Some(Err(FailureKind::Capacity)));
    assert_eq!(bulkhead.refused(), 1);
    // Its place in the queue is free again.
    let mut third = ask(&bulkhead, &gate);
    assert_eq!(look(&mut third), None);
}

#[test]
fn an_answer_that_is_not_awaited_takes_no_place() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 0);
    let mut answers = [(); 5].map(|()| ask(&bulkhead, &gate));
    gate.give(Ok(7));
    assert!(answers.iter_mut().all(|answer| look(answer) == Some(Ok(7))));
}

#[test]
fn what_answers_at_once_is_bounded_too() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 1);
    assert!(matches!(
        bulkhead.around(Verb::Read, 0, || Answer::done(7)),
        Answer::Now(Ok(7))
    ));
    let mut first = ask(&bulkhead, &gate);
    assert_eq!(look(&mut first), None);
    let asked = AtomicUsize::new(0);
    let mut second = bulkhead.around(Verb::Read, 0, || {
        Answer::done(asked.fetch_add(1, Ordering::SeqCst))
    });
    assert_eq!(look(&mut second), None);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    drop(first);
    assert_eq!(look(&mut second), Some(Ok(0)));
}

#[test]
fn pings_and_the_end_pass() {
    let world = World::default();
    let bulkhead = bulkhead(&world, 0, 0);
    assert_eq!(
        now(bulkhead.around(Verb::Life, 0, || Answer::done(7))),
        Ok(7)
    );
    let refused = bulkhead.around(Verb::All, 0, || Answer::done(7));
    assert_eq!(now(refused), Err(FailureKind::Capacity));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    Look(usize),
    Give(usize),
    Drop(usize),
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Ask),
        6 => (0..16_usize).prop_map(Step::Look),
        3 => (0..16_usize).prop_map(Step::Give),
        2 => (0..16_usize).prop_map(Step::Drop),
        1 => Just(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn never_more_than_so_many_and_every_place_comes_back(
        steps in prop::collection::vec(step(), 1..120),
        at_once in 1..4_usize,
        waiting in 0..4_usize,
    ) {
        let world = World::default();
        let bulkhead = bulkhead(&world, at_once, waiting);
        let under_way = AtomicUsize::new(0);
        let mut answers: VecDeque<(Answer<'_, ()>, Gate)> = VecDeque::new();
        for step in steps {
            let count = answers.len().max(1);
            match step {
                Step::Ask => {
                    let (gate, under_way) = (Gate::default(), &under_way);
                    let handle = gate.clone();
                    let answer = bulkhead.around(Verb::Read, 0, move || {
                        let gate = gate.clone();
                        Answer::later(async move {
                            let _one = One::new(under_way);
                            gate.answer().await.map(drop)
                        })
                    });
                    answers.push_back((answer, handle));
                }
                Step::Look(at) => {
                    if let Some((answer, _)) = answers.get_mut(at % count)
                        && look(answer).is_some()
                    {
                        answers.remove(at % count);
                    }
                }
                Step::Give(at) => {
                    if let Some((_, gate)) = answers.get(at % count) {
                        gate.give(Ok(0));
                    }
                }
                Step::Drop(at) => drop(answers.remove(at % count)),
                Step::Pass => world.pass(WAIT),
            }
            prop_assert!(under_way.load(Ordering::SeqCst) <= at_once);
        }
        answers.clear();
        prop_assert_eq!(under_way.load(Ordering::SeqCst), 0);
        // All places are free, and no more than there are.
        let never = Gate::default();
        let mut all: Vec<_> = (0..at_once + waiting).map(|_| ask(&bulkhead, &never)).collect();
        prop_assert!(all.iter_mut().all(|answer| look(answer).is_none()));
        prop_assert_eq!(now(ask(&bulkhead, &never)), Err(FailureKind::Capacity));
    }
}

/// Counts an operation while it is under way.
struct One<'a>(&'a AtomicUsize);

impl<'a> One<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_place_that_is_free_is_not_kept_for_a_waiter_that_nobody_looks_after() {
    let (world, gate) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 8);
    let mut first = ask(&bulkhead, &gate);
    assert_eq!(look(&mut first), None);
    let mut forgotten = ask(&bulkhead, &gate);
    assert_eq!(look_with(&mut forgotten, Waker::noop()), None);
    drop(first);
    let answer = bulkhead.around(Verb::Read, 0, || Answer::done(7));
    assert_eq!(now(answer), Ok(7));
}

#[test]
fn who_waits_goes_on_waiting_while_the_store_answers_others() {
    let world = World::default();
    let bulkhead = bulkhead(&world, 1, 8);
    let gates = [(); 20].map(|()| Gate::default());
    let mut under_way = ask(&bulkhead, &gates[0]);
    assert_eq!(look(&mut under_way), None);
    let mut waiting = ask(&bulkhead, &gates[19]);
    for next in 1..19 {
        assert_eq!(look(&mut waiting), None);
        gates[next - 1].give(Ok(7));
        assert_eq!(look(&mut under_way), Some(Ok(7)));
        under_way = ask(&bulkhead, &gates[next]);
        assert_eq!(look(&mut under_way), None);
        world.pass(WAIT);
    }
    drop(under_way);
    gates[19].give(Ok(1));
    assert_eq!(look(&mut waiting), Some(Ok(1)));
    assert_eq!(bulkhead.refused(), 0);
}

#[test]
fn a_store_that_answers_no_more_keeps_nobody_in_a_long_line() {
    let (world, never) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 8);
    let gates = [(); 20].map(|()| Gate::default());
    let mut under_way = ask(&bulkhead, &gates[0]);
    assert_eq!(look(&mut under_way), None);
    let (bell, waker) = Bell::new();
    let mut waiting = ask(&bulkhead, &never);
    for next in 1..20 {
        assert_eq!(look_with(&mut waiting, &waker), None);
        gates[next - 1].give(Ok(7));
        assert_eq!(look(&mut under_way), Some(Ok(7)));
        under_way = ask(&bulkhead, &gates[next]);
        assert_eq!(look(&mut under_way), None);
        world.pass(WAIT);
    }
    assert_eq!(look_with(&mut waiting, &waker), None);
    world.pass(WAIT);
    let rings = bell.rings();
    gates[19].give(Err(FailureKind::Timeout));
    assert_eq!(look(&mut under_way), Some(Err(FailureKind::Timeout)));
    assert_eq!(bell.rings(), rings + 1);
    let mut next = ask(&bulkhead, &never);
    assert_eq!(look(&mut next), None);
    assert_eq!(
        look_with(&mut waiting, &waker),
        Some(Err(FailureKind::Capacity))
    );
}

#[test]
fn nobody_waits_for_ever_in_a_line() {
    let (world, never) = (World::default(), Gate::default());
    let bulkhead = bulkhead(&world, 1, 8);
    let gates: Vec<_> = (0..=200).map(|_| Gate::default()).collect();
    let mut waiting = ask(&bulkhead, &never);
    let mut waited = Duration::ZERO;
    for gate in &gates {
        let mut under_way = ask(&bulkhead, gate);
        assert_eq!(look(&mut under_way), None);
        if let Some(end) = look(&mut waiting) {
            assert_eq!(end, Err(FailureKind::Capacity));
            break;
        }
        gate.give(Ok(7));
        world.pass(WAIT);
        assert_eq!(look(&mut under_way), Some(Ok(7)));
        waited += WAIT;
    }
    assert_eq!(waited, LONGEST);
}
