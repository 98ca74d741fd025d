//! Random numbers that follow from a seed: SplitMix64 (Steele, Lea, Flood 2014).

use std::time::Duration;

/// A source of them.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    /// The numbers of a seed.
    #[must_use]
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether it happens, `percent` of the time.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// So many milliseconds, from `least` to below `end`.
    pub(crate) fn millis(&mut self, least: u64, end: u64) -> Duration {
        Duration::from_micros(1_000 * least + self.below(1_000 * (end - least)))
    }

    /// Another source, whose numbers follow from this one.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }
}
