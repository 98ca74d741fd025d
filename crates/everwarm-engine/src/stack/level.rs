//! A tier at work: how long it keeps what, what lies in it, and what it did.

use std::time::Duration;

use everwarm_core::codec::Spans;
use everwarm_core::slide::Slide;
use everwarm_core::store::{Bytes, Failure};

use super::Tier;
use super::away::Away;
use super::complaints::Complaints;
use super::found::Written;
use super::tally::Tally;
use crate::ticker::Ticker;

/// A tier with what is known of its store.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) tier: Tier,
    pub(super) embedded: bool,
    pub(super) tally: Tally,
    pub(super) away: Away,
    pub(super) complaints: Complaints,
    /// The longest that anything stays.
    longest: Duration,
}

/// What a clock may be set back by that nobody minds: more than those of machines differ by that keep time for a store together.
const SLACK: Duration = Duration::from_secs(2);

/// The bytes at the end of what lies in a nearer tier: how old the entry was when it came, and the ttl that it came with. From
/// the last tier, which keeps envelopes as they are, both are known otherwise.
const TRAILER: usize = 16;

/// What a nearer tier had, without the trailer.
pub(super) struct Filled {
    pub(super) sealed: Bytes,
    pub(super) age: Duration,
}

impl Level {
    pub(super) fn new(tier: Tier, longest: Duration, ticker: &Ticker) -> Self {
        let caps = [tier.ttl, tier.store.limits().longest_ttl];
        Self {
            embedded: tier.store.info().embedded,
            tally: Tally::new(ticker),
            away: Away::new(ticker.clone()),
            complaints: Complaints::default(),
            longest: caps.into_iter().flatten().fold(longest, Duration::min),
            tier,
        }
    }

    /// What the store said; a failure is counted.
    pub(super) fn said<T>(&self, answer: Result<T, Failure>) -> Option<T> {
        self.counted(answer).ok()
    }

    /// The same, for who passes the failure on.
    pub(super) fn counted<T>(&self, answer: Result<T, Failure>) -> Result<T, Failure> {
        match &answer {
            Ok(_) => self.away.answered(),
            Err(failure) => self.failed(failure),
        }
        answer
    }

    /// Counts a failure of the store.
    pub(super) fn failed(&self, failure: &Failure) {
        self.tally.error(failure.kind);
        self.away.failed(failure.kind);
        self.complaints.note(failure);
    }

    /// A write that failed, which is counted.
    pub(super) fn unwritten(&self, failure: Failure) -> Written {
        self.failed(&failure);
        Written::Failed(failure)
    }

    /// The ttl of an entry that has so much of its life left.
    pub(super) fn ttl(&self, left: Option<Duration>) -> Duration {
        left.unwrap_or(self.longest).min(self.longest)
    }

    /// The life of an entry that is to lie in this tier: no longer than it may stay, so that its age follows from what is left.
    pub(super) fn spans(&self, spans: &Spans) -> Spans {
        let Some(fresh) = spans.fresh.or(self.tier.ttl) else {
            return *spans;
        };
        let fresh = fresh.min(self.longest);
        let rest = self.longest - fresh;
        Spans {
            fresh: Some(fresh),
            quiet: spans.quiet.map(|quiet| quiet.min(fresh)),
            stale: spans.stale.min(rest),
            if_error: spans.if_error.min(rest),
            // A life that reads lengthen takes the time of its windows with it.
            slide: spans.slide.map(|slide| Slide {
                most: slide
                    .most
                    .min(self.longest - spans.stale.max(spans.if_error).min(rest)),
                ..slide
            }),
        }
    }

    /// The age of an entry with this life, written as [`spans`](Self::spans) says, of which so much is left here.
    pub(super) fn age(&self, spans: &Spans, left: Option<Duration>) -> Duration {
        let given = self.ttl(spans.kept());
        left.map_or(Duration::ZERO, |left| given.saturating_sub(left))
    }

    /// As [`age`](Self::age), unless nobody knows how old it is: more is left than it was given. The store's clock was set back since it was
    /// written, or another server with another clock took over.
    pub(super) fn known_age(&self, spans: &Spans, left: Option<Duration>) -> Option<Duration> {
        (!self.is_beyond(spans, left)).then(|| self.age(spans, left))
    }

    /// Whether more is left of an entry with this life than it was given.
    fn is_beyond(&self, spans: &Spans, left: Option<Duration>) -> bool {
        let more = left
            .zip(spans.kept())
            .and_then(|(left, kept)| left.checked_sub(kept));
        more.is_some_and(|more| more > SLACK + self.tier.store.limits().ttl_precision)
    }

    /// Whether a value of so many bytes is too large for it, as far as is known: a store may hear from its server what that takes.
    pub(super) fn is_too_small_for(&self, bytes: &Bytes) -> bool {
        bytes.len() as u64 + TRAILER as u64 > self.tier.store.limits().largest_value
    }
}

/// The bytes of an entry of this age for a nearer tier.
pub(super) fn fill(sealed: &Bytes, age: Duration, ttl: Duration) -> Bytes {
    let mut bytes = Vec::with_capacity(sealed.len() + TRAILER);
    bytes.extend_from_slice(sealed);
    for span in [age, ttl] {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&nanos.to_le_bytes());
    }
    bytes.into()
}

/// What was [`fill`]ed into a nearer tier, of whose ttl there so much is left.
pub(super) fn filled(bytes: &Bytes, left: Option<Duration>) -> Option<Filled> {
    let at = bytes.len().checked_sub(TRAILER)?;
    let span = |at: usize| {
        let nanos = bytes[at..at + 8].try_into().expect("eight bytes");
        Duration::from_nanos(u64::from_le_bytes(nanos))
    };
    let (age, given) = (span(at), span(at + 8));
    Some(Filled {
        sealed: bytes.slice(..at),
        age: age.saturating_add(given.saturating_sub(left.unwrap_or(given))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_filled_knows_its_age() {
        let sealed = Bytes::from_static(b"envelope");
        let bytes = fill(&sealed, 3 * SECOND, 10 * SECOND);
        let filled_again = filled(&bytes, Some(6 * SECOND)).expect("a trailer");
        assert_eq!(
            (filled_again.sealed, filled_again.age),
            (sealed, 7 * SECOND)
        );
        assert!(filled(&Bytes::from_static(b"short"), None).is_none());
    }
}
