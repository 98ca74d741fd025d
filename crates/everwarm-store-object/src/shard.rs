//! The counter of a namespace's invalidations, and the markers of its tags: one small object, which is changed by comparing it.
//!
//! Nothing here asks anybody; a change is a function from what was read to what is written.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use everwarm_core::mark::{Mark, Reading, Tag};

use crate::head::{NEVER, after};

const MAGIC: [u8; 8] = *b"ewshard\x01";
const HEAD: usize = 28;
const EACH: usize = 44;
/// What a marker is kept for beside twice what is asked for, so that it is not written each time.
const BESIDE: Duration = Duration::from_secs(60);
/// The shard of the tags.
const TAGS: u16 = 0;
/// The shard of the entries, in which no tag lies and which nothing invalidates. That it is in each reading tells that the entries are
/// apart: those are written in another step than the counter.
const ENTRIES: Mark = Mark {
    shard: 1,
    epoch: 1,
    number: 0,
};

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    epoch: u64,
    number: u64,
    markers: BTreeMap<[u8; 16], Marker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    number: u64,
    /// How long it is kept.
    until: u64,
    /// Until when nothing is stored under its tag; 0: it is not suspended.
    suspended: u64,
    /// How often it was suspended, and not yet resumed.
    by: u32,
}

/// What an invalidation does besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Nothing.
    Invalidate,
    /// It suspends for so long.
    Suspend(Duration),
    /// It ends one suspension.
    Resume,
}

impl Shard {
    /// One that nobody knew.
    pub(crate) const fn new(epoch: u64) -> Self {
        Self {
            epoch,
            number: 0,
            markers: BTreeMap::new(),
        }
    }

    pub(crate) fn written(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEAD + EACH * self.markers.len());
        bytes.put_slice(&MAGIC);
        bytes.put_u64(self.epoch);
        bytes.put_u64(self.number);
        bytes.put_u32(u32::try_from(self.markers.len()).unwrap_or(u32::MAX));
        for (tag, marker) in &self.markers {
            bytes.put_slice(tag);
            bytes.put_u64(marker.number);
            bytes.put_u64(marker.until);
            bytes.put_u64(marker.suspended);
            bytes.put_u32(marker.by);
        }
        bytes.freeze()
    }

    /// The shard that these bytes are; `None` if they are none.
    pub(crate) fn read(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEAD || bytes[..8] != MAGIC {
            return None;
        }
        bytes.advance(8);
        let mut shard = Self::new(bytes.get_u64());
        shard.number = bytes.get_u64();
        let count = bytes.get_u32() as usize;
        if bytes.len() != count.checked_mul(EACH)? {
            return None;
        }
        for _ in 0..count {
            let mut tag = [0; 16];
            bytes.copy_to_slice(&mut tag);
            let marker = Marker {
                number: bytes.get_u64(),
                until: bytes.get_u64(),
                suspended: bytes.get_u64(),
                by: bytes.get_u32(),
            };
            shard.markers.insert(tag, marker);
        }
        Some(shard)
    }

    const fn mark(&self, number: u64) -> Mark {
        Mark {
            shard: TAGS,
            epoch: self.epoch,
            number,
        }
    }

    /// The reading of these tags. The marker of a suspended one is ahead of all stamps; where a suspension is over, there is none.
    pub(crate) fn reading(&self, tags: &[Tag], now: u64) -> Reading {
        let marker = |tag: &Tag| {
            let marker = self.markers.get(&tag.0)?;
            match marker.suspended {
                0 => Some(self.mark(marker.number)),
                until if until > now => Some(self.mark(self.number + 1)),
                _ => None,
            }
        };
        Reading {
            shards: vec![self.mark(self.number), ENTRIES],
            markers: tags.iter().map(marker).collect(),
        }
    }

    /// The reading where there is no shard.
    pub(crate) fn nothing(tags: &[Tag]) -> Reading {
        Reading {
            shards: Vec::new(),
            markers: vec![None; tags.len()],
        }
    }

    /// Sees to it that each tag has a marker that is kept for so long, and no suspension that is over; whether something was changed.
    pub(crate) fn hold(&mut self, tags: &[Tag], keep: Option<Duration>, now: u64) -> bool {
        let needed = after(now, keep);
        let is_held = |tag: &Tag| {
            let marker = self.markers.get(&tag.0);
            marker.is_some_and(|marker| {
                marker.until >= needed && (marker.suspended == 0 || marker.suspended > now)
            })
        };
        if tags.iter().all(is_held) {
            return false;
        }
        self.tidy(now);
        let generous = after(
            now,
            keep.map(|keep| keep.saturating_mul(2).saturating_add(BESIDE)),
        );
        for tag in tags {
            let fresh = Marker {
                number: self.number,
                until: generous,
                suspended: 0,
                by: 0,
            };
            let marker = self.markers.entry(tag.0).or_insert(fresh);
            if marker.until < needed {
                marker.until = generous;
            }
        }
        true
    }

    /// Invalidates tags.
    pub(crate) fn strike(&mut self, tags: &[Tag], strike: Strike, now: u64) {
        self.tidy(now);
        self.number += 1;
        for tag in tags {
            // One that nobody named before need not be kept: no entry carries it.
            let fresh = Marker {
                number: self.number,
                until: now,
                suspended: 0,
                by: 0,
            };
            let marker = self.markers.entry(tag.0).or_insert(fresh);
            marker.number = self.number;
            match strike {
                Strike::Invalidate => {}
                Strike::Suspend(span) => {
                    marker.suspended = marker.suspended.max(after(now, Some(span)));
                    marker.by = marker.by.saturating_add(1);
                }
                Strike::Resume if marker.by <= 1 => (marker.suspended, marker.by) = (0, 0),
                Strike::Resume => marker.by -= 1,
            }
        }
    }

    /// Ends the suspensions that are over, as an invalidation would, and lets go of what nobody needs.
    fn tidy(&mut self, now: u64) {
        let is_over = |marker: &Marker| marker.suspended != 0 && marker.suspended <= now;
        if self.markers.values().any(is_over) {
            self.number += 1;
        }
        for marker in self.markers.values_mut().filter(|marker| is_over(marker)) {
            (marker.number, marker.suspended, marker.by) = (self.number, 0, 0);
        }
        self.markers.retain(|_, marker| {
            marker.until == NEVER || marker.until > now || marker.suspended != 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use everwarm_core::mark::valid;

    const SECOND: u64 = 1_000_000;
    const TAG: [Tag; 1] = [Tag([1; 16])];

    fn covers(stamps: &Reading, reading: &Reading) -> bool {
        valid(&stamps.shards, reading.markers.iter().copied())
    }

    #[test]
    fn what_was_written_is_read() {
        let mut shard = Shard::new(9);
        shard.hold(
            &[Tag([3; 16]), Tag([1; 16])],
            Some(Duration::from_secs(5)),
            SECOND,
        );
        shard.strike(&TAG, Strike::Suspend(Duration::from_secs(9)), SECOND);
        let bytes = shard.written();
        assert_eq!(Shard::read(&bytes), Some(shard));
        for cut in 0..bytes.len() {
            assert_eq!(Shard::read(&bytes[..cut]), None);
        }
    }

    #[test]
    fn a_marker_is_written_again_only_when_it_is_kept_too_short() {
        let mut shard = Shard::new(9);
        let keep = Some(Duration::from_secs(10));
        assert!(shard.hold(&TAG, keep, 0));
        assert!(!shard.hold(&TAG, keep, 60 * SECOND));
        assert!(shard.hold(&TAG, keep, 71 * SECOND));
        assert!(shard.hold(&TAG, None, 72 * SECOND));
        assert!(!shard.hold(&TAG, None, 73 * SECOND));
    }

    #[test]
    fn what_nobody_needs_is_let_go_and_comes_back_with_the_present_number() {
        let mut shard = Shard::new(9);
        shard.hold(&TAG, Some(Duration::ZERO), 0);
        let before = shard.reading(&TAG, 0);
        shard.strike(&[Tag([2; 16])], Strike::Invalidate, 61 * SECOND);
        assert_eq!(shard.reading(&TAG, 61 * SECOND).markers, [None]);
        shard.hold(&TAG, None, 62 * SECOND);
        assert!(!covers(&before, &shard.reading(&TAG, 62 * SECOND)));
    }

    #[test]
    fn a_suspension_that_is_over_ends_as_an_invalidation() {
        let mut shard = Shard::new(9);
        shard.hold(&TAG, None, 0);
        shard.strike(&TAG, Strike::Suspend(Duration::from_secs(5)), 0);
        let during = shard.reading(&TAG, SECOND);
        assert!(!covers(&during, &during));
        assert!(!covers(&during, &shard.reading(&TAG, 6 * SECOND)));
        assert!(shard.hold(&TAG, None, 6 * SECOND));
        let after = shard.reading(&TAG, 6 * SECOND);
        assert!(covers(&after, &after) && !covers(&during, &after));
    }
}
