//! Chance that is the same each time.

use crate::twins::mix;

/// A sequence of random numbers that its seed determines.
pub struct Draw(u64);

impl Draw {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From zero, and less than one.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From zero, and less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.fraction() * end as f64) as usize
    }
}

/// Ranks of which each is drawn in proportion to a power of its inverse.
pub struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    /// So many ranks; the greater the skew, the more the first ones are drawn.
    #[must_use]
    pub fn new(ranks: usize, skew: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=ranks).map(|rank| {
            sum += (rank as f64).powf(-skew);
            sum
        });
        Self {
            sums: sums.collect(),
        }
    }

    /// One rank, from zero.
    pub fn draw(&self, draw: &mut Draw) -> usize {
        let point = draw.fraction() * self.sums.last().copied().unwrap_or(0.0);
        self.sums.partition_point(|&sum| sum <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_is_drawn_as_often_as_it_should_be() {
        let (zipf, mut draw) = (Zipf::new(100, 1.0), Draw::new(1));
        let firsts = (0..100_000).filter(|_| zipf.draw(&mut draw) == 0).count();
        // One in the hundredth harmonic number, 5.187.
        assert!((18_900..19_700).contains(&firsts), "{firsts}");
    }

    #[test]
    fn a_seed_determines_all() {
        let three = |seed| {
            let mut draw = Draw::new(seed);
            [draw.bits(), draw.bits(), draw.bits()]
        };
        assert_eq!(three(7), three(7));
        assert_ne!(three(7), three(8));
    }
}
