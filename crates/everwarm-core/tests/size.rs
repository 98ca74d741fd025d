//! Sizes as text: what is read, and what is refused with which hint.

use everwarm_core::error::ErrorKind;
use everwarm_core::size::parse;

#[test]
fn text_is_read() {
    let rows = [
        ("1B", 1),
        ("512kB", 512_000),
        ("256MB", 256_000_000),
        ("256mb", 256_000_000),
        ("256 MB", 256_000_000),
        ("2GB", 2_000_000_000),
        ("1TB", 1_000_000_000_000),
        ("1KiB", 1_024),
        ("1.5KiB", 1_536),
        ("64MiB", 67_108_864),
        ("1GiB", 1_073_741_824),
        ("8388608TiB", 1 << 63),
        ("0.0015kB", 1),
    ];
    for (text, bytes) in rows {
        assert_eq!(parse(text).map(|size| size.get()), Ok(bytes), "{text}");
    }
}

#[test]
fn text_that_cannot_be_meant_is_refused_with_a_hint() {
    let rows = [
        ("", "is empty", "256MB"),
        ("  ", "is empty", "256MB"),
        ("256", "no unit", "\"256B\", or the number 256"),
        ("MB", "does not begin with a number", "256MB"),
        ("-5MB", "does not begin with a number", "256MB"),
        ("1.MB", "does not begin with a number", "256MB"),
        ("1.2.3MB", "does not begin with a number", "256MB"),
        ("1e6B", "does not begin with a number", "256MB"),
        ("5M", "unknown unit", "KiB MiB"),
        ("5 apples", "unknown unit", "KiB MiB"),
        ("0MB", "is nothing", "256MB"),
        ("0.1B", "is nothing", "256MB"),
        ("9000000TiB", "above 2**63", "leave the bound out"),
        (
            "99999999999999999999999B",
            "above 2**63",
            "leave the bound out",
        ),
    ];
    for (text, message, hint) in rows {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(message), "{text}: {error}");
        assert!(error.hint().contains(hint), "{text}: {error}");
    }
}
