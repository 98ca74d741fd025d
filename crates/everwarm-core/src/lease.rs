//! Leases: the right to compute the value of a name, which ends by itself (DESIGN: validity without clocks).
//!
//! Three see a lease. Its store answers requests ([`reply`]): one holder at most, and every write that is not the holder's ends it,
//! so nobody has to guess how long a computation may run. Who waits asks again until it is given, or gives up ([`answered`]). Who
//! holds it renews it at a third of its life ([`Holder`]), and loses nothing but the right to store when it is lost: what a former
//! holder brings late is refused by the store, whatever that holder believes.

use std::time::Duration;

use crate::clock::Instant;
use crate::store::Grant;

/// What a store keeps of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The token of its holder.
    pub token: u64,
    /// When it ends, by the store's clock.
    pub until: Instant,
}

/// What a store is asked about the lease of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// To give it, for so long.
    Take(Duration),
    /// To let it last so long from now on.
    Renew(Duration),
    /// To take it back.
    Release,
    /// To let its holder write, which ends it.
    Settle,
    /// To let anybody write or delete, which ends it.
    Overwrite,
}

/// The lease after a request with this token, and the answer: to all but [`Request::Take`] it is granted if it may be done.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::clock::Instant;
/// use everwarm_core::lease::{Request, reply};
/// use everwarm_core::store::Grant;
///
/// let (now, ttl) = (Instant::ZERO, Duration::from_secs(5));
/// let (lease, said) = reply(None, 7, Request::Take(ttl), now);
/// assert_eq!(said, Grant::Granted);
/// assert_eq!(reply(lease, 8, Request::Take(ttl), now).1, Grant::Held(ttl));
/// // It ends by itself, is taken over, and what the former holder brings is refused.
/// let later = now.after(ttl);
/// let (lease, said) = reply(lease, 8, Request::Take(ttl), later);
/// assert_eq!(said, Grant::Granted);
/// assert_ne!(reply(lease, 7, Request::Settle, later).1, Grant::Granted);
/// ```
#[must_use]
pub fn reply(
    lease: Option<Lease>,
    token: u64,
    request: Request,
    now: Instant,
) -> (Option<Lease>, Grant) {
    let lease = lease.filter(|lease| lease.until > now);
    let lasting = |ttl| {
        Some(Lease {
            token,
            until: now.after(ttl),
        })
    };
    let held = lease.map_or(Duration::ZERO, |lease| lease.until.since(now));
    let is_mine = lease.is_some_and(|lease| lease.token == token);
    match request {
        Request::Overwrite => (None, Grant::Granted),
        Request::Take(ttl) if lease.is_none() || is_mine => (lasting(ttl), Grant::Granted),
        Request::Renew(ttl) if is_mine => (lasting(ttl), Grant::Granted),
        Request::Release | Request::Settle if is_mine => (None, Grant::Granted),
        _ => (lease, Grant::Held(held)),
    }
}

/// What a process does that has asked for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// It has the lease, and computes.
    Compute,
    /// Somebody else computes: it asks again, a little later.
    Again,
    /// It computes without the lease, for itself: the store does not answer, or it waited for long enough.
    Apart,
}

/// What to do after the store's answer, `None` if it gave none, for who has waited so long. `was_held` says whether the answer before
/// told of a holder: then one that is lost ends no wait.
#[must_use]
pub fn answered(
    grant: Option<Grant>,
    was_held: bool,
    (waited, timeout): (Duration, Duration),
) -> Wait {
    match grant {
        Some(Grant::Granted) => Wait::Compute,
        Some(Grant::Held(_)) if waited < timeout => Wait::Again,
        None if was_held && waited < timeout => Wait::Again,
        _ => Wait::Apart,
    }
}

/// A lease as its holder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// It was there when it was asked for or renewed last.
    Holding {
        /// When that was asked: the store's answer is younger.
        asked: Instant,
    },
    /// It was not there any more, or a write of this very process has ended it.
    Lost,
}

/// What happens to a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The store said whether it renewed what was asked for then; one that does not answer says nothing.
    Renewed {
        /// When it was asked.
        asked: Instant,
        /// Whether the lease was there.
        was_there: bool,
    },
    /// This process wrote or deleted the name.
    Overwritten,
}

impl Holder {
    /// When a lease of this life has to be renewed, which a lost one never has. One that the store did not answer about stays due.
    #[must_use]
    pub fn due(self, ttl: Duration) -> Instant {
        match self {
            Self::Holding { asked } => asked.after(ttl / 3),
            Self::Lost => Instant::NEVER,
        }
    }

    /// The holder after an event. What is lost stays lost.
    #[must_use]
    pub fn after(self, event: Event) -> Self {
        match (self, event) {
            (
                Self::Holding { .. },
                Event::Renewed {
                    asked,
                    was_there: true,
                },
            ) => Self::Holding { asked },
            _ => Self::Lost,
        }
    }
}
