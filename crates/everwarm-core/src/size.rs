//! Sizes as users write them: bytes, or text such as `"256MB"`.
//!
//! Text is one number and a unit: `B`, `kB MB GB TB` in thousands, `KiB MiB GiB TiB` in 1024ths; case does not count. The
//! number may have a fraction; what is finer than a byte is cut off. Nothing and more than 2⁶³ bytes are refused.

use std::num::NonZeroU64;

use crate::error::{Error, excerpt};

const EXAMPLES: &str =
    "write bytes as a number such as 1_000_000, or text such as \"512kB\", \"256MB\" or \"1.5GiB\"";

/// The units, in bytes.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Digits of a fraction beyond these cannot change a byte of a tebibyte.
const FINEST_DIGITS: usize = 18;

/// The size that `text` says, in bytes.
///
/// # Errors
/// A `Config` error whose hint says what to write instead.
///
/// ```
/// use everwarm_core::size::parse;
///
/// assert_eq!(parse("256MB")?.get(), 256_000_000);
/// assert_eq!(parse("1.5KiB")?.get(), 1_536);
/// assert!(parse("256").unwrap_err().hint().contains("256B"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
pub fn parse(text: &str) -> Result<NonZeroU64, Error> {
    let joined: String = text.split_whitespace().collect();
    if joined.is_empty() {
        return Err(Error::config("the size is empty", EXAMPLES));
    }
    let number = joined.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
    let unit = bytes_of(text, number, &joined[number.len()..])?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(refused(text, "does not begin with a number", EXAMPLES));
    }
    let mut bytes = whole
        .parse::<u64>()
        .map_or(u128::MAX, |whole| u128::from(whole) * u128::from(unit));
    let (mut finer, mut scale) = (0, 1);
    for digit in fraction.bytes().take(FINEST_DIGITS) {
        finer = finer * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    bytes = bytes.saturating_add(finer * u128::from(unit) / scale);
    match u64::try_from(bytes).ok().filter(|bytes| *bytes <= 1 << 63) {
        Some(bytes) => NonZeroU64::new(bytes).ok_or_else(|| refused(text, "is nothing", EXAMPLES)),
        None => Err(refused(
            text,
            "is above 2**63 bytes",
            "leave the bound out for none",
        )),
    }
}

/// The bytes of a unit.
fn bytes_of(text: &str, number: &str, unit: &str) -> Result<u64, Error> {
    if unit.is_empty() {
        let number = excerpt(number);
        let hint = format!("write \"{number}B\", or the number {number} without quotes");
        return Err(refused(text, "has no unit", hint));
    }
    UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, bytes)| *bytes)
        .ok_or_else(|| {
            let hint = "the units are B, kB MB GB TB (thousands) and KiB MiB GiB TiB (1024ths)";
            refused(text, "has an unknown unit", hint)
        })
}

fn refused(text: &str, why: &str, hint: impl Into<String>) -> Error {
    Error::config(format!("the size {:?} {why}", excerpt(text)), hint)
}
