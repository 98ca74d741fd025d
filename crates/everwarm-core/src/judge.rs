//! What an entry that was found is worth at this moment.

use crate::clock::Instant;
use crate::lifetime::Lifetime;

/// Whether an entry still counts, apart from its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Nothing was said against it.
    Valid,
    /// Marked stale: no longer fresh, whatever its age; its other windows hold.
    Demoted,
    /// Invalidated: gone for every window.
    Invalid,
}

/// Whether a value that is served is within its ttl. A stale one is flagged and counted as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Within its ttl.
    Fresh,
    /// After its ttl, or marked stale.
    Stale,
}

/// What to do with an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// Serve it. It is stale only while the back-off after a failed refresh lasts.
    Serve(Freshness),
    /// Serve it, and compute it anew in the background.
    ServeAndRefresh(Freshness),
    /// Compute, and serve it only if the computation fails.
    OnlyIfError,
    /// A miss.
    Gone,
}

/// What an entry with this lifetime is worth `now`.
///
/// - An invalid entry is gone in every window.
/// - A demoted one is judged as if its ttl ended now; without a window after the ttl it is gone.
/// - Each window begins with its instant and ends before the next one: at `fresh_until` an entry is stale already.
/// - While the back-off after a failed refresh lasts, what may be served is served without computing.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::clock::Instant;
/// use everwarm_core::draw::FixedDraw;
/// use everwarm_core::judge::{Freshness, Judgement, Validity, judge};
/// use everwarm_core::policy::Policy;
///
/// let minute = Duration::from_secs(60);
/// let policy = Policy { ttl: Some(minute), stale_while_revalidate: Some(minute), ..Policy::default() };
/// let life = policy.lifetime(Instant::ZERO, Duration::ZERO, &FixedDraw(0.0));
/// let at = |seconds| judge(&life, Instant::ZERO.after(Duration::from_secs(seconds)), Validity::Valid);
/// assert_eq!(at(59), Judgement::Serve(Freshness::Fresh));
/// assert_eq!(at(60), Judgement::ServeAndRefresh(Freshness::Stale));
/// assert_eq!(at(120), Judgement::Gone);
/// ```
#[must_use]
pub fn judge(lifetime: &Lifetime, now: Instant, validity: Validity) -> Judgement {
    let aged = match validity {
        Validity::Valid => now,
        Validity::Demoted => now.max(lifetime.fresh_until()),
        Validity::Invalid => return Judgement::Gone,
    };
    if aged >= lifetime.keep_until() {
        return Judgement::Gone;
    }
    let freshness = if aged < lifetime.fresh_until() {
        Freshness::Fresh
    } else {
        Freshness::Stale
    };
    if aged < lifetime.refresh_from() || now < lifetime.retry_from() {
        Judgement::Serve(freshness)
    } else if aged < lifetime.stale_until() {
        Judgement::ServeAndRefresh(freshness)
    } else {
        Judgement::OnlyIfError
    }
}
