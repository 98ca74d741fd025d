//! Which entries expire when.
//!
//! Deadlines are filed in buckets of about a second. Filing is lazy. A slot is filed at least once, at or before the
//! bucket of its entry's deadline; `filed` remembers where. An entry that gets a later deadline, or leaves, stays filed
//! as it is, and so does the next entry in its slot unless it expires earlier. A filing is thus no more than advice to
//! look at a slot when its bucket is due: the slot's deadline decides, and what is not due is filed again. Filings that
//! no longer count are known by `filed`, and all is filed anew when they pile up.

use std::collections::{BTreeMap, HashSet};

use everwarm_core::clock::Instant;

use crate::slab::Slab;

/// A bucket spans two to the power of this nanoseconds: 1.07 seconds.
const BITS: u32 = 30;
/// The bucket of every deadline that is more than 146 years from the clock's origin.
const FAR: u32 = u32::MAX - 1;
/// In no bucket; later than all of them.
const UNFILED: u32 = u32::MAX;
/// How many filings an eviction looks at in search of an expired entry.
const LOOKS: u32 = 8;

fn tick(instant: Instant) -> u32 {
    u32::try_from(instant.as_nanos() >> BITS)
        .unwrap_or(FAR)
        .min(FAR)
}

fn start(tick: u32) -> Instant {
    Instant::from_nanos(u64::from(tick) << BITS)
}

/// The deadlines of one shard.
pub(crate) struct Timer {
    buckets: BTreeMap<u32, Vec<u32>>,
    /// For each slot the bucket it counts as filed in.
    filed: Vec<u32>,
    /// Slots in all buckets, filings that no longer count included.
    filings: usize,
    /// Entries with a deadline.
    timed: usize,
    /// No deadline is earlier.
    soonest: Instant,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self {
            buckets: BTreeMap::new(),
            filed: Vec::new(),
            filings: 0,
            timed: 0,
            soonest: Instant::NEVER,
        }
    }

    /// Entries with a deadline.
    pub(crate) fn timed(&self) -> usize {
        self.timed
    }

    /// The entry in slot `at` has this deadline from here on.
    #[inline]
    pub(crate) fn entered(&mut self, at: u32, deadline: Instant) {
        if deadline != Instant::NEVER {
            self.timed += 1;
            self.file(at, deadline);
        }
    }

    /// An entry with this deadline is no longer there, or no longer has it.
    #[inline]
    pub(crate) fn left(&mut self, deadline: Instant) {
        if deadline != Instant::NEVER {
            self.timed -= 1;
        }
    }

    fn file(&mut self, at: u32, deadline: Instant) {
        self.soonest = self.soonest.min(deadline);
        let slot = at as usize;
        if slot >= self.filed.len() {
            self.filed.resize(slot + 1, UNFILED);
        }
        let tick = tick(deadline);
        if self.filed[slot] > tick {
            self.filed[slot] = tick;
            self.buckets.entry(tick).or_default().push(at);
            self.filings += 1;
        }
    }

    /// Adds to `due` the slots of entries whose deadline is `now` or earlier, as far as one bucket knows them, and says
    /// whether more may be in the next one.
    pub(crate) fn due<K, T>(
        &mut self,
        now: Instant,
        slab: &Slab<K, T>,
        due: &mut Vec<u32>,
    ) -> bool {
        if now < self.soonest {
            return false;
        }
        let Some(first) = self.buckets.first_entry() else {
            self.soonest = Instant::NEVER;
            return false;
        };
        let bucket = *first.key();
        if bucket > tick(now) {
            self.soonest = start(bucket);
            return false;
        }
        let mut pending = Vec::new();
        let mut soonest = Instant::NEVER;
        for at in first.remove() {
            self.filings -= 1;
            if self.filed[at as usize] != bucket {
                continue;
            }
            self.filed[at as usize] = UNFILED;
            match slab.end(at) {
                Some(deadline) if deadline <= now => due.push(at),
                Some(deadline) if tick(deadline) == bucket => {
                    pending.push((at, deadline));
                    soonest = soonest.min(deadline);
                }
                Some(deadline) => self.file(at, deadline),
                None => {}
            }
        }
        // Only the bucket that `now` lies in can have entries that are pending, and it is the last to look at.
        let more = pending.is_empty();
        if !more {
            self.soonest = soonest;
        }
        for (at, deadline) in pending {
            self.file(at, deadline);
        }
        more
    }

    /// A slot whose entry's deadline is `now` or earlier, if a few looks find one.
    #[inline]
    pub(crate) fn one_due<K, T>(&mut self, now: Instant, slab: &Slab<K, T>) -> Option<u32> {
        if now < self.soonest {
            return None;
        }
        self.look_for_one(now, slab)
    }

    #[inline(never)]
    fn look_for_one<K, T>(&mut self, now: Instant, slab: &Slab<K, T>) -> Option<u32> {
        for _ in 0..LOOKS {
            let mut first = self.buckets.first_entry()?;
            let bucket = *first.key();
            if bucket > tick(now) {
                self.soonest = start(bucket);
                return None;
            }
            let Some(at) = first.get_mut().pop() else {
                first.remove();
                continue;
            };
            self.filings -= 1;
            if self.filed[at as usize] != bucket {
                continue;
            }
            self.filed[at as usize] = UNFILED;
            match slab.end(at) {
                Some(deadline) if deadline <= now => return Some(at),
                Some(deadline) => {
                    self.file(at, deadline);
                    if tick(deadline) == bucket {
                        return None;
                    }
                }
                None => {}
            }
        }
        None
    }

    /// Files all anew if filings that no longer count have piled up.
    #[inline]
    pub(crate) fn tidy<K, T>(&mut self, slab: &Slab<K, T>) {
        if self.filings > 2 * self.timed + 64 {
            self.file_anew(slab);
        }
    }

    #[cold]
    fn file_anew<K, T>(&mut self, slab: &Slab<K, T>) {
        self.buckets.clear();
        self.filed.fill(UNFILED);
        self.filings = 0;
        self.soonest = Instant::NEVER;
        for (at, end) in (0..slab.slots()).filter_map(|at| Some((at, slab.end(at)?))) {
            self.file(at, end);
        }
    }

    /// Whether every entry with a deadline is filed early enough, and the counts are right.
    pub(crate) fn check<K, T>(&self, slab: &Slab<K, T>) -> Result<(), String> {
        let total: usize = self.buckets.values().map(Vec::len).sum();
        if total != self.filings || total > 2 * self.timed + 64 {
            return Err(format!(
                "{total} filings, {} counted, for {} entries",
                self.filings, self.timed
            ));
        }
        let filings: HashSet<(u32, u32)> = self
            .buckets
            .iter()
            .flat_map(|(&bucket, slots)| slots.iter().map(move |&at| (bucket, at)))
            .collect();
        let mut timed = 0;
        for (at, deadline) in (0..slab.slots()).filter_map(|at| Some((at, slab.end(at)?))) {
            timed += 1;
            let filed = self.filed[at as usize];
            if filed > tick(deadline) || deadline < self.soonest {
                return Err(format!(
                    "slot {at} is due at {deadline:?}, filed in {filed}, soonest {:?}",
                    self.soonest
                ));
            }
            if !filings.contains(&(filed, at)) {
                return Err(format!("slot {at} counts as filed in {filed} and is not"));
            }
        }
        if timed != self.timed {
            return Err(format!(
                "{timed} entries have a deadline, {} are counted",
                self.timed
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eviction::Seat;
    use crate::slab::Node;

    const SECOND: u64 = 1 << BITS;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    /// A timer over entries with these deadlines, in slots 0 and on.
    fn table(deadlines: &[u64]) -> (Timer, Slab<(), ()>) {
        let (mut timer, mut slab) = (Timer::new(), Slab::new());
        for &nanos in deadlines {
            let deadline = at(nanos);
            let slot = slab.put(Node {
                key: (),
                payload: (),
                deadline,
                hash: 0,
                seat: Seat::new(),
            });
            timer.entered(slot, deadline);
        }
        (timer, slab)
    }

    fn postpone(timer: &mut Timer, slab: &mut Slab<(), ()>, slot: u32, nanos: u64) {
        let earlier = std::mem::replace(&mut slab.node_mut(slot).deadline, at(nanos));
        timer.left(earlier);
        timer.entered(slot, at(nanos));
        timer.tidy(slab);
        timer.check(slab).unwrap();
    }

    fn sweep(timer: &mut Timer, slab: &mut Slab<(), ()>, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        while timer.due(at(now), slab, &mut due) {}
        for &slot in &due {
            timer.left(slab.take(slot).deadline);
        }
        timer.tidy(slab);
        timer.check(slab).unwrap();
        due
    }

    #[test]
    fn a_later_deadline_is_filed_when_its_bucket_is_swept() {
        let (mut timer, mut slab) = table(&[SECOND, SECOND]);
        for second in 2..100 {
            postpone(&mut timer, &mut slab, 0, second * SECOND);
        }
        assert_eq!((timer.filings, timer.filed[0]), (2, 1));
        assert_eq!(sweep(&mut timer, &mut slab, 2 * SECOND - 1), [1]);
        assert_eq!((timer.filings, timer.filed[0]), (1, 99));
    }

    #[test]
    fn a_sweep_before_the_soonest_deadline_looks_at_nothing() {
        let (mut timer, mut slab) = table(&[5 * SECOND + 7, 5 * SECOND + 9]);
        let soonest = |timer: &mut Timer, slab: &mut Slab<(), ()>, now| {
            let due = sweep(timer, slab, now);
            (due, timer.soonest)
        };
        assert_eq!(
            soonest(&mut timer, &mut slab, 5 * SECOND),
            (vec![], at(5 * SECOND + 7))
        );
        assert_eq!(
            soonest(&mut timer, &mut slab, 5 * SECOND + 8),
            (vec![0], at(5 * SECOND + 9))
        );
        assert_eq!(
            soonest(&mut timer, &mut slab, 6 * SECOND),
            (vec![1], Instant::NEVER)
        );
    }

    #[test]
    fn filings_without_entries_do_not_pile_up() {
        let (mut timer, mut slab) = table(&[1_000 * SECOND; 10]);
        for second in (1..1_000).rev() {
            postpone(&mut timer, &mut slab, 3, second * SECOND);
            assert!(timer.filings <= 2 * 10 + 64);
        }
        assert_eq!(sweep(&mut timer, &mut slab, SECOND), [3]);
    }

    #[test]
    fn a_search_for_one_due_entry_ends_soon() {
        let (mut timer, mut slab) = table(&[SECOND; 100]);
        for slot in 0..100 {
            postpone(&mut timer, &mut slab, slot, 9 * SECOND);
        }
        assert_eq!(timer.one_due(at(2 * SECOND), &slab), None);
        assert_eq!(
            timer.filed.iter().filter(|&&filed| filed == 9).count(),
            LOOKS as usize
        );
        // Slot 91 is the next to look at, and it is due by then.
        assert_eq!(timer.one_due(at(9 * SECOND), &slab), Some(91));
    }
}
