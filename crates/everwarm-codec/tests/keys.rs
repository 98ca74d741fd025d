//! Master keys and keyrings: what is read, what is refused with which hint, and that nothing of them is shown.

mod samples;

use everwarm_codec::compress::Compression;
use everwarm_codec::keyring::Keyring;
use everwarm_codec::master::MasterKey;
use everwarm_codec::names::{Named, Names};
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_core::codec::Codec;
use everwarm_core::error::{Error, ErrorKind};
use samples::{BINDING, full_meta, keyring, master};

const HEX: &str = "fbff000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d";
const BASE64: &str = "+/8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0=";

/// An error of the configuration: what it says, and that it says what to do.
fn message<T>(refused: Result<T, Error>) -> String {
    let Err(error) = refused else {
        panic!("it was taken");
    };
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.hint().is_empty());
    error.message().to_owned()
}

#[test]
fn a_key_is_the_same_in_each_writing() {
    let expected = MasterKey::parse(HEX).unwrap().id();
    let writings = [
        HEX.to_uppercase(),
        format!("  {HEX}\r\n"),
        BASE64.to_owned(),
        BASE64.trim_end_matches('=').to_owned(),
        BASE64.replace('+', "-").replace('/', "_"),
    ];
    for writing in writings {
        assert_eq!(
            MasterKey::parse(&writing).unwrap().id(),
            expected,
            "{writing}"
        );
    }
    let bytes: Vec<u8> = [0xfb, 0xff].into_iter().chain(0..30).collect();
    assert_eq!(MasterKey::new(&bytes).unwrap().id(), expected);
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let rows = [
        ("", "the encryption key is empty"),
        ("c2VjcmV0", "the encryption key is 6 bytes long, not 32"),
        (&HEX[..62], "the encryption key is 31 bytes long, not 32"),
        (
            "correct horse battery staple",
            "the encryption key is neither hexadecimal nor base64",
        ),
        (
            &HEX.replace("fb", "fx"),
            "the encryption key is 48 bytes long, not 32",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(message(MasterKey::parse(text)), expected);
    }
    assert_eq!(
        message(MasterKey::new(&[0; 31])),
        "the encryption key is 31 bytes long, not 32"
    );
    let shown = MasterKey::parse("correct horse battery staple")
        .unwrap_err()
        .to_string();
    assert!(!shown.contains("horse"));
}

#[test]
fn a_password_makes_the_key_that_argon2id_makes() {
    let key = MasterKey::from_password("correct horse", b"shop on host 17.").unwrap();
    assert_eq!(
        key.id(),
        MasterKey::from_password("correct horse", b"shop on host 17.")
            .unwrap()
            .id()
    );
    assert_ne!(
        key.id(),
        MasterKey::from_password("correct horse", b"shop on host 18.")
            .unwrap()
            .id()
    );
    // What OpenSSL makes with 3 passes, 4 lanes and 65,536 KiB.
    let reference = "ae674c834ede9bbcc7873a3f263fb03e708ea976154bb726753fa3130ced0187";
    assert_eq!(key.id(), MasterKey::parse(reference).unwrap().id());
}

#[test]
fn a_password_needs_a_salt() {
    let empty = MasterKey::from_password("", &[1; 16]);
    assert_eq!(
        message(empty),
        "the password of the encryption key is empty"
    );
    let salt = MasterKey::from_password("correct horse", &[1; 15]);
    assert_eq!(message(salt), "the salt of the password is 15 bytes long");
}

#[test]
fn a_keyring_has_one_key_for_each_number() {
    let same = Keyring::new(master(1), [master(2), master(1)]);
    let expected = format!("two encryption keys have the number {}", master(1).id());
    assert_eq!(message(same), expected);
    let numbered = Keyring::new(
        master(1).numbered(5).unwrap(),
        [master(2).numbered(5).unwrap()],
    );
    assert_eq!(message(numbered), "two encryption keys have the number 5");
    assert_eq!(
        message(master(1).numbered(0)),
        "an encryption key has the number 0"
    );
}

#[test]
fn a_keyring_has_nine_keys_at_most() {
    assert!(Keyring::new(master(0), (1..9).map(master)).is_ok());
    let ten = Keyring::new(master(0), (1..10).map(master));
    assert_eq!(message(ten), "there are 10 encryption keys");
}

#[test]
fn a_keyring_is_read_line_by_line() {
    let text = format!("# keys\n\n 3: {HEX}\n{}\n", BASE64.replace('8', "9"));
    let ring = Keyring::parse(&text).unwrap();
    assert_eq!(ring.primary().id(), 3);
    assert!(
        ring.find(MasterKey::parse(&BASE64.replace('8', "9")).unwrap().id())
            .is_some()
    );
    assert!(ring.find(4).is_none());

    let rows = [
        ("# none\n", "the keyring is empty"),
        (
            "\nsecret!\n",
            "line 2 of the keyring: the encryption key is neither hexadecimal nor base64",
        ),
        (
            "x: secret",
            "line 1 of the keyring: what stands before the colon is no number",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(message(Keyring::parse(text)), expected);
    }
}

#[test]
fn nothing_of_a_key_is_shown() {
    let ring = Keyring::parse(&format!("3: {HEX}")).unwrap();
    assert_eq!(format!("{ring:?}"), "Keyring([MasterKey(3)])");
    let names = Names::new(ring.primary());
    assert_eq!(format!("{names:?}"), "Names { key: MasterKey(3) }");
    let pipeline = Pipeline::new(samples::config(Suite::AesGcm, Compression::None)).unwrap();
    let shown = format!("{pipeline:?}");
    assert!(
        shown.contains("MasterKey(") && !shown.contains("7, 7"),
        "{shown}"
    );
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    let with = |change: fn(&mut Config)| {
        let mut config = Config {
            keyring: Some(keyring(7)),
            ..Config::default()
        };
        change(&mut config);
        message(Pipeline::new(config))
    };
    let keyless = with(|config| (config.suite, config.keyring) = (Suite::AesGcm, None));
    assert_eq!(keyless, "the suite aes-256-gcm has no key");
    let accepted = with(|config| (config.accepted, config.keyring) = (vec![Suite::Mac], None));
    assert_eq!(accepted, "the suite mac has no key");
    let level = with(|config| config.compression = Compression::Zstd { level: 23 });
    assert_eq!(level, "\"zstd:23\" is no level of compression");
    for limit in [0, (1 << 30) + 1] {
        let config = Config {
            max_value: limit,
            ..Config::default()
        };
        let expected = format!("the largest value is to have {limit} bytes");
        assert_eq!(message(Pipeline::new(config)), expected);
    }
    for text in [
        "brotli", "", "lz4:1", "none:1", "zstd:0", "zstd:x", "gzip:10", "gzip:-1",
    ] {
        assert!(message(Compression::parse(text)).contains(text), "{text}");
    }
    assert!(message(Suite::named("AES")).contains("AES"));
}

#[test]
fn names_differ_by_all_that_they_are_made_of() {
    let names = Names::new(&master(7));
    let own = names.hide(Named::Entry, b"acme", "shop", b"name");
    assert_eq!(
        own,
        Names::new(&master(7)).hide(Named::Entry, b"acme", "shop", b"name")
    );
    let others = [
        names.hide(Named::Tag, b"acme", "shop", b"name"),
        names.hide(Named::Lock, b"acme", "shop", b"name"),
        names.hide(Named::Message, b"acme", "shop", b"name"),
        names.hide(Named::Entry, b"acm", "eshop", b"name"),
        names.hide(Named::Entry, b"acme", "shop", b"names"),
        Names::new(&master(8)).hide(Named::Entry, b"acme", "shop", b"name"),
    ];
    for other in others {
        assert_ne!(own, other);
    }
    assert!(
        own.bytes()
            .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
    );
}

#[test]
fn derived_keys_are_right_however_many_there_are() {
    let pipeline = samples::pipeline(Suite::Mac);
    let tenants: Vec<String> = (0..200).map(|tenant| format!("tenant-{tenant}")).collect();
    let binding = |at: usize| everwarm_core::codec::Binding {
        tenant: tenants[at].as_bytes(),
        ..BINDING
    };
    let seal = |at| {
        pipeline
            .seal(&binding(at), &full_meta(), b"payload")
            .unwrap()
    };
    let envelopes: Vec<_> = (0..200).map(seal).collect();
    for (at, envelope) in envelopes.iter().enumerate() {
        assert!(
            samples::pipeline(Suite::Mac)
                .open(&binding(at), envelope)
                .is_ok()
        );
        assert!(pipeline.open(&binding((at + 1) % 200), envelope).is_err());
    }
}

#[test]
fn threads_share_the_keys_they_derive() {
    let pipeline = samples::pipeline(Suite::AesGcm);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let envelope = pipeline.seal(&BINDING, &full_meta(), b"payload").unwrap();
                    assert_eq!(
                        pipeline.open(&BINDING, &envelope).unwrap().payload,
                        "payload"
                    );
                }
            });
        }
    });
}
