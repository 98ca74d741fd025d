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

/// What sort of thing a tag stands for: an authority knows functions and namespaces as tags, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagKind {
    /// A tag that users wrote.
    Tag,
    /// All entries of a function.
    Function,
    /// All entries of a namespace.
    Namespace,
}

impl Tag {
    /// The tag of a name within a namespace: 128 bits of BLAKE3 over both and the kind, each with its length.
    ///
    /// ```
    /// use everwarm_core::mark::{Tag, TagKind};
    ///
    /// let tag = Tag::of("shop", TagKind::Tag, "user:7");
    /// assert_ne!(tag, Tag::of("shopu", TagKind::Tag, "ser:7"));
    /// assert_ne!(tag, Tag::of("shop", TagKind::Function, "user:7"));
    /// ```
    #[must_use]
    pub fn of(namespace: &str, kind: TagKind, name: &str) -> Self {
        let kind = match kind {
            TagKind::Tag => "tag",
            TagKind::Function => "function",
            TagKind::Namespace => "namespace",
        };
        let mut hasher = blake3::Hasher::new();
        for part in [namespace, kind, name] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(digest)
    }
}

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
