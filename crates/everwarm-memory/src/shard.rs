//! One shard: an index, the slots it points to, the order of leaving and the deadlines. Locked as a whole.

use everwarm_core::clock::Instant;
use hashbrown::Equivalent;

use crate::departed::{Cause, Departed, Gone, Taken};
use crate::eviction::{Leaving, Seat};
use crate::index::Index;
use crate::memory::Newcomer;
use crate::room::Room;
use crate::slab::{Node, Slab};
use crate::timer::Timer;

/// The part of a memory that one lock guards. Whatever leaves it is returned, for the caller to drop after unlocking.
///
/// What a hit looks at comes first: it lies in one cache line, with the lock before it.
#[repr(C)]
pub(crate) struct Shard<K, T> {
    index: Index,
    slab: Slab<K, T>,
    eviction: Leaving,
    timer: Timer,
}

impl<K, T> Newcomer<K, T> {
    /// The newcomer as one that has to leave.
    pub(crate) fn turned_away(self, now: Instant) -> Gone<K, T> {
        let taken = Taken {
            key: self.key,
            payload: self.payload,
            weight: self.weight,
        };
        gone(
            taken,
            self.deadline.max(self.keep_until),
            now,
            Cause::Capacity,
        )
    }

    fn seated(self) -> Node<K, T> {
        let Self {
            hash,
            key,
            payload,
            deadline,
            ..
        } = self;
        Node {
            key,
            payload,
            deadline,
            hash: hash as u32,
            seat: Seat::new(),
        }
    }
}

/// What is to be known of a newcomer besides its node.
#[derive(Clone, Copy)]
struct Terms {
    hash: u32,
    keep_until: Instant,
    /// When it leaves by itself.
    end: Instant,
    weight: u64,
}

impl Terms {
    fn of<K, T>(newcomer: &Newcomer<K, T>) -> Self {
        Self {
            hash: newcomer.hash as u32,
            keep_until: newcomer.keep_until,
            end: newcomer.deadline.max(newcomer.keep_until),
            weight: newcomer.weight,
        }
    }
}

/// An entry that leaves: one whose end has come has expired, whatever else would have made it go.
fn gone<K, T>(taken: Taken<K, T>, end: Instant, now: Instant, otherwise: Cause) -> Gone<K, T> {
    let cause = if end <= now {
        Cause::Expired
    } else {
        otherwise
    };
    Gone {
        key: taken.key,
        payload: taken.payload,
        weight: taken.weight,
        cause,
    }
}

impl<K, T> Shard<K, T> {
    pub(crate) fn new(eviction: Leaving) -> Self {
        Self {
            index: Index::new(),
            slab: Slab::new(),
            eviction,
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
            .find(hash, |at| key.equivalent(&self.slab.node(at).key))
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
        // The order lies in another cache line: who is quiet does not ask for it.
        if !self.slab.node(at).seat.is_quiet() {
            if self.eviction.leaves_a_trail() {
                self.eviction.trail(at);
            } else if !self.eviction.is_marked_only() {
                self.touch(at);
                return self.content(at);
            }
        }
        let node = self.slab.node_mut(at);
        node.seat.mark();
        (&mut node.payload, node.deadline)
    }

    /// Counts the entry in slot `at` as used.
    pub(crate) fn touch(&mut self, at: u32) {
        self.eviction.touched(&mut self.slab, at);
    }

    /// Lets the newcomer in, in place of an entry with its key, or of others if there is no room.
    pub(crate) fn insert(
        &mut self,
        newcomer: Newcomer<K, T>,
        room: &Room,
        now: Instant,
    ) -> Departed<K, T>
    where
        K: Eq,
    {
        let mut departed = Departed::none();
        let stood = room.weighs() && self.make_way(&newcomer, room, now, &mut departed);
        match self.find(newcomer.hash as u32, &newcomer.key) {
            Some(at) => {
                departed.add(self.replace(at, newcomer, now));
                self.tidy();
            }
            None => {
                if let Some(gone) = self.enter(newcomer, room, now, stood) {
                    departed.add(gone);
                }
            }
        }
        departed
    }

    /// Lets a newcomer in whose key has no entry; who leaves for it, if there was no room, which may be itself. One that stood
    /// there a moment ago counts as used.
    pub(crate) fn enter(
        &mut self,
        newcomer: Newcomer<K, T>,
        room: &Room,
        now: Instant,
        stood: bool,
    ) -> Option<Gone<K, T>> {
        let terms = Terms::of(&newcomer);
        let changes_over = room.is_full();
        let (at, gone) = if changes_over || room.enter() {
            let due = self.timer.one_due(now, &self.slab);
            let Some(at) = due.or_else(|| self.eviction.victim(&mut self.slab)) else {
                // All the room is taken by other shards.
                room.leave(usize::from(!changes_over), newcomer.weight);
                return Some(newcomer.turned_away(now));
            };
            let end = self.slab.kept_until(at);
            let weight = self.unlist(at, end);
            room.leave(usize::from(!changes_over), weight);
            // In the very slot, which was just looked at.
            let Node { key, payload, .. } = self.slab.exchange(at, newcomer.seated());
            let taken = Taken {
                key,
                payload,
                weight,
            };
            (at, Some(gone(taken, end, now, Cause::Capacity)))
        } else {
            (self.slab.put(newcomer.seated()), None)
        };
        self.entered(at, terms, room, stood);
        gone
    }

    /// Has everything know of the newcomer in slot `at`.
    #[inline(always)]
    fn entered(&mut self, at: u32, terms: Terms, room: &Room, stood: bool) {
        let Self {
            index,
            slab,
            eviction,
            timer,
        } = self;
        index.insert(terms.hash, at, room.max(), |at| slab.node(at).hash);
        slab.weigh(at, terms.weight);
        slab.keep(at, terms.keep_until);
        eviction.admitted(slab, at);
        timer.entered(at, terms.end);
        if stood {
            eviction.touched(slab, at);
        }
        self.tidy();
    }

    /// Puts the newcomer on the scales in place of the entry with its key, and lets entries go until the rest and the
    /// newcomer are within the bound, or none is left. The entry with its key goes first if all is too heavy, since it must
    /// not be the one that is chosen; whether it did.
    fn make_way(
        &mut self,
        newcomer: &Newcomer<K, T>,
        room: &Room,
        now: Instant,
        departed: &mut Departed<K, T>,
    ) -> bool
    where
        K: Eq,
    {
        let there = self.find(newcomer.hash as u32, &newcomer.key);
        let before = there.map_or(0, |at| self.slab.weight(at));
        room.reweigh(before, newcomer.weight);
        if !room.is_too_heavy() {
            return false;
        }
        if let Some(at) = there {
            // It is off the scales already.
            self.slab.weigh(at, 0);
            let end = self.slab.kept_until(at);
            let mut taken = self.take(at);
            room.leave(1, 0);
            taken.weight = before;
            departed.add(gone(taken, end, now, Cause::Replaced));
        }
        self.lighten(room, now, departed);
        there.is_some()
    }

    /// Lets entries go until what all shards hold is within its bound, or none is left here.
    pub(crate) fn lighten(&mut self, room: &Room, now: Instant, departed: &mut Departed<K, T>) {
        while room.is_too_heavy() {
            let due = self.timer.one_due(now, &self.slab);
            let Some(at) = due.or_else(|| self.eviction.victim(&mut self.slab)) else {
                break;
            };
            let gone = self.evict(at, now);
            room.leave(1, gone.weight);
            departed.add(gone);
        }
        self.tidy();
    }

    /// Takes out the entry in slot `at`, whose turn it is.
    fn evict(&mut self, at: u32, now: Instant) -> Gone<K, T> {
        let end = self.slab.kept_until(at);
        let taken = self.take(at);
        gone(taken, end, now, Cause::Capacity)
    }

    fn replace(&mut self, at: u32, newcomer: Newcomer<K, T>, now: Instant) -> Gone<K, T> {
        let weight = self.slab.weight(at);
        self.slab.weigh(at, newcomer.weight);
        let node = self.slab.node_mut(at);
        let payload = std::mem::replace(&mut node.payload, newcomer.payload);
        let earlier = self.redate(at, newcomer.deadline, newcomer.keep_until);
        self.touch(at);
        let key = newcomer.key;
        let taken = Taken {
            key,
            payload,
            weight,
        };
        gone(taken, earlier, now, Cause::Replaced)
    }

    /// Until when the entry in slot `at` is kept.
    pub(crate) fn kept_until(&self, at: u32) -> Instant {
        self.slab.kept_until(at)
    }

    /// Gives the entry in slot `at` another deadline, and keeps it until `keep_until`; when it was to leave before.
    pub(crate) fn redate(&mut self, at: u32, deadline: Instant, keep_until: Instant) -> Instant {
        let earlier = self.slab.kept_until(at);
        self.slab.node_mut(at).deadline = deadline;
        self.slab.keep(at, keep_until);
        self.timer.left(earlier);
        self.timer.entered(at, self.slab.kept_until(at));
        self.eviction.rescheduled(&self.slab, at);
        earlier
    }

    /// Takes out the entry in slot `at`. Call [`tidy`](Self::tidy) after the last of a row.
    pub(crate) fn take(&mut self, at: u32) -> Taken<K, T> {
        let weight = self.unlist(at, self.slab.kept_until(at));
        let node = self.slab.take(at);
        Taken {
            key: node.key,
            payload: node.payload,
            weight,
        }
    }

    /// Has everything but its slot forget the entry in slot `at`, which is kept until `end`; what it weighed.
    #[inline(always)]
    fn unlist(&mut self, at: u32, end: Instant) -> u64 {
        self.eviction.left(&mut self.slab, at);
        self.timer.left(end);
        let is_out = self.index.remove(self.slab.node(at).hash, at);
        assert!(is_out, "slot {at} is not in the index");
        self.slab.weight(at)
    }

    /// Sees to it that what is kept for entries that left stays in proportion.
    #[inline]
    pub(crate) fn tidy(&mut self) {
        self.timer.tidy(&self.slab);
    }

    /// Gives its storage back if no entry is left.
    pub(crate) fn give_back(&mut self) {
        if self.slab.len() == 0 {
            *self = Self::new(self.eviction.anew());
        }
    }

    /// Takes out entries that are kept until `now` or earlier, and says whether there may be more: a part at a time, so
    /// that nobody waits long for the lock.
    pub(crate) fn sweep(&mut self, now: Instant, room: &Room, gone: &mut Vec<Taken<K, T>>) -> bool {
        let mut due = Vec::new();
        let more = self.timer.due(now, &self.slab, &mut due);
        if !due.is_empty() {
            let (entries, before) = (due.len(), gone.len());
            gone.extend(due.into_iter().map(|at| self.take(at)));
            let weight = gone[before..].iter().map(|taken| taken.weight).sum();
            room.leave(entries, weight);
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
        gone: &mut Vec<Taken<K, T>>,
    ) {
        for at in 0..self.slab.slots() {
            if self
                .slab
                .get(at)
                .is_some_and(|node| !keep(&node.key, &node.payload))
            {
                let taken = self.take(at);
                room.leave(1, taken.weight);
                gone.push(taken);
            }
        }
        self.tidy();
        self.give_back();
    }

    /// Shows the entries of `most` slots from `from` on; the slot to go on from, unless that was the end.
    pub(crate) fn walk(
        &mut self,
        from: u32,
        most: u32,
        visit: &mut impl FnMut(&K, &mut T, Instant),
    ) -> Option<u32> {
        let slots = self.slab.slots();
        let end = from.saturating_add(most).min(slots);
        for at in from..end {
            if self.slab.get(at).is_some() {
                let node = self.slab.node_mut(at);
                visit(&node.key, &mut node.payload, node.deadline);
            }
        }
        (end < slots).then_some(end)
    }

    /// Shows every entry.
    pub(crate) fn for_each(&self, visit: &mut impl FnMut(&K, &T)) {
        self.slab
            .iter()
            .for_each(|(_, node)| visit(&node.key, &node.payload));
    }

    /// Verifies every invariant and returns the number of entries and what they weigh.
    pub(crate) fn check(&self) -> Result<(usize, u64), String>
    where
        K: Eq,
    {
        self.slab.check()?;
        self.eviction.check(&self.slab, self.slab.len())?;
        self.timer.check(&self.slab)?;
        self.index
            .check(|at| self.slab.get(at).map_or(0, |node| node.hash))?;
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
            None => Ok((self.slab.len(), self.slab.total_weight())),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::eviction::{Eviction, Part};

    #[test]
    fn what_a_hit_looks_at_lies_in_the_line_of_the_lock() {
        // The lock takes a word of 64 bytes; the index and where the slots lie have the rest.
        assert_eq!(std::mem::offset_of!(Shard<u64, [u64; 4]>, index), 0);
        let slots = std::mem::offset_of!(Shard<u64, [u64; 4]>, slab);
        assert!(slots + size_of::<Vec<u64>>() <= 56, "slots at {slots}");
    }

    #[test]
    fn an_emptied_shard_gives_its_storage_back() {
        let room = Room::new(1_000, None);
        for emptied_by_time in [false, true] {
            let mut shard = Shard::new(Leaving::new(Eviction::default(), Part::default()));
            for key in 0..100 {
                let newcomer = Newcomer {
                    hash: key,
                    key,
                    payload: (),
                    deadline: Instant::from_nanos(1),
                    keep_until: Instant::from_nanos(1),
                    weight: 0,
                };
                assert!(shard.insert(newcomer, &room, Instant::ZERO).is_empty());
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
