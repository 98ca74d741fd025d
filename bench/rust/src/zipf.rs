//! Requests by a Zipf law with exponent 0.99, the same on every run.

const EXPONENT: f64 = 0.99;

/// SplitMix64: small, and good enough to draw with.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// A number from 0 to below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A permutation of all 64-bit numbers: popular keys are not neighbours.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// So many requests for so many keys.
pub fn requests(keys: usize, count: usize, seed: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-EXPONENT);
            sum
        })
        .collect();
    let mut chance = Chance(seed);
    (0..count)
        .map(|_| {
            let drawn = chance.fraction() * sum;
            mixed(sums.partition_point(|&upper| upper <= drawn) as u64)
        })
        .collect()
}
