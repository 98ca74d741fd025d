//! What each tier did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::codec::Refusal;
use everwarm_core::store::{FailureKind, Notify};

use crate::shim::Mutex;
use crate::ticker::Ticker;

/// What one tier did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierStats {
    /// What users call it.
    pub label: Arc<str>,
    /// Reads that it answered.
    pub hits: u64,
    /// Reads for which it had nothing valid.
    pub misses: u64,
    /// Values that were written to it, by reads that were answered farther off too.
    pub sets: u64,
    /// Writes that are queued.
    pub pending: u64,
    /// Queued writes for which there was no room.
    pub dropped: u64,
    /// Failures by their kind, where there were any.
    pub errors: Vec<(FailureKind, u64)>,
    /// What was found and was no value, by its class, where there was any.
    pub refused: Vec<(Refusal, u64)>,
    /// In which way the store hears of others, where it has several.
    pub hears: Option<&'static str>,
}

impl TierStats {
    /// With what the store says of its messages: those that it refused count as tampered.
    pub(super) fn with(mut self, notify: &dyn Notify) -> Self {
        let (class, count) = (Refusal::Tampered, notify.refused());
        self.hears = notify.way();
        match self.refused.iter_mut().find(|(other, _)| *other == class) {
            Some((_, there)) => *there += count,
            None if count > 0 => self.refused.push((class, count)),
            None => {}
        }
        self
    }
}

/// Counts what one tier does.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) hits: Count,
    pub(super) misses: Count,
    pub(super) sets: Count,
    pub(super) dropped: Count,
    errors: [Count; FailureKind::ALL.len()],
    refused: [Count; Refusal::ALL.len()],
    last: Mutex<Option<(FailureKind, Instant)>>,
    ticker: Ticker,
}

/// A number that only says what happened, and orders nothing.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn bump(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(super) fn new(ticker: &Ticker) -> Self {
        Self {
            hits: Count::default(),
            misses: Count::default(),
            sets: Count::default(),
            dropped: Count::default(),
            errors: Default::default(),
            refused: Default::default(),
            last: Mutex::new(None),
            ticker: ticker.clone(),
        }
    }

    pub(super) fn error(&self, kind: FailureKind) {
        self.errors[kind as usize].bump();
        *self.last.lock() = Some((kind, self.ticker.now()));
    }

    /// The last failure, and how long ago it was.
    pub(super) fn last_failure(&self) -> Option<(FailureKind, Duration)> {
        let (kind, at) = (*self.last.lock())?;
        Some((kind, self.ticker.now().since(at)))
    }

    pub(super) fn refusal(&self, refusal: Refusal) {
        self.refused[refusal as usize].bump();
    }

    pub(super) fn read(&self, label: &Arc<str>, pending: u64) -> TierStats {
        TierStats {
            label: Arc::clone(label),
            hits: self.hits.read(),
            misses: self.misses.read(),
            sets: self.sets.read(),
            pending,
            dropped: self.dropped.read(),
            errors: counted(FailureKind::ALL, &self.errors),
            refused: counted(Refusal::ALL, &self.refused),
            hears: None,
        }
    }
}

/// Those of `all` that were counted, which are in the order of their declaration.
fn counted<T, const N: usize>(all: [T; N], counts: &[Count; N]) -> Vec<(T, u64)> {
    all.into_iter()
        .zip(counts.iter().map(Count::read))
        .filter(|(_, count)| *count > 0)
        .collect()
}
