//! Chance, from the kernel: a forked child must not repeat what its parent drew.

use rustix::rand::{GetRandomFlags, getrandom};

/// 63 random bits, not all of them zero: what a number of the server holds.
pub(crate) fn number() -> i64 {
    let mut bytes = [0; 8];
    // It fails only where the system has no such call, and then there is nothing better than time.
    if getrandom(&mut bytes, GetRandomFlags::empty()).is_err() {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        bytes = (now.map_or(1, |now| now.as_nanos()) as u64).to_be_bytes();
    }
    (i64::from_be_bytes(bytes) & i64::MAX).max(1)
}
