//! Envelopes that are where they do not belong: under another key, read by another configuration, sealed with another key.

mod samples;

use std::sync::Arc;

use bytes::Bytes;
use everwarm_codec::compress::Compression;
use everwarm_codec::keyring::Keyring;
use everwarm_codec::master::MasterKey;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_conformance::ran;
use everwarm_core::codec::{Binding, Codec, Meta, Refusal};
use samples::{BINDING, each, full_meta, keyring, master, opened_whole, pipeline, text};

/// Bindings that differ from [`BINDING`] in one field, or in where one field ends.
fn others() -> [Binding<'static>; 8] {
    [
        Binding {
            tenant: b"umbrella",
            ..BINDING
        },
        Binding {
            tenant: b"",
            ..BINDING
        },
        Binding {
            namespace: "shop2",
            ..BINDING
        },
        Binding {
            function: "shop.users.orders",
            ..BINDING
        },
        Binding {
            schema: "5f1e0c9b",
            ..BINDING
        },
        Binding {
            key: b"\x11\x08",
            ..BINDING
        },
        Binding {
            tenant: b"acmes",
            namespace: "hop",
            ..BINDING
        },
        Binding {
            function: "shop.users.profile5",
            schema: "f1e0c9a",
            ..BINDING
        },
    ]
}

#[test]
fn an_envelope_opens_under_its_own_key_alone() {
    let mut envelopes = 0;
    for (suite, _, pipeline, envelope) in each() {
        let expected = if suite.is_authenticated() {
            Refusal::Tampered
        } else {
            Refusal::Misplaced
        };
        for other in others() {
            assert_eq!(
                pipeline.open(&other, &envelope),
                Err(expected),
                "{suite:?} {other:?}"
            );
            assert_eq!(
                opened_whole(&pipeline, &other, &envelope),
                Err(expected),
                "{suite:?} {other:?}, whole"
            );
        }
        assert_eq!(
            opened_whole(&pipeline, &BINDING, &envelope),
            pipeline.open(&BINDING, &envelope)
        );
        assert!(pipeline.open(&BINDING, &envelope).is_ok());
        envelopes += 1;
    }
    let bindings = others().len();
    let figure = format!("{envelopes} envelopes under {bindings} other keys each");
    ran("Z", &figure, 0);
}

#[test]
fn a_long_key_binds_as_well_as_a_short_one() {
    let (mut one, mut other) = (vec![3; 1000], vec![3; 1000]);
    (one[999], other[999]) = (1, 2);
    for suite in Suite::ALL {
        let pipeline = pipeline(suite);
        let binding = Binding {
            key: &one,
            ..BINDING
        };
        let envelope = pipeline.seal(&binding, &Meta::default(), b"one").unwrap();
        assert!(pipeline.open(&binding, &envelope).is_ok());
        assert!(
            pipeline
                .open(
                    &Binding {
                        key: &other,
                        ..BINDING
                    },
                    &envelope
                )
                .is_err()
        );
    }
}

#[test]
fn no_suite_is_read_that_the_configuration_does_not_allow() {
    for sealed in Suite::ALL {
        let envelope = pipeline(sealed)
            .seal(&BINDING, &full_meta(), &text())
            .unwrap();
        for reader in Suite::ALL {
            let opened = pipeline(reader).open(&BINDING, &envelope);
            if sealed == reader {
                assert_eq!(opened.unwrap().payload, text());
            } else {
                assert_eq!(opened, Err(Refusal::Suite), "{sealed:?} read by {reader:?}");
            }
        }
    }
}

#[test]
fn an_allowed_suite_is_read_as_what_it_says_and_no_other() {
    for sealed in Suite::ALL {
        let envelope = pipeline(sealed)
            .seal(&BINDING, &full_meta(), &text())
            .unwrap();
        let all = Config {
            accepted: Suite::ALL.to_vec(),
            ..samples::config(Suite::Checksum, Compression::None)
        };
        let reader = Pipeline::new(all).unwrap();
        assert_eq!(reader.open(&BINDING, &envelope).unwrap().payload, text());
        for claimed in Suite::ALL {
            let mut bytes = envelope.to_vec();
            bytes[4] = claimed.number();
            let opened = reader.open(&BINDING, &Bytes::from(bytes));
            assert_eq!(
                opened.is_ok(),
                claimed == sealed,
                "{sealed:?} said to be {claimed:?}"
            );
        }
    }
}

#[test]
fn a_planted_plain_envelope_is_refused_where_encryption_is_configured() {
    let planted = pipeline(Suite::Checksum)
        .seal(&BINDING, &full_meta(), b"evil")
        .unwrap();
    for suite in [Suite::AesGcm, Suite::AesGcmSiv, Suite::Mac] {
        assert_eq!(
            pipeline(suite).open(&BINDING, &planted),
            Err(Refusal::Suite)
        );
        let careless = Config {
            accepted: vec![Suite::Checksum],
            ..samples::config(suite, Compression::None)
        };
        let error = Pipeline::new(careless).unwrap_err().to_string();
        assert!(
            error.contains("anybody could write") && error.contains("\nhint: "),
            "{error}"
        );
    }
}

#[test]
fn who_changes_from_plain_to_encrypted_and_back_needs_to_say_so() {
    let encrypted = pipeline(Suite::AesGcm)
        .seal(&BINDING, &full_meta(), &text())
        .unwrap();
    let back = Config {
        accepted: vec![Suite::AesGcm],
        ..samples::config(Suite::Checksum, Compression::None)
    };
    let reader = Pipeline::new(back).unwrap();
    assert_eq!(reader.open(&BINDING, &encrypted).unwrap().payload, text());
}

#[test]
fn unknown_keys_and_false_ones_are_told_apart() {
    let reader = |key: MasterKey, suite| {
        let keyring = Some(Arc::new(Keyring::new(key, []).unwrap()));
        Pipeline::new(Config {
            keyring,
            ..samples::config(suite, Compression::None)
        })
        .unwrap()
    };
    for suite in [Suite::AesGcm, Suite::AesGcmSiv, Suite::Mac] {
        let envelope = pipeline(suite)
            .seal(&BINDING, &full_meta(), &text())
            .unwrap();
        let stranger = reader(master(8), suite).open(&BINDING, &envelope);
        assert_eq!(stranger, Err(Refusal::KeyId));
        let same_number = master(8).numbered(master(7).id()).unwrap();
        let opened = reader(same_number, suite).open(&BINDING, &envelope);
        assert_eq!(opened, Err(Refusal::Tampered));
    }
}

#[test]
fn a_rotation_loses_nothing() {
    let ring = |primary, others: &[u8]| {
        let others = others.iter().map(|byte| master(*byte));
        let keyring = Some(Arc::new(Keyring::new(master(primary), others).unwrap()));
        Pipeline::new(Config {
            keyring,
            ..samples::config(Suite::AesGcm, Compression::None)
        })
        .unwrap()
    };
    let steps = [ring(1, &[]), ring(1, &[2]), ring(2, &[1]), ring(2, &[])];
    let envelopes = steps
        .each_ref()
        .map(|step| step.seal(&BINDING, &full_meta(), &text()).unwrap());
    let opens = [
        [true, true, false, false],
        [true, true, true, true],
        [true, true, true, true],
        [false, false, true, true],
    ];
    for (step, opens) in steps.iter().zip(opens) {
        for (envelope, opens) in envelopes.iter().zip(opens) {
            let refused = step.open(&BINDING, envelope).err();
            assert_eq!(refused, (!opens).then_some(Refusal::KeyId));
        }
    }
    assert!(Refusal::KeyId.is_left_alone());
}

#[test]
fn envelopes_of_the_future_are_left_alone() {
    for suite in Suite::ALL {
        let pipeline = pipeline(suite);
        let envelope = pipeline.seal(&BINDING, &full_meta(), &text()).unwrap();
        for (at, byte) in [(3, 2), (4, 4), (4, 255)] {
            let mut bytes = envelope.to_vec();
            bytes[at] = byte;
            let opened = pipeline.open(&BINDING, &Bytes::from(bytes));
            assert_eq!(opened, Err(Refusal::Version));
            assert!(Refusal::Version.is_left_alone());
        }
    }
}

#[test]
fn no_two_envelopes_are_alike_where_they_are_encrypted() {
    for suite in [Suite::AesGcm, Suite::AesGcmSiv] {
        let pipeline = pipeline(suite);
        let seal = || pipeline.seal(&BINDING, &full_meta(), &text()).unwrap();
        let (one, other) = (seal(), seal());
        assert_ne!(one[16..48], other[16..48]);
        assert_ne!(one[80..], other[80..]);
    }
    assert_eq!(keyring(7).primary().id(), master(7).id());
}
