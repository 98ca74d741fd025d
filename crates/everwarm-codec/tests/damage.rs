//! Envelopes with every byte flipped, zeroed or cut: refused with the right class, and never another value.

mod samples;

use bytes::Bytes;
use everwarm_codec::pipeline::Pipeline;
use everwarm_codec::suite::Suite;
use everwarm_conformance::ran;
use everwarm_core::codec::{Codec, Meta, Refusal};
use samples::{BINDING, Draws, compressing, each, full_meta, opened_whole, text};

/// What a reader of `suite` alone says when the byte at `at` is not what was written.
fn class_of(suite: Suite, at: usize, byte: u8) -> Refusal {
    match at {
        0..3 => Refusal::Foreign,
        3 => Refusal::Version,
        4 if Suite::numbered(byte).is_none() => Refusal::Version,
        4 => Refusal::Suite,
        8..12 if suite.is_authenticated() => Refusal::KeyId,
        12..16 => Refusal::Damaged,
        _ if suite.is_authenticated() => Refusal::Tampered,
        _ => Refusal::Damaged,
    }
}

fn check(pipeline: &Pipeline, suite: Suite, envelope: &Bytes) {
    for at in 0..envelope.len() {
        let before = envelope[at];
        for byte in [before ^ 0xff, before ^ 1, before ^ 0x80, 0] {
            if byte == before {
                continue;
            }
            let mut bytes = envelope.to_vec();
            bytes[at] = byte;
            let expected = Err(class_of(suite, at, byte));
            let opened = pipeline.open(&BINDING, &Bytes::from(bytes));
            assert_eq!(
                opened, expected,
                "{suite:?}, byte {at} was {before:02x}, is {byte:02x}"
            );
        }
        let expected = if at < 3 {
            Refusal::Foreign
        } else {
            Refusal::Damaged
        };
        let cut = pipeline.open(&BINDING, &envelope.slice(..at));
        assert_eq!(cut, Err(expected), "{suite:?}, cut to {at} bytes");
    }
}

#[test]
fn each_byte_of_each_suite_and_compression_counts() {
    for (suite, _, pipeline, envelope) in each() {
        check(&pipeline, suite, &envelope);
    }
}

#[test]
fn where_somebody_could_tamper_each_byte_of_what_a_store_found_whole_counts() {
    for (suite, _, pipeline, envelope) in each() {
        if !suite.is_authenticated() {
            continue;
        }
        for at in 0..envelope.len() {
            let mut bytes = envelope.to_vec();
            bytes[at] ^= 1;
            let expected = Err(class_of(suite, at, bytes[at]));
            let opened = opened_whole(&pipeline, &BINDING, &Bytes::from(bytes));
            assert_eq!(opened, expected, "{suite:?}, byte {at}");
        }
    }
}

#[test]
fn each_byte_of_a_hundred_envelopes_counts() {
    let mut draws = Draws(0x0005);
    let mut bytes = 0;
    for round in 0..100 {
        let suite = Suite::ALL[round % 4];
        let pipeline = compressing(suite, samples::COMPRESSIONS[draws.below(4)]);
        let payload: Vec<u8> = (0..draws.below(200))
            .map(|_| draws.next() as u8 & 0x1f)
            .collect();
        let meta = if draws.below(2) == 0 {
            full_meta()
        } else {
            Meta::default()
        };
        let envelope = pipeline.seal(&BINDING, &meta, &payload).unwrap();
        check(&pipeline, suite, &envelope);
        bytes += envelope.len();
    }
    let figure = format!("100 envelopes, each of their {bytes} bytes");
    ran("X5", &figure, 5);
}

#[test]
fn what_is_appended_is_damage() {
    for (suite, _, pipeline, envelope) in each() {
        let longer = Bytes::from([&envelope[..], b"\0"].concat());
        assert_eq!(
            pipeline.open(&BINDING, &longer),
            Err(Refusal::Damaged),
            "{suite:?}"
        );
    }
}

#[test]
fn two_halves_of_two_envelopes_are_no_third() {
    for suite in Suite::ALL {
        let pipeline = samples::pipeline(suite);
        let one = pipeline.seal(&BINDING, &full_meta(), &text()).unwrap();
        let other = pipeline
            .seal(&BINDING, &full_meta(), &text().to_ascii_uppercase())
            .unwrap();
        for at in 16..one.len() {
            let mixed = Bytes::from([&one[..at], &other[at..]].concat());
            let opened = pipeline.open(&BINDING, &mixed);
            assert!(
                opened.is_err() || mixed == one || mixed == other,
                "{suite:?}, {at}"
            );
        }
    }
}
