//! Tags: names that entries carry so that they can be invalidated together.
//!
//! Each tag has one cell, shared by the entries and flights that carry it, with the number of the last invalidation that
//! met it: invalidating a tag is one store, whatever the number of its entries. A cell that nobody holds stays for its
//! number's sake until there are too many of them; then the oldest go and their highest number becomes the floor from
//! which forgotten and new tags start. So a lost number makes an entry a miss, and never brings one back.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::generation::{Marker, Stamp};
use everwarm_core::lifetime::Lifetime;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::shim::AtomicU64;

/// How many cells may be there before those that nobody holds are thinned out.
const ROOM: usize = 4_096;

/// The marker of a tag, a scope or a cache, which invalidations write and everybody reads.
#[derive(Debug)]
pub(crate) struct Mark(AtomicU64);

impl Mark {
    pub(crate) fn new(marker: Marker) -> Self {
        Self(AtomicU64::new(marker.get()))
    }

    #[inline]
    pub(crate) fn read(&self) -> Marker {
        Marker::new(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn strike(&self, marker: Marker) {
        self.0.store(marker.get(), Ordering::Release);
    }
}

/// One tag's cell.
#[derive(Debug)]
pub(crate) struct Tag {
    name: Arc<str>,
    mark: Mark,
    /// Until when nothing is stored under it; 0: it is not suspended. Changed by the table alone.
    until: AtomicU64,
    /// How many asked for that.
    by: AtomicU64,
}

impl Tag {
    fn new(name: Arc<str>, marker: Marker) -> Self {
        Self {
            name,
            mark: Mark::new(marker),
            until: AtomicU64::new(0),
            by: AtomicU64::new(0),
        }
    }

    fn is_suspended(&self) -> bool {
        self.until.load(Ordering::Acquire) != 0
    }

    /// Lets values be stored again, once all have asked for it or the time is up.
    fn resume(&self, by: u64) {
        self.by.store(by, Ordering::Relaxed);
        if by == 0 {
            self.until.store(0, Ordering::Release);
        }
    }
}

/// The tags of an entry or a flight; `None` where there are none, so that an entry pays one word.
pub(crate) type Tags = Option<Arc<TagSet>>;

/// What only some entries have beside their value.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagSet {
    tags: Box<[Arc<Tag>]>,
    /// The ttl that the entry was last given, where it is not the time from its writing to its deadline.
    ttl: Option<Duration>,
    /// Whether the entry was demoted.
    stale: bool,
    /// How old the value was when the entry was written: a store had it before.
    age: Duration,
    /// The entry's life, where it has more than a ttl.
    lifetime: Option<Lifetime>,
    /// The entry stands for "nothing" or an error.
    negative: Option<Negative>,
    /// What the computation said of its value, for the next one.
    etag: Option<Arc<str>>,
}

/// What stands for "nothing" or for an error that was remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negative {
    /// How many in a row there were with this one.
    pub row: u32,
    /// Whether the entry's value is an error, to be raised.
    pub is_error: bool,
}

impl TagSet {
    fn new(tags: Box<[Arc<Tag>]>) -> Self {
        Self {
            tags,
            ..Self::default()
        }
    }

    /// The first tag that was invalidated since `stamp`.
    pub(crate) fn overtaking(&self, stamp: Stamp) -> Option<Arc<str>> {
        let outdated = |tag: &&Arc<Tag>| tag.mark.read().outdates(stamp);
        self.tags
            .iter()
            .find(outdated)
            .map(|tag| Arc::clone(&tag.name))
    }

    /// Whether nothing is to be stored under one of the tags.
    pub(crate) fn is_suspended(&self) -> bool {
        self.tags.iter().any(|tag| tag.is_suspended())
    }

    /// The names of the tags that were given; one that begins with a NUL is the host's own.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let names = self.tags.iter().map(|tag| &tag.name);
        names
            .filter(|name| !name.starts_with('\0'))
            .map(Arc::clone)
            .collect()
    }
}

/// The same tags, with something else noted beside them.
fn noted(tags: &Tags, note: impl FnOnce(&mut TagSet)) -> Tags {
    let mut set = tags.as_deref().cloned().unwrap_or_default();
    note(&mut set);
    Some(Arc::new(set))
}

/// The ttl that an entry with these tags was last given, if it was noted.
pub(crate) fn ttl(tags: &Tags) -> Option<Duration> {
    tags.as_ref()?.ttl
}

/// The same tags, with the ttl noted that their entry was last given.
pub(crate) fn with_ttl(tags: &Tags, ttl: Duration) -> Tags {
    match tags {
        Some(set) if set.ttl == Some(ttl) && !set.stale => tags.clone(),
        _ => noted(tags, |set| {
            set.ttl = Some(ttl);
            set.stale = false;
        }),
    }
}

/// How old the value of an entry with these tags was when it was written.
pub(crate) fn age(tags: &Tags) -> Duration {
    tags.as_ref().map(|set| set.age).unwrap_or_default()
}

/// The same tags, for an entry whose value is so old already.
pub(crate) fn with_age(tags: Tags, age: Duration) -> Tags {
    if age.is_zero() {
        return tags;
    }
    noted(&tags, |set| {
        set.stale = false;
        set.age = age;
    })
}

/// The life of an entry with these tags, if it has windows.
pub(crate) fn lifetime(tags: &Tags) -> Option<&Lifetime> {
    tags.as_ref()?.lifetime.as_ref()
}

/// The same tags, for an entry of this life; None for one that has no windows.
pub(crate) fn with_lifetime(tags: &Tags, lifetime: Option<Lifetime>) -> Tags {
    match (self::lifetime(tags), lifetime) {
        (None, None) => tags.clone(),
        _ => noted(tags, |set| set.lifetime = lifetime),
    }
}

/// What an entry with these tags stands for, if for nothing or an error.
pub(crate) fn negative(tags: &Tags) -> Option<Negative> {
    tags.as_ref()?.negative
}

/// The same tags, for an entry that stands for nothing or an error.
pub(crate) fn with_negative(tags: &Tags, negative: Negative) -> Tags {
    noted(tags, |set| set.negative = Some(negative))
}

/// What was said of the value of an entry with these tags.
pub(crate) fn etag(tags: &Tags) -> Option<Arc<str>> {
    tags.as_ref()?.etag.clone()
}

/// The same tags, for an entry of whose value this is said.
pub(crate) fn with_etag(tags: Tags, etag: Option<&Arc<str>>) -> Tags {
    match etag {
        None => tags,
        Some(etag) => noted(&tags, |set| set.etag = Some(Arc::clone(etag))),
    }
}

/// Whether an entry with these tags was demoted.
pub(crate) fn is_stale(tags: &Tags) -> bool {
    tags.as_ref().is_some_and(|set| set.stale)
}

/// The same tags, for an entry that is demoted, or is so no longer.
pub(crate) fn with_stale(tags: &Tags, stale: bool) -> Tags {
    if is_stale(tags) == stale {
        return tags.clone();
    }
    noted(tags, |set| set.stale = stale)
}

/// The markers that the tags have at this moment.
pub(crate) fn markers(tags: &Tags) -> impl Iterator<Item = Marker> {
    tags.iter()
        .flat_map(|set| set.tags.iter())
        .map(|tag| tag.mark.read())
}

/// The tags of both, each once, and what is noted with the first.
pub(crate) fn union(left: &Tags, right: &Tags) -> Tags {
    match (left, right) {
        (Some(left), Some(right)) => {
            let further = right
                .tags
                .iter()
                .filter(|tag| !left.tags.iter().any(|known| Arc::ptr_eq(known, tag)));
            Some(Arc::new(TagSet {
                tags: left.tags.iter().chain(further).cloned().collect(),
                ..TagSet::clone(left)
            }))
        }
        (tags, None) | (None, tags) => tags.clone(),
    }
}

/// The cells of a cache's tags, by name.
#[derive(Debug)]
pub(crate) struct Cells {
    by_name: HashTable<Arc<Tag>>,
    hasher: RandomState,
    floor: Marker,
    room: usize,
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self {
            by_name: HashTable::new(),
            hasher: RandomState::default(),
            floor: Marker::default(),
            room: ROOM,
        }
    }

    pub(crate) fn intern(&mut self, names: &[Arc<str>]) -> Arc<TagSet> {
        Arc::new(TagSet::new(
            names
                .iter()
                .map(|name| Arc::clone(self.cell(name)))
                .collect(),
        ))
    }

    pub(crate) fn strike(&mut self, name: &Arc<str>, marker: Marker) {
        self.cell(name).mark.strike(marker);
    }

    /// As [`strike`](Self::strike); from here on nothing is stored under the tag, until some time or until all resume.
    pub(crate) fn suspend(&mut self, name: &Arc<str>, marker: Marker, until: Instant) {
        let tag = self.cell(name);
        tag.mark.strike(marker);
        let by = tag.by.load(Ordering::Relaxed) + 1;
        tag.by.store(by, Ordering::Relaxed);
        let until = until.as_nanos().max(1);
        tag.until.fetch_max(until, Ordering::AcqRel);
    }

    /// As [`strike`](Self::strike), by one who had suspended the tag.
    pub(crate) fn resume(&mut self, name: &Arc<str>, marker: Marker) {
        let tag = self.cell(name);
        tag.mark.strike(marker);
        tag.resume(tag.by.load(Ordering::Relaxed).saturating_sub(1));
    }

    /// Ends what was suspended until now, as an invalidation does.
    pub(crate) fn lapse(&mut self, set: &TagSet, marker: Marker, now: Instant) {
        for tag in set.tags.iter().filter(|tag| tag.is_suspended()) {
            if tag.until.load(Ordering::Acquire) <= now.as_nanos() {
                tag.mark.strike(marker);
                tag.resume(0);
            }
        }
    }

    fn cell(&mut self, name: &Arc<str>) -> &Arc<Tag> {
        if self.by_name.len() >= self.room {
            self.thin_out();
        }
        let hash = self.hasher.hash_one(&**name);
        let floor = self.floor;
        let hasher = &self.hasher;
        self.by_name
            .entry(
                hash,
                |tag| tag.name == *name,
                |tag| hasher.hash_one(&*tag.name),
            )
            .or_insert_with(|| Arc::new(Tag::new(Arc::clone(name), floor)))
            .into_mut()
    }

    /// Lets the older half of the cells go that nobody holds, and makes room for as many again as stay.
    fn thin_out(&mut self) {
        // Only this table gives out cells, so one that it alone holds cannot gain a holder meanwhile.
        let unheld = |tag: &Arc<Tag>| Arc::strong_count(tag) == 1 && !tag.is_suspended();
        let mut markers: Vec<Marker> = self
            .by_name
            .iter()
            .filter(|tag| unheld(tag))
            .map(|tag| tag.mark.read())
            .collect();
        let middle = markers.len() / 2;
        if middle < markers.len() {
            let (_, &mut last, _) = markers.select_nth_unstable(middle);
            self.by_name
                .retain(|tag| !unheld(tag) || tag.mark.read() > last);
            self.floor = self.floor.max(last);
        }
        self.room = (self.by_name.len() * 2).max(ROOM);
    }
}

#[cfg(test)]
mod tests {
    use everwarm_core::generation::valid;

    use super::*;

    fn name(index: usize) -> Arc<str> {
        format!("tag:{index}").into()
    }

    fn allows(set: Arc<TagSet>, stamp: usize) -> bool {
        valid(Stamp::new(stamp as u64), markers(&Some(set)))
    }

    fn marker(number: usize) -> Marker {
        Marker::new(number as u64)
    }

    #[test]
    fn a_tag_has_one_cell() {
        let mut cells = Cells::new();
        let set = cells.intern(&[name(1), name(2)]);
        assert!(allows(set.clone(), 0));
        cells.strike(&name(2), marker(5));
        assert!(!allows(set.clone(), 4));
        assert!(allows(set.clone(), 5));
        assert_eq!(set.names(), [name(1), name(2)]);
    }

    #[test]
    fn forgotten_markers_raise_the_floor_and_memory_is_bounded() {
        let mut cells = Cells::new();
        let held = cells.intern(&[name(0)]);
        for number in 1..=10 * ROOM {
            cells.strike(&name(number), marker(number));
            assert!(cells.by_name.len() <= ROOM);
        }
        assert!(allows(held, 0), "a tag that is held keeps its own marker");
        let forgotten = cells.intern(&[name(1)]);
        assert!(
            !allows(forgotten.clone(), 1),
            "a marker that was lost is a miss"
        );
        assert!(allows(forgotten, 10 * ROOM));
        let kept = cells.intern(&[name(10 * ROOM)]);
        assert!(
            !allows(kept, 10 * ROOM - 1),
            "the youngest markers are kept"
        );
    }

    #[test]
    fn many_held_tags_make_room() {
        let mut cells = Cells::new();
        let names: Vec<_> = (0..3 * ROOM).map(name).collect();
        let held = cells.intern(&names);
        assert_eq!(cells.by_name.len(), 3 * ROOM);
        assert_eq!(cells.floor, Marker::default());
        drop(held);
        for index in 0..10 * ROOM {
            cells.intern(&[name(index)]);
        }
        assert!(cells.by_name.len() <= cells.room && cells.room <= 6 * ROOM);
    }
}
