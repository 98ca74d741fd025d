//! Durations as text and as seconds: what is read, and what is refused with which hint.

use std::time::Duration;

use everwarm_core::duration::{LONGEST, Short, from_seconds, parse};
use everwarm_core::error::ErrorKind;
use proptest::prelude::*;

#[test]
fn text_is_read() {
    let rows = [
        ("1w", 604_800_000_000_000),
        ("2d", 172_800_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("90m", 5_400_000_000_000),
        ("1h90m", 9_000_000_000_000),
        ("1w2d3h4m5s6ms", 788_645_006_000_000),
        ("1.5s", 1_500_000_000),
        ("1m1.5s", 61_500_000_000),
        ("250ms", 250_000_000),
        ("0.5ms", 500_000),
        ("0h5m", 300_000_000_000),
        ("0.000001ms", 1),
        ("0.000000000001654w", 1_000),
        (
            "1.00000000000000000000000000000000000000000009s",
            1_000_000_000,
        ),
    ];
    for (text, nanos) in rows {
        assert_eq!(parse(text).map(|span| span.as_nanos()), Ok(nanos), "{text}");
    }
    assert_eq!(parse("36525d"), Ok(LONGEST));
}

#[test]
fn text_that_cannot_be_meant_is_refused_with_a_hint() {
    let rows = [
        ("", "is empty", "1h30m"),
        ("   ", "space", "1h30m"),
        ("30", "without a unit", "\"30s\" for seconds"),
        ("1.5", "without a unit", "\"1.5s\" for seconds"),
        ("1h30", "without a unit", "write seconds as a number"),
        ("-5m", "is negative", "write seconds"),
        ("+5m", "where a number belongs", "write seconds"),
        ("m", "where a number belongs", "write seconds"),
        ("1.s", "where a number belongs", "write seconds"),
        (".5s", "where a number belongs", "write seconds"),
        ("soon", "where a number belongs", "write seconds"),
        ("nan", "where a number belongs", "write seconds"),
        ("5min", "unknown unit", "\"m\" for \"min\""),
        ("5M", "unknown unit", "\"m\" for \"M\""),
        ("2Hours", "unknown unit", "\"h\" for \"Hours\""),
        ("1y", "unknown unit", "units are w (weeks), d, h"),
        ("1e3s", "unknown unit", "units are"),
        ("1h\u{e9}", "unknown unit", "units are"),
        ("1h 30m", "space", "write \"1h30m\""),
        (" 5 minutes ", "space", "\"m\" for \"minutes\""),
        ("1m1h", "out of order", "largest first"),
        ("1h1h", "repeated", "each unit once"),
        (
            "1.5h30m",
            "fraction before its last unit",
            "only the last number",
        ),
        ("0s", "is nothing", "write seconds"),
        ("0.0000001ms", "is nothing", "write seconds"),
        ("101w0h0m0.1s1ms", "fraction before", "only the last number"),
        ("36525d1ms", "hundred years", "None"),
        ("99999999999999999999999s", "hundred years", "None"),
        ("18446744073709551615w", "hundred years", "None"),
    ];
    for (text, why, hint) in rows {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        assert!(error.message().contains(why), "{text}: {error}");
        assert!(error.hint().contains(hint), "{text}: {error}");
    }
}

#[test]
fn a_message_repeats_no_endless_text() {
    let error = parse(&"9".repeat(100_000)).unwrap_err();
    assert!(
        error.to_string().len() < 400,
        "{} bytes",
        error.to_string().len()
    );
}

#[test]
fn seconds_are_checked() {
    assert_eq!(from_seconds(0.25), Ok(Duration::from_millis(250)));
    assert_eq!(from_seconds(1e-9), Ok(Duration::from_nanos(1)));
    assert_eq!(from_seconds(LONGEST.as_secs_f64()), Ok(LONGEST));
    let rows = [
        (0.0, "is nothing"),
        (-0.0, "is nothing"),
        (1e-12, "is nothing"),
        (-1.0, "is negative"),
        (f64::NEG_INFINITY, "is negative"),
        (f64::INFINITY, "never ends"),
        (f64::NAN, "is not a number"),
        (LONGEST.as_secs_f64() + 1.0, "hundred years"),
        (f64::MAX, "hundred years"),
    ];
    for (seconds, why) in rows {
        let error = from_seconds(seconds).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{seconds:?}");
        assert!(error.message().contains(why), "{seconds:?}: {error}");
        assert!(error.to_string().len() < 300, "{seconds:?}: {error}");
    }
}

#[test]
fn short_text_is_short() {
    let rows = [
        (0, "0s"),
        (1, "0.000001ms"),
        (250_000_000, "250ms"),
        (1_500_000_000, "1.5s"),
        (5_400_000_000_000, "1h30m"),
        (3_600_250_000_000, "1h250ms"),
        (604_800_000_000_000, "7d"),
        (90_061_000_000_001, "1d1h1m1.000000001s"),
    ];
    for (nanos, text) in rows {
        assert_eq!(Short(Duration::from_nanos(nanos)).to_string(), text);
    }
}

proptest! {
    #[test]
    fn short_text_is_read_back(nanos in prop_oneof![
        1_u64..10_000_000_000, 1..u64::try_from(LONGEST.as_nanos()).unwrap(),
    ]) {
        let span = Duration::from_nanos(nanos);
        prop_assert_eq!(parse(&Short(span).to_string()), Ok(span));
    }

    #[test]
    fn any_text_is_a_duration_or_an_error_with_a_hint(text in "[0-9wdhms. -]{0,12}|\\PC{0,20}") {
        match parse(&text) {
            Ok(span) => prop_assert!(!span.is_zero() && span <= LONGEST),
            Err(error) => prop_assert!(!error.hint().is_empty()),
        }
    }

    #[test]
    fn seconds_and_text_agree(millis in 1_u32..1_000_000_000) {
        let text = format!("{}ms", millis);
        prop_assert_eq!(from_seconds(f64::from(millis) / 1_000.0), parse(&text));
    }
}
