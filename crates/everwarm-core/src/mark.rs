//! Marks: the stamps and markers of an authority that several processes share (DESIGN: validity without clocks).
//!
//! An authority counts its invalidations in shards, each with an epoch of its own. A computation takes the marks of its
//! shards as stamps before it begins; an invalidation leaves one as the marker of its tag. The rules were checked with an
//! interleaving model.

/// The reading of one shard: a stamp if a computation took it, a marker if an invalidation left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Which shard it is of.
    pub shard: u16,
    /// The shard's epoch: random, and another one whenever the shard was lost.
    pub epoch: u64,
    /// The shard's counter.
    pub number: u64,
}

/// The digest of a tag's name within its namespace, by which an authority knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 16]);

/// What an authority reads in one step: the counters of the shards that the tags lie in, and the tags' markers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// One for each shard.
    pub shards: Vec<Mark>,
    /// One for each tag that was asked for, in that order; `None` where there is none.
    pub markers: Vec<Option<Mark>>,
}

impl Mark {
    /// Whether a computation with this stamp began after the invalidation that left `marker`, or with it.
    #[must_use]
    pub fn covers(self, marker: Self) -> bool {
        self.shard == marker.shard && self.epoch == marker.epoch && marker.number <= self.number
    }
}

/// Whether what carries these stamps is valid: each tag has a marker, and the stamp of its shard covers it. A lost marker
/// makes a miss, and never brings anything back.
///
/// ```
/// use everwarm_core::mark::{Mark, valid};
///
/// let stamp = Mark { shard: 0, epoch: 9, number: 3 };
/// assert!(valid(&[stamp], [Some(stamp)]));
/// assert!(!valid(&[stamp], [Some(Mark { number: 4, ..stamp })]));
/// assert!(!valid(&[stamp], [Some(Mark { epoch: 8, ..stamp })]));
/// assert!(!valid(&[stamp], [None]));
/// ```
pub fn valid(stamps: &[Mark], markers: impl IntoIterator<Item = Option<Mark>>) -> bool {
    markers
        .into_iter()
        .all(|marker| marker.is_some_and(|marker| stamps.iter().any(|stamp| stamp.covers(marker))))
}
