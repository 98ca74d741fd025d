//! One shard: an index, the slots it points to, the order of leaving and the deadlines. Locked as a whole.

use everwarm_core::clock::Instant;
use hashbrown::hash_table::Entry;
use hashbrown::{Equivalent, HashTable};

use crate::departed::{Cause, Gone};
use crate::eviction::{Eviction, Seat};
use crate::room::Room;
use crate::slab::{Node, Slab};
use crate::timer::Timer;

/// The part of a memory that one lock guards. Whatever leaves it is returned, for the caller to drop after unlocking.
pub(crate) struct Shard<K, T> {
    index: HashTable<u32>,
    slab: Slab<K, T>,
    eviction: Eviction,
    timer: Timer,
}

/// An entry that wants in.
pub(crate) struct Newcomer<K, T> {
    pub(crate) hash: u32,
    pub(crate) key: K,
    pub(crate) payload: T,
    pub(crate) deadline: Instant,
}

impl<K, T> Newcomer<K, T> {
    fn seated(self) -> Node<K, T> {
        let Self {
            hash,
            key,
            payload,
            deadline,
        } = self;
        Node {
            key,
            payload,
            deadline,
            hash,
            seat: Seat::new(),
        }
    }
}

/// An entry that leaves: one whose deadline has passed has expired, whatever else would have made it go.
fn gone<K, T>(entry: (K, T), deadline: Instant, now: Instant, otherwise: Cause) -> Gone<K, T> {
    let cause = if deadline <= now {
        Cause::Expired
    } else {
        otherwise
    };
    Gone {
        key: entry.0,
        payload: entry.1,
        cause,
    }
}

/// The index's hash: it picks buckets by the low bits and tells neighbours apart by the top seven.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl<K, T> Shard<K, T> {
    pub(crate) fn new() -> Self {
        Self {
            index: HashTable::new(),
            slab: Slab::new(),
            eviction: Eviction::default(),
            timer: Timer::new(),
        }
    }

    /// Entries with a deadline.
    pub(crate) fn timed(&self) -> usize {
        self.timer.timed()
    }

    /// The slot of `key`'s entry.
    #[inline(always)]
    pub(crate) fn find<Q: Equivalent<K> + ?Sized>(&self, hash: u32, key: &Q) -> Option<u32> {
        self.index
            .find(spread(hash), |&at| key.equivalent(&self.slab.node(at).key))
            .copied()
    }

    /// The payload and the deadline of the entry in slot `at`.
    #[inline(always)]
    pub(crate) fn content(&mut self, at: u32) -> (&mut T, Instant) {
        let node = self.slab.node_mut(at);
        (&mut node.payload, node.deadline)
    }

    /// The same, counting the entry as used: a hit finds its slot once.
    #[inline(always)]
    pub(crate) fn touched(&mut self, at: u32) -> (&mut T, Instant) {
        if !self.eviction.is_marked_only() {
            self.touch(at);
            return self.content(at);
        }
        let node = self.slab.node_mut(at);
        node.seat.mark();
        (&mut node.payload, node.deadline)
    }

    /// Counts the entry in slot `at` as used.
    pub(crate) fn touch(&mut self, at: u32) {
        self.eviction.touched(&mut self.slab, at);
    }

    /// Lets the newcomer in, in place of an entry with its key, or of another one if there is no room.
    pub(crate) fn insert(
        &mut self,
        newcomer: Newcomer<K, T>,
        room: &Room,
        now: Instant,
    ) -> Option<Gone<K, T>>
    where
        K: Eq,
    {
        let Self {
            index,
            slab,
            eviction,
            timer,
        } = self;
        let equal = |&at: &u32| slab.node(at).key == newcomer.key;
        let gone = match index.entry(spread(newcomer.hash), equal, |&at| {
            spread(slab.node(at).hash)
        }) {
            Entry::Occupied(entry) => {
                let at = *entry.get();
                Some(self.replace(at, newcomer, now))
            }
            Entry::Vacant(entry) => {
                let mut victim = None;
                if room.enter() {
                    victim = timer.one_due(now, slab).or_else(|| eviction.victim(slab));
                    if victim.is_none() {
                        // All the room is taken by other shards.
                        room.leave(1);
                        let Newcomer {
                            key,
                            payload,
                            deadline,
                            ..
                        } = newcomer;
                        return Some(gone((key, payload), deadline, now, Cause::Capacity));
                    }
                }
                let deadline = newcomer.deadline;
                let at = slab.put(newcomer.seated());
                entry.insert(at);
                eviction.admitted(slab, at);
                timer.entered(at, deadline);
                victim.map(|at| {
                    let deadline = self.slab.node(at).deadline;
                    let entry = self.take(at);
                    room.leave(1);
                    gone(entry, deadline, now, Cause::Capacity)
                })
            }
        };
        self.tidy();
        gone
    }

    fn replace(&mut self, at: u32, newcomer: Newcomer<K, T>, now: Instant) -> Gone<K, T> {
        let node = self.slab.node_mut(at);
        let payload = std::mem::replace(&mut node.payload, newcomer.payload);
        let earlier = std::mem::replace(&mut node.deadline, newcomer.deadline);
        self.timer.left(earlier);
        self.timer.entered(at, newcomer.deadline);
        self.touch(at);
        gone((newcomer.key, payload), earlier, now, Cause::Replaced)
    }

    /// Takes out the entry in slot `at`. Call [`tidy`](Self::tidy) after the last of a row.
    pub(crate) fn take(&mut self, at: u32) -> (K, T) {
        self.eviction.left(&mut self.slab, at);
        let node = self.slab.take(at);
        self.timer.left(node.deadline);
        match self
            .index
            .find_entry(spread(node.hash), |&other| other == at)
        {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("slot {at} is not in the index"),
        }
        (node.key, node.payload)
    }

    /// Sees to it that what is kept for entries that left stays in proportion.
    pub(crate) fn tidy(&mut self) {
        self.timer.tidy(&self.slab);
    }

    /// Gives its storage back if no entry is left.
    pub(crate) fn give_back(&mut self) {
        if self.slab.len() == 0 {
            *self = Self::new();
        }
    }

    /// Takes out entries whose deadline is `now` or earlier, and says whether there may be more: a part at a time, so
    /// that nobody waits long for the lock.
    pub(crate) fn sweep(&mut self, now: Instant, room: &Room, gone: &mut Vec<(K, T)>) -> bool {
        let mut due = Vec::new();
        let more = self.timer.due(now, &self.slab, &mut due);
        if !due.is_empty() {
            let entries = due.len();
            gone.extend(due.into_iter().map(|at| self.take(at)));
            room.leave(entries);
            self.tidy();
            self.give_back();
        }
        more
    }

    /// Takes out entries that `keep` does not want.
    pub(crate) fn retain(
        &mut self,
        keep: &mut impl FnMut(&K, &T) -> bool,
        room: &Room,
        gone: &mut Vec<(K, T)>,
    ) {
        for at in 0..self.slab.slots() {
            if self
                .slab
                .get(at)
                .is_some_and(|node| !keep(&node.key, &node.payload))
            {
                gone.push(self.take(at));
                room.leave(1);
            }
        }
        self.tidy();
        self.give_back();
    }

    /// Shows every entry.
    pub(crate) fn for_each(&self, visit: &mut impl FnMut(&K, &T)) {
        self.slab
            .iter()
            .for_each(|(_, node)| visit(&node.key, &node.payload));
    }

    /// Verifies every invariant and returns the number of entries.
    pub(crate) fn check(&self) -> Result<usize, String>
    where
        K: Eq,
    {
        self.slab.check()?;
        self.eviction.check(&self.slab, self.slab.len())?;
        self.timer.check(&self.slab)?;
        if self.index.len() != self.slab.len() {
            return Err(format!(
                "{} entries are indexed, {} are held",
                self.index.len(),
                self.slab.len()
            ));
        }
        match self
            .slab
            .iter()
            .find(|(at, node)| self.find(node.hash, &node.key) != Some(*at))
        {
            Some((at, _)) => Err(format!("the entry in slot {at} is not found by its key")),
            None => Ok(self.slab.len()),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_shard_gives_its_storage_back() {
        let room = Room::new(1_000);
        for emptied_by_time in [false, true] {
            let mut shard = Shard::new();
            for key in 0..100 {
                let newcomer = Newcomer {
                    hash: key,
                    key,
                    payload: (),
                    deadline: Instant::from_nanos(1),
                };
                assert_eq!(shard.insert(newcomer, &room, Instant::ZERO), None);
            }
            let mut gone = Vec::new();
            if emptied_by_time {
                while shard.sweep(Instant::from_nanos(1), &room, &mut gone) {}
            } else {
                shard.retain(&mut |_, ()| false, &room, &mut gone);
            }
            assert_eq!((gone.len(), room.taken()), (100, 0));
            assert_eq!((shard.slab.slots(), shard.index.capacity()), (0, 0));
        }
    }
}
