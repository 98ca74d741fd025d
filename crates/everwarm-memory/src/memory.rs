//! The table as its users see it.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::Ordering::Relaxed;

use everwarm_core::clock::Instant;
use hashbrown::Equivalent;
use lock_api::RawMutex;

use crate::departed::{Departed, Gone, Taken};
use crate::eviction::{Eviction, Leaving, Part};
use crate::processors;
use crate::room::Room;
use crate::shard::Shard;
use crate::shim::{AtomicU64, Mutex, MutexGuard, Padded};
use crate::slab::Slab;

/// The most shards a memory has.
const MOST_SHARDS: usize = 16;
/// Entries for which one shard is enough: a small shard chooses worse whom to evict, a shared one is waited for.
const ENTRIES_PER_SHARD: usize = 1_024;
/// Shards for each processor that are enough: more are hardly waited for less, and what each has of its own, locks, counts and
/// ends of queues, no longer fits into the processor's nearest cache.
const SHARDS_PER_PROCESSOR: usize = 4;

type Locked<K, T, L> = Padded<Guarded<K, T, L>>;

/// A shard behind its lock.
struct Guarded<K, T, L> {
    lock: Mutex<L, Shard<K, T>>,
    /// Entries that came in so far. Written under the lock.
    arrivals: AtomicU64,
}

/// The lock of a memory's shards, unless its owner has a better one.
pub type DefaultLock = parking_lot::RawMutex;

/// How much a memory may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Entries at most. More than 2³¹ are taken as 2³¹.
    pub max_entries: NonZeroUsize,
    /// What the entries weigh together at most; without it nothing is weighed.
    pub max_bytes: Option<NonZeroU64>,
    /// Which entries leave when there is no room for all.
    pub eviction: Eviction,
}

impl Bounds {
    /// So many entries, and no other bound.
    #[must_use]
    pub fn entries(max_entries: NonZeroUsize) -> Self {
        Self {
            max_entries,
            max_bytes: None,
            eviction: Eviction::default(),
        }
    }
}

/// An entry that wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newcomer<K, T> {
    /// The key's hash.
    pub hash: u64,
    /// The key.
    pub key: K,
    /// What the entry is to hold.
    pub payload: T,
    /// What readers are shown as its end; [`Instant::NEVER`] if it has none.
    pub deadline: Instant,
    /// When it leaves by itself, if that is later: its readers know what it is worth meanwhile.
    pub keep_until: Instant,
    /// What it weighs, with its key and [`Memory::OVERHEAD`]; ignored in a memory that does not weigh.
    pub weight: u64,
}

/// The verdict of a reader on the entry it was shown, with the reader's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<R> {
    /// The entry stays as it is.
    Keep(R),
    /// The entry stays and counts as used.
    Touch(R),
    /// The entry leaves.
    Drop(R),
}

/// How many shards suit a memory of so many entries, on a machine of so many processors.
fn suitable(max_entries: usize, processors: usize) -> usize {
    let of_entries = max_entries / ENTRIES_PER_SHARD;
    of_entries.min(processors.saturating_mul(SHARDS_PER_PROCESSOR))
}

/// A table of a bounded number of entries, for any number of threads.
///
/// Keys are `K`, entries hold a payload `T` and a deadline, [`Instant::NEVER`] if they have none. A key's hash is the
/// caller's: the same for equal keys, seeded, with 64 good bits. Closures and comparisons run under a shard's lock: they
/// must not wait, panic or call the same memory. Keys and payloads are never dropped under a lock: what leaves is returned.
///
/// `L` is the lock of its shards. An owner whose threads exclude each other anyway can bring one that costs nothing.
pub struct Memory<K, T, L = DefaultLock> {
    shards: Box<[Locked<K, T, L>]>,
    room: Room,
}

/// A place in a memory: where a walk through its entries has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    shard: usize,
    slot: u32,
}

/// An entry that was found, and the lock of its shard.
pub struct Found<'a, K, T, L: RawMutex = DefaultLock> {
    memory: &'a Memory<K, T, L>,
    shard: MutexGuard<'a, L, Shard<K, T>>,
    index: usize,
    at: u32,
}

/// The place of a key that has no entry, and the lock of its shard.
pub struct Vacancy<'a, K, T, L: RawMutex = DefaultLock> {
    memory: &'a Memory<K, T, L>,
    shard: MutexGuard<'a, L, Shard<K, T>>,
    index: usize,
}

impl<K: Eq, T, L: RawMutex> Vacancy<'_, K, T, L> {
    /// Lets the newcomer of that key in, in a memory that does not weigh; who left for it.
    #[inline(always)]
    pub fn admit(mut self, newcomer: Newcomer<K, T>, now: Instant) -> Option<Gone<K, T>> {
        debug_assert!(!self.memory.weighs(), "scales need to know of each entry");
        self.memory.arrives(self.index);
        self.shard.enter(newcomer, &self.memory.room, now, false)
    }

    /// How many entries came into its shard so far: as long as [`Memory::arrivals`] says the same, the key has none.
    #[inline]
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        self.memory.arrivals(self.index)
    }
}

impl<K: Eq, T, L: RawMutex> Found<'_, K, T, L> {
    /// The payload and the deadline.
    #[inline(always)]
    pub fn content(&mut self) -> (&mut T, Instant) {
        self.shard.content(self.at)
    }

    /// Counts the entry as used.
    pub fn touch(&mut self) {
        self.shard.touch(self.at);
    }

    /// The payload and the deadline of an entry that from here on counts as used.
    #[inline(always)]
    pub fn touched(&mut self) -> (&mut T, Instant) {
        self.shard.touched(self.at)
    }

    /// Gives the entry another deadline, at which it leaves.
    pub fn redate(&mut self, deadline: Instant) {
        self.redate_and_keep(deadline, deadline);
    }

    /// Gives the entry another deadline, and keeps it until `keep_until` if that is later.
    pub fn redate_and_keep(&mut self, deadline: Instant, keep_until: Instant) {
        self.shard.redate(self.at, deadline, keep_until);
        self.shard.tidy();
    }

    /// When the entry leaves by itself; [`Instant::NEVER`] if it does not.
    #[must_use]
    pub fn kept_until(&self) -> Instant {
        self.shard.kept_until(self.at)
    }

    /// The index of its shard.
    #[inline(always)]
    #[must_use]
    pub fn shard(&self) -> usize {
        self.index
    }

    /// Takes the entry out.
    #[must_use]
    pub fn take(self) -> Taken<K, T> {
        self.memory.take(self.shard, self.at)
    }
}

impl<K: Eq, T, L: RawMutex> Memory<K, T, L> {
    /// The bytes that an entry takes in the table itself, besides what its key and its payload point to.
    pub const OVERHEAD: u64 = Slab::<K, T>::OVERHEAD;

    /// An empty memory of as many shards as suit its bound and the machine's processors.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self::with_shards(
            bounds,
            suitable(bounds.max_entries.get(), processors::count()),
        )
    }

    /// An empty memory of about so many shards: the next lower power of two, from 1 to 16. One is best where threads exclude
    /// each other anyway.
    #[must_use]
    pub fn with_shards(bounds: Bounds, shards: usize) -> Self {
        let max = bounds.max_entries.get().min(1 << 31);
        let shards = 1 << shards.clamp(1, MOST_SHARDS).ilog2();
        let part = Part::first(shards);
        let shard = |number| {
            let leaving = Leaving::new(bounds.eviction, part.number(number));
            Padded(Guarded {
                lock: Mutex::new(Shard::new(leaving)),
                arrivals: AtomicU64::new(0),
            })
        };
        Self {
            shards: (0..shards).map(shard).collect(),
            room: Room::new(max, bounds.max_bytes),
        }
    }

    /// How many shards there are: a power of two.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The shard that keys of this hash belong to.
    #[inline]
    #[must_use]
    pub fn shard_of(&self, hash: u64) -> usize {
        // The low half is for the shard's index.
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    #[inline]
    fn lock(&self, shard: usize) -> MutexGuard<'_, L, Shard<K, T>> {
        self.shards[shard].0.lock.lock()
    }

    /// How many entries came into a shard so far. It takes no lock: who is to see an arrival has to be told of it by the one who
    /// brought it, as through a lock of their own.
    #[inline]
    #[must_use]
    pub fn arrivals(&self, shard: usize) -> u64 {
        self.shards[shard].0.arrivals.load(Relaxed)
    }

    /// Counts an entry that comes in, under the shard's lock.
    #[inline]
    fn arrives(&self, shard: usize) {
        let arrivals = &self.shards[shard].0.arrivals;
        arrivals.store(arrivals.load(Relaxed) + 1, Relaxed);
    }

    /// The entry of `key`, its shard locked while the answer lives. Whether its deadline has passed is for the reader to see.
    #[inline(always)]
    pub fn find<Q: Equivalent<K> + ?Sized>(
        &self,
        hash: u64,
        key: &Q,
    ) -> Option<Found<'_, K, T, L>> {
        let index = self.shard_of(hash);
        let shard = self.lock(index);
        let at = shard.find(hash as u32, key)?;
        Some(Found {
            memory: self,
            shard,
            index,
            at,
        })
    }

    /// The entry of `key`, or its place if it has none; its shard is locked while either lives, so that one look is enough to put
    /// something there.
    #[inline(always)]
    pub fn seek<Q: Equivalent<K> + ?Sized>(
        &self,
        hash: u64,
        key: &Q,
    ) -> Result<Found<'_, K, T, L>, Vacancy<'_, K, T, L>> {
        let (memory, index) = (self, self.shard_of(hash));
        let shard = self.lock(index);
        match shard.find(hash as u32, key) {
            Some(at) => Ok(Found {
                memory,
                shard,
                index,
                at,
            }),
            None => Err(Vacancy {
                memory,
                shard,
                index,
            }),
        }
    }

    /// The place of a key that had no entry when so many [arrivals](Self::arrivals) were counted in its shard, `index`; None if any
    /// came since, or if entries are weighed.
    #[inline(always)]
    pub fn vacancy(&self, index: usize, arrivals: u64) -> Option<Vacancy<'_, K, T, L>> {
        if self.arrivals(index) != arrivals || self.weighs() {
            return None;
        }
        let (memory, shard) = (self, self.lock(index));
        Some(Vacancy {
            memory,
            shard,
            index,
        })
    }

    /// Shows the entry of `key` to `visit`, with its deadline and the index of its shard, and does as it says.
    ///
    /// Returns the answer, if there was an entry, and the entry, if the verdict was to drop it.
    pub fn look<Q: Equivalent<K> + ?Sized, R>(
        &self,
        hash: u64,
        key: &Q,
        visit: impl FnOnce(&mut T, Instant, usize) -> Look<R>,
    ) -> (Option<R>, Option<Taken<K, T>>) {
        let Some(mut found) = self.find(hash, key) else {
            return (None, None);
        };
        let shard = found.shard();
        let (payload, deadline) = found.content();
        match visit(payload, deadline, shard) {
            Look::Keep(answer) => (Some(answer), None),
            Look::Touch(answer) => {
                found.touch();
                (Some(answer), None)
            }
            Look::Drop(answer) => (Some(answer), Some(found.take())),
        }
    }

    /// Puts an entry in, in place of the one with an equal key or, if the memory is full, of the one whose turn it is.
    ///
    /// A full shard without any entry of its own refuses: then the newcomer itself is what comes back.
    pub fn insert(&self, hash: u64, key: K, payload: T, deadline: Instant) -> Departed<K, T> {
        // At the origin of time nothing has expired, but for what was never alive.
        self.insert_at(hash, key, payload, deadline, Instant::ZERO)
    }

    /// As [`insert`](Self::insert), for a caller who knows the time: expired entries make room before live ones do.
    pub fn insert_at(
        &self,
        hash: u64,
        key: K,
        payload: T,
        deadline: Instant,
        now: Instant,
    ) -> Departed<K, T> {
        self.admit(
            Newcomer {
                hash,
                key,
                payload,
                deadline,
                keep_until: deadline,
                weight: 0,
            },
            now,
        )
    }

    /// Puts an entry in, as [`insert_at`](Self::insert_at) does, with its weight: as many as need be leave until the sum is
    /// within its bound.
    ///
    /// A newcomer that does not [fit](Self::fits) comes back at once, and nobody leaves for it.
    pub fn admit(&self, mut newcomer: Newcomer<K, T>, now: Instant) -> Departed<K, T> {
        if !self.room.weighs() {
            newcomer.weight = 0;
        } else if !self.fits(newcomer.weight) {
            let mut departed = Departed::none();
            departed.add(newcomer.turned_away(now));
            return departed;
        }
        let index = self.shard_of(newcomer.hash);
        let mut shard = self.lock(index);
        self.arrives(index);
        let mut departed = shard.insert(newcomer, &self.room, now);
        drop(shard);
        if self.room.is_too_heavy() {
            self.lighten(index, now, &mut departed);
        }
        departed
    }

    /// Lets entries of the other shards go, and of this one last, until all together are within the bound.
    #[cold]
    fn lighten(&self, index: usize, now: Instant, departed: &mut Departed<K, T>) {
        for step in 1..=self.shards() {
            let other = (index + step) & (self.shards() - 1);
            self.lock(other).lighten(&self.room, now, departed);
        }
    }

    /// Whether entries are weighed.
    #[inline]
    #[must_use]
    pub fn weighs(&self) -> bool {
        self.room.weighs()
    }

    /// Whether an entry of this weight has room, if need be alone.
    #[must_use]
    pub fn fits(&self, weight: u64) -> bool {
        self.room.fits(weight)
    }

    /// What the entries weigh together; 0 in a memory that does not weigh.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.room.weight()
    }

    /// Takes the entry of `key` out.
    pub fn remove<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<Taken<K, T>> {
        let shard = self.lock(self.shard_of(hash));
        let at = shard.find(hash as u32, key)?;
        Some(self.take(shard, at))
    }

    /// Takes out what is in slot `at`: not part of `look`, so that a hit stays a handful of instructions.
    #[inline(never)]
    fn take(&self, mut shard: MutexGuard<'_, L, Shard<K, T>>, at: u32) -> Taken<K, T> {
        let taken = shard.take(at);
        shard.tidy();
        self.room.leave(1, taken.weight);
        taken
    }

    /// Takes out and returns the entries that `keep` does not want, shard by shard.
    pub fn retain(&self, mut keep: impl FnMut(&K, &T) -> bool) -> Vec<Taken<K, T>> {
        let mut gone = Vec::new();
        for shard in 0..self.shards() {
            self.lock(shard).retain(&mut keep, &self.room, &mut gone);
        }
        gone
    }

    /// Takes out and returns the entries that are kept until `now` or earlier, without looking at the others.
    pub fn sweep(&self, now: Instant) -> Vec<Taken<K, T>> {
        let mut gone = Vec::new();
        for shard in 0..self.shards() {
            while self.lock(shard).sweep(now, &self.room, &mut gone) {}
        }
        gone
    }

    /// Entries that will leave by themselves.
    #[must_use]
    pub fn timed(&self) -> usize {
        (0..self.shards())
            .map(|shard| self.lock(shard).timed())
            .sum()
    }

    /// Entries held, expired ones that were not swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.room.taken()
    }

    /// Whether no entry is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows the next entries from `from` on to `visit`, with their deadlines, and says where to go on, unless that was the
    /// end. One call looks at no more than `most` slots, so that nobody waits long for the lock.
    ///
    /// An entry keeps its slot as long as it stays: a walk from the beginning to the end shows it exactly once.
    pub fn walk(
        &self,
        from: Place,
        most: u32,
        mut visit: impl FnMut(&K, &mut T, Instant),
    ) -> Option<Place> {
        let Place { shard, slot } = from;
        let next = self.lock(shard).walk(slot, most, &mut visit);
        match next {
            Some(slot) => Some(Place { shard, slot }),
            None => (shard + 1 < self.shards()).then_some(Place {
                shard: shard + 1,
                slot: 0,
            }),
        }
    }

    /// Shows every entry to `visit`, shard by shard, without allocating: a garbage collector may be the visitor.
    pub fn for_each(&self, mut visit: impl FnMut(&K, &T)) {
        for shard in 0..self.shards() {
            self.lock(shard).for_each(&mut visit);
        }
    }

    /// Verifies every invariant; for tests, while no other thread uses the memory.
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), String> {
        let (mut held, mut weight) = (0, 0);
        for shard in 0..self.shards() {
            let checked = self.lock(shard).check();
            let (entries, bytes) = checked.map_err(|fault| format!("shard {shard}: {fault}"))?;
            held += entries;
            weight += bytes;
        }
        if held != self.len() || held > self.room.max() {
            return Err(format!(
                "{held} entries, {} counted, {} allowed",
                self.len(),
                self.room.max()
            ));
        }
        if weight != self.weight() || self.room.is_too_heavy() {
            return Err(format!(
                "the entries weigh {weight}, {} is counted",
                self.weight()
            ));
        }
        Ok(())
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn shards_are_few_for_few_entries_and_for_few_processors() {
        let of_entries = [1, 1_023, 2_048, 5_000, 10_000].map(|entries| suitable(entries, 64));
        assert_eq!(of_entries, [0, 0, 2, 4, 9]);
        let of_processors = [1, 2, 3, 4, 64].map(|processors| suitable(100_000, processors));
        assert_eq!(of_processors, [4, 8, 12, 16, 97]);
        let bounds = Bounds::entries(NonZeroUsize::new(100_000).unwrap());
        let shards =
            of_processors.map(|shards| Memory::<u64, ()>::with_shards(bounds, shards).shards());
        assert_eq!(shards, [4, 8, 8, 16, 16]);
    }
}
