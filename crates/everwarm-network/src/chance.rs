//! Chance, from the kernel: a forked child must not repeat what its parent drew.

use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};

/// 63 random bits, not all of them zero.
#[must_use]
pub fn number() -> u64 {
    let mut bytes = [0; 8];
    // It fails only where the system has no such call, and then there is nothing better than time.
    if getrandom(&mut bytes, GetRandomFlags::empty()).is_err() {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        bytes = (now.map_or(1, |now| now.as_nanos()) as u64).to_be_bytes();
    }
    (u64::from_be_bytes(bytes) >> 1).max(1)
}

/// As [`number`], where a number has a sign.
#[must_use]
pub fn bigint() -> i64 {
    number() as i64
}

/// Anything from nothing to `most`.
#[must_use]
pub fn part_of(most: Duration) -> Duration {
    most.mul_f64(number() as f64 / (1_u64 << 63) as f64)
}
