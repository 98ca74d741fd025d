//! A limiter in a store: core decides, and the store keeps what it decided if nobody was faster.
//!
//! Its time is the store's own. An entry that is written once for all limiters of a namespace says how long ago that was by what is
//! left of its ttl; a state names the entry that its instants count from. If that one is gone, the state's own ttl says how old it is.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::error::Error;
use everwarm_core::limiter::{Decision, Kept, Limit};
use everwarm_core::store::{Bytes, Condition, Conditional, Failure, FailureKind, Found, Store};

use super::need;
use crate::stack::Sleep;

/// How long the entry is kept that time is counted from.
const ERA: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The instant of its writing: far enough from the origin for states that are older.
const BEGINNING: Instant = Instant::from_nanos(1 << 62);
/// How often a decision is tried when others are faster.
const TRIES: u32 = 100;
/// From which of these on it is slept between them.
const AT_ONCE: u32 = 8;
const LONGEST_NAP: Duration = Duration::from_millis(16);

/// A limiter as it lies in a store.
#[derive(Clone, Debug)]
pub struct Limiter {
    limit: Limit,
    /// The name of the entry that time is counted from.
    clock: Arc<str>,
}

/// The time by a store, and which entry it is counted from.
struct Reading {
    clock: u64,
    now: Instant,
}

impl Limiter {
    /// A limiter; `clock` is the stored name of the entry that time is counted from.
    ///
    /// # Errors
    /// `Unsupported`, if the store has no conditional writes; of kind `Config`, if it does not keep anything for a period.
    pub fn new(store: &Arc<dyn Store>, limit: Limit, clock: &str) -> Result<Self, Error> {
        let is_there = store.conditional().is_some();
        need(is_there, store, "a limiter", "conditional writes")?;
        let longest = store.limits().longest_ttl;
        if longest.is_some_and(|longest| longest < limit.rate().period()) {
            return Err(Error::config(
                format!(
                    "the store {:?} keeps nothing for the period of the rate",
                    store.info().kind
                ),
                "take a rate over a shorter time",
            ));
        }
        Ok(Self {
            limit,
            clock: clock.into(),
        })
    }

    /// What it allows.
    #[must_use]
    pub const fn limit(&self) -> &Limit {
        &self.limit
    }

    /// Asks for `n` permits under a stored name.
    ///
    /// # Errors
    /// The failure of the store; nothing is granted then.
    pub async fn take(
        &self,
        store: &dyn Store,
        sleep: &dyn Sleep,
        (name, n): (&str, u64),
    ) -> Result<Decision, Failure> {
        let conditional = conditional(store)?;
        let mut nap = Duration::from_millis(1);
        for attempt in 0..TRIES {
            let (reading, found) = self.look(store, name).await?;
            let state = found.as_ref().and_then(|found| reading.state(found));
            let (decision, kept) =
                self.limit
                    .take(state.as_ref().map(|kept| &kept.state), reading.now, n);
            let Some(kept) = kept else {
                return Ok(decision);
            };
            let condition =
                found.map_or(Condition::Absent, |found| Condition::Version(found.version));
            let bytes = Bytes::from(kept.encode(reading.clock));
            let written = conditional.set_if(name, bytes, Some(kept.ttl), condition);
            if written.await?.is_some() {
                return Ok(decision);
            }
            if attempt >= AT_ONCE {
                sleep.sleep(nap).await;
                nap = (nap * 2).min(LONGEST_NAP);
            }
        }
        Err(Failure::new(
            FailureKind::Transient,
            "others kept changing what a limiter has granted",
            "try again, or let fewer ask at once",
        ))
    }

    /// The time, and what is under the name, in one trip.
    async fn look(
        &self,
        store: &dyn Store,
        name: &str,
    ) -> Result<(Reading, Option<Found>), Failure> {
        // Who begins an era may be slower than another: then the other's counts.
        for _ in 0..TRIES {
            let mut found = store.get_many(&[&self.clock, name]).await?.into_iter();
            if let (Some(clock), Some(state)) = (found.next().flatten(), found.next()) {
                if let Some(reading) = Reading::new(store, &clock) {
                    return Ok((reading, state));
                }
                conditional(store)?
                    .delete_if(&self.clock, clock.version)
                    .await?;
            }
            let number = RandomState::new().hash_one(std::process::id());
            let bytes = Bytes::copy_from_slice(&number.to_le_bytes());
            let begin =
                conditional(store)?.set_if(&self.clock, bytes, Some(era(store)), Condition::Absent);
            begin.await?;
        }
        Err(Failure::new(
            FailureKind::Capacity,
            "the store does not keep what a limiter writes",
            "give it more room",
        ))
    }
}

impl Reading {
    /// The time by an entry that was found; None if it is no entry that time is counted from.
    fn new(store: &dyn Store, found: &Found) -> Option<Self> {
        let gone = era(store).checked_sub(found.remaining?)?;
        Some(Self {
            clock: u64::from_le_bytes((*found.bytes).try_into().ok()?),
            now: BEGINNING.after(gone),
        })
    }

    /// What was granted by then; None if the bytes say nothing.
    fn state(&self, found: &Found) -> Option<Kept> {
        let (clock, kept) = Kept::decode(&found.bytes)?;
        if clock == self.clock {
            return Some(kept);
        }
        let age = kept.ttl.saturating_sub(found.remaining.unwrap_or_default());
        let nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let at = Instant::from_nanos(self.now.as_nanos().saturating_sub(nanos));
        Some(Kept {
            state: kept.state.moved(at),
            ttl: kept.ttl,
        })
    }
}

/// How long the entry is kept that time is counted from.
fn era(store: &dyn Store) -> Duration {
    store
        .limits()
        .longest_ttl
        .map_or(ERA, |longest| longest.min(ERA))
}

fn conditional(store: &dyn Store) -> Result<&dyn Conditional, Failure> {
    store.conditional().ok_or_else(|| {
        Failure::new(
            FailureKind::Capability,
            "the store has lost a facet that it had",
            "a store offers the same facets for as long as it is open",
        )
    })
}
