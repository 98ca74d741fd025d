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

use everwarm_core::generation::{Marker, Stamp};
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
}

/// The tags of an entry or a flight; `None` where there are none, so that an entry pays one word.
pub(crate) type Tags = Option<Arc<TagSet>>;

/// What only some entries have beside their value.
#[derive(Debug, Default)]
pub(crate) struct TagSet {
    tags: Box<[Arc<Tag>]>,
    /// The ttl that the entry was last given, where it is not the time from its writing to its deadline.
    ttl: Option<Duration>,
    /// Whether the entry was demoted.
    stale: bool,
    /// How old the value was when the entry was written: a store had it before.
    age: Duration,
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

    /// The names of the tags that were given; one that begins with a NUL is the host's own.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let names = self.tags.iter().map(|tag| &tag.name);
        names
            .filter(|name| !name.starts_with('\0'))
            .map(Arc::clone)
            .collect()
    }
}

/// The ttl that an entry with these tags was last given, if it was noted.
pub(crate) fn ttl(tags: &Tags) -> Option<Duration> {
    tags.as_ref()?.ttl
}

/// The same tags, with the ttl noted that their entry was last given.
pub(crate) fn with_ttl(tags: &Tags, ttl: Duration) -> Tags {
    match tags {
        Some(set) if set.ttl == Some(ttl) => tags.clone(),
        _ => Some(Arc::new(TagSet {
            tags: tags
                .as_ref()
                .map(|set| set.tags.clone())
                .unwrap_or_default(),
            ttl: Some(ttl),
            stale: false,
            age: age(tags),
        })),
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
    let set = tags.as_deref();
    Some(Arc::new(TagSet {
        tags: set.map(|set| set.tags.clone()).unwrap_or_default(),
        ttl: set.and_then(|set| set.ttl),
        stale: false,
        age,
    }))
}

/// Whether an entry with these tags was demoted.
pub(crate) fn is_stale(tags: &Tags) -> bool {
    tags.as_ref().is_some_and(|set| set.stale)
}

/// The same tags, for an entry that is demoted.
pub(crate) fn stale(tags: &Tags) -> Tags {
    let set = tags.as_deref();
    Some(Arc::new(TagSet {
        tags: set.map(|set| set.tags.clone()).unwrap_or_default(),
        ttl: set.and_then(|set| set.ttl),
        stale: true,
        age: age(tags),
    }))
}

/// The markers that the tags have at this moment.
pub(crate) fn markers(tags: &Tags) -> impl Iterator<Item = Marker> {
    tags.iter()
        .flat_map(|set| set.tags.iter())
        .map(|tag| tag.mark.read())
}

/// The tags of both, each once, and the ttl that is noted with the first.
pub(crate) fn union(left: &Tags, right: &Tags) -> Tags {
    match (left, right) {
        (Some(left), Some(right)) => {
            let further = right
                .tags
                .iter()
                .filter(|tag| !left.tags.iter().any(|known| Arc::ptr_eq(known, tag)));
            Some(Arc::new(TagSet {
                tags: left.tags.iter().chain(further).cloned().collect(),
                ttl: left.ttl,
                stale: left.stale,
                age: left.age,
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
            .or_insert_with(|| {
                Arc::new(Tag {
                    name: Arc::clone(name),
                    mark: Mark::new(floor),
                })
            })
            .into_mut()
    }

    /// Lets the older half of the cells go that nobody holds, and makes room for as many again as stay.
    fn thin_out(&mut self) {
        // Only this table gives out cells, so one that it alone holds cannot gain a holder meanwhile.
        let unheld = |tag: &Arc<Tag>| Arc::strong_count(tag) == 1;
        let mut markers: Vec<Marker> = self
            .by_name
            .iter()
            .filter(|tag| unheld(tag))
            .map(|tag| tag.mark.read())
            .collect();
        markers.sort_unstable();
        if let Some(&last) = markers.get(markers.len() / 2) {
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
