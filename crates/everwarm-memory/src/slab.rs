//! Where entries live: slots in one growing array, vacant ones linked into a list.

use everwarm_core::clock::Instant;

use crate::eviction::{Seat, Seats};
use crate::slots::Slots;

/// No slot: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// One entry with all that the table knows of it. What a hit looks at comes first, with the beginning of the payload: so it lies in
/// one cache line where it can.
#[repr(C)]
pub(crate) struct Node<K, T> {
    pub(crate) deadline: Instant,
    pub(crate) key: K,
    pub(crate) hash: u32,
    pub(crate) seat: Seat,
    pub(crate) payload: T,
}

enum Slot<K, T> {
    Vacant { next: u32 },
    Taken(Node<K, T>),
}

/// The slots of one shard. Where they lie comes first: every hit asks for that.
#[repr(C)]
pub(crate) struct Slab<K, T> {
    slots: Slots<Slot<K, T>>,
    vacant: u32,
    taken: usize,
    /// For each slot what its entry weighs, beside the slots so that nodes do not grow: empty as long as none weighs.
    weights: Vec<u64>,
    /// For each slot until when its entry is kept, beside the slots too: empty as long as each is kept until its deadline, and
    /// the clock's origin for those that are.
    kept: Vec<Instant>,
}

impl<K, T> Slab<K, T> {
    /// What an entry takes in the table besides what its key and its payload point to: the slot, and about 16 bytes for the
    /// index, the weight and the deadline.
    pub(crate) const OVERHEAD: u64 = size_of::<Slot<K, T>>() as u64 + 16;

    pub(crate) fn new() -> Self {
        Self {
            slots: Slots::new(),
            weights: Vec::new(),
            kept: Vec::new(),
            vacant: NONE,
            taken: 0,
        }
    }

    /// Entries held.
    pub(crate) fn len(&self) -> usize {
        self.taken
    }

    /// Seats `node` in a slot and says in which.
    pub(crate) fn put(&mut self, node: Node<K, T>) -> u32 {
        self.taken += 1;
        if let Some(Slot::Vacant { next }) = self.slots.get(self.vacant as usize) {
            let at = std::mem::replace(&mut self.vacant, *next);
            self.slots[at as usize] = Slot::Taken(node);
            return at;
        }
        if self.slots.len() == self.slots.capacity() {
            // By half: a full table that has just doubled would carry as much air as entries.
            self.slots.reserve_exact((self.slots.len() / 2).max(8));
        }
        let at = u32::try_from(self.slots.len()).expect("the bound keeps slots within 32 bits");
        self.slots.push(Slot::Taken(node));
        at
    }

    /// Takes the entry out of slot `at`.
    pub(crate) fn take(&mut self, at: u32) -> Node<K, T> {
        match std::mem::replace(
            &mut self.slots[at as usize],
            Slot::Vacant { next: self.vacant },
        ) {
            Slot::Taken(node) => {
                self.vacant = at;
                self.taken -= 1;
                if let Some(kept) = self.kept.get_mut(at as usize) {
                    *kept = Instant::ZERO;
                }
                node
            }
            Slot::Vacant { .. } => unreachable!("slot {at} is vacant"),
        }
    }

    /// Puts `node` in the place of the entry in slot `at`, which is taken; its weight and until when it is kept are to be said anew.
    #[inline]
    pub(crate) fn exchange(&mut self, at: u32, node: Node<K, T>) -> Node<K, T> {
        std::mem::replace(self.node_mut(at), node)
    }

    /// What the entry in slot `at` weighs.
    #[inline]
    pub(crate) fn weight(&self, at: u32) -> u64 {
        self.weights.get(at as usize).copied().unwrap_or(0)
    }

    /// The entry in slot `at` weighs this much, until it leaves.
    #[inline]
    pub(crate) fn weigh(&mut self, at: u32, weight: u64) {
        if self.weights.len() <= at as usize {
            if weight == 0 {
                return;
            }
            self.weights.resize(self.slots.len(), 0);
        }
        self.weights[at as usize] = weight;
    }

    /// Keeps the entry in slot `at` until then, beyond its deadline; until its deadline, if that is later.
    #[inline]
    pub(crate) fn keep(&mut self, at: u32, until: Instant) {
        let is_beyond = until > self.node(at).deadline;
        if is_beyond || !self.kept.is_empty() {
            self.note(at, if is_beyond { until } else { Instant::ZERO });
        }
    }

    #[inline(never)]
    fn note(&mut self, at: u32, beyond: Instant) {
        if self.kept.len() <= at as usize {
            if beyond == Instant::ZERO {
                return;
            }
            self.kept.resize(self.slots.len(), Instant::ZERO);
        }
        self.kept[at as usize] = beyond;
    }

    /// Until when the entry in slot `at` is kept.
    #[inline]
    pub(crate) fn kept_until(&self, at: u32) -> Instant {
        let beyond = self.kept.get(at as usize).copied();
        beyond.unwrap_or(Instant::ZERO).max(self.node(at).deadline)
    }

    /// What all entries weigh together.
    pub(crate) fn total_weight(&self) -> u64 {
        self.iter().map(|(at, _)| self.weight(at)).sum()
    }

    /// The entry in slot `at`, which is taken.
    #[inline(always)]
    pub(crate) fn node(&self, at: u32) -> &Node<K, T> {
        match &self.slots[at as usize] {
            Slot::Taken(node) => node,
            Slot::Vacant { .. } => unreachable!("slot {at} is vacant"),
        }
    }

    /// The entry in slot `at`, which is taken.
    #[inline(always)]
    pub(crate) fn node_mut(&mut self, at: u32) -> &mut Node<K, T> {
        match &mut self.slots[at as usize] {
            Slot::Taken(node) => node,
            Slot::Vacant { .. } => unreachable!("slot {at} is vacant"),
        }
    }

    /// When the entry in slot `at` has to leave, if there is an entry and it ever has to.
    pub(crate) fn end(&self, at: u32) -> Option<Instant> {
        self.get(at)?;
        Some(self.kept_until(at)).filter(|end| *end != Instant::NEVER)
    }

    /// How many slots there are, taken or vacant.
    pub(crate) fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("the bound keeps slots within 32 bits")
    }

    /// Every entry, with its slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Node<K, T>)> {
        (0..)
            .zip(self.slots.iter())
            .filter_map(|(at, slot)| match slot {
                Slot::Taken(node) => Some((at, node)),
                Slot::Vacant { .. } => None,
            })
    }

    /// The entry in slot `at`, if there is one.
    pub(crate) fn get(&self, at: u32) -> Option<&Node<K, T>> {
        match self.slots.get(at as usize)? {
            Slot::Taken(node) => Some(node),
            Slot::Vacant { .. } => None,
        }
    }

    /// Whether the vacant slots, and only they, are on the list of vacant ones.
    pub(crate) fn check(&self) -> Result<(), String> {
        let taken = self.iter().count();
        if taken != self.taken {
            return Err(format!(
                "{taken} slots are taken, {} are counted",
                self.taken
            ));
        }
        let (mut listed, mut at) = (0, self.vacant);
        while at != NONE {
            let Some(Slot::Vacant { next }) = self.slots.get(at as usize) else {
                return Err(format!("slot {at} is listed as vacant and is not"));
            };
            listed += 1;
            if listed > self.slots.len() {
                return Err("the list of vacant slots is a circle".to_owned());
            }
            at = *next;
        }
        if listed + taken != self.slots.len() {
            return Err(format!(
                "{listed} vacant and {taken} taken of {} slots",
                self.slots.len()
            ));
        }
        Ok(())
    }
}

impl<K, T> Seats for Slab<K, T> {
    #[inline]
    fn seat(&self, at: u32) -> &Seat {
        &self.node(at).seat
    }

    #[inline]
    fn seat_mut(&mut self, at: u32) -> &mut Seat {
        &mut self.node_mut(at).seat
    }

    #[inline]
    fn hash(&self, at: u32) -> u32 {
        self.node(at).hash
    }

    #[inline]
    fn hash_and_seat(&mut self, at: u32) -> (u32, &mut Seat) {
        let node = self.node_mut(at);
        (node.hash, &mut node.seat)
    }

    fn deadline(&self, at: u32) -> Instant {
        self.node(at).deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(key: u64) -> Node<u64, ()> {
        Node {
            key,
            payload: (),
            deadline: Instant::NEVER,
            hash: 0,
            seat: Seat::new(),
        }
    }

    #[test]
    fn a_node_of_a_24_byte_key_and_a_32_byte_payload_takes_80_bytes() {
        assert_eq!(size_of::<Slot<[u64; 3], [u64; 4]>>(), 80);
    }

    #[test]
    fn a_number_under_a_number_takes_one_cache_line() {
        assert_eq!(size_of::<Slot<u64, [u64; 4]>>(), 64);
    }

    #[test]
    fn slots_are_used_again() {
        let mut slab = Slab::new();
        let slots: Vec<u32> = (0..10).map(|key| slab.put(node(key))).collect();
        assert_eq!(slab.take(slots[3]).key, 3);
        assert_eq!(slab.take(slots[7]).key, 7);
        slab.check().unwrap();
        assert_eq!(
            (slab.put(node(10)), slab.put(node(11))),
            (slots[7], slots[3])
        );
        assert_eq!((slab.len(), slab.slots()), (10, 10));
        slab.check().unwrap();
    }

    #[test]
    fn weights_take_no_room_unless_an_entry_has_one() {
        let mut slab = Slab::new();
        let slots: Vec<u32> = (0..10).map(|key| slab.put(node(key))).collect();
        slab.weigh(slots[3], 0);
        assert_eq!((slab.weights.capacity(), slab.weight(slots[3])), (0, 0));
        slab.weigh(slots[3], 7);
        slab.weigh(slots[9], 2);
        assert_eq!((slab.weight(slots[3]), slab.total_weight()), (7, 9));
    }

    #[test]
    fn the_array_grows_by_half() {
        let mut slab = Slab::new();
        for key in 0..1_000 {
            slab.put(node(key));
            let (used, room) = (slab.slots.len(), slab.slots.capacity());
            assert!(
                room <= used + used / 2 + 8,
                "{room} slots of room for {used}"
            );
        }
    }
}
