//! What the tests of the codec seal and open.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwarm_codec::compress::Compression;
use everwarm_codec::keyring::Keyring;
use everwarm_codec::master::MasterKey;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_core::codec::{Binding, BindingId, Codec, Meta, Opened, Refusal, Spans, Under};
use everwarm_core::mark::Mark;

/// One of each compression.
pub(crate) const COMPRESSIONS: [Compression; 4] = [
    Compression::None,
    Compression::Lz4,
    Compression::Zstd { level: 3 },
    Compression::Gzip { level: 6 },
];

pub(crate) const BINDING: Binding<'static> = Binding {
    tenant: b"acme",
    namespace: "shop",
    function: "shop.users.profile",
    schema: "5f1e0c9a",
    key: b"\x11\x07",
};

/// A keyring whose key is made of one byte.
pub(crate) fn keyring(byte: u8) -> Arc<Keyring> {
    Arc::new(Keyring::new(master(byte), []).unwrap())
}

pub(crate) fn master(byte: u8) -> MasterKey {
    MasterKey::new(&[byte; 32]).unwrap()
}

pub(crate) fn config(suite: Suite, compression: Compression) -> Config {
    Config {
        compression,
        threshold: 0,
        suite,
        keyring: Some(keyring(7)),
        ..Config::default()
    }
}

pub(crate) fn pipeline(suite: Suite) -> Pipeline {
    Pipeline::new(config(suite, Compression::None)).unwrap()
}

pub(crate) fn compressing(suite: Suite, compression: Compression) -> Pipeline {
    Pipeline::new(config(suite, compression)).unwrap()
}

/// Everything that can be known of a value.
pub(crate) fn full_meta() -> Meta {
    let mark = |shard, number| Mark {
        shard,
        epoch: 0x0123_4567_89ab_cdef,
        number,
    };
    Meta {
        format: 2,
        spans: Spans {
            fresh: Some(Duration::from_millis(60_000)),
            quiet: Some(Duration::from_micros(45_500_001)),
            stale: Duration::from_secs(30),
            if_error: Duration::from_secs(3600),
            slide: None,
        },
        computed_in: Duration::from_nanos(1_234_567_891),
        stamps: vec![mark(0, 3), mark(9, (1 << 53) - 1)].into(),
        tags: vec!["user:7".into(), "Straße".into()],
        key: Some(b"\x11\x07".as_slice().into()),
    }
}

/// A payload that every compression makes smaller.
pub(crate) fn text() -> Vec<u8> {
    b"the same words, the same words, over and over. ".repeat(6)
}

/// One envelope of each suite and compression, and its pipeline.
pub(crate) fn each() -> impl Iterator<Item = (Suite, Compression, Pipeline, Bytes)> {
    Suite::ALL.into_iter().flat_map(|suite| {
        COMPRESSIONS.into_iter().map(move |compression| {
            let pipeline = compressing(suite, compression);
            let envelope = pipeline.seal(&BINDING, &full_meta(), &text()).unwrap();
            (suite, compression, pipeline, envelope)
        })
    })
}

/// SplitMix64: the same numbers for the same seed.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// The envelope of suite 0 with the checksum that belongs to what it is now: what a writer without a key can make.
pub(crate) fn resealed(mut envelope: Vec<u8>) -> Bytes {
    let covered = [&envelope[..32], &envelope[48..]].concat();
    envelope[32..48].copy_from_slice(&xxhash_rust::xxh3::xxh3_128(&covered).to_be_bytes());
    Bytes::from(envelope)
}

/// An envelope of suite 0 whose payload is said to be compressed with a method, and to be so long decompressed.
pub(crate) fn planted(method: u8, length: u32, packed: &[u8]) -> Bytes {
    let sealed = pipeline(Suite::Checksum).seal(&BINDING, &Meta::default(), packed);
    let mut envelope = sealed.unwrap().to_vec();
    envelope[49] = method;
    envelope[52..56].copy_from_slice(&length.to_le_bytes());
    resealed(envelope)
}

/// What an envelope holds that a store has found whole.
pub(crate) fn opened_whole(
    pipeline: &Pipeline,
    binding: &Binding<'_>,
    envelope: &Bytes,
) -> Result<Opened, Refusal> {
    let mut opened = Opened::default();
    let under = Under {
        binding: *binding,
        id: &BindingId::default(),
    };
    pipeline.open_into(&under, envelope, true, &mut opened)?;
    Ok(opened)
}
