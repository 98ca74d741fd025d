//! Stores that are away: they failed, and nothing has shown since that they answer.
//!
//! What waits for a store to come back is done at the first sign that it is there, and not when a pause has passed.

use std::sync::atomic::Ordering;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::store::FailureKind;

use super::Stack;
use crate::shim::AtomicU64;
use crate::ticker::Ticker;

/// Whether one store is away.
#[derive(Debug)]
pub(super) struct Away {
    ticker: Ticker,
    /// When it failed first since it was last heard of, in nanoseconds; 0: it is there.
    since: AtomicU64,
    /// How often it came back.
    returns: AtomicU64,
}

impl Away {
    /// Of a store that is taken to be there.
    pub(super) fn new(ticker: Ticker) -> Self {
        Self {
            ticker,
            since: AtomicU64::new(0),
            returns: AtomicU64::new(0),
        }
    }

    /// Takes note of a failure; only some kinds show that nobody answers.
    pub(super) fn failed(&self, kind: FailureKind) {
        let shows = matches!(
            kind,
            FailureKind::Transient | FailureKind::Timeout | FailureKind::Authentication
        );
        if shows && self.since.load(Ordering::Relaxed) == 0 {
            self.begins();
        }
    }

    /// It is away from this moment on: an earlier sign says nothing any more.
    fn begins(&self) {
        let now = self.ticker.now().as_nanos().max(1);
        self.since.store(now, Ordering::Relaxed);
    }

    /// Takes note that it did what it was asked to.
    pub(super) fn answered(&self) {
        if self.since.load(Ordering::Relaxed) != 0 && self.since.swap(0, Ordering::Relaxed) != 0 {
            self.returns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Since when it is away, if it is.
    pub(super) fn since(&self) -> Option<Instant> {
        let since = self.since.load(Ordering::Relaxed);
        (since != 0).then(|| Instant::from_nanos(since))
    }
}

impl Stack {
    /// How often a store came back: another number after each time.
    pub(super) fn returns(&self) -> u64 {
        let levels = self.tiers.iter();
        levels
            .map(|level| level.away.returns.load(Ordering::Relaxed))
            .sum()
    }

    /// Whether a store is away.
    pub(super) fn misses_a_store(&self) -> bool {
        self.tiers.iter().any(|level| level.away.since().is_some())
    }

    /// Asks the last store for a sign of life if it was heard of since it failed. Layers that leave it alone let that pass, and see
    /// by the answer that it is worth asking again.
    pub(super) async fn greet(&self) {
        let last = self.last();
        let Some(since) = last.away.since() else {
            return;
        };
        let silence = last.tier.store.notify().map(|notify| notify.silence());
        if silence.is_none_or(|silence| self.now().before(silence) <= since) {
            return;
        }
        if last.said(last.tier.store.ping().await).is_none() {
            last.away.begins();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualHand;
    use std::time::Duration;

    #[test]
    fn a_store_is_away_from_its_first_failure_until_it_answers() {
        let hand = ManualHand::new(Instant::ZERO.after(Duration::from_secs(1)));
        let away = Away::new(Ticker::frozen_by(&hand));
        away.failed(FailureKind::Capacity);
        away.answered();
        assert_eq!(
            (away.since(), away.returns.load(Ordering::Relaxed)),
            (None, 0)
        );
        let first = away.ticker.now();
        away.failed(FailureKind::Timeout);
        hand.advance(Duration::from_secs(1));
        away.failed(FailureKind::Transient);
        assert_eq!(away.since(), Some(first));
        away.answered();
        away.answered();
        assert_eq!(
            (away.since(), away.returns.load(Ordering::Relaxed)),
            (None, 1)
        );
    }
}
