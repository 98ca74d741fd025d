//! Errors name what happened, and the nearest word that was probably meant.

use everwarm_core::error::{Error, ErrorKind, nearest};

const OPTIONS: [&str; 6] = [
    "ttl",
    "jitter",
    "cache_none",
    "max_entries",
    "max_bytes",
    "namespace",
];

#[test]
fn every_kind_has_its_name() {
    let rows = [
        (ErrorKind::Config, "ConfigError"),
        (ErrorKind::UnknownOption, "UnknownOption"),
        (ErrorKind::KeyRefused, "KeyRefused"),
        (ErrorKind::Unsupported, "Unsupported"),
        (ErrorKind::Recursion, "Recursion"),
        (ErrorKind::Timeout, "Timeout"),
        (ErrorKind::NotCached, "NotCached"),
        (ErrorKind::Closed, "Closed"),
    ];
    for (kind, name) in rows {
        let error = Error::new(kind, "what", "how");
        assert_eq!((error.kind(), kind.name()), (kind, name));
        assert_eq!(error.to_string(), "what\nhint: how");
    }
}

#[test]
fn the_nearest_word_is_found() {
    let rows = [
        ("tll", Some("ttl")),
        ("TTL", Some("ttl")),
        ("tt", Some("ttl")),
        ("ttls", Some("ttl")),
        ("jiter", Some("jitter")),
        ("max_entires", Some("max_entries")),
        ("max_byte", Some("max_bytes")),
        ("cachenone", Some("cache_none")),
        ("name_space", Some("namespace")),
        ("tlt", Some("ttl")),
        ("timeout", None),
        ("jumper", None),
        ("x", None),
        ("", None),
    ];
    for (word, expected) in rows {
        assert_eq!(nearest(word, OPTIONS), expected, "{word}");
    }
    assert_eq!(
        nearest("a_b", ["a-b", "a+b"]),
        Some("a-b"),
        "of equally near words the first"
    );
    assert_eq!(
        nearest("x", ["y"]),
        None,
        "a word of which no letter is right"
    );
    assert_eq!(nearest(&"t".repeat(1_000_000), OPTIONS), None);
}

#[test]
fn an_unknown_option_names_the_nearest_else_all() {
    let near = Error::unknown_option("jiter", &OPTIONS);
    assert_eq!(near.kind(), ErrorKind::UnknownOption);
    assert_eq!(near.hint(), "did you mean \"jitter\"?");
    let far = Error::unknown_option("timeout", &OPTIONS);
    assert_eq!(far.message(), "there is no option \"timeout\"");
    assert!(
        OPTIONS.iter().all(|option| far.hint().contains(option)),
        "{far}"
    );
    assert!(
        Error::unknown_option(&"x".repeat(10_000), &OPTIONS)
            .to_string()
            .len()
            < 300
    );
}
