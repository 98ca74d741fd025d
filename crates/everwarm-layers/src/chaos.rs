//! The layer of faults by chance: a store that fails, is slow and loses bytes, as seldom or as often as a test wants.

use std::time::Duration;

use everwarm_core::draw::Draw;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Bytes, Failure, FailureKind};

use crate::Timer;

/// How likely each fault is, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Odds {
    /// That an operation fails.
    pub error: f64,
    /// That it is slow.
    pub delay: f64,
    /// How slow it is then.
    pub delay_by: Duration,
    /// That the bytes of an entry come back changed.
    pub corrupt: f64,
}

/// Faults by chance around every verb but pings and the end.
///
/// - Half of the failures come before the operation, of kind `Transient`: it was not done. The others come after it, of kind
///   `Timeout`: it was done, and its answer lost. Both are what a connection that breaks leaves its caller with.
/// - A corrupted entry has one byte changed, or its end cut off.
/// - The same draws make the same faults, where operations come in the same order.
#[derive(Clone, Debug)]
pub struct Chaos<D, T> {
    draw: D,
    timer: T,
    odds: Odds,
}

impl<D: Draw, T: Timer> Chaos<D, T> {
    /// Faults at these odds, by these draws; delays are passed by `timer`.
    pub const fn new(draw: D, timer: T, odds: Odds) -> Self {
        Self { draw, timer, odds }
    }

    fn happens(&self, odds: f64) -> bool {
        odds > 0.0 && self.draw.unit() < odds
    }
}

impl<D: Draw, T: Timer> Layer for Chaos<D, T> {
    fn around<'a, R: Send + 'a>(
        &'a self,
        verb: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, R> + Send + Sync + 'a,
    ) -> Answer<'a, R> {
        if verb == Verb::Life {
            return attempt();
        }
        let is_slow = self.happens(self.odds.delay);
        let fails = self.happens(self.odds.error);
        let is_done = !fails || self.draw.unit() < 0.5;
        if !is_slow && !fails {
            return attempt();
        }
        Answer::later(async move {
            if is_slow {
                self.timer.after(self.odds.delay_by).await;
            }
            if !is_done {
                return Err(not_done());
            }
            let answer = attempt().await;
            match fails {
                true => answer.and(Err(lost())),
                false => answer,
            }
        })
    }

    fn found(&self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() || !self.happens(self.odds.corrupt) {
            return bytes;
        }
        let at = ((self.draw.unit() * bytes.len() as f64) as usize).min(bytes.len() - 1);
        if self.draw.unit() < 0.5 {
            return bytes.slice(..at);
        }
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << (self.draw.unit() * 8.0) as u32;
        changed.into()
    }
}

fn not_done() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "chaos: the operation was not done",
        "this is a test's fault, made on purpose",
    )
}

fn lost() -> Failure {
    Failure::new(
        FailureKind::Timeout,
        "chaos: the answer to the operation was lost",
        "this is a test's fault, made on purpose",
    )
}
