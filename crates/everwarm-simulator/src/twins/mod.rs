//! What the orders are measured by: plain, exact, and of a fixed capacity.

mod belady;
mod lru;
mod sketch;
mod w_tinylfu;

pub use belady::hits_at_best;
pub use lru::Lru;
pub use w_tinylfu::WTinyLfu;

/// A cache that is only asked whether a key was in it, and from then on has it if it wants to.
pub trait Twin {
    /// Requests a key; whether it was there.
    fn request(&mut self, key: u64) -> bool;
}

/// 64 good bits of a key (the last steps of MurmurHash3).
#[must_use]
pub fn mix(key: u64) -> u64 {
    let mut bits = key.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    bits ^ (bits >> 33)
}
