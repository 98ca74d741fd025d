//! What is sealed opens as it was, whatever it is.

mod samples;

use std::time::Duration;

use bytes::Bytes;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_core::codec::{Binding, BindingId, Codec, Meta, Opened, Plain, Refusal, Spans, Under};
use everwarm_core::mark::Mark;
use everwarm_core::slide::Slide;
use proptest::collection::vec;
use proptest::prelude::*;
use samples::{BINDING, COMPRESSIONS, compressing, each, full_meta, pipeline, text};

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        any::<u64>().prop_map(Duration::from_nanos)
    ]
}

prop_compose! {
    fn mark()(shard: u16, epoch: u64, number: u64) -> Mark {
        Mark { shard, epoch, number }
    }
}

prop_compose! {
    fn meta()(
        format: u8,
        fresh in proptest::option::of(duration()),
        quiet in proptest::option::of(duration()),
        (stale, if_error, computed_in) in (duration(), duration(), duration()),
        slide in proptest::option::of((duration(), duration(), duration())),
        stamps in vec(mark(), 0..=64),
        tags in vec("\\PC{0,12}", 0..=64),
        key in proptest::option::of(vec(any::<u8>(), 0..300)),
    ) -> Meta {
        Meta {
            format,
            spans: Spans {
                fresh,
                quiet,
                stale,
                if_error,
                slide: slide.map(|(by, ahead, most)| Slide { by, ahead, most }),
            },
            computed_in,
            stamps: stamps.into(),
            tags: tags.into_iter().map(Into::into).collect(),
            key: key.map(Into::into),
        }
    }
}

prop_compose! {
    fn plain_meta()(meta in meta(), has_stamp: bool) -> Meta {
        Meta {
            spans: Spans { slide: None, ..meta.spans },
            stamps: meta.stamps.into_iter().take(usize::from(has_stamp)).collect(),
            tags: Vec::new(),
            ..meta
        }
    }
}

/// Bytes of all sizes, some of which compress.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..600),
        (any::<u8>(), 0_usize..200_000).prop_map(|(byte, length)| vec![byte; length]),
        (vec(any::<u8>(), 1..40), 0_usize..4_000).prop_map(|(part, times)| part.repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn what_is_sealed_opens_as_it_was(
        meta in meta(),
        payload in payload(),
        suite in proptest::sample::select(Suite::ALL.to_vec()),
        compression in proptest::sample::select(COMPRESSIONS.to_vec()),
        (tenant, key) in (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..400)),
        (namespace, function) in ("\\PC{0,20}", "\\PC{0,40}"),
    ) {
        let pipeline = compressing(suite, compression);
        let binding = Binding {
            tenant: &tenant,
            namespace: &namespace,
            function: &function,
            schema: "5f1e",
            key: &key,
        };
        let envelope = pipeline.seal(&binding, &meta, &payload).unwrap();
        let expected = Opened { meta, payload: Bytes::from(payload) };
        prop_assert_eq!(pipeline.open(&binding, &envelope), Ok(expected));
    }

    #[test]
    fn what_is_plain_opens_as_it_was(
        meta in plain_meta(),
        payload in vec(any::<u8>(), 0..600),
        suite in proptest::sample::select(Suite::ALL.to_vec()),
    ) {
        let pipeline = pipeline(suite);
        let mut envelope = pipeline.seal(&BINDING, &meta, &payload).unwrap();
        let mut plain = Plain { payload: Bytes::from_static(b"left over"), stamp: Some(Mark { shard: 1, epoch: 2, number: 3 }), ..Plain::default() };
        let under = Under { binding: BINDING, id: &BindingId::default() };
        let is_plain = pipeline.open_plain(&under, &mut envelope, false, &mut plain).unwrap();
        prop_assert_eq!(is_plain, !suite.is_secret());
        if is_plain {
            let expected = Plain {
                format: meta.format,
                spans: meta.spans,
                stamp: meta.stamps.first().copied(),
                payload: Bytes::from(payload),
            };
            prop_assert_eq!(plain, expected);
        }
    }

    #[test]
    fn what_is_not_plain_is_left_as_it_is(meta in meta(), payload in vec(any::<u8>(), 0..600)) {
        let is_plain = meta.tags.is_empty() && meta.stamps.len() < 2 && meta.spans.slide.is_none();
        let pipeline = pipeline(Suite::Checksum);
        let envelope = pipeline.seal(&BINDING, &meta, &payload).unwrap();
        let mut left = envelope.clone();
        let under = Under { binding: BINDING, id: &BindingId::default() };
        let opened = pipeline.open_plain(&under, &mut left, false, &mut Plain::default());
        prop_assert_eq!(opened, Ok(is_plain));
        prop_assert!(is_plain || left == envelope);
    }

    #[test]
    fn any_bytes_are_a_value_or_a_refusal(mut bytes in vec(any::<u8>(), 0..400), header: bool) {
        if header && bytes.len() > 5 {
            bytes[..4].copy_from_slice(b"\xc1EW\x01");
            bytes[4] %= 4;
        }
        for suite in Suite::ALL {
            prop_assert!(pipeline(suite).open(&BINDING, &Bytes::from(bytes.clone())).is_err());
        }
    }
}

#[test]
fn an_envelope_takes_no_more_room_than_it_is_long() {
    for (suite, meta) in Suite::ALL
        .map(|suite| [(suite, full_meta()), (suite, Meta::default())])
        .concat()
    {
        let sealed = pipeline(suite).seal(&BINDING, &meta, &text()).unwrap();
        let length = sealed.len();
        assert_eq!(Vec::from(sealed).capacity(), length, "{suite:?}");
    }
}

#[test]
fn a_draft_is_the_envelope_that_seal_makes() {
    for compression in COMPRESSIONS {
        let pipeline = compressing(Suite::Mac, compression);
        let mut draft = pipeline.begin(&full_meta(), b"left over".to_vec()).unwrap();
        draft.payload().extend_from_slice(&text());
        let sealed = pipeline.seal(&BINDING, &full_meta(), &text()).unwrap();
        assert_eq!(draft.finish(&BINDING).unwrap(), sealed, "{compression:?}");
    }
}

#[test]
fn a_draft_that_was_cut_is_refused() {
    let pipeline = pipeline(Suite::Checksum);
    let mut draft = pipeline.begin(&full_meta(), Vec::new()).unwrap();
    draft.payload().truncate(3);
    assert!(draft.finish(&BINDING).is_err());
}

#[test]
fn a_readable_payload_is_a_slice_of_the_envelope() {
    for suite in [Suite::Checksum, Suite::Mac] {
        let pipeline = pipeline(suite);
        let envelope = pipeline.seal(&BINDING, &full_meta(), &text()).unwrap();
        let payload = pipeline.open(&BINDING, &envelope).unwrap().payload;
        assert!(envelope.as_ptr_range().contains(&payload.as_ptr()));
        assert_eq!(
            (payload.as_ptr() as usize - envelope.as_ptr() as usize) % 8,
            0
        );
    }
}

#[test]
fn only_what_is_long_enough_and_shrinks_is_compressed() {
    let (short, long) = (vec![b'x'; 999], vec![b'x'; 1000]);
    let pipeline = Pipeline::new(Config {
        threshold: 1000,
        ..samples::config(Suite::Checksum, COMPRESSIONS[2])
    })
    .unwrap();
    let length = |payload: &[u8]| {
        let envelope = pipeline.seal(&BINDING, &Meta::default(), payload).unwrap();
        envelope.len()
    };
    assert!(length(&short) >= short.len());
    assert!(length(&long) < 200);
    let mut draws = samples::Draws(1);
    let noise: Vec<u8> = (0..4096).map(|_| draws.next() as u8).collect();
    assert_eq!(length(&noise), 48 + 16 + noise.len());
}

#[test]
fn what_shrinks_too_far_is_compressed_less() {
    let zeros = vec![0; 8 << 20];
    for compression in COMPRESSIONS {
        let pipeline = compressing(Suite::Checksum, compression);
        let envelope = pipeline.seal(&BINDING, &Meta::default(), &zeros).unwrap();
        assert_eq!(pipeline.open(&BINDING, &envelope).unwrap().payload, zeros);
        assert!(envelope.len() > zeros.len() / 256 - 1000, "{compression:?}");
    }
}

#[test]
fn nothing_is_readable_where_it_is_encrypted() {
    for (suite, compression, _, envelope) in each() {
        let shows = |part: &[u8]| envelope.windows(part.len()).any(|window| window == part);
        assert_eq!(shows(b"user:7"), !suite.is_secret(), "{suite:?}");
        if compression == COMPRESSIONS[0] {
            assert_eq!(shows(b"the same words"), !suite.is_secret(), "{suite:?}");
        }
        assert!(!shows(b"acme") && !shows(b"shop"), "{suite:?}");
    }
}

#[test]
fn limits_are_kept_when_sealing() {
    let pipeline = Pipeline::new(Config {
        max_value: 100,
        ..Config::default()
    })
    .unwrap();
    let seal = |meta: &Meta, length| pipeline.seal(&BINDING, meta, &vec![0; length]);
    assert!(seal(&Meta::default(), 100).is_ok());
    let error = seal(&Meta::default(), 101).unwrap_err().to_string();
    assert!(
        error.starts_with("a value has 101 bytes, above the limit of 100\nhint: "),
        "{error}"
    );

    let mark = Mark {
        shard: 0,
        epoch: 0,
        number: 0,
    };
    let most = Meta {
        stamps: vec![mark; 64].into(),
        tags: vec!["x".repeat(64).into(); 64],
        key: Some(vec![0; 8 << 10].into()),
        ..Meta::default()
    };
    let envelope = seal(&most, 100).unwrap();
    assert_eq!(pipeline.open(&BINDING, &envelope).unwrap().meta, most);
    let more = [
        Meta {
            stamps: vec![mark; 65].into(),
            ..most.clone()
        },
        Meta {
            tags: vec!["x".into(); 65],
            ..most.clone()
        },
        Meta {
            tags: vec!["x".repeat(4097).into()],
            ..most.clone()
        },
        Meta {
            key: Some(vec![0; (8 << 10) + 1].into()),
            ..most
        },
    ];
    for meta in more {
        assert!(
            seal(&meta, 1)
                .unwrap_err()
                .message()
                .contains("above the limit")
        );
    }
}

#[test]
fn a_reader_keeps_its_own_limit() {
    for compression in COMPRESSIONS {
        let envelope = compressing(Suite::Checksum, compression)
            .seal(&BINDING, &Meta::default(), &[b'x'; 40_000])
            .unwrap();
        let reader = Pipeline::new(Config {
            max_value: 39_999,
            ..Config::default()
        })
        .unwrap();
        assert_eq!(
            reader.open(&BINDING, &envelope),
            Err(Refusal::TooLarge),
            "{compression:?}"
        );
    }
}

#[test]
fn what_cannot_be_a_value_is_not_even_decrypted() {
    let envelope = pipeline(Suite::AesGcm)
        .seal(&BINDING, &Meta::default(), &[b'x'; 40_000])
        .unwrap();
    let mut bytes = envelope.to_vec();
    bytes[40_000] ^= 1;
    let reader = Pipeline::new(Config {
        max_value: 1000,
        ..samples::config(Suite::AesGcm, COMPRESSIONS[0])
    })
    .unwrap();
    let opened = reader.open(&BINDING, &Bytes::from(bytes));
    assert_eq!(opened, Err(Refusal::TooLarge));
}
