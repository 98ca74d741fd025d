//! Durations as users write them: seconds, or text such as `"1h30m"`.
//!
//! Text is one or more numbers, each with its unit (`w d h m s ms`), largest unit first, each unit once, nothing in
//! between. The last number may have a fraction, exact to the nanosecond (what is finer is cut off). Zero, negative,
//! endless and more than a hundred years are refused, for a lifetime like these is a mistake in every case that was
//! seen.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, excerpt};

/// The longest duration that is accepted: a hundred years.
pub const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);

const EXAMPLES: &str = "write seconds as a number such as 30 or 0.25, or text such as \"250ms\", \"90s\", \"1h30m\" or \"2d\"";

/// The units, largest first, in nanoseconds.
const UNITS: [(&str, u128); 6] = [
    ("w", 604_800_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// What else people write for a unit.
const SPELLINGS: [(&str, &[&str]); 6] = [
    ("w", &["w", "wk", "wks", "week", "weeks"]),
    ("d", &["d", "day", "days"]),
    ("h", &["h", "hr", "hrs", "hour", "hours"]),
    ("m", &["m", "min", "mins", "minute", "minutes"]),
    ("s", &["s", "sec", "secs", "second", "seconds"]),
    (
        "ms",
        &[
            "ms",
            "msec",
            "msecs",
            "millis",
            "millisecond",
            "milliseconds",
        ],
    ),
];

/// Digits of a fraction beyond these cannot change a nanosecond of a week.
const FINEST_DIGITS: usize = 15;

/// Why nothing is refused, and what to write.
const NOTHING: (&str, &str) = ("is nothing", EXAMPLES);

/// Why too much is refused, and what to write.
const TOO_LONG: (&str, &str) = (
    "is above a hundred years",
    "leave it out, or give None, for what never expires",
);

/// The duration that `text` says.
///
/// # Errors
/// A `Config` error whose hint says what to write instead.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::duration::parse;
///
/// assert_eq!(parse("1h30m")?, Duration::from_secs(5_400));
/// assert_eq!(parse("1.5s")?, Duration::from_millis(1_500));
/// assert_eq!(parse("30").unwrap_err().hint(), "write \"30s\" for seconds, or the number 30 without quotes");
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
pub fn parse(text: &str) -> Result<Duration, Error> {
    if text.is_empty() {
        return Err(Error::config("the duration is empty", EXAMPLES));
    }
    if text.contains(char::is_whitespace) {
        let joined: String = text.split_whitespace().collect();
        let hint = match parse(&joined) {
            Ok(_) => format!("write {joined:?}"),
            Err(error) => error.hint().to_owned(),
        };
        return Err(refused(text, "has a space in it", hint));
    }
    if text.starts_with('-') {
        return Err(refused(text, "is negative", EXAMPLES));
    }
    let mut nanos: u128 = 0;
    let mut units_left = &UNITS[..];
    let mut rest = text;
    while !rest.is_empty() {
        let part = Part::split_off(text, rest)?;
        let (unit, size) = part.unit(text)?;
        let Some(place) = units_left.iter().position(|(name, _)| *name == unit) else {
            let hint = "write each unit once, largest first: w d h m s ms, as in \"1h30m\"";
            return Err(refused(
                text,
                "has its units repeated or out of order",
                hint,
            ));
        };
        if !part.fraction.is_empty() && !part.rest.is_empty() {
            let hint = "give only the last number a fraction, as in \"1m1.5s\"";
            return Err(refused(text, "has a fraction before its last unit", hint));
        }
        nanos = nanos.saturating_add(part.nanos(text, size)?);
        units_left = &units_left[place + 1..];
        rest = part.rest;
    }
    match u64::try_from(nanos) {
        Ok(0) => Err(refused(text, NOTHING.0, NOTHING.1)),
        Ok(nanos) if Duration::from_nanos(nanos) <= LONGEST => Ok(Duration::from_nanos(nanos)),
        _ => Err(refused(text, TOO_LONG.0, TOO_LONG.1)),
    }
}

/// The duration of `seconds`, to the nearest nanosecond.
///
/// # Errors
/// A `Config` error whose hint says what to write instead.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::duration::from_seconds;
///
/// assert_eq!(from_seconds(0.25)?, Duration::from_millis(250));
/// assert!(from_seconds(f64::NAN).is_err());
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
pub fn from_seconds(seconds: f64) -> Result<Duration, Error> {
    if seconds.is_nan() {
        return Err(refused_seconds(seconds, "is not a number", EXAMPLES));
    }
    if seconds == f64::INFINITY {
        return Err(refused_seconds(seconds, "never ends", TOO_LONG.1));
    }
    if seconds < 0.0 {
        return Err(refused_seconds(seconds, "is negative", EXAMPLES));
    }
    if seconds > LONGEST.as_secs_f64() {
        return Err(refused_seconds(seconds, TOO_LONG.0, TOO_LONG.1));
    }
    let duration = Duration::from_secs_f64(seconds);
    if duration.is_zero() {
        return Err(refused_seconds(seconds, NOTHING.0, NOTHING.1));
    }
    Ok(duration)
}

/// Whether `duration` is one that [`parse`] and [`from_seconds`] give: above zero, a hundred years at most.
///
/// # Errors
/// A `Config` error whose hint says what to write instead.
pub(crate) fn check(duration: Duration) -> Result<(), Error> {
    let text = Short(duration).to_string();
    if duration.is_zero() {
        return Err(refused(&text, NOTHING.0, NOTHING.1));
    }
    if duration > LONGEST {
        return Err(refused(&text, TOO_LONG.0, TOO_LONG.1));
    }
    Ok(())
}

/// A duration as short text that [`parse`] reads back: days, hours, minutes, seconds or milliseconds.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::duration::Short;
///
/// assert_eq!(Short(Duration::from_secs(5_400)).to_string(), "1h30m");
/// assert_eq!(Short(Duration::from_millis(250)).to_string(), "250ms");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        let seconds = self.0.as_secs();
        let whole = [
            ("d", seconds / 86_400),
            ("h", seconds / 3_600 % 24),
            ("m", seconds / 60 % 60),
        ];
        for (unit, count) in whole {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        match (seconds % 60, self.0.subsec_nanos()) {
            (0, 0) => Ok(()),
            (0, nanos) => {
                write_decimal(f, u64::from(nanos / 1_000_000), nanos % 1_000_000, 6, "ms")
            }
            (count, nanos) => write_decimal(f, count, nanos, 9, "s"),
        }
    }
}

/// Writes `whole.fraction unit` where the fraction has `digits` places, without its closing zeros.
fn write_decimal(
    f: &mut fmt::Formatter<'_>,
    whole: u64,
    fraction: u32,
    digits: usize,
    unit: &str,
) -> fmt::Result {
    if fraction == 0 {
        return write!(f, "{whole}{unit}");
    }
    let places = format!("{fraction:0digits$}");
    write!(f, "{whole}.{}{unit}", places.trim_end_matches('0'))
}

/// One number with its unit, and the text after it.
struct Part<'a> {
    whole: &'a str,
    fraction: &'a str,
    unit: &'a str,
    rest: &'a str,
}

impl<'a> Part<'a> {
    /// The first part of `rest`; `text` is the whole, for messages.
    fn split_off(text: &str, rest: &'a str) -> Result<Self, Error> {
        let (whole, after) = split_while(rest, |c| c.is_ascii_digit());
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_while(after, |c| c.is_ascii_digit()),
            None => ("", after),
        };
        let dot = rest[whole.len()..].starts_with('.');
        if whole.is_empty() || (dot && fraction.is_empty()) {
            return Err(refused(
                text,
                "has a unit or a sign where a number belongs",
                EXAMPLES,
            ));
        }
        let (unit, after) = split_while(after, |c| !c.is_ascii_digit() && c != '.');
        if unit.is_empty() {
            let hint = if after.is_empty() && rest.len() == text.len() {
                format!(
                    "write \"{}s\" for seconds, or the number {0} without quotes",
                    excerpt(text)
                )
            } else {
                EXAMPLES.to_owned()
            };
            return Err(refused(text, "has a number without a unit", hint));
        }
        Ok(Self {
            whole,
            fraction,
            unit,
            rest: after,
        })
    }

    /// The unit and its nanoseconds.
    fn unit(&self, text: &str) -> Result<(&'static str, u128), Error> {
        if let Some(unit) = UNITS.iter().find(|(name, _)| *name == self.unit) {
            return Ok(*unit);
        }
        let hint = match meant(self.unit) {
            Some(unit) => format!(
                "write \"{unit}\" for {:?}; the units are w d h m s ms",
                excerpt(self.unit)
            ),
            None => "the units are w (weeks), d, h, m (minutes), s and ms".to_owned(),
        };
        Err(refused(text, "has an unknown unit", hint))
    }

    /// The part's length, given its unit's.
    fn nanos(&self, text: &str, unit: u128) -> Result<u128, Error> {
        let too_long = |_| refused(text, TOO_LONG.0, TOO_LONG.1);
        let whole: u64 = self.whole.parse().map_err(too_long)?;
        let mut finer: u128 = 0;
        let mut scale: u128 = 1;
        for digit in self.fraction.bytes().take(FINEST_DIGITS) {
            finer = finer * 10 + u128::from(digit - b'0');
            scale *= 10;
        }
        Ok(u128::from(whole) * unit + finer * unit / scale)
    }
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// The unit that a longer or otherwise written one stands for.
fn meant(unit: &str) -> Option<&'static str> {
    let unit = unit.to_lowercase();
    let (short, _) = SPELLINGS
        .iter()
        .find(|(_, others)| others.contains(&unit.as_str()))?;
    Some(short)
}

fn refused(text: &str, why: &str, hint: impl Into<String>) -> Error {
    Error::config(format!("the duration {:?} {why}", excerpt(text)), hint)
}

fn refused_seconds(seconds: f64, why: &str, hint: &str) -> Error {
    Error::config(format!("the duration {seconds:?} {why}"), hint)
}
