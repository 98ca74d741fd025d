//! How often keys were requested lately: a count-min sketch of four-bit counters that ages.
//!
//! After Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", 2017. Six bytes
//! of counters for each entry; the four counters of a key lie in two neighbouring words, so that a count costs one cache line.
//!
//! Where a key is taken for another, chance decides: the seed of the hashes. So only the least of a key's counters are raised, and the
//! keys that shadows see have room for nearly all that is remembered of them.

/// A count ends here.
const MOST: u64 = 15;
/// The lower three bits of each counter: what is left of it when it is halved.
const HALVES: u64 = 0x7777_7777_7777_7777;
/// Up to so many entries counters are plenty: there chance does not even out.
const PLENTY: usize = 8_192;
/// The fewest pairs of words.
const FEWEST_PAIRS: usize = 512;
/// Pairs of words for each entry of a shadow, by how long counts last; and the entries that are provided for if there are fewer.
const PAIRS_SOON: usize = 4;
const PAIRS_LATE: usize = 8;
const FEWEST_ENTRIES: usize = 32;
/// Caches of fewer entries that forget late do so as if they had so many: what competes with them is more than they are.
const FEW: usize = 128;
/// Where counts last long, an entry stays unless a newcomer was requested more often by more than such a part: a loop through more
/// keys than there is room for comes by the ageing at another place each time, and some counts are then one more than others.
const MARGIN: u64 = 5;

/// How long counts last.
#[derive(Clone, Copy)]
pub(super) enum Ageing {
    /// Counts are halved after ten requests for each entry, as the paper has it.
    Soon,
    /// After forty: long loops are told apart by what happened many turns ago.
    Late,
}

impl Ageing {
    /// After so many counted requests all counts are halved.
    fn period(self, entries: usize) -> usize {
        match self {
            Self::Soon => 10 * entries.max(1),
            Self::Late => 40 * entries.max(FEW),
        }
    }
}

/// Whether a newcomer of this count is worth more than an entry of that; a patient cache wants to be surer of it.
#[inline]
pub(super) fn prefers(newcomer: u64, entry: u64, is_patient: bool) -> bool {
    // Counts end: what is there long must not be out of reach.
    let margin = if is_patient { entry / MARGIN } else { 0 };
    newcomer > (entry + margin).min(MOST - 1).max(entry)
}

/// Where the counters of a key are: in which pair of words, and at which bits.
type Place = (usize, [u32; 4]);

/// The counters of one shard.
pub(super) struct Sketch {
    pairs: Vec<[u64; 2]>,
    /// For so many entries.
    entries: usize,
    added: usize,
    is_patient: bool,
    period: usize,
    /// The key that was last counted without a request to add, and what was said of it: in an eviction that is the one who stays, and
    /// mostly the next one asks for it again.
    known: Option<(u32, u64)>,
}

impl Sketch {
    /// An empty one for so many entries.
    pub(super) fn new(entries: usize, ageing: Ageing) -> Self {
        let pairs = FEWEST_PAIRS.max(entries.min(PLENTY)).max(entries * 3 / 8);
        Self::of(pairs, entries, ageing)
    }

    /// An empty one for shadows of so many entries, which see all keys or a sample of them.
    pub(super) fn of_shadows(entries: usize, ageing: Ageing, see_all: bool) -> Self {
        let pairs = match ageing {
            Ageing::Soon => PAIRS_SOON * entries.max(FEWEST_ENTRIES),
            Ageing::Late => PAIRS_LATE * entries.max(FEW),
        };
        Self {
            is_patient: see_all && matches!(ageing, Ageing::Late),
            ..Self::of(pairs, entries, ageing)
        }
    }

    fn of(pairs: usize, entries: usize, ageing: Ageing) -> Self {
        Self {
            pairs: vec![[0; 2]; pairs],
            entries,
            added: 0,
            is_patient: false,
            period: ageing.period(entries),
            known: None,
        }
    }

    /// Ages like this from here on.
    pub(super) fn ages(&mut self, ageing: Ageing) {
        self.period = ageing.period(self.entries);
    }

    /// Whether who goes by its counts should be patient: where they last long and are of all keys. A sample has another place in loops.
    pub(super) fn is_patient(&self) -> bool {
        self.is_patient
    }

    /// Where the four counters of a key are: in which pair of words, and at which bits, two in each word.
    #[inline]
    fn place(&self, hash: u32) -> Place {
        let mixed = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let pair = ((mixed >> 32) * self.pairs.len() as u64) >> 32;
        let bits = (mixed >> 16) as u32;
        // Two counters in the lower and upper half of each word; a counter has four bits.
        let half = |from: u32| bits >> from & 28;
        (
            pair as usize,
            [half(0), 32 + half(3), half(6), 32 + half(9)],
        )
    }

    /// Counts one request.
    #[inline]
    pub(super) fn add(&mut self, hash: u32) {
        self.add_many(hash, 1);
    }

    /// Counts several requests of one key, as far as a count goes. Counters that are ahead of it count others too, and stay.
    pub(super) fn add_many(&mut self, hash: u32, times: u8) {
        self.forget(hash);
        let place = self.place(hash);
        self.step(place, &Rise::of(self.counts(place), times));
    }

    /// What is known of this key is so no longer.
    #[inline]
    fn forget(&mut self, hash: u32) {
        if self.known.is_some_and(|(known, _)| known == hash) {
            self.known = None;
        }
    }

    /// Counts several requests of one key, if any, and says how often it was requested lately.
    #[inline(always)]
    pub(super) fn add_and_count(&mut self, hash: u32, times: u8) -> u64 {
        if times == 0 {
            return self.count_again(hash);
        }
        self.forget(hash);
        let place = self.place(hash);
        let rise = Rise::of(self.counts(place), times);
        match self.step(place, &rise) {
            true => least(self.counts(place)),
            false => rise.least,
        }
    }

    /// As [`count`](Self::count), for a key of which that may have been asked a moment ago.
    #[inline(always)]
    fn count_again(&mut self, hash: u32) -> u64 {
        match self.known {
            Some((known, count)) if known == hash => count,
            _ => {
                let count = self.count(hash);
                self.known = Some((hash, count));
                count
            }
        }
    }

    /// Adds to the four counters; whether all counts were halved then.
    #[inline]
    fn step(&mut self, (pair, [one, two, three, four]): Place, rise: &Rise) -> bool {
        let ([first, second], steps) = (&mut self.pairs[pair], rise.steps);
        *first += steps[0] << one | steps[1] << two;
        *second += steps[2] << three | steps[3] << four;
        self.added += rise.most as usize;
        let is_due = self.added >= self.period;
        if is_due {
            self.age();
        }
        is_due
    }

    #[cold]
    fn age(&mut self) {
        for word in self.pairs.as_flattened_mut() {
            *word = *word >> 1 & HALVES;
        }
        self.added /= 2;
        self.known = None;
    }

    /// About how often the key was requested lately.
    #[inline]
    pub(super) fn count(&self, hash: u32) -> u64 {
        least(self.counts(self.place(hash)))
    }

    #[inline]
    fn counts(&self, (pair, [one, two, three, four]): Place) -> [u64; 4] {
        let [first, second] = self.pairs[pair];
        [first >> one, first >> two, second >> three, second >> four].map(|count| count & MOST)
    }
}

/// By how much a key's counters are raised by so many requests, as far as a count goes: those that are ahead of it stay.
struct Rise {
    steps: [u64; 4],
    /// The greatest of them, which is that of the least counter.
    most: u64,
    /// What is the least counter then.
    least: u64,
}

impl Rise {
    #[inline(always)]
    fn of(counts: [u64; 4], times: u8) -> Self {
        let before = least(counts);
        let least = MOST.min(before + u64::from(times));
        Self {
            steps: counts.map(|count| least.saturating_sub(count)),
            most: least - before,
            least,
        }
    }
}

/// What four counters say of a key: each of them says at least as much.
#[inline]
fn least([one, two, three, four]: [u64; 4]) -> u64 {
    one.min(two).min(three.min(four))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u32) -> u32 {
        key.wrapping_mul(0x85EB_CA6B)
    }

    #[test]
    fn counts_are_not_too_small_seldom_too_great_and_end_at_fifteen() {
        let mut sketch = Sketch::new(1_000, Ageing::Soon);
        for key in 0..100 {
            for _ in 0..=key {
                sketch.add(hash(key));
            }
        }
        assert!((0..100).all(|key| sketch.count(hash(key)) >= u64::from(key + 1).min(MOST)));
        let strangers = (1_000..2_000).filter(|&key| sketch.count(hash(key)) > 0);
        assert!(strangers.count() < 20);
    }

    #[test]
    fn a_period_of_requests_for_each_entry_halves_all_counts() {
        let cases = [
            (1_000, Ageing::Soon, 10_000),
            (100, Ageing::Late, 40 * FEW),
            (1, Ageing::Soon, 10),
        ];
        for (entries, ageing, period) in cases {
            let mut sketch = Sketch::new(entries, ageing);
            for _ in 0..8 {
                sketch.add(hash(1));
            }
            for key in 0.. {
                if sketch.added == period - 1 {
                    break;
                }
                sketch.add(hash(1_000 + key));
            }
            assert!(sketch.count(hash(1)) >= 8);
            let before = sketch.count(hash(1));
            sketch.add(hash(2));
            assert_eq!(
                (sketch.added, sketch.count(hash(1))),
                (period / 2, before / 2)
            );
        }
    }
}
