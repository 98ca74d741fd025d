//! How often keys were requested lately: a count-min sketch of four-bit counters that ages.
//!
//! After Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", 2017. Six bytes
//! of counters for each entry; the four counters of a key lie in two neighbouring words, so that a count costs one cache line.

/// A count ends here.
const MOST: u64 = 15;
/// The lower three bits of each counter: what is left of it when it is halved.
const HALVES: u64 = 0x7777_7777_7777_7777;
/// So many requests for each entry, and all counts are halved.
const SAMPLE: usize = 10;
/// For fewer entries counts are halved as seldom as for so many: what they compete with is more than they are.
const FEW: usize = 512;
/// Up to so many entries counters are plenty: there chance does not even out.
const PLENTY: usize = 4_096;

/// The counters of one shard.
pub(super) struct Sketch {
    words: Vec<u64>,
    /// For so many entries.
    entries: usize,
    added: usize,
}

impl Sketch {
    /// An empty one for so many entries.
    pub(super) fn new(entries: usize) -> Self {
        Self {
            words: vec![0; 2 * FEW.max(entries.min(PLENTY) + entries * 3 / 8)],
            entries,
            added: 0,
        }
    }

    /// How many entries it is meant for.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The four counters of a key: which word, and which bits of it.
    fn counters(&self, hash: u32) -> [(usize, u32); 4] {
        let mixed = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let pairs = self.words.len() as u64 / 2;
        let pair = 2 * (((mixed >> 32) * pairs) >> 32) as usize;
        let bits = mixed as u32;
        // Two counters in the lower and upper half of each word.
        [
            (pair, (bits & 7) * 4),
            (pair, 32 + (bits >> 3 & 7) * 4),
            (pair + 1, (bits >> 6 & 7) * 4),
            (pair + 1, 32 + (bits >> 9 & 7) * 4),
        ]
    }

    /// Counts one request.
    pub(super) fn add(&mut self, hash: u32) {
        let mut added = false;
        for (word, shift) in self.counters(hash) {
            if self.words[word] >> shift & MOST < MOST {
                self.words[word] += 1 << shift;
                added = true;
            }
        }
        self.added += usize::from(added);
        if self.added >= SAMPLE * self.entries.max(FEW) {
            self.age();
        }
    }

    #[cold]
    fn age(&mut self) {
        for word in &mut self.words {
            *word = *word >> 1 & HALVES;
        }
        self.added /= 2;
    }

    /// About how often the key was requested lately.
    pub(super) fn count(&self, hash: u32) -> u64 {
        let counters = self.counters(hash);
        let counts = counters.map(|(word, shift)| self.words[word] >> shift & MOST);
        counts.into_iter().min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u32) -> u32 {
        key.wrapping_mul(0x85EB_CA6B)
    }

    #[test]
    fn counts_are_not_too_small_seldom_too_great_and_end_at_fifteen() {
        let mut sketch = Sketch::new(1_000);
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
    fn a_sample_of_requests_for_each_entry_halves_all_counts() {
        for (entries, sample) in [(1_000, 10_000), (100, 5_120), (1, 5_120)] {
            let mut sketch = Sketch::new(entries);
            for _ in 0..8 {
                sketch.add(hash(1));
            }
            for key in 0.. {
                if sketch.added == sample - 1 {
                    break;
                }
                sketch.add(hash(1_000 + key));
            }
            assert!(sketch.count(hash(1)) >= 8);
            let before = sketch.count(hash(1));
            sketch.add(hash(2));
            assert_eq!(
                (sketch.added, sketch.count(hash(1))),
                (sample / 2, before / 2)
            );
        }
    }
}
