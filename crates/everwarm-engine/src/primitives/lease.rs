//! Leases that users hold: a lock is a semaphore of one permit, and a permit is a lease of a store.
//!
//! A fencing number comes from a counter of the store, asked for while the lease is held and kept only if it is held afterwards: so
//! whoever holds the lease later has a larger one. A counter that is not there begins with the date in microseconds, so that a store
//! that has lost it gives no number twice.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::draw::Draw;
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind, Grant, Leases, Store};

use super::need;
use crate::process::Process;

/// How long a counter of fencing numbers is kept: as long as anything in a shared store.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a lock or a semaphore gives.
#[derive(Clone, Debug)]
pub struct Permits {
    permits: u32,
    ttl: Duration,
    is_lock: bool,
}

/// A permit that somebody has, until it is released or its lease ends.
#[derive(Debug)]
pub struct Held {
    slot: Box<str>,
    token: u64,
    ttl: Duration,
    fence: i64,
    process: Process,
    /// When it was last renewed.
    renewed: AtomicU64,
    /// One of the constants below.
    state: AtomicU8,
}

const HELD: u8 = 0;
const RELEASED: u8 = 1;
const LOST: u8 = 2;

impl Permits {
    /// A lock, whose holder has a fencing number.
    ///
    /// # Errors
    /// `Unsupported`, if the store has no leases or no counters.
    pub fn lock(store: &Arc<dyn Store>, ttl: Duration) -> Result<Self, Error> {
        need(store.leases().is_some(), store, "a lock", "leases")?;
        need(store.counters().is_some(), store, "a lock", "counters")?;
        Ok(Self {
            permits: 1,
            ttl,
            is_lock: true,
        })
    }

    /// A semaphore.
    ///
    /// # Errors
    /// `Unsupported`, if the store has no leases.
    pub fn semaphore(store: &Arc<dyn Store>, permits: u32, ttl: Duration) -> Result<Self, Error> {
        need(store.leases().is_some(), store, "a semaphore", "leases")?;
        Ok(Self {
            permits,
            ttl,
            is_lock: false,
        })
    }

    /// Whether nobody may hold it twice.
    #[must_use]
    pub const fn is_lock(&self) -> bool {
        self.is_lock
    }

    /// Takes a permit of a stored name, if one is free; `now` is by the clock of who renews, and `date` is microseconds since 1970.
    ///
    /// # Errors
    /// The failure of the store.
    pub async fn acquire(
        &self,
        store: &dyn Store,
        name: &str,
        draw: &dyn Draw,
        (now, date): (Instant, i64),
    ) -> Result<Option<Arc<Held>>, Failure> {
        let leases = leases(store)?;
        let token = token();
        // From anywhere on, so that those who ask at once do not all try the same one first.
        let first = (draw.unit() * f64::from(self.permits)) as u32;
        for next in 0..self.permits {
            let slot = self.slot(name, (first + next) % self.permits);
            if leases.lease(&slot, token, self.ttl).await? != Grant::Granted {
                continue;
            }
            let fence = match self.is_lock {
                true => self.fence(store, (name, token), date).await?,
                false => Some(0),
            };
            return Ok(fence.map(|fence| {
                Arc::new(Held {
                    slot,
                    token,
                    ttl: self.ttl,
                    fence,
                    process: Process::current(),
                    renewed: AtomicU64::new(now.as_nanos()),
                    state: AtomicU8::new(HELD),
                })
            }));
        }
        Ok(None)
    }

    fn slot(&self, name: &str, number: u32) -> Box<str> {
        match self.is_lock {
            true => name.into(),
            false => format!("{name}.{number}").into(),
        }
    }

    /// The fencing number of a lease; None if it ended meanwhile.
    async fn fence(
        &self,
        store: &dyn Store,
        (name, token): (&str, u64),
        date: i64,
    ) -> Result<Option<i64>, Failure> {
        let counters = store.counters().ok_or_else(lacking)?;
        let counter = format!("{name}.fence");
        let fence = counters.incr(&counter, 1, date, Some(KEPT)).await?;
        let is_held = leases(store)?.renew(name, token, self.ttl).await?;
        Ok(is_held.then_some(fence))
    }
}

impl Held {
    /// The fencing number: larger than that of every earlier holder of the same lock.
    #[must_use]
    pub const fn fence(&self) -> i64 {
        self.fence
    }

    /// Whether nothing is known to have ended it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state.load(Ordering::Acquire) == HELD && !self.process.is_parent()
    }

    /// Whether it is the parent's of a forked process.
    #[must_use]
    pub fn is_parents(&self) -> bool {
        self.process.is_parent()
    }

    /// Whether it is to be renewed: a third of its life has passed.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let renewed = Instant::from_nanos(self.renewed.load(Ordering::Relaxed));
        self.is_held() && now.since(renewed) >= self.ttl / 3
    }

    /// Renews it; whether it is held still.
    ///
    /// # Errors
    /// The failure of the store; whether it is held is then not known, and the next attempt may tell.
    pub async fn renew(&self, store: &dyn Store, now: Instant) -> Result<bool, Failure> {
        if !self.is_held() {
            return Ok(false);
        }
        let is_held = leases(store)?
            .renew(&self.slot, self.token, self.ttl)
            .await?;
        if is_held {
            self.renewed.store(now.as_nanos(), Ordering::Relaxed);
        } else {
            self.end(LOST);
        }
        Ok(is_held && self.is_held())
    }

    /// Gives it back; whether it was held until now.
    ///
    /// # Errors
    /// The failure of the store: the lease ends after its ttl, then.
    pub async fn release(&self, store: &dyn Store) -> Result<bool, Failure> {
        if self.process.is_parent() || !self.end(RELEASED) {
            return Ok(false);
        }
        leases(store)?.release(&self.slot, self.token).await
    }

    /// Notes how it ended; whether it had not ended before.
    fn end(&self, how: u8) -> bool {
        let ended = self
            .state
            .compare_exchange(HELD, how, Ordering::AcqRel, Ordering::Acquire);
        ended.is_ok()
    }
}

fn leases(store: &dyn Store) -> Result<&dyn Leases, Failure> {
    store.leases().ok_or_else(lacking)
}

/// What was there when the primitive was made, and is not any more.
fn lacking() -> Failure {
    Failure::new(
        FailureKind::Capability,
        "the store has lost a facet that it had",
        "a store offers the same facets for as long as it is open",
    )
}

/// A number that nobody else has drawn: the standard library seeds its hashers from the operating system, and a forked child has
/// another process number.
fn token() -> u64 {
    RandomState::new().hash_one(std::process::id()).max(1)
}
