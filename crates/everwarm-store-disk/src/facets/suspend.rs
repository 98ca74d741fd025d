//! Suspended tags: what lies where the number of their markers lies otherwise.
//!
//! To suspend a tag is to invalidate it, and to leave in its slot, in place of the number, until when nothing is stored under it and
//! how many asked for that. Such a marker reads as the number after the counter's, which no stamp covers and which the invalidation
//! that ends it will at least have. One whose time is up reads as none; who begins next gives it a number of its own, so that what
//! began before stays out.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Suspend};

use super::generations::strike;
use crate::store::Disk;

/// Marks a place as that of a suspended tag; no counter comes to it.
const FLAG: u64 = 1 << 63;
/// The bits of the milliseconds.
const UNTIL: u64 = (1 << 48) - 1;
/// How many may have asked for it.
const MOST: u64 = (1 << 15) - 1;
const MILLISECOND: u64 = 1_000_000;

/// A suspended tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspended {
    /// Until when, in milliseconds of the store's time.
    until: u64,
    /// How many asked for it.
    by: u64,
}

impl Suspended {
    /// What a place says of its tag, if that is suspended.
    pub(crate) const fn read(place: u64) -> Option<Self> {
        if place & FLAG == 0 {
            return None;
        }
        Some(Self {
            until: place & UNTIL,
            by: place >> 48 & MOST,
        })
    }

    /// Whether its time is up.
    pub(crate) const fn is_over(self, now: u64) -> bool {
        now / MILLISECOND >= self.until
    }

    const fn place(self) -> u64 {
        FLAG | self.by << 48 | self.until
    }
}

/// What an invalidation is besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Besides {
    /// No more than that: who suspended the tag goes on.
    Nothing,
    /// It suspends the tag until this time.
    Suspends(u64),
    /// It ends what one has suspended.
    Resumes,
}

/// What the place of a tag is after an invalidation with this number.
pub(super) fn place(old: Option<u64>, number: u64, now: u64, besides: Besides) -> u64 {
    let there = old.and_then(Suspended::read);
    let there = there.filter(|suspended| !suspended.is_over(now));
    let after = match besides {
        Besides::Nothing => there,
        Besides::Suspends(until) => Some(Suspended {
            until: (until.div_ceil(MILLISECOND) & UNTIL).max(there.map_or(0, |there| there.until)),
            by: there.map_or(1, |there| (there.by + 1).min(MOST)),
        }),
        Besides::Resumes => there.and_then(|there| {
            let by = there.by - 1;
            (by > 0).then_some(Suspended { by, ..there })
        }),
    };
    after.map_or(number, Suspended::place)
}

impl Suspend for Disk {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        Answer::Now(self.struck(namespace, |writing| {
            let until = writing.deadline(Some(span));
            strike(writing, (namespace, tags), Besides::Suspends(until))
        }))
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::Now(self.struck(namespace, |writing| {
            strike(writing, (namespace, tags), Besides::Resumes)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_who_suspends_has_to_resume_or_wait() {
        let one = place(Some(3), 4, 0, Besides::Suspends(2 * SECOND));
        let both = place(Some(one), 5, SECOND, Besides::Suspends(3 * SECOND));
        let suspended = Suspended::read(both).unwrap();
        assert!(!suspended.is_over(2 * SECOND) && suspended.is_over(3 * SECOND));
        let left = place(Some(both), 6, SECOND, Besides::Resumes);
        assert!(Suspended::read(left).is_some());
        assert_eq!(place(Some(left), 7, SECOND, Besides::Resumes), 7);
        assert_eq!(place(Some(left), 7, 3 * SECOND, Besides::Nothing), 7);
    }

    #[test]
    fn an_invalidation_leaves_it_suspended_and_a_plain_tag_plain() {
        let one = place(None, 4, 0, Besides::Suspends(SECOND));
        assert_eq!(place(Some(one), 5, 1, Besides::Nothing), one);
        assert_eq!(place(Some(4), 5, 1, Besides::Nothing), 5);
        assert_eq!(place(Some(4), 5, 1, Besides::Resumes), 5);
        assert_eq!(Suspended::read(4), None);
    }
}
