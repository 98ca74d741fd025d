//! Damage in every place: each byte of a store's first pages flipped, zeroed, and its files cut there.

mod damaged;
mod support;

use damaged::{Sound, in_memory};
use everwarm_conformance::{figure, ran};

/// The page of the log, which holds the entries, and as much of every other file as says something.
const PAGE: usize = 4096;

fn every_byte(how: &str, damage: impl Fn(&[u8], usize) -> Vec<u8>) {
    let directory = in_memory();
    let sound = Sound::of_few(directory.path());
    let step = figure(61, 1) as usize;
    let (mut used, mut files) = (0, 0);
    for (number, bytes) in sound.files().enumerate() {
        let end = bytes.len().min(PAGE);
        files += 1;
        for at in (0..end).step_by(step) {
            let damaged = damage(bytes, at);
            if damaged != bytes {
                sound.use_with(number, &damaged);
                used += 1;
            }
        }
    }
    assert!(used > 0);
    let figure = format!("disk: {used} bytes of 4 KiB of {files} files {how}");
    ran("X5", &figure, 1);
}

#[test]
fn flipped() {
    every_byte("flipped", |bytes, at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0xff;
        bytes
    });
}

#[test]
fn zeroed() {
    every_byte("zeroed", |bytes, at| {
        let mut bytes = bytes.to_vec();
        bytes[at] = 0;
        bytes
    });
}

#[test]
fn cut() {
    every_byte("cut", |bytes, at| bytes[..at].to_vec());
}
