//! Fuzzing: seeded mutations of real envelopes against each target, for as long as `fuzz` says. Each target is also run against a reader with a planted fault, which it has to find.

mod samples;

use bytes::Bytes;
use everwarm_codec::compress::Compression;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_conformance::{Wrong, fuzz, hunt};
use everwarm_core::codec::{Codec, Meta, Opened, Refusal};
use samples::{BINDING, COMPRESSIONS, compressing, each, full_meta, planted, resealed, text};

type Read<'a> = &'a dyn Fn(&Bytes) -> Result<Opened, Refusal>;

/// Bytes of anybody: a value that was sealed, or a refusal.
fn fuzz_envelope(data: &[u8], read: Read<'_>, sealed: &[Vec<u8>]) -> Wrong {
    let opened = read(&Bytes::copy_from_slice(data)).ok()?;
    let is_sealed = sealed.iter().any(|payload| opened.payload == payload);
    let is_whole = opened.meta == full_meta();
    (!is_sealed || !is_whole).then_some("a value that nobody sealed")
}

/// A body of anybody, under a checksum that fits: within all limits, and what is opened can be sealed again.
fn fuzz_body(data: &[u8], read: Read<'_>) -> Wrong {
    if data.len() < 48 {
        return None;
    }
    let mut data = data.to_vec();
    let length = (data.len() - 48) as u32;
    data[12..16].copy_from_slice(&length.to_le_bytes());
    let envelope = resealed(data);
    let opened = read(&envelope).ok()?;
    if opened.payload.len() > envelope.len() * 256 + (64 << 10) {
        return Some("a payload above its bound");
    }
    let pipeline = samples::pipeline(Suite::Checksum);
    let again = pipeline.seal(&BINDING, &opened.meta, &opened.payload);
    let Ok(again) = again else {
        return Some("what was opened is above the limits");
    };
    (pipeline.open(&BINDING, &again) != Ok(opened)).then_some("another value when sealed again")
}

/// Compressed bytes of anybody.
fn fuzz_decompress(data: &[u8], read: Read<'_>) -> Wrong {
    let (method, data) = data.split_first()?;
    let (length, packed) = data.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    let opened = read(&planted(1 + method % 3, length, packed)).ok()?;
    let bound = packed.len() * 256 + (64 << 10);
    (opened.payload.len() != length as usize || opened.payload.len() > bound)
        .then_some("a payload above its bound, or of another length")
}

/// Envelopes of one suite in all compressions.
fn corpus(suite: Suite) -> Vec<Bytes> {
    each()
        .filter(|row| row.0 == suite)
        .map(|row| row.3)
        .collect()
}

fn compressed_corpus() -> Vec<Bytes> {
    let length = text().len() as u32;
    COMPRESSIONS[1..]
        .iter()
        .zip(0..)
        .map(|(compression, method)| {
            let sealed = compressing(Suite::Checksum, *compression);
            let envelope = sealed.seal(&BINDING, &Meta::default(), &text()).unwrap();
            Bytes::from([&[method], &length.to_le_bytes()[..], &envelope[64..]].concat())
        })
        .collect()
}

/// Envelopes of some suites, each of which is opened by whom it is for.
fn envelopes_of(name: &str, suites: [Suite; 2]) {
    let pipelines = suites.map(samples::pipeline);
    let read = |envelope: &Bytes| {
        let [one, other] = &pipelines;
        let opened = one.open(&BINDING, envelope);
        opened.or_else(|_| other.open(&BINDING, envelope))
    };
    let corpus = suites.map(corpus).concat();
    fuzz(name, &corpus, |data| fuzz_envelope(data, &read, &[text()]));
}

#[test]
fn envelopes() {
    envelopes_of("envelope", [Suite::Checksum, Suite::Mac]);
}

#[test]
fn encrypted_envelopes() {
    envelopes_of("encrypted envelope", [Suite::AesGcm, Suite::AesGcmSiv]);
}

#[test]
fn a_reader_that_believes_every_checksum_is_found() {
    let pipeline = samples::pipeline(Suite::Checksum);
    let read = |envelope: &Bytes| match envelope.len() {
        48.. => pipeline.open(&BINDING, &resealed(envelope.to_vec())),
        _ => Err(Refusal::Damaged),
    };
    let found = hunt(&corpus(Suite::Checksum), |data| {
        fuzz_envelope(data, &read, &[text()])
    });
    assert!(found.unwrap().starts_with("a value that nobody sealed"));
}

#[test]
fn a_reader_that_lets_envelopes_choose_their_suite_is_found() {
    let plain = samples::pipeline(Suite::Checksum);
    let evil = plain.seal(&BINDING, &full_meta(), b"evil").unwrap();
    let mixed = [corpus(Suite::AesGcm), vec![evil]].concat();
    let careful = samples::pipeline(Suite::AesGcm);
    let read = |envelope: &Bytes| careful.open(&BINDING, envelope);
    let refused = |data: &Bytes| fuzz_envelope(data, &read, &[text()]).is_none();
    assert!(mixed.iter().all(refused));

    let careless = Pipeline::new(Config {
        accepted: Suite::ALL.to_vec(),
        ..samples::config(Suite::Checksum, Compression::None)
    })
    .unwrap();
    let read = |envelope: &Bytes| careless.open(&BINDING, envelope);
    let found = hunt(&mixed, |data: &[u8]| fuzz_envelope(data, &read, &[text()]));
    assert!(found.unwrap().starts_with("a value that nobody sealed"));
}

#[test]
fn bodies() {
    let pipeline = samples::pipeline(Suite::Checksum);
    let read = |envelope: &Bytes| pipeline.open(&BINDING, envelope);
    fuzz("body", &corpus(Suite::Checksum), |data| {
        fuzz_body(data, &read)
    });
}

#[test]
fn a_reader_that_does_not_check_counts_is_found() {
    let pipeline = samples::pipeline(Suite::Checksum);
    let count_at = 48 + 16 + 4 * 8 + 1 + 2 * 18;
    let read = |envelope: &Bytes| {
        let count = usize::from(*envelope.get(count_at).ok_or(Refusal::Damaged)?);
        pipeline.open(&BINDING, envelope).or(Ok(Opened {
            meta: Meta {
                tags: vec!["user:7".into(); count],
                ..Meta::default()
            },
            payload: Bytes::new(),
        }))
    };
    let found = hunt(&corpus(Suite::Checksum), |data: &[u8]| {
        fuzz_body(data, &read)
    });
    assert!(
        found
            .unwrap()
            .starts_with("what was opened is above the limits")
    );
}

#[test]
fn decompression() {
    let pipeline = samples::pipeline(Suite::Checksum);
    let read = |envelope: &Bytes| pipeline.open(&BINDING, envelope);
    for input in compressed_corpus() {
        let whole = planted(1 + input[0], text().len() as u32, &input[5..]);
        assert_eq!(read(&whole).unwrap().payload, text());
    }
    fuzz("decompression", &compressed_corpus(), |data| {
        fuzz_decompress(data, &read)
    });
}

#[test]
fn a_reader_that_believes_the_claimed_length_is_found() {
    let pipeline = samples::pipeline(Suite::Checksum);
    let read = |envelope: &Bytes| {
        let claimed = envelope[52..56].try_into().map(u32::from_le_bytes).unwrap();
        pipeline.open(&BINDING, envelope).or(Ok(Opened {
            meta: Meta::default(),
            payload: vec![0; claimed.min(8 << 20) as usize].into(),
        }))
    };
    let found = hunt(&compressed_corpus(), |data: &[u8]| {
        fuzz_decompress(data, &read)
    });
    assert!(found.unwrap().starts_with("a payload above its bound"));
}
