//! The breaker: a store that fails or is slow too often is left alone for a while, and then tried with a few calls.
//!
//! It is closed while all goes well. It opens when, of the calls of the last seconds, too many failed or were slow; while it is open
//! nothing is asked. After a while it is half open: a few trials are let through, and it closes when all of them have succeeded, or
//! opens again, for longer, with the first that does not. Each change of state begins a round; what was begun in an earlier one does
//! not count. (Nygard, "Release It!", 2007; the window and the trials are those of Resilience4j.)

mod window;

use std::time::Duration;

use crate::clock::Instant;
use crate::draw::Draw;

pub use window::Window;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// How far back calls are counted.
    pub window: Duration,
    /// Of fewer calls than this nothing is concluded.
    pub least: u32,
    /// The share of failures that opens it.
    pub failing: f64,
    /// The share of calls that were slow, or failed, that opens it.
    pub slow: f64,
    /// What takes this long is slow.
    pub slow_from: Duration,
    /// How long it stays open at first; twice as long each time that the trials fail.
    pub open: Duration,
    /// The longest that it stays open.
    pub longest: Duration,
    /// How many trials there are, and how many of them have to succeed: all.
    pub trials: u32,
}

impl Terms {
    /// The terms for stores whose operations have this deadline: half of it is slow, and recovery is seen within five seconds.
    #[must_use]
    pub fn of(deadline: Duration) -> Self {
        Self {
            window: Duration::from_secs(10),
            least: 10,
            failing: 0.5,
            slow: 0.8,
            slow_from: deadline / 2,
            open: Duration::from_secs(1),
            longest: Duration::from_secs(4),
            trials: 3,
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// In time.
    Good,
    /// Late.
    Slow,
    /// Not at all.
    Failed,
    /// In a way that says nothing about the store: a miss, an answer nobody waited for, a refusal that is not its fault.
    Neither,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets them through.
    Closed,
    /// Lets none through.
    Open,
    /// Lets a few through, to see.
    HalfOpen,
}

impl State {
    /// The name users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// The right to one call, which is given back with its outcome.
#[derive(Debug, PartialEq, Eq)]
pub struct Pass {
    round: u64,
}

/// A breaker's memory.
#[derive(Clone, Debug)]
pub struct Breaker {
    terms: Terms,
    round: u64,
    phase: Phase,
    /// How often it has opened since it was last closed.
    opened: u32,
}

#[derive(Clone, Debug)]
enum Phase {
    Closed(Window),
    Open { until: Instant },
    HalfOpen(Trials),
}

/// The trials of a half-open breaker.
#[derive(Clone, Debug)]
struct Trials {
    given: u32,
    good: u32,
    /// When others are given, whatever becomes of these: some may never end.
    renewed: Instant,
}

impl Breaker {
    /// A closed one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::breaker::{Breaker, Outcome, State, Terms};
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::draw::FixedDraw;
    ///
    /// let (now, draw) = (Instant::ZERO, FixedDraw(1.0));
    /// let mut breaker = Breaker::new(Terms::of(Duration::from_millis(50)));
    /// for _ in 0..10 {
    ///     let pass = breaker.ask(now).unwrap();
    ///     breaker.tell(pass, Outcome::Failed, now, &draw);
    /// }
    /// assert_eq!(breaker.ask(now), Err(Duration::from_secs(1)));
    /// assert!(breaker.ask(now.after(Duration::from_secs(1))).is_ok());
    /// assert_eq!(breaker.state(), State::HalfOpen);
    /// ```
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            round: 0,
            phase: Phase::Closed(Window::new(terms.window)),
            opened: 0,
        }
    }

    /// The terms it goes by.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What it does with calls. One that has been open for long enough stays so until somebody asks.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
        }
    }

    /// The right to a call.
    ///
    /// # Errors
    /// How long there will be none, unless a trial ends before.
    pub fn ask(&mut self, now: Instant) -> Result<Pass, Duration> {
        match &mut self.phase {
            Phase::Closed(_) => {}
            Phase::Open { until } if now < *until => return Err(until.since(now)),
            Phase::HalfOpen(trials) if trials.given < self.terms.trials => trials.given += 1,
            Phase::HalfOpen(trials) if now < trials.renewed => {
                return Err(trials.renewed.since(now));
            }
            Phase::Open { .. } | Phase::HalfOpen(_) => {
                let renewed = now.after(self.terms.open);
                self.turn(Phase::HalfOpen(Trials {
                    given: 1,
                    good: 0,
                    renewed,
                }));
            }
        }
        Ok(Pass { round: self.round })
    }

    /// Takes note of how a call ended. The draw spreads over half of the time how long it stays open, so that not all processes
    /// try again at once.
    pub fn tell(&mut self, pass: Pass, outcome: Outcome, now: Instant, draw: &dyn Draw) {
        if pass.round != self.round {
            return;
        }
        match (&mut self.phase, outcome) {
            (Phase::Open { .. }, _) | (Phase::Closed(_), Outcome::Neither) => {}
            (Phase::Closed(window), _) => {
                window.count(outcome, now);
                if window.calls() >= self.terms.least.max(1) && self.is_bad() {
                    self.open(now, draw);
                }
            }
            (Phase::HalfOpen(trials), Outcome::Neither) => trials.given -= 1,
            (Phase::HalfOpen(trials), Outcome::Good) => {
                trials.good += 1;
                if trials.good >= self.terms.trials {
                    self.opened = 0;
                    self.turn(Phase::Closed(Window::new(self.terms.window)));
                }
            }
            (Phase::HalfOpen(_), Outcome::Slow | Outcome::Failed) => self.open(now, draw),
        }
    }

    /// Takes note that the store gave a sign of life, which says that it is there and nothing about how it works: one that is left
    /// alone is tried again from here on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use everwarm_core::breaker::{Breaker, Outcome, State, Terms};
    /// # use everwarm_core::clock::Instant;
    /// # use everwarm_core::draw::FixedDraw;
    /// # let now = Instant::ZERO;
    /// let mut breaker = Breaker::new(Terms::of(Duration::from_millis(50)));
    /// for _ in 0..10 {
    ///     let pass = breaker.ask(now).unwrap();
    ///     breaker.tell(pass, Outcome::Failed, now, &FixedDraw(1.0));
    /// }
    /// breaker.lives(now);
    /// assert_eq!(breaker.state(), State::Open);
    /// assert!(breaker.ask(now).is_ok());
    /// ```
    pub fn lives(&mut self, now: Instant) {
        if let Phase::Open { until } = &mut self.phase {
            *until = now.min(*until);
        }
    }

    fn is_bad(&self) -> bool {
        let Phase::Closed(window) = &self.phase else {
            return false;
        };
        let calls = f64::from(window.calls());
        let (failed, late) = (f64::from(window.failed()), f64::from(window.slow()));
        failed >= self.terms.failing * calls && failed > 0.0
            || failed + late >= self.terms.slow * calls && failed + late > 0.0
    }

    fn open(&mut self, now: Instant, draw: &dyn Draw) {
        let doubled = 1_u32.checked_shl(self.opened).unwrap_or(u32::MAX);
        let span = self.terms.open.saturating_mul(doubled);
        let span = span.min(self.terms.longest.max(self.terms.open));
        self.opened = self.opened.saturating_add(1);
        self.turn(Phase::Open {
            until: now.after(span.mul_f64(0.5 + draw.unit() / 2.0)),
        });
    }

    fn turn(&mut self, phase: Phase) {
        self.round += 1;
        self.phase = phase;
    }
}
