//! The breaker: each of its rules, and all of them beside a plain model.

use std::time::Duration;

use everwarm_core::breaker::{Breaker, Outcome, Pass, State, Terms};
use everwarm_core::clock::Instant;
use everwarm_core::draw::{Draw, FixedDraw};
use proptest::prelude::*;

use Outcome::{Failed, Good, Neither, Slow};

const SECOND: Duration = Duration::from_secs(1);
const ALL: FixedDraw = FixedDraw(1.0);

fn terms() -> Terms {
    Terms::of(Duration::from_millis(50))
}

fn at(millis: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(millis))
}

/// A breaker after these outcomes, all at once.
fn after(outcomes: &[(Outcome, usize)], now: Instant) -> Breaker {
    let mut breaker = Breaker::new(terms());
    for &(outcome, count) in outcomes {
        for _ in 0..count {
            let pass = breaker.ask(now).expect("closed");
            breaker.tell(pass, outcome, now, &ALL);
        }
    }
    breaker
}

/// One that has been opened, and has let a first trial through.
fn half_open() -> (Breaker, Pass) {
    let mut breaker = after(&[(Failed, 10)], Instant::ZERO);
    let pass = breaker.ask(at(1_000)).expect("a trial");
    assert_eq!(breaker.state(), State::HalfOpen);
    (breaker, pass)
}

#[test]
fn it_opens_by_failures_once_there_are_enough_calls() {
    let closed = [(Failed, 9)];
    assert_eq!(after(&closed, at(0)).state(), State::Closed);
    assert_eq!(after(&[(Failed, 10)], at(0)).state(), State::Open);
    assert_eq!(after(&[(Good, 5), (Failed, 5)], at(0)).state(), State::Open);
    assert_eq!(
        after(&[(Good, 6), (Failed, 5)], at(0)).state(),
        State::Closed
    );
    // The tenth call may be a good one: what was concluded from is enough only then.
    assert_eq!(after(&[(Failed, 9), (Good, 1)], at(0)).state(), State::Open);
}

#[test]
fn it_opens_by_slow_calls_with_the_failed_ones_among_them() {
    assert_eq!(after(&[(Slow, 10)], at(0)).state(), State::Open);
    assert_eq!(after(&[(Good, 3), (Slow, 7)], at(0)).state(), State::Closed);
    let both = [(Good, 2), (Failed, 4), (Slow, 4)];
    assert_eq!(after(&both, at(0)).state(), State::Open);
}

#[test]
fn what_is_neither_does_not_count() {
    let misses = [(Neither, 100), (Failed, 9), (Neither, 100)];
    assert_eq!(after(&misses, at(0)).state(), State::Closed);
    let misses = [(Neither, 100), (Failed, 10)];
    assert_eq!(after(&misses, at(0)).state(), State::Open);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut breaker = after(&[(Failed, 9)], at(0));
    let mut tell = |outcome, now| {
        let pass = breaker.ask(now).expect("closed");
        breaker.tell(pass, outcome, now, &ALL);
        breaker.state()
    };
    assert_eq!(tell(Good, at(10_000)), State::Closed);
    assert_eq!(tell(Failed, at(10_001)), State::Closed);
}

#[test]
fn it_is_open_for_a_while_and_longer_each_time() {
    let mut breaker = after(&[(Failed, 10)], at(0));
    assert_eq!(breaker.ask(at(0)), Err(SECOND));
    assert_eq!(breaker.ask(at(999)), Err(SECOND / 1_000));
    let mut now = at(0);
    for seconds in [1, 2, 4, 4, 4] {
        now = now.after(SECOND * seconds);
        let pass = breaker.ask(now).expect("a trial");
        breaker.tell(pass, Failed, now, &ALL);
        assert_eq!(breaker.state(), State::Open);
    }
    // All trials well: it is closed, and forgets how often it had opened.
    now = now.after(SECOND * 4);
    for _ in 0..3 {
        let pass = breaker.ask(now).expect("a trial");
        breaker.tell(pass, Good, now, &ALL);
    }
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..10 {
        let pass = breaker.ask(now).expect("closed");
        breaker.tell(pass, Failed, now, &ALL);
    }
    assert_eq!(breaker.ask(now), Err(SECOND));
}

#[test]
fn chance_spreads_the_time_over_its_later_half() {
    for (draw, millis) in [(0.0, 500), (0.5, 750)] {
        let mut breaker = Breaker::new(terms());
        for _ in 0..10 {
            let pass = breaker.ask(at(0)).expect("closed");
            breaker.tell(pass, Failed, at(0), &FixedDraw(draw));
        }
        assert_eq!(breaker.ask(at(0)), Err(Duration::from_millis(millis)));
    }
}

#[test]
fn half_open_lets_so_many_trials_through() {
    let (mut breaker, first) = half_open();
    let second = breaker.ask(at(1_000)).expect("a trial");
    let third = breaker.ask(at(1_000)).expect("a trial");
    assert_eq!(breaker.ask(at(1_000)), Err(SECOND));
    // A trial that ends well makes no room for another: three are enough.
    breaker.tell(first, Good, at(1_001), &ALL);
    assert!(breaker.ask(at(1_001)).is_err());
    // One that says nothing does.
    breaker.tell(second, Neither, at(1_001), &ALL);
    let fourth = breaker.ask(at(1_001)).expect("a trial");
    breaker.tell(third, Good, at(1_001), &ALL);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.tell(fourth, Good, at(1_001), &ALL);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_slow_trial_opens_it_again() {
    let (mut breaker, first) = half_open();
    breaker.tell(first, Slow, at(1_000), &ALL);
    assert_eq!(breaker.ask(at(1_000)), Err(2 * SECOND));
}

#[test]
fn trials_that_never_end_are_given_anew() {
    let (mut breaker, first) = half_open();
    let lost = [breaker.ask(at(1_000)), breaker.ask(at(1_000))];
    assert!(lost.iter().all(Result::is_ok));
    assert!(breaker.ask(at(1_999)).is_err());
    let _ = breaker.ask(at(2_000)).expect("anew");
    // The first one belongs to an earlier round.
    breaker.tell(first, Failed, at(2_000), &ALL);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn results_of_calls_begun_before_a_change_of_state_do_not_count() {
    let mut breaker = Breaker::new(terms());
    let passes: Vec<Pass> = (0..30)
        .map(|_| breaker.ask(at(0)).expect("closed"))
        .collect();
    let mut passes = passes.into_iter();
    for pass in passes.by_ref().take(10) {
        breaker.tell(pass, Failed, at(0), &ALL);
    }
    assert_eq!(breaker.state(), State::Open);
    let trial = breaker.ask(at(1_000)).expect("a trial");
    for pass in passes.by_ref().take(10) {
        breaker.tell(pass, Good, at(1_000), &ALL);
    }
    assert_eq!(breaker.state(), State::HalfOpen, "not closed by old ones");
    for pass in passes {
        breaker.tell(pass, Failed, at(1_000), &ALL);
    }
    assert_eq!(breaker.state(), State::HalfOpen, "nor opened");
    breaker.tell(trial, Failed, at(1_000), &ALL);
    assert_eq!(breaker.state(), State::Open);
}

/// The rules once more, from the list of all that happened since the last change of state.
struct Model {
    terms: Terms,
    state: State,
    changes: u64,
    until: Instant,
    opened: u32,
    asked: u32,
    told: Vec<(Instant, Outcome)>,
}

impl Model {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            state: State::Closed,
            changes: 0,
            until: Instant::ZERO,
            opened: 0,
            asked: 0,
            told: Vec::new(),
        }
    }

    fn change(&mut self, state: State, until: Instant) {
        self.state = state;
        self.until = until;
        self.changes += 1;
        self.asked = 0;
        self.told.clear();
    }

    fn count(&self, outcomes: &[Outcome]) -> usize {
        let told = self.told.iter();
        told.filter(|(_, outcome)| outcomes.contains(outcome))
            .count()
    }

    fn ask(&mut self, now: Instant) -> Option<u64> {
        if self.state == State::HalfOpen {
            let under_way = self.asked as usize - self.count(&[Neither]);
            if under_way >= self.terms.trials as usize && now < self.until {
                return None;
            }
            if under_way >= self.terms.trials as usize {
                self.change(State::HalfOpen, now.after(self.terms.open));
            }
        }
        if self.state == State::Open {
            if now < self.until {
                return None;
            }
            self.change(State::HalfOpen, now.after(self.terms.open));
        }
        self.asked += 1;
        Some(self.changes)
    }

    fn open(&mut self, now: Instant, draw: f64) {
        let span = self.terms.open * 2_u32.pow(self.opened.min(10));
        let span = span.min(self.terms.longest);
        self.opened += 1;
        self.change(State::Open, now.after(span.mul_f64(0.5 + draw / 2.0)));
    }

    fn tell(&mut self, begun: u64, outcome: Outcome, now: Instant, draw: f64) {
        if begun != self.changes || self.state == State::Open {
            return;
        }
        self.told.push((now, outcome));
        if self.state == State::HalfOpen {
            if matches!(outcome, Slow | Failed) {
                self.open(now, draw);
            } else if self.count(&[Good]) == self.terms.trials as usize {
                self.opened = 0;
                self.change(State::Closed, Instant::ZERO);
            }
            return;
        }
        if outcome == Neither {
            return;
        }
        let tenth =
            |instant: Instant| instant.as_nanos() / (self.terms.window.as_nanos() as u64 / 10);
        let oldest = tenth(now);
        self.told.retain(|(at, _)| tenth(*at) + 10 > oldest);
        let calls = self.count(&[Good, Slow, Failed]);
        let (failed, bad) = (self.count(&[Failed]), self.count(&[Failed, Slow]));
        let is_failing = failed > 0 && failed as f64 >= self.terms.failing * calls as f64;
        let is_slow = bad > 0 && bad as f64 >= self.terms.slow * calls as f64;
        if calls >= self.terms.least as usize && (is_failing || is_slow) {
            self.open(now, draw);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Ask,
    /// Ends one of the calls under way.
    Tell(usize, Outcome),
    /// Begins and ends a call.
    Call(Outcome),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![4 => Just(Good), 2 => Just(Slow), 4 => Just(Failed), 1 => Just(Neither)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1..2_500_u64).prop_map(Step::Pass),
        1 => (1..100_u64).prop_map(Step::Pass),
        3 => Just(Step::Ask),
        3 => (0..64_usize, outcome()).prop_map(|(at, outcome)| Step::Tell(at, outcome)),
        6 => outcome().prop_map(Step::Call),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_does_what_the_model_does(
        steps in prop::collection::vec(step(), 1..300),
        draw in 0.0..1.0_f64,
        least in 1..12_u32,
        trials in 1..4_u32,
    ) {
        let terms = Terms { least, trials, ..terms() };
        let (mut breaker, mut model) = (Breaker::new(terms), Model::new(terms));
        let (mut now, draw) = (Instant::ZERO, FixedDraw(draw));
        let mut under_way: Vec<(Pass, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(millis) => now = now.after(Duration::from_millis(millis)),
                Step::Ask | Step::Call(_) => {
                    let (pass, begun) = (breaker.ask(now), model.ask(now));
                    prop_assert_eq!(pass.is_ok(), begun.is_some());
                    if let (Ok(pass), Some(begun)) = (pass, begun) {
                        match step {
                            Step::Call(outcome) => {
                                breaker.tell(pass, outcome, now, &draw);
                                model.tell(begun, outcome, now, draw.unit());
                            }
                            _ => under_way.push((pass, begun)),
                        }
                    }
                }
                Step::Tell(at, outcome) if !under_way.is_empty() => {
                    let (pass, begun) = under_way.swap_remove(at % under_way.len());
                    breaker.tell(pass, outcome, now, &draw);
                    model.tell(begun, outcome, now, draw.unit());
                }
                Step::Tell(..) => {}
            }
            prop_assert_eq!(breaker.state(), model.state);
        }
    }
}
