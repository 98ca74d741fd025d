//! Bombs: what claims or becomes more than it may is refused, and takes no memory on the way.
#![cfg(target_os = "linux")]

mod samples;

use std::fs;
use std::io::Write;

use bytes::Bytes;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_conformance::ran;
use everwarm_core::codec::{Codec, Refusal};
use flate2::write::GzEncoder;
use samples::{BINDING, planted};

const MIB: usize = 1 << 20;
const SIZE: usize = 64 * MIB;
const LZ4: u8 = 1;
const ZSTD: u8 = 2;
const GZIP: u8 = 3;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A Zstandard frame that asks for a window of 2 GiB, and holds one byte, many times.
fn wide_window() -> Vec<u8> {
    let descriptor = 21 << 3;
    let many_bytes = (2 * MIB as u32) << 3 | 0b011;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, descriptor];
    frame.extend(&many_bytes.to_le_bytes()[..3]);
    frame.push(b'x');
    frame
}

/// Each bomb with the class that it is refused with.
fn bombs() -> Vec<(&'static str, Refusal, Bytes)> {
    let zeros = vec![0; SIZE];
    let packed = [
        (LZ4, lz4_flex::block::compress(&zeros)),
        (ZSTD, zstd::bulk::compress(&zeros, 19).unwrap()),
        (GZIP, gzip(&zeros)),
    ];
    let mut bombs = Vec::new();
    for (method, bytes) in &packed {
        let bound = bytes.len() * 256 + (64 << 10);
        let honest = SIZE as u32;
        // LZ4 may become as much as this one does; the limit of values holds it.
        bombs.push((
            "says what it becomes",
            Refusal::TooLarge,
            planted(*method, honest, bytes),
        ));
        bombs.push((
            "claims everything",
            Refusal::TooLarge,
            planted(*method, u32::MAX, bytes),
        ));
        bombs.push((
            "claims nothing",
            Refusal::Damaged,
            planted(*method, 0, bytes),
        ));
        bombs.push((
            "claims little",
            Refusal::Damaged,
            planted(*method, 4096, bytes),
        ));
        let most = bound.min(16 * MIB) as u32;
        let small = bytes.len() < 100_000;
        if small {
            bombs.push((
                "claims the most",
                Refusal::Damaged,
                planted(*method, most, bytes),
            ));
        }
        let half = &bytes[..bytes.len() / 2];
        bombs.push(("is cut", Refusal::Damaged, planted(*method, 4096, half)));
        bombs.push(("is empty", Refusal::Damaged, planted(*method, 4096, b"")));
        let twice = [&gzip(b"one")[..], bytes].concat();
        bombs.push((
            "has more behind it",
            Refusal::Damaged,
            planted(GZIP, 3, &twice),
        ));
    }
    // Within the limit of values, and many times what it was.
    let less = &zeros[..8 * MIB];
    for (method, bytes) in [
        (ZSTD, zstd::bulk::compress(less, 3).unwrap()),
        (GZIP, gzip(less)),
    ] {
        let bomb = planted(method, less.len() as u32, &bytes);
        bombs.push(("grows too many times", Refusal::TooLarge, bomb));
    }
    let nothing = zstd::bulk::compress(b"", 3).unwrap();
    bombs.push((
        "has a wide window",
        Refusal::Damaged,
        planted(ZSTD, 4096, &wide_window()),
    ));
    bombs.push((
        "is many frames",
        Refusal::Damaged,
        planted(ZSTD, 4096, &nothing.repeat(10_000)),
    ));
    bombs
}

/// What this process has in memory in KiB: the most since [`forget_peak`].
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[test]
fn bombs_are_refused_and_take_no_memory() {
    let pipeline = Pipeline::new(Config::default()).unwrap();
    let bombs = bombs();
    let refuse = |(name, expected, bomb): &(&str, Refusal, Bytes)| {
        let opened = pipeline
            .open(&BINDING, bomb)
            .map(|opened| opened.payload.len());
        assert_eq!(
            opened,
            Err(*expected),
            "a bomb that {name}, method {}",
            bomb[49]
        );
    };
    bombs.iter().for_each(refuse);
    for bomb in &bombs {
        forget_peak();
        let before = peak();
        refuse(bomb);
        let bound = (bomb.2.len() * 256 + (64 << 10)).min(16 * MIB) / 1024;
        let taken = peak() - before;
        assert!(
            taken <= bound + 512,
            "a bomb that {} took {taken} KiB",
            bomb.0
        );
        // What is refused for its size takes nothing at all.
        assert!(bomb.1 != Refusal::TooLarge || taken < 512, "{taken} KiB");
    }

    ran("Z", &format!("{} bombs", bombs.len()), 0);

    // The measure sees what a reader without bounds takes.
    let (_, _, bomb) = bombs.iter().find(|(_, _, bomb)| bomb[49] == ZSTD).unwrap();
    forget_peak();
    let before = peak();
    let unbounded = zstd::stream::decode_all(&bomb[64..]).unwrap();
    assert_eq!(unbounded.len(), SIZE);
    assert!(peak() - before > SIZE / 1024 / 2);
}
