//! A count-min sketch of four rows of four-bit counters that ages: after a sample of additions all counts are halved.

use super::mix;

const ROWS: u64 = 4;
const MOST: u8 = 15;

/// How often keys were requested lately, about.
pub(super) struct Sketch {
    /// One byte for each counter: plain rather than small.
    counters: Vec<u8>,
    width: u64,
    additions: usize,
    sample: usize,
}

impl Sketch {
    /// For a cache of this capacity: four times as many counters in each row, as Caffeine has them, and ten times as many additions before they age.
    pub(super) fn new(capacity: usize) -> Self {
        let width = (capacity.next_power_of_two() * 4).max(8) as u64;
        Self {
            counters: vec![0; (width * ROWS) as usize],
            width,
            additions: 0,
            sample: capacity.max(1) * 10,
        }
    }

    fn places(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        let width = self.width;
        (0..ROWS).map(move |row| {
            let bits = mix(key.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ mix(row + 1));
            (row * width + (bits & (width - 1))) as usize
        })
    }

    /// Counts one request.
    pub(super) fn add(&mut self, key: u64) {
        let mut added = false;
        for place in self.places(key) {
            let counter = &mut self.counters[place];
            if *counter < MOST {
                *counter += 1;
                added = true;
            }
        }
        if added {
            self.additions += 1;
            if self.additions >= self.sample {
                self.age();
            }
        }
    }

    fn age(&mut self) {
        for counter in &mut self.counters {
            *counter /= 2;
        }
        self.additions /= 2;
    }

    /// About how often the key was requested: never less, but for ageing.
    pub(super) fn count(&self, key: u64) -> u8 {
        self.places(key)
            .map(|place| self.counters[place])
            .min()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_not_too_small_and_end_at_fifteen() {
        let mut sketch = Sketch::new(1_000);
        for key in 0..100 {
            for _ in 0..=key {
                sketch.add(key);
            }
        }
        assert!((0..100).all(|key| u64::from(sketch.count(key)) >= (key + 1).min(15)));
        assert!((100..200).filter(|&key| sketch.count(key) > 0).count() < 5);
    }

    #[test]
    fn a_full_sample_halves_all_counts() {
        let mut sketch = Sketch::new(10);
        for _ in 0..9 {
            sketch.add(1);
        }
        for key in 2..92 {
            sketch.add(key);
        }
        assert_eq!(sketch.additions, 99);
        sketch.add(1);
        assert_eq!((sketch.additions, sketch.count(1) < 15), (50, true));
    }
}
