//! In which slot the entry of a hash is: all that a look-up sees of it lies in one cache line, mostly.
//!
//! After F14 (Bronson and Shi, "Open-sourcing F14 for faster, more memory-efficient hash tables", 2019). A line has two halves of six
//! slots each, with a byte of each one's hash. Who finds its half full lies in the other, or in one of the next lines, and is
//! counted by every half that it passed by: a look-up ends where nobody passed by, and who leaves takes its counts along instead of
//! leaving a tombstone. There are four such counts, each for a quarter of the hashes: where entries come and go, two halves in five
//! have been passed by, and one look-up in eight that finds nothing has to look on.
//!
//! A hash is mixed, and its high bits choose the line, by a multiplication, so that there may be any number of lines; the low ones choose
//! the half and tell neighbours apart.

/// Slots in a half.
const LANES: usize = 6;
/// How many slots a line has on average before there are more lines.
const FULL: usize = 9;
/// In the byte of each lane a one.
const ONES: u64 = 0x0101_0101_0101;
/// In the byte of each lane the highest bit, which no tag has.
const HIGHS: u64 = ONES << 7;
/// By this a hash is multiplied before its high bits choose a line (Knuth, "The Art of Computer Programming" 6.4): keys that are evenly
/// apart may differ little there.
const MIXES: u32 = 0x9E37_79B9;
/// A count that ends here stays, until all is filed anew.
const MANY: u64 = 15;

/// Half a line.
#[derive(Clone, Copy)]
#[repr(C)]
struct Half {
    /// In each lane's byte 0 if it is vacant, else its [`tag`]; above them how many passed by, in [counts](count) of four bits.
    word: u64,
    slots: [u32; LANES],
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([Half; 2]);

/// Where slots are, by hash.
pub(crate) struct Index {
    lines: Box<[Line]>,
    entries: usize,
}

/// Seven bits of a hash, but never 0 nor 1: so that no vacant lane is taken for one of a tag.
#[inline(always)]
fn tag(hash: u32) -> u64 {
    u64::from((hash & 0x7F).max(2))
}

/// Where in a half's word those of this hash are counted that passed by.
#[inline(always)]
fn count(hash: u32) -> u32 {
    8 * LANES as u32 + (hash >> 6 & 0b1100)
}

impl Half {
    const EMPTY: Self = Self {
        word: 0,
        slots: [0; LANES],
    };

    /// The lanes that may have this tag, or are vacant if it is 0: all that do, the first of them first, and seldom another.
    #[inline(always)]
    fn like(&self, tag: u64) -> Lanes {
        // A byte that is 0 has to borrow, which shows in its highest bit; and in that of the next, if it is 1.
        Lanes((self.word ^ (tag * ONES)).wrapping_sub(ONES) & HIGHS)
    }

    /// How many of this hash, or of some others, passed by.
    #[inline(always)]
    fn passed(&self, hash: u32) -> u64 {
        self.word >> count(hash) & MANY
    }

    /// Files a slot, or has it pass by if there is no room; whether it is filed.
    #[inline(always)]
    fn file(&mut self, hash: u32, slot: u32) -> bool {
        let Some(lane) = self.like(0).next() else {
            if self.passed(hash) < MANY {
                self.word += 1 << count(hash);
            }
            return false;
        };
        self.word |= tag(hash) << (8 * lane);
        self.slots[lane] = slot;
        true
    }

    /// Takes a slot out; whether it was there.
    #[inline(always)]
    fn remove(&mut self, hash: u32, slot: u32) -> bool {
        let lane = self.like(tag(hash)).find(|&lane| self.slots[lane] == slot);
        lane.inspect(|lane| self.word &= !(0xFF << (8 * lane)))
            .is_some()
    }

    #[inline(always)]
    fn tag(&self, lane: usize) -> u64 {
        self.word >> (8 * lane) & 0xFF
    }

    fn taken(&self) -> impl Iterator<Item = usize> {
        (0..LANES).filter(|&lane| self.tag(lane) != 0)
    }
}

/// Lanes of a half, by the highest bits of their bytes.
struct Lanes(u64);

impl Iterator for Lanes {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let lane = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(lane)
    }
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            lines: Box::default(),
            entries: 0,
        }
    }

    /// Slots that are filed.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// Where a hash belongs after so many steps: its own half of its own line, the other one of that line, and so on with the next.
    #[inline(always)]
    fn place(&self, hash: u32, step: usize) -> (usize, usize) {
        let lines = self.lines.len();
        let mixed = hash.wrapping_mul(MIXES);
        let line = ((u64::from(mixed) * lines as u64) >> 32) as usize + step / 2;
        let half = (hash >> 7) as usize ^ step;
        (
            if step > 1 && line >= lines {
                line - lines
            } else {
                line
            },
            half & 1,
        )
    }

    #[inline(always)]
    fn half(&mut self, hash: u32, step: usize) -> &mut Half {
        let (line, half) = self.place(hash, step);
        &mut self.lines[line].0[half]
    }

    /// The half where a look-up goes on that found nothing in this one, if any of its hash passed by.
    #[inline(never)]
    fn behind(&self, half: &Half, hash: u32, step: usize) -> Option<&Half> {
        if half.passed(hash) == 0 || step == 2 * self.lines.len() {
            return None;
        }
        let (line, half) = self.place(hash, step);
        Some(&self.lines[line].0[half])
    }

    /// The slot of this hash that `is_it`.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let (line, half) = self.place(hash, 0);
        let mut half = &self.lines.get(line)?.0[half];
        let mut step = 0;
        loop {
            for lane in half.like(tag(hash)) {
                let slot = half.slots[lane];
                if is_it(slot) {
                    return Some(slot);
                }
            }
            step += 1;
            half = self.behind(half, hash, step)?;
        }
    }

    /// Files a slot that is not there. `hash_of` knows the hash of every slot that is; there are never more than `most`.
    #[inline(always)]
    pub(crate) fn insert(
        &mut self,
        hash: u32,
        slot: u32,
        most: usize,
        hash_of: impl Fn(u32) -> u32,
    ) {
        if self.entries == self.lines.len() * FULL {
            self.grow(most, hash_of);
        }
        self.entries += 1;
        self.file(hash, slot);
    }

    #[inline(always)]
    fn file(&mut self, hash: u32, slot: u32) {
        if !self.half(hash, 0).file(hash, slot) {
            self.file_behind(hash, slot);
        }
    }

    #[inline(never)]
    fn file_behind(&mut self, hash: u32, slot: u32) {
        let mut step = 1;
        while !self.half(hash, step).file(hash, slot) {
            step += 1;
        }
    }

    /// Takes out a slot of this hash; whether it was there.
    #[inline(always)]
    pub(crate) fn remove(&mut self, hash: u32, slot: u32) -> bool {
        let was_there = self.entries > 0
            && (self.half(hash, 0).remove(hash, slot) || self.remove_behind(hash, slot));
        self.entries -= usize::from(was_there);
        was_there
    }

    #[inline(never)]
    fn remove_behind(&mut self, hash: u32, slot: u32) -> bool {
        let mut steps = 1..2 * self.lines.len();
        let Some(last) = steps.find(|&step| self.half(hash, step).remove(hash, slot)) else {
            return false;
        };
        for step in 0..last {
            let half = self.half(hash, step);
            if half.passed(hash) < MANY {
                half.word -= 1 << count(hash);
            }
        }
        true
    }

    /// Makes it larger by half, but not larger than `most` slots need.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, most: usize, hash_of: impl Fn(u32) -> u32) {
        let lines = self.lines.len();
        let more = (lines + lines / 2).min(most.div_ceil(FULL)).max(lines + 1);
        let lines = vec![Line([Half::EMPTY; 2]); more].into();
        let before = std::mem::replace(&mut self.lines, lines);
        for half in before.iter().flat_map(|line| &line.0) {
            for slot in half.taken().map(|lane| half.slots[lane]) {
                self.file(hash_of(slot), slot);
            }
        }
    }

    /// How many slots there is room for.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.lines.len() * FULL
    }

    /// Whether each slot is where its hash is looked for, and counted by the halves that it passed by.
    pub(crate) fn check(&self, hash_of: impl Fn(u32) -> u32) -> Result<(), String> {
        let mut entries = 0;
        let mut passed = vec![[[0; 4]; 2]; self.lines.len()];
        let halves = || self.lines.iter().flat_map(|line| &line.0);
        for half in halves() {
            for lane in half.taken() {
                let slot = half.slots[lane];
                let hash = hash_of(slot);
                if half.tag(lane) != tag(hash) {
                    return Err(format!("slot {slot} is filed under another hash"));
                }
                entries += 1;
                let steps = (0..2 * self.lines.len()).map(|step| self.place(hash, step));
                for (line, number) in steps
                    .take_while(|&(line, number)| !std::ptr::eq(&self.lines[line].0[number], half))
                {
                    passed[line][number][(count(hash) / 4 % 4) as usize] += 1;
                }
            }
        }
        if entries != self.entries {
            return Err(format!(
                "{entries} slots are filed, {} are counted",
                self.entries
            ));
        }
        for (at, (half, passed)) in halves().zip(passed.as_flattened()).enumerate() {
            for (&passed, hash) in passed.iter().zip([0, 1 << 8, 2 << 8, 3 << 8]) {
                let counted = half.passed(hash);
                if counted != passed && counted < MANY {
                    return Err(format!(
                        "{passed} passed by half {at}, {counted} are counted"
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const NO_BOUND: usize = 1 << 31;

    /// SplitMix64.
    fn chance(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn filed(slots: impl Iterator<Item = u32>, hash_of: impl Fn(u32) -> u32) -> Index {
        let mut index = Index::new();
        slots.for_each(|slot| index.insert(hash_of(slot), slot, NO_BOUND, &hash_of));
        index
    }

    #[test]
    fn hashes_that_are_evenly_apart_are_spread() {
        for apart in [1, 3, 1 << 8, 1 << 16, 1 << 20] {
            let hash_of = |slot: u32| slot.wrapping_mul(apart);
            let index = filed(0..900, hash_of);
            let mut lines = vec![0; index.lines.len()];
            (0..900).for_each(|slot| lines[index.place(hash_of(slot), 0).0] += 1);
            let most = lines.iter().max();
            assert!(most <= Some(&24), "{most:?} of {apart} apart in one line");
        }
    }

    /// Does what chance says with an index and a map, whose hashes are those that are left of this mask.
    fn play(steps: usize, slots: u64, mask: u32) {
        let (mut state, mut index, mut model) = (u64::from(mask), Index::new(), HashMap::new());
        for step in 0..steps {
            let slot = (chance(&mut state) % slots) as u32;
            match model.remove(&slot) {
                Some(hash) => {
                    let is_it = |other| {
                        assert!(
                            other == slot || model.contains_key(&other),
                            "slot {other} is vacant"
                        );
                        other == slot
                    };
                    assert_eq!(index.find(hash, is_it), Some(slot));
                    assert!(!index.remove(!hash, slot));
                    assert!(index.remove(hash, slot));
                    assert_eq!(index.find(hash, is_it), None);
                }
                None => {
                    let hash = chance(&mut state) as u32 & mask;
                    model.insert(slot, hash);
                    index.insert(hash, slot, NO_BOUND, |slot| model[&slot]);
                }
            }
            assert_eq!(index.len(), model.len());
            if step % 64 == 0 {
                index.check(|slot| model[&slot]).unwrap();
                for (&slot, &hash) in &model {
                    assert_eq!(index.find(hash, |other| other == slot), Some(slot));
                }
            }
        }
        for (&slot, &hash) in &model {
            assert!(index.remove(hash, slot));
        }
        // But for counts that came to their end.
        let ended = |half: &Half| (0..4).map(|quarter| half.passed(quarter << 8)).collect();
        let counts = index.lines.iter().flat_map(|line| &line.0);
        let counts: Vec<Vec<u64>> = counts
            .inspect(|half| assert_eq!(half.taken().count(), 0))
            .map(ended)
            .collect();
        let most = if mask == u32::MAX { 0 } else { MANY };
        assert!(
            counts
                .concat()
                .iter()
                .all(|&count| count == 0 || count == most)
        );
    }

    #[test]
    fn it_knows_what_a_map_knows() {
        play(20_000, 1_000, u32::MAX);
        // Few lines, or few tags, or one of both for many.
        play(5_000, 300, 0xC000_00FF);
        play(5_000, 300, 0xFFFF_FF00);
        play(5_000, 300, 0x8000_0081);
        play(2_000, 100, 0);
    }

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }

    #[test]
    fn who_is_looked_at_is_nearly_always_who_is_looked_for() {
        let mut state = 1;
        let hashes: Vec<u32> = (0..9_000).map(|_| chance(&mut state) as u32).collect();
        let index = filed(0..9_000, |slot| hashes[slot as usize]);
        let looked_at = |hash| {
            let mut looks = 0;
            index.find(hash, |_| {
                looks += 1;
                false
            });
            looks
        };
        let strangers: usize = (0..9_000)
            .map(|_| looked_at(chance(&mut state) as u32))
            .sum();
        assert!(strangers < 9_000 / 16, "{strangers} looks for nothing");
        let beyond = index
            .lines
            .iter()
            .filter(|line| line.0.iter().all(|half| half.passed(0) > 0));
        assert!(beyond.count() < index.lines.len() / 8);
    }

    #[test]
    fn it_grows_by_half_and_not_beyond_its_bound() {
        let hash_of = |slot: u32| slot.wrapping_mul(0x9E37_79B1);
        for most in [1, 7, 100, 1_000] {
            let mut index = Index::new();
            for slot in 0..most as u32 {
                index.insert(hash_of(slot), slot, most, hash_of);
                let (held, room) = (index.len(), index.capacity());
                assert!(
                    room <= held + held / 2 + FULL,
                    "room for {room}, {held} held"
                );
                assert!(
                    room < most + FULL,
                    "room for {room}, there are {most} at most"
                );
            }
            index.check(hash_of).unwrap();
        }
    }

    #[test]
    fn counts_that_came_to_their_end_stay_until_it_grows() {
        let hash_of = |_| 0;
        let mut index = filed(0..9, hash_of);
        index.lines[0].0[0].word |= MANY << count(0);
        assert!(index.remove(0, 8));
        index.insert(0, 8, NO_BOUND, hash_of);
        assert_eq!(index.lines[0].0[0].passed(0), MANY);
        index.check(hash_of).unwrap();
        index.insert(0, 9, NO_BOUND, hash_of);
        assert_eq!(index.lines[0].0[0].passed(0), 4);
        index.check(hash_of).unwrap();
    }

    #[test]
    fn where_all_counts_came_to_their_end_a_look_up_ends_all_the_same() {
        let mut index = filed(0..40, |slot| slot << 27);
        for half in index.lines.iter_mut().flat_map(|line| &mut line.0) {
            half.word |= MANY << count(77);
        }
        assert_eq!(index.find(77, |slot| slot == 40), None);
        assert!(!index.remove(77, 40));
    }

    #[test]
    fn faults_are_found() {
        let hash_of = |slot: u32| slot << 27;
        let broken = |breaks: fn(&mut Index)| {
            let mut index = filed(0..30, hash_of);
            breaks(&mut index);
            index.check(hash_of).unwrap_err()
        };
        let counted = broken(|index| index.entries += 1);
        assert_eq!(counted, "30 slots are filed, 31 are counted");
        let tag = broken(|index| index.lines[0].0[0].word ^= 1);
        assert_eq!(tag, "slot 0 is filed under another hash");
        let passed = broken(|index| index.lines[1].0[1].word += 1 << count(0));
        assert_eq!(passed, "0 passed by half 3, 1 are counted");
    }
}
