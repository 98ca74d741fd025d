//! The layer of the breaker: a store that fails or is slow too often is not asked for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::breaker::{Breaker as Decision, Outcome, Pass, State, Terms};
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::deadline;
use everwarm_core::draw::Draw;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};

use crate::shim::Mutex;

/// How much later than alone an answer may come for each that is under way beside it.
const BESIDE: Duration = Duration::from_millis(1);

/// Lets calls through while a store works, and fails them at once while it does not.
///
/// - What shows that a store does not work: it cannot be reached, is too late, or refuses who asks. Other failures are answers that
///   say nothing about that, and so are misses; nor does an answer that nobody waited for.
/// - Pings and the end pass in every state, and are not counted. One that is answered in time ends the while for which the store is
///   left alone.
/// - Who asks takes in the answers one after another: a call is slow only from a millisecond later for each that was under way
///   beside it, or waited for its turn.
/// - What others did is listened to in every state, and says nothing about the store.
/// - Who is not let through to a store that refused who asks is told just that: it does not pass by itself.
pub struct Breaker {
    clock: Arc<dyn Clock>,
    draw: Arc<dyn Draw>,
    slow_from: Duration,
    decision: Mutex<Decision>,
    under_way: AtomicU32,
    line: Arc<AtomicU32>,
    refused: AtomicU64,
    /// Whether the last call that showed the store at fault was refused.
    keeps_out: AtomicBool,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(terms: Terms, clock: Arc<dyn Clock>, draw: Arc<dyn Draw>) -> Self {
        Self {
            clock,
            draw,
            slow_from: terms.slow_from,
            decision: Mutex::new(Decision::new(terms)),
            under_way: AtomicU32::new(0),
            line: Arc::default(),
            refused: AtomicU64::new(0),
            keeps_out: AtomicBool::new(false),
        }
    }

    /// The same, which is told how many wait for their turn.
    #[must_use]
    pub fn behind(mut self, line: Arc<AtomicU32>) -> Self {
        self.line = line;
        self
    }

    /// How many are asked for beside one that is under way.
    fn beside(&self) -> u32 {
        let under_way = self.under_way.load(Ordering::Relaxed).saturating_sub(1);
        under_way.saturating_add(self.line.load(Ordering::Relaxed))
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.decision.lock().state()
    }

    /// How many calls it has failed.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lets a sign of life pass, and takes note of it.
    fn watch<'a, T: Send + 'a>(&'a self, attempt: impl FnOnce() -> Answer<'a, T>) -> Answer<'a, T> {
        let note = move |result: &Result<T, Failure>, begun: Instant| {
            let now = self.clock.now();
            if result.is_ok() && now.since(begun) < self.slow_from {
                self.decision.lock().lives(now);
            }
        };
        let begun = self.clock.now();
        match attempt().now() {
            Ok(result) => {
                note(&result, begun);
                Answer::Now(result)
            }
            Err(later) => Answer::later(async move {
                let begun = self.clock.now();
                let result = later.await;
                note(&result, begun);
                result
            }),
        }
    }

    fn guard<'a, T: Send + 'a>(
        &'a self,
        slow_from: Duration,
        is_miss: fn(&T) -> bool,
        attempt: impl FnOnce() -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        let begun = self.clock.now();
        let asked = self.decision.lock().ask(begun);
        let pass = match asked {
            Ok(pass) => pass,
            Err(left) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let keeps_out = self.keeps_out.load(Ordering::Relaxed);
                return Answer::failed(left_alone(left, keeps_out).unasked());
            }
        };
        let mut call = Call {
            breaker: self,
            pass: Some(pass),
            slow_from,
        };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        match attempt().now() {
            Ok(result) => {
                call.ended(&result, is_miss, begun);
                Answer::Now(result)
            }
            Err(later) => Answer::later(async move {
                let begun = self.clock.now();
                let others = self.beside();
                let result = later.await;
                call.slow_from = call
                    .slow_from
                    .saturating_add(BESIDE * others.max(self.beside()));
                call.ended(&result, is_miss, begun);
                result
            }),
        }
    }
}

impl Layer for Breaker {
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        let slow_from = match verb {
            Verb::Life => return self.watch(attempt),
            Verb::Listen => return attempt(),
            Verb::All => Duration::MAX,
            Verb::Read | Verb::Write | Verb::Change => self.slow_from + deadline::allowance(size),
        };
        self.guard(slow_from, |_| false, attempt)
    }

    fn look<'a, T: Send + 'a>(
        &'a self,
        is_miss: fn(&T) -> bool,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.guard(self.slow_from + deadline::allowance(size), is_miss, attempt)
    }
}

/// A call that was let through. One that is dropped before it has ended says nothing.
struct Call<'a> {
    breaker: &'a Breaker,
    pass: Option<Pass>,
    slow_from: Duration,
}

impl Call<'_> {
    fn ended<T>(mut self, result: &Result<T, Failure>, is_miss: fn(&T) -> bool, begun: Instant) {
        let now = self.breaker.clock.now();
        let outcome = match result {
            Ok(value) if is_miss(value) => Outcome::Neither,
            Ok(_) if now.since(begun) >= self.slow_from => Outcome::Slow,
            Ok(_) => Outcome::Good,
            Err(failure) => match failure.kind {
                FailureKind::Transient | FailureKind::Timeout | FailureKind::Authentication => {
                    let keeps_out = failure.kind == FailureKind::Authentication;
                    self.breaker.keeps_out.store(keeps_out, Ordering::Relaxed);
                    Outcome::Failed
                }
                _ => Outcome::Neither,
            },
        };
        self.tell(outcome, now);
    }

    fn tell(&mut self, outcome: Outcome, now: Instant) {
        if let Some(pass) = self.pass.take() {
            let breaker = self.breaker;
            breaker.under_way.fetch_sub(1, Ordering::Relaxed);
            let mut decision = breaker.decision.lock();
            decision.tell(pass, outcome, now, &*breaker.draw);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.tell(Outcome::Neither, Instant::ZERO);
    }
}

fn left_alone(left: Duration, keeps_out: bool) -> Failure {
    if keeps_out {
        return Failure::new(
            FailureKind::Authentication,
            "the store was not asked: it refused who asks",
            format!(
                "it is tried again within {left:?}; give the user what the store's page of the guide lists"
            ),
        );
    }
    Failure::new(
        FailureKind::Transient,
        "the store was not asked: it failed or was slow too often",
        format!("it is tried again within {left:?}; see whether it is overloaded or out of reach"),
    )
}
