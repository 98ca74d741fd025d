//! Damage in every place: bytes of a store of one page flipped, zeroed, and its files cut there.
//!
//! Every byte is met where files begin, which is where the kinds of heads lie: that of the store, those of a segment, of its first
//! records and their names, and of buckets. Of the bytes behind, which repeat these kinds, a seeded share is met.

mod damaged;
mod support;

use damaged::Sound;
use support::{Chance, more_in_ci};

/// The page of the log, which holds the entries, and as much of every other file as says something.
const PAGE: usize = 4096;
/// How much of each file is met whole: the head of the store, the first bucket of an index, the first record of a log.
const HEADS: usize = 640;
/// Which share of the other bytes is met: one of so many.
const SHARE: u64 = 4;

#[expect(
    clippy::print_stdout,
    reason = "how many stores were damaged is a part of the result"
)]
fn every_byte(damage: impl Fn(&[u8], usize) -> Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let sound = Sound::of_few(directory.path());
    let step = more_in_ci(61, 1) as usize;
    let mut chance = Chance(1);
    let mut used = 0;
    for (number, bytes) in sound.files().enumerate() {
        let end = bytes.len().min(PAGE);
        for at in (0..end).step_by(step) {
            if step == 1 && at >= HEADS && chance.below(SHARE) > 0 {
                continue;
            }
            let damaged = damage(bytes, at);
            if damaged != bytes {
                sound.use_with(number, &damaged);
                used += 1;
            }
        }
    }
    println!("{used} damaged stores");
    assert!(used > 0);
}

#[test]
fn flipped() {
    every_byte(|bytes, at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0xff;
        bytes
    });
}

#[test]
fn zeroed() {
    every_byte(|bytes, at| {
        let mut bytes = bytes.to_vec();
        bytes[at] = 0;
        bytes
    });
}

#[test]
fn cut() {
    every_byte(|bytes, at| bytes[..at].to_vec());
}
